"""The parts of a handover that are about the fleet: in force, watched, changed, decided, spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.facts.entry import number_of
from console.facts.severity import Severity
from console.fleet.force import by_urgency, sentence_of
from console.fleet.rules.registry import RULES
from console.reports.handover_document import (
    ChangeReport,
    CostReport,
    DecisionReport,
    ForceReport,
    MoneyReport,
    WatchReport,
)
from console.reports.handover_facts import OPEN_STATES, text_of
from console.reports.handover_incidents import done_text
from console.reports.times import stamped, timestamp
from console.signals.units import format_signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.facts.decision import DecisionRecord
    from console.facts.entry import Entry
    from console.facts.reading import Reading
    from console.facts.severity import Finding
    from console.facts.snapshot import Snapshot
    from console.reports.handover_facts import Shift, ShiftFacts

OVER_PACE = 1.2
"""Spending this much faster than the budget allows is worth a line (formulas: pace)."""

WASTE_WARN_RATIO = 0.15
COMING_SECONDS = 24 * 3600.0

_CHANGED = ("world", "route", "breaker")
"""Kinds of change that are told; levels and dependencies stand in parts of their own."""

_SPEND_RULES = frozenset(rule.id for rule in RULES if "spend" in rule.id or "cost" in rule.id)


def in_force(facts: ShiftFacts, shift: Shift) -> tuple[ForceReport, ...]:
    """Return what is held by hand: overdue first, then without an end, then the next to end."""
    if facts.snapshot is None:
        return ()
    return tuple(
        ForceReport(
            op=each.op_id,
            target=each.target,
            by=each.by,
            state=each.state(shift.now),
            ends_at=stamped(each.ends_at),
            text=sentence_of(each, shift.now),
        )
        for each in by_urgency(facts.snapshot.overrides, shift.now)
    )


def watch(facts: ShiftFacts) -> tuple[tuple[WatchReport, ...], int]:
    """Return the rows to keep an eye on, worst first, and how many rows have only a notice (S4).

    What an open incident names stands there and not here again.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return (), 0
    told = {model for one in snapshot.incidents if one.state in OPEN_STATES for model in one.models}
    rows = [row for row in snapshot.order.tolist() if snapshot.rows[row].model not in told]
    severities = {row: snapshot.severity(row) for row in rows}
    watched = [row for row in rows if severities[row] not in (Severity.OK, Severity.S4)]
    notices = sum(severity is Severity.S4 for severity in severities.values())
    return tuple(_watched(snapshot, row) for row in watched), notices


def _watched(snapshot: Snapshot, row: int) -> WatchReport:
    found: tuple[Finding, ...] = snapshot.findings.get(row, ())
    first = min(found, key=lambda one: int(one.level), default=None)
    planned = "planned: " if row in snapshot.planned else ""
    return WatchReport(
        model=snapshot.rows[row].model,
        level=snapshot.severity(row).label,
        rule="" if first is None else first.rule,
        text=planned + ("no data" if first is None else first.text),
        since=None if first is None else timestamp(first.since),
    )


def changes(
    facts: ShiftFacts, shift: Shift
) -> tuple[tuple[ChangeReport, ...], tuple[ChangeReport, ...]]:
    """Return what changed in the shift, oldest first, and what is known to come within a day."""
    made = [*_acted(facts.entries), *_noted(facts.entries), *_seen(facts, shift)]
    past = [each for at, each in made if shift.since <= at <= shift.now]
    coming = [each for at, each in [*made, *_ending(facts)] if 0 < at - shift.now <= COMING_SECONDS]
    return _sorted(past), _sorted(coming)


def _sorted(found: list[ChangeReport]) -> tuple[ChangeReport, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (one.at, one.subject)))


def _acted(entries: tuple[Entry, ...]) -> Iterator[tuple[float, ChangeReport]]:
    for each in entries:
        if each.kind == "outcome":
            yield (
                each.at,
                ChangeReport(
                    at=timestamp(each.at),
                    subject=each.target,
                    text=f"{done_text(each)}: {each.why}" if each.why else done_text(each),
                    by=each.who.name,
                    source=f"journal #{each.seq}",
                ),
            )


def _noted(entries: tuple[Entry, ...]) -> Iterator[tuple[float, ChangeReport]]:
    for each in entries:
        if each.kind == "change":
            at = number_of(each.details.get("at"))
            when = each.at if at is None else at
            yield (
                when,
                ChangeReport(
                    at=timestamp(when),
                    subject=each.target or "the fleet",
                    text=each.why,
                    by=each.who.name,
                    source=f"journal #{each.seq}",
                ),
            )


def _seen(facts: ShiftFacts, shift: Shift) -> Iterator[tuple[float, ChangeReport]]:
    for each in () if facts.snapshot is None else facts.snapshot.changes:
        if shift.since <= each.at and each.kind in _CHANGED:
            yield (
                each.at,
                ChangeReport(
                    at=timestamp(each.at),
                    subject=each.subject,
                    text=each.text,
                    by=None,
                    source="seen by the console",
                ),
            )


def _ending(facts: ShiftFacts) -> Iterator[tuple[float, ChangeReport]]:
    for each in () if facts.snapshot is None else facts.snapshot.overrides:
        if each.ends_at is not None:
            by = each.enforced_by if each.enforced_by in ("service", "keeper") else "nobody"
            yield (
                each.ends_at,
                ChangeReport(
                    at=timestamp(each.ends_at),
                    subject=each.target,
                    text=f"{each.verb} ends → {each.ends_in}, ended by {by}",
                    by=each.by or None,
                    source=f"override {each.op_id}",
                ),
            )


def decisions(
    facts: ShiftFacts, shift: Shift
) -> tuple[tuple[DecisionReport, ...], tuple[DecisionReport, ...]]:
    """Return decisions taken in the shift, and older ones that are overdue, due or pending."""
    taken = [each for each in facts.decisions if each.decision.taken_at >= shift.since]
    due = [
        each
        for each in facts.decisions
        if each.state(shift.now) in ("overdue", "due", "pending") and each not in taken
    ]
    due.sort(key=lambda each: each.decision.review_by)
    return (
        tuple(_decision(each, shift.now) for each in taken),
        tuple(_decision(each, shift.now) for each in due),
    )


def _decision(record: DecisionRecord, now: float) -> DecisionReport:
    decision = record.decision
    return DecisionReport(
        id=decision.id,
        decision=decision.kind,
        model=decision.model,
        by=decision.author,
        state=record.state(now),
        taken_at=timestamp(decision.taken_at),
        review_by=timestamp(decision.review_by),
        reason=decision.reason,
        approved_by=record.approved_by or None,
        waits_for_approval=record.pending,
    )


def money(facts: ShiftFacts) -> MoneyReport:
    """Return today's spend where models say it, and the rows whose spend wants a look."""
    snapshot = facts.snapshot
    if snapshot is None:
        return MoneyReport(
            today_usd=None, models_known=0, models=0, text="not known: no source was read", rows=()
        )
    today = [snapshot.reading("cost_today", row) for row in range(len(snapshot.rows))]
    known = [each.value for each in today if each.value is not None]
    rows = tuple(
        made for row in snapshot.order.tolist() if (made := _spender(snapshot, row)) is not None
    )
    total = float(np.sum(known)) if known else None
    return MoneyReport(
        today_usd=total,
        models_known=len(known),
        models=len(today),
        text=_money_text(total, len(known), len(today)),
        rows=rows,
    )


def _money_text(total: float | None, known: int, models: int) -> str:
    if total is None:
        return "not known: no model says what it costs"
    rest = "" if known == models else f"; not known for {models - known}"
    return f"{format_signal('cost_today', total)} today for {known} of {models} models{rest}"


def _spender(snapshot: Snapshot, row: int) -> CostReport | None:
    pace, waste = snapshot.reading("cost_pace", row), snapshot.reading("waste_ratio", row)
    said = [
        finding.text for finding in snapshot.findings.get(row, ()) if finding.rule in _SPEND_RULES
    ]
    if _over(pace, OVER_PACE):
        said.append(f"pace {format_signal('cost_pace', pace.value)} of the budget")
    if _over(waste, WASTE_WARN_RATIO):
        said.append(f"{format_signal('waste_ratio', waste.value)} of the spend is waste")
    if not said:
        return None
    today = snapshot.reading("cost_today", row).value
    spent = "today's spend not known" if today is None else format_signal("cost_today", today)
    return CostReport(
        model=snapshot.rows[row].model,
        today_usd=today,
        pace=pace.value,
        waste_ratio=waste.value,
        text=f"{spent}{' today' if today is not None else ''}; {'; '.join(said)}",
    )


def _over(reading: Reading, limit: float) -> bool:
    return reading.value is not None and reading.value > limit


def wanted_text(entry: Entry) -> str:
    """Return what an entry wanted, in words."""
    return text_of(entry.details.get("to")) or text_of(entry.wanted) or entry.action
