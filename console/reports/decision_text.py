"""Turns a retraining decision into lines for people and a JSON document."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.decision import Decision, DecisionRecord, Evidence, SignalEvidence

_LONG = 2000
_DAY_SECONDS, _HOUR_SECONDS = 86400.0, 3600.0
_TIMES = frozenset(
    {"taken_at", "review_by", "at", "since", "approved_at", "closed_at"}
)  # the fields of a decision that hold Unix seconds


def listed(record: DecisionRecord, now: float) -> str:
    """Return one decision on one line: id, what, of which model, state, review, who, why."""
    decision = record.decision
    state = record.state(now).replace("_", " ")
    if record.closed_at is not None:
        when = f"closed {timestamp(record.closed_at)[:10]}"
    else:
        waits = " unapproved" if record.pending and state == "overdue" else ""
        when = (
            f"review {timestamp(decision.review_by)[:10]} ({_distance(decision.review_by - now)})"
        )
        state = f"{state.upper() if state == 'overdue' else state}{waits}"
    line = (
        f"{visible(decision.id, 40)}  {decision.kind:<21} {visible(decision.model, 60):<20} "
        f'{state:<9} {when}  {visible(decision.author, 40)}  "{visible(decision.reason, 160)}"'
    )
    if record.outcome:
        line += f"  → {visible(record.outcome, 160)}"
    return line


def _distance(seconds: float) -> str:
    """Return how far away a time is, in whole days, or hours under two days."""
    size = abs(seconds)
    unit = _DAY_SECONDS if size >= 2 * _DAY_SECONDS else _HOUR_SECONDS
    text = format_duration(round(size / unit) * unit) if size >= _HOUR_SECONDS else "under 1h"
    return f"in {text}" if seconds >= 0 else f"{text} late"


def told(decision: Decision) -> Iterator[tuple[str, str]]:
    """Yield label and text of every part of a decision; what nobody wrote is said to be missing."""
    lineage = decision.lineage
    yield "decision", f"{decision.kind} {decision.model} (tier {decision.tier})"
    yield "trigger", decision.trigger
    yield "reason", decision.reason
    yield "options", " · ".join(decision.options) or "none written"
    yield "expect", decision.expected or "nothing written"
    yield "checked", decision.checked_by or "nothing written"
    if decision.to_version:
        yield "to", f"version {decision.to_version}"
    yield "reverse", decision.reverse_if or "nothing written"
    yield "review", timestamp(decision.review_by)
    yield "author", decision.author
    yield "approver", _approver(decision)
    yield "region", _region(decision)
    yield "consent", lineage.consent or "not known"
    yield "lineage", _lineage(decision)
    if lineage.gaps:
        yield "gaps", ", ".join(lineage.gaps)
    for conflict in lineage.conflicts:
        yield "conflict", conflict
    for planned in decision.sends:
        yield "send", f"{planned.sink}: {planned.before or '?'} → {planned.wanted}"
    if decision.incident:
        yield "incident", decision.incident
    if decision.despite:
        yield "despite", f"{'; '.join(decision.objections) or 'nothing'}: {decision.despite}"
    for text in _evidence(decision.evidence):
        yield "evidence", text


def _approver(decision: Decision) -> str:
    if not decision.needs_approval:
        return "none needed"
    return f"{decision.approver or 'another person'}, from another login"


def _region(decision: Decision) -> str:
    allowed = ", ".join(decision.allowed_regions)
    return f"{decision.region or 'not known'}" + (f" (allowed: {allowed})" if allowed else "")


def _lineage(decision: Decision) -> str:
    lineage = decision.lineage
    links = (
        ("version", lineage.version),
        ("data", lineage.data_snapshot),
        ("code", lineage.code),
        ("trained", lineage.trained_at),
        ("approver", lineage.approver),
    )
    return " → ".join([lineage.model, *(f"{name} {text or '?'}" for name, text in links)])


def _evidence(evidence: Evidence) -> Iterator[str]:
    if evidence.taken_at is None:
        yield f"none: {evidence.doubt or 'no source was asked'}"
        return
    yield f"frozen {timestamp(evidence.taken_at)}, level {evidence.severity}" + (
        f"; {evidence.doubt}" if evidence.doubt else ""
    )
    for finding in evidence.findings:
        yield f"{finding.level} {finding.rule}: {finding.text} (since {timestamp(finding.since)})"
    for finding in evidence.pending:
        yield f"{finding.level} {finding.rule}, not proven by one look: {finding.text}"
    if evidence.reference is not None:
        reference = evidence.reference
        yield (
            f"reference {reference.name}, {reference.what}, n={reference.n:.0f}, "
            f"taken {timestamp(reference.taken_at)}, sha256 {reference.sha256[:12]}"
        )
    else:
        yield f"reference {evidence.reference_name or 'none declared'}"
    for each in evidence.dependencies:
        mark = " CULPRIT" if each.culprit else ""
        yield f"dependency {each.name} {each.state}{mark}" + (f": {each.text}" if each.text else "")
    unknown: dict[str, list[str]] = {}
    for signal in evidence.signals:
        if signal.value is None and not signal.remark:
            unknown.setdefault(signal.state, []).append(signal.signal)
        else:
            yield _signal(signal)
    for state, names in unknown.items():
        yield f"{state}: {' '.join(names)}"


def _signal(signal: SignalEvidence) -> str:
    facts = []
    if signal.state != "ok":
        facts.append(signal.state)
    if signal.n is not None:
        facts.append(f"n={signal.n:.0f}")
    if signal.window_seconds is not None:
        facts.append(format_duration(max(1.0, float(round(signal.window_seconds)))))
    if signal.method:
        facts.append(signal.method)
    if signal.normal is not None:
        facts.append(f"normal {signal.normal:.4g}")
    shown = signal.remark if signal.value is None else f"{signal.value:.4g}"
    unit = "" if signal.unit in ("1", "count", "bool") else f" {signal.unit}"
    return f"{signal.signal} {shown}{unit}" + (f" ({', '.join(facts)})" if facts else "")


def told_text(decision: Decision) -> str:
    """Return a decision as indented lines, control characters made visible."""
    return "".join(f"  {label:<9}{visible(text, _LONG)}\n" for label, text in told(decision))


def document(record: DecisionRecord, now: float) -> dict[str, object]:
    """Return a decision for scripts: times in ISO 8601 UTC, its state as of ``now``."""
    fields: dict[str, object] = msgspec.to_builtins(record.decision)
    return {
        **{name: _timed(name, value) for name, value in fields.items()},
        "state": record.state(now),
        "pending": record.pending,
        "overdue": record.overdue(now),
        "digest": record.digest,
        "account": record.account,
        "approved_by": record.approved_by or None,
        "approved_at": None if record.approved_at is None else timestamp(record.approved_at),
        "closed_by": record.closed_by or None,
        "closed_at": None if record.closed_at is None else timestamp(record.closed_at),
        "outcome": record.outcome or None,
        "sent": [
            {
                "sink": each.sink,
                "op": each.op_id,
                "by": each.by,
                "at": timestamp(each.at),
                "outcome": each.outcome or None,
                "text": each.text,
            }
            for each in record.sent
        ],
    }


def _timed(name: str, value: object) -> object:
    """Return ``value`` of the field ``name`` with the times in it as text."""
    if isinstance(value, dict):
        return {inner: _timed(inner, each) for inner, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_timed("", each) for each in value]
    return timestamp(value) if name in _TIMES and isinstance(value, (int, float)) else value


def does_it(decision: Decision) -> str:
    """Return the command that carries a decision out, empty where Midwatch has none."""
    name = decision.model
    match decision.kind:
        case "ROLLBACK":
            words = ["midwatch", "rollback", name]
        case "RECALIBRATE-THRESHOLD":
            words = ["midwatch", "threshold", name, "VALUE"]
        case _:
            return ""
    return shlex.join([*words, "--reason", f"decision {decision.id}"])
