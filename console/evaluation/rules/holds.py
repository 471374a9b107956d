"""Rules on what people left open: overrides, acknowledgements, decisions, proofs that end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.domain.incident import ACK_AGES_SECONDS
from console.domain.severity import Finding, Severity
from console.domain.text import visible
from console.evaluation.evidence import Truth, certain
from console.evaluation.override_rows import ends_unattended, is_overdue
from console.evaluation.overrides import held_word
from console.evaluation.rules.rule import Rule
from console.metrics.units import clock, name, span
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from console.domain.action import Override
    from console.domain.decision import DecisionRecord
    from console.domain.incident import Hold
    from console.evaluation.evidence import Evidence

DECISION_OVERDUE = "decision_overdue"
ENDING_PROOF = "readiness_expired"
GATE_CLOSED = "readiness_gate"
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


ACK_RULES = (
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


def _overdue(evidence: Evidence) -> Truth:
    """Judge that a review date has passed; that none has is only known while the record is read."""
    rows = evidence.mask(evidence.overdue)
    return Truth(rows, ~rows if evidence.record_read else np.zeros_like(rows))


def _text(evidence: Evidence, row: int) -> str:
    found = evidence.overdue.get(row)
    return "a decision was overdue" if found is None else found.text


DECIDED_RULES = (
    Rule(
        DECISION_OVERDUE,
        Severity.S3,
        "the review date of a decision about the model has passed and nobody wrote what came of it",
        ("decisions",),
        _overdue,
        _text,
        spans=True,
        keeps_level=True,
    ),
)


def _proof_ends(evidence: Evidence) -> Truth:
    rows = evidence.mask(evidence.proofs.ending)
    return Truth(rows, ~rows if evidence.record_read else np.zeros_like(rows))


def _gate_closed(evidence: Evidence) -> Truth:
    rows = evidence.mask(evidence.proofs.closed)
    open_gates = ~(rows | evidence.mask(evidence.proofs.unknown))
    return Truth(rows, open_gates if evidence.record_read else np.zeros_like(rows))


def _proof_text(evidence: Evidence, row: int) -> str:
    found = evidence.proofs.ending.get(row)
    return "a proof of readiness was over" if found is None else found.text


def _gate_text(evidence: Evidence, row: int) -> str:
    found = evidence.proofs.closed.get(row)
    return "a gate of readiness was closed" if found is None else found.text


PROOF_RULES = (
    Rule(
        ENDING_PROOF,
        Severity.S3,
        "a proof of readiness (an attestation, a drill) has ended, or does in 7 days or a fifth "
        "of its life; what was never proven calls nobody",
        ("readiness",),
        _proof_ends,
        _proof_text,
        spans=True,
        keeps_level=True,
    ),
    Rule(
        GATE_CLOSED,
        Severity.S3,
        "a gate of tier 1 that was open when the model was signed off has failed or expired since",
        ("readiness",),
        _gate_closed,
        _gate_text,
        keeps_level=True,
    ),
)


def _ending(evidence: Evidence) -> Truth:
    return certain(evidence.held.ending)


def _overdue_held(evidence: Evidence) -> Truth:
    return certain(evidence.held.overdue)


def _first(
    evidence: Evidence, row: int, holds: Callable[[Override, float], bool]
) -> Override | None:
    found = (each for each in evidence.held.of_row(row) if holds(each, evidence.now))
    return min(found, key=lambda each: each.ends_at or 0.0, default=None)


def _ending_text(evidence: Evidence, row: int) -> str:
    override = _first(evidence, row, ends_unattended)
    if override is None or override.ends_at is None:
        return "an override ended with no successor"
    return (
        f"{_what(override)} ends at {clock(override.ends_at)} with no successor, "
        f"then {name(override.ends_in)}"
    )


def _overdue_text(evidence: Evidence, row: int) -> str:
    override = _first(evidence, row, is_overdue)
    if override is None or override.ends_at is None:
        return "an override was overdue"
    late = span(evidence.now - override.ends_at)
    return f"{_what(override)} is OVERDUE since {clock(override.ends_at)} ({late}): end it"


def _what(override: Override) -> str:
    whose = name(override.by) or "nobody"
    return f"{name(override.target)} {held_word(override)} by {whose}"


HELD_RULES = (
    Rule(
        "override_overdue",
        Severity.S2,
        "an override of the model or of what it depends on is past its end and still in force",
        ("overrides",),
        _overdue_held,
        _overdue_text,
        spans=True,
        keeps_level=True,
        opens_incident=False,
    ),
    Rule(
        "override_ending",
        Severity.S2,
        "an override of the model or of what it depends on ends in less than 5 minutes and "
        "nothing follows it; a drill does not count",
        ("overrides",),
        _ending,
        _ending_text,
        spans=True,
        keeps_level=True,
        opens_incident=False,
    ),
)
