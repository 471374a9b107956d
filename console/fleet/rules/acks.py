"""What somebody took on and holds for so long that nothing seems to move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.care import ACK_AGES_SECONDS
from console.facts.severity import Severity
from console.fleet.rules.rule import Rule
from console.fleet.truth import Truth, certain
from console.fleet.words import name, span

if TYPE_CHECKING:
    from console.facts.care import Hold
    from console.fleet.evidence import Evidence


def _old(evidence: Evidence) -> Truth:
    rows = (row for row, holds in evidence.holds.items() if _oldest(holds, evidence.now))
    return certain(evidence.mask(rows))


def _oldest(holds: tuple[Hold, ...], now: float) -> Hold | None:
    old = (
        each for each in holds if each.kind == "ack" and each.age_seconds(now) > ACK_AGES_SECONDS
    )
    return min(old, key=lambda each: each.began_at, default=None)


def _old_text(evidence: Evidence, row: int) -> str:
    hold = _oldest(evidence.holds.get(row, ()), evidence.now)
    if hold is None:
        return "an acknowledgement was old"
    held = span(hold.age_seconds(evidence.now))
    return (
        f"{name(hold.by)} has held {name(hold.title or hold.incident)} for {held}: "
        "close it, release it or hand it over"
    )


RULES = (
    Rule(
        "ack_old",
        Severity.S3,
        "an incident that touches the model has been acknowledged by the same person for more "
        "than 4 hours",
        ("incidents",),
        _old,
        _old_text,
        spans=True,
    ),
)
