"""The rule on decisions whose review date has passed: S3, today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.severity import Finding, Severity
from console.domain.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.domain.decision import DecisionRecord

DECISION_OVERDUE = "decision_overdue"
UNREAD = ("starting", "unreadable")
"""States of the record in which nobody can say that nothing is overdue."""

_DAY_SECONDS = 86400.0
_HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class DecidedFacts:
    """The decisions known, and whether the record they stand in could be read."""

    records: tuple[DecisionRecord, ...] = ()
    read: bool = True


NOTHING_DECIDED = DecidedFacts()


def overdue_rows(
    records: Iterable[DecisionRecord], index: Mapping[str, int], now: float
) -> dict[int, Finding]:
    """Return the same findings by row; ``index`` is the row of each model."""
    return {
        index[model]: finding
        for model, finding in overdue_findings(records, now).items()
        if model in index
    }


def overdue_findings(records: Iterable[DecisionRecord], now: float) -> dict[str, Finding]:
    """Return the finding of each model with an overdue decision, ``now`` in Unix seconds.

    One finding a model, since the earliest review date that passed; its sentence tells how many.
    """
    late: dict[str, list[DecisionRecord]] = {}
    for record in records:
        if record.overdue(now):
            late.setdefault(record.decision.model, []).append(record)
    return {model: _finding(found, now) for model, found in late.items()}


def _finding(found: list[DecisionRecord], now: float) -> Finding:
    oldest = min(found, key=lambda each: each.decision.review_by)
    decision = oldest.decision
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    approval = ", never approved" if oldest.pending else ""
    text = (
        f"{decision.kind} by {visible(decision.author, 60)} was to be reviewed "
        f"{_ago(now - decision.review_by)} ago{approval}{more}"
    )
    return Finding(DECISION_OVERDUE, Severity.S3, text, decision.review_by)


def _ago(seconds: float) -> str:
    unit = _DAY_SECONDS if seconds >= _DAY_SECONDS else _HOUR_SECONDS
    if seconds < _HOUR_SECONDS:
        return "less than 1h"
    return format_duration(seconds // unit * unit)
