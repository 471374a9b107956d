"""Money is being spent faster than the budget allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.facts.severity import Severity
from console.fleet.rules.rule import Rule
from console.fleet.truth import Truth, at_least
from console.fleet.words import shown

if TYPE_CHECKING:
    from console.fleet.evidence import Evidence

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
)
