"""Rules on error budget burn (Google SRE workbook, multi-window) and on spend against its
budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Severity
from console.evaluation.cost import day_text
from console.evaluation.derive import LONG_BURN_WINDOWS
from console.evaluation.evidence import Truth, above, at_least
from console.evaluation.observations import HOURS_IN_BUDGET
from console.evaluation.rules.rule import Rule
from console.metrics.units import shown, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from console.evaluation.evidence import Evidence

    Floats = NDArray[np.float64]


def burning(limit: float, long: str, short: str) -> Callable[[Evidence], Truth]:
    """Judge that both windows burn at ``limit`` or more, with enough events in the long one."""

    def judge(evidence: Evidence) -> Truth:
        burn = evidence.derived.burn
        over_long = at_least(burn[long].values, limit)
        over_short = at_least(burn[short].values, limit)
        return (over_long & over_short).given(burn[long].enough)

    return judge


def _text(long: str, short: str) -> Callable[[Evidence, int], str]:
    def text(evidence: Evidence, row: int) -> str:
        burn = evidence.derived.burn
        first = shown(float(burn[long].values[row]), "x")
        second = shown(float(burn[short].values[row]), "x")
        default = "" if evidence.statics.declared[row] else " of the default SLO ~"
        return f"burn {first} on {long}, {second} on {short}{default}{_only(evidence, row, long)}"

    return text


def _only(evidence: Evidence, row: int, long: str) -> str:
    """Say where the next longer window is not known because the history is too short for it."""
    longer = LONG_BURN_WINDOWS[LONG_BURN_WINDOWS.index(long) + 1 :]
    if not longer:
        return ""
    history = evidence.derived.columns[f"burn_{longer[0]}"].history_seconds
    if history is None or not np.isfinite(history[row]):
        return ""
    return f", {long} only: history {span(float(history[row]))}"


def _rule(
    rule_id: str,
    level: Severity,
    limit: float,
    long: str,
    short: str,
    implied_by: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        id=rule_id,
        level=level,
        when=f"burn >= {limit:g}x on {long} and {short}; >=10 bad or >=100 requests in {long}",
        needs=tuple(
            f"{column}@{window}"
            for column in ("error_ratio", "slow_ratio", "requests_count")
            for window in (long, short)
        ),
        judge=burning(limit, long, short),
        text=_text(long, short),
        spans=True,
        implied_by=implied_by,
    )


BURN_RULES = (
    _rule("burn_page_fast", Severity.S1, 14.4, "1h", "5m"),
    _rule("burn_page_slow", Severity.S1, 6.0, "6h", "30m"),
    _rule("burn_degraded", Severity.S2, 6.0, "1h", "5m", implied_by=("burn_page_fast",)),
    _rule("burn_ticket", Severity.S3, 3.0, "1d", "2h"),
    _rule("burn_ticket_slow", Severity.S3, 1.0, "3d", "6h"),
)

PAGE_BURN = 10.0
TICKET_BURN = 3.0


def _page(evidence: Evidence) -> Truth:
    """Judge >= 10x over 1 h and, where it is known, still so over 5 m: a spent hour is history."""
    spend = evidence.derived.spend
    over_hour = at_least(spend["1h"], PAGE_BURN)
    now = at_least(spend["5m"], PAGE_BURN)
    return over_hour & Truth(now.yes | now.unknown, now.no)


def _page_text(evidence: Evidence, row: int) -> str:
    spend = evidence.derived.spend
    lately = float(spend["5m"][row])
    also = f", {shown(lately, 'x')} on 5m" if np.isfinite(lately) else ""
    return f"spend {shown(float(spend['1h'][row]), 'x')} its budget on 1h{also}"


def _ticket(evidence: Evidence) -> Truth:
    return at_least(evidence.derived.spend["6h"], TICKET_BURN)


def _ticket_text(evidence: Evidence, row: int) -> str:
    return f"spend {shown(float(evidence.derived.spend['6h'][row]), 'x')} its budget on 6h"


def _budget(evidence: Evidence) -> Floats:
    return evidence.statics.budget_hour_usd * HOURS_IN_BUDGET


def _over_budget(evidence: Evidence) -> Truth:
    return above(evidence.derived.month.p50_usd, _budget(evidence))


def _may_exceed(evidence: Evidence) -> Truth:
    return above(evidence.derived.month.p90_usd, _budget(evidence))


def _over_budget_text(evidence: Evidence, row: int) -> str:
    month = evidence.derived.month
    text = f"month's end P50 {_of_budget(evidence, row, float(month.p50_usd[row]))}"
    days = float(month.crosses_in[row])
    if np.isfinite(days):
        text += f", reached on {day_text(evidence.now, days)}" if days else ", reached"
    few = f", by the run rate of {month.known_days[row]} days" if month.by_run_rate[row] else ""
    return text + few


def _may_exceed_text(evidence: Evidence, row: int) -> str:
    p90 = float(evidence.derived.month.p90_usd[row])
    return f"month's end P90 {_of_budget(evidence, row, p90)}"


def _of_budget(evidence: Evidence, row: int, amount_usd: float) -> str:
    return f"{shown(amount_usd, 'USD')} of {shown(float(_budget(evidence)[row]), 'USD')}"


SPEND_RULES = (
    Rule(
        "spend_burn_page",
        Severity.S1,
        "spend >= 10x the hourly budget over 1h, and over 5m where that is known",
        ("cost_increase@1h", "cost_increase@5m"),
        _page,
        _page_text,
        spans=True,
    ),
    Rule(
        "spend_burn",
        Severity.S2,
        "spend >= 3x the hourly budget over 6h",
        ("cost_increase@6h",),
        _ticket,
        _ticket_text,
        spans=True,
    ),
    Rule(
        "forecast_over_budget",
        Severity.S3,
        "the month's end forecast (P50) is over the budget; under 7 days of history the run rate",
        ("cost_month", "cost_day@1d", "cost_day@28d"),
        _over_budget,
        _over_budget_text,
        spans=True,
    ),
    Rule(
        "forecast_may_exceed",
        Severity.S4,
        "the upper end (P90) of the month's end forecast is over the budget",
        ("cost_month", "cost_day@1d", "cost_day@28d"),
        _may_exceed,
        _may_exceed_text,
        spans=True,
        implied_by=("forecast_over_budget",),
    ),
)
