"""Rules on error budget burn (Google SRE workbook, multi-window) and on spend against its
budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Severity
from console.domain.signals import BURN_WINDOWS
from console.evaluation.cost import day_text
from console.evaluation.derive import LONG_BURN_WINDOWS, falling_cost
from console.evaluation.evidence import Truth, above, at_least, certain
from console.evaluation.observations import HOURS_IN_BUDGET
from console.evaluation.rules.rule import Rule
from console.metrics.units import shown, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from console.evaluation.evidence import Evidence

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]


def burning(limit: float, long: str, short: str) -> Callable[[Evidence], Truth]:
    """Judge that both windows burn at ``limit`` or more, and that counts show it is no chance."""
    between = [
        name
        for name, seconds in BURN_WINDOWS.items()
        if BURN_WINDOWS[short] <= seconds <= BURN_WINDOWS[long]
    ]

    def judge(evidence: Evidence) -> Truth:
        burn = evidence.derived.burn
        over_long = at_least(burn[long].values, limit)
        over_short = at_least(burn[short].values, limit)
        over = over_long & over_short
        # Of a model with a few requests an hour a shorter window shows it first.
        proven = np.logical_or.reduce([burn[name].proven for name in between])
        if limit <= 1.0:
            # What burns exactly as planned can never be beyond chance.
            proven = burn[long].enough
        return Truth(over.yes & proven, over.no & burn[long].enough)

    return judge


CLEAR_SHARE = 0.8
CLEAR_SHORT_SHARE = 0.5
"""A raised rule is over under these shares of its limit: a short window is noisier."""


def still_burning(limit: float, long: str, short: str) -> Callable[[Evidence], Mask]:
    """Return the rows that still burn: at 0.8 of ``limit`` long, at half of it short, or more."""

    def judge(evidence: Evidence) -> Mask:
        burn = evidence.derived.burn
        found: Mask = (burn[long].values >= CLEAR_SHARE * limit) & (
            burn[short].values >= CLEAR_SHORT_SHARE * limit
        )
        return found

    return judge


SPANS_OF_SHORT_HISTORY = ("6h", "2h", "1h", "30m", "5m")
"""Windows that may stand for a longer one, the longest first; the shortest is always answered."""

_PAGE_LIMIT, _TICKET_LIMIT = 14.4, 3.0
ALL_BAD_RATIO = 0.5


def longest_span(evidence: Evidence, below: str) -> tuple[Floats, NDArray[np.intp]]:
    """Return the burn of the longest known window of each row below ``below``, and which it is.

    The index is of `SPANS_OF_SHORT_HISTORY`; NaN and -1 where none is known.
    """
    burn = evidence.derived.burn
    values = np.full(len(evidence.statics), np.nan)
    which = np.full(len(evidence.statics), -1, dtype=np.intp)
    first = SPANS_OF_SHORT_HISTORY.index(below) + 1 if below in SPANS_OF_SHORT_HISTORY else 0
    for place in range(len(SPANS_OF_SHORT_HISTORY) - 1, first - 1, -1):
        window = burn[SPANS_OF_SHORT_HISTORY[place]].values
        known = np.isfinite(window)
        values, which = np.where(known, window, values), np.where(known, place, which)
    return values, which


def _of_span(which: NDArray[np.intp], columns: list[Floats | Mask]) -> NDArray[np.generic]:
    """Return each row's entry of the column that its span has, the first where it has none."""
    return np.stack(columns)[np.maximum(which, 0), np.arange(len(which))]


def burning_on_short_history(limit: float, long: str) -> Callable[[Evidence], Truth]:
    """Judge the longest window there is where history is too short for ``long``.

    The window must burn at ``limit`` or more, by counts that are no chance, and the last five
    minutes as well. Where ``long`` is known its own rule judges.
    """

    def judge(evidence: Evidence) -> Truth:
        burn = evidence.derived.burn
        values, which = longest_span(evidence, long)
        over = at_least(values, limit) & at_least(burn["5m"].values, limit)
        windows = [burn[name] for name in SPANS_OF_SHORT_HISTORY]
        proven = _of_span(which, [window.proven for window in windows]).astype(np.bool_)
        enough = _of_span(which, [window.enough for window in windows]).astype(np.bool_)
        judged = Truth(over.yes & proven, over.no & enough)
        withheld = np.isfinite(burn[long].history_seconds)
        full = np.isfinite(burn[long].values)
        return Truth(judged.yes & withheld, (judged.no & withheld) | full)

    return judge


def mostly_good(long: str) -> Callable[[Evidence], Mask]:
    """Return the rows of a short history of whose requests less than half were bad."""

    def judge(evidence: Evidence) -> Mask:
        _, which = longest_span(evidence, long)
        ratios = [evidence.derived.burn[name].bad_ratio for name in SPANS_OF_SHORT_HISTORY]
        few: Mask = ~(_of_span(which, list(ratios)).astype(np.float64) >= ALL_BAD_RATIO)
        return few

    return judge


def _short_text(long: str) -> Callable[[Evidence, int], str]:
    def text(evidence: Evidence, row: int) -> str:
        values, which = longest_span(evidence, long)
        window = SPANS_OF_SHORT_HISTORY[int(which[row])]
        ratio = float(evidence.derived.burn[window].bad_ratio[row])
        history = float(evidence.derived.burn[long].history_seconds[row])
        default = "" if evidence.statics.declared[row] else " of the default SLO ~"
        return (
            f"{shown(ratio, '%')} of requests bad, burn {shown(float(values[row]), 'x')} "
            f"on {window}{default}; history {span(history)}, the {long} is not known yet"
        )

    return text


def _short_rule(
    rule_id: str, level: Severity, limit: float, long: str, implied_by: tuple[str, ...] = ()
) -> Rule:
    return Rule(
        id=rule_id,
        level=level,
        when=f"history is too short for {long}: burn >= {limit:g}x on the longest window there "
        f"is and on 5m; one level lower while under half of the requests are bad",
        needs=tuple(
            f"{column}@{window}"
            for column in ("error_ratio", "slow_ratio", "requests_count")
            for window in ("5m", "30m")
        ),
        judge=burning_on_short_history(limit, long),
        text=_short_text(long),
        spans=True,
        implied_by=implied_by,
        recovers=True,
        lowered=mostly_good(long),
    )


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
        when=f"burn >= {limit:g}x on {long} and {short}; >=10 bad in {long}, or >=5 and half of"
        " all, too many to be chance (1e-6)"
        if limit > 1.0
        else f"burn >= {limit:g}x on {long} and {short}; >=100 requests in {long}",
        needs=tuple(
            f"{column}@{window}"
            for column in ("error_ratio", "slow_ratio", "requests_count")
            for window in (long, short)
        ),
        judge=burning(limit, long, short),
        text=_text(long, short),
        spans=True,
        implied_by=implied_by,
        recovers=True,
        keeps=still_burning(limit, long, short),
    )


BURN_RULES = (
    _rule("burn_page_fast", Severity.S1, 14.4, "1h", "5m"),
    _rule("burn_page_slow", Severity.S1, 6.0, "6h", "30m"),
    _rule("burn_degraded", Severity.S2, 6.0, "1h", "5m", implied_by=("burn_page_fast",)),
    _rule("burn_ticket", Severity.S3, 3.0, "1d", "2h"),
    _rule("burn_ticket_slow", Severity.S3, 1.0, "3d", "6h"),
    _short_rule("burn_page_short", Severity.S1, _PAGE_LIMIT, "1h"),
    _short_rule(
        "burn_ticket_short",
        Severity.S3,
        _TICKET_LIMIT,
        "1d",
        implied_by=("burn_page_short", "burn_page_fast", "burn_page_slow", "burn_degraded"),
    ),
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
    return f"spend {_times(float(spend['1h'][row]))} its budget on 1h{also}"


def _ticket(evidence: Evidence) -> Truth:
    return at_least(evidence.derived.spend["6h"], TICKET_BURN)


def _ticket_text(evidence: Evidence, row: int) -> str:
    return f"spend {_times(float(evidence.derived.spend['6h'][row]))} its budget on 6h"


def _times(value: float) -> str:
    """Write how many times a budget is spent; of a budget of 0 there is no number."""
    return "on a budget of 0, infinitely over" if np.isinf(value) else shown(value, "x")


def _falling(evidence: Evidence) -> Truth:
    known = np.isfinite(evidence.asked.values("cost_least"))
    return certain(falling_cost(evidence.asked)).given(known)


def _falling_text(evidence: Evidence, row: int) -> str:
    least = float(evidence.asked.values("cost_least")[row])
    if least < 0:
        return f"cost counter is negative ({shown(least, 'USD')}): its spend is not known"
    resets = float(evidence.asked.values("cost_resets")[row])
    return f"cost counter went back {resets:.0f} times in a day: its spend is not known"


def _budget(evidence: Evidence) -> Floats:
    return evidence.statics.budget_hour_usd * HOURS_IN_BUDGET


def _over_budget(evidence: Evidence) -> Truth:
    """Judge that the month ends over budget with 80% probability; without a range, P50."""
    month = evidence.derived.month
    margin = np.where(np.isfinite(month.p80_margin_usd), month.p80_margin_usd, 0.0)
    return above(month.p50_usd - margin, _budget(evidence))


def _may_exceed(evidence: Evidence) -> Truth:
    return above(evidence.derived.month.p90_usd, _budget(evidence))


def _over_budget_text(evidence: Evidence, row: int) -> str:
    month = evidence.derived.month
    text = f"month's end P50 {_of_budget(evidence, row, float(month.p50_usd[row]))}"
    days = float(month.crosses_in[row])
    if np.isfinite(days):
        text += f", reached on {day_text(evidence.now, days)}" if days else ", reached"
    if month.by_run_rate[row]:
        return f"{text}, by the run rate of {month.known_days[row]} days"
    if not np.isfinite(month.p90_usd[row]):
        return f"{text}, range not known, {month.known_days[row]} days"
    shift, slope = float(month.shift_days[row]), float(month.slope_usd[row])
    if np.isfinite(shift):
        return f"{text}, level changed {shift:.0f} d ago"
    return f"{text}, a day grows by {shown(slope, 'USD')}" if slope > 0 else text


def _may_exceed_text(evidence: Evidence, row: int) -> str:
    p90 = float(evidence.derived.month.p90_usd[row])
    return f"month's end P90 {_of_budget(evidence, row, p90)}"


def _of_budget(evidence: Evidence, row: int, amount_usd: float) -> str:
    return f"{shown(amount_usd, 'USD')} of {shown(float(_budget(evidence)[row]), 'USD')}"


SPEND_RULES = (
    Rule(
        "spend_burn_page",
        Severity.S1,
        "spend >= 10x the budget of this hour over 1h, and over 5m where that is known; with 14 "
        "known days that is weekly budget x usual share of the hour where it is more than flat",
        ("cost_increase@1h", "cost_increase@5m"),
        _page,
        _page_text,
        spans=True,
    ),
    Rule(
        "spend_burn",
        Severity.S2,
        "spend >= 3x the budget of these six hours, by the usual profile once 14 days are known",
        ("cost_increase@6h",),
        _ticket,
        _ticket_text,
        spans=True,
    ),
    Rule(
        "forecast_over_budget",
        Severity.S3,
        "the month ends over the budget with a probability of 80% or more; under 14 days of "
        "history the forecast (P50) is over it, under 7 the run rate",
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
    Rule(
        "cost_counter_falls",
        Severity.S4,
        "the counter of spend is negative, or goes back more than 12 times a day",
        ("cost_resets", "cost_least"),
        _falling,
        _falling_text,
        spans=True,
    ),
)
