"""Money is being spent faster than the budget allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Severity
from console.evaluation.cost import day_text
from console.evaluation.evidence import Truth, above, at_least
from console.evaluation.observations import HOURS_IN_BUDGET
from console.evaluation.rules.rule import Rule
from console.metrics.units import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.evaluation.evidence import Evidence

    Floats = NDArray[np.float64]

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


RULES = (
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
