"""The parts of a handover that are loose ends: exceptions, follow-ups, what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.earlier import LEFT_TO_DO
from console.reports.handover_document import ExceptionReport, FollowUpReport, HeadReport
from console.reports.handover_facts import text_of
from console.reports.handover_parts import wanted_text
from console.reports.times import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.facts.entry import Entry
    from console.reports.handover_facts import Shift, ShiftFacts

FIRST_LOOKS = 3
"""After so many looks it is still not known how long something has been so."""

_DONE = ("applied", "no_op", "rejected", "failed", "superseded")


def exceptions(facts: ShiftFacts, shift: Shift) -> tuple[ExceptionReport, ...]:
    """Return what went without a rule of the house: now first, then what was done, oldest first."""
    return (*_residency_now(facts), *_without_end(facts, shift), *_done(facts, shift))


def _residency_now(facts: ShiftFacts) -> Iterator[ExceptionReport]:
    snapshot = facts.snapshot
    if snapshot is None:
        return
    for row, model in enumerate(snapshot.rows):
        for finding in snapshot.findings.get(row, ()):
            if finding.rule == "residency":
                yield ExceptionReport(
                    kind="residency",
                    at=timestamp(finding.since),
                    subject=model.model,
                    by=None,
                    text=f"now: {finding.text}",
                )


def _without_end(facts: ShiftFacts, shift: Shift) -> Iterator[ExceptionReport]:
    for each in () if facts.snapshot is None else facts.snapshot.overrides:
        if each.state(shift.now) == "no end":
            yield ExceptionReport(
                kind="no_end",
                at=timestamp(each.began_at),
                subject=each.target,
                by=each.by or None,
                text=f"{each.verb} is in force and nobody ends it: midwatch end {each.op_id}",
            )


def _done(facts: ShiftFacts, shift: Shift) -> Iterator[ExceptionReport]:
    for each in facts.entries:
        if each.kind == "break_glass":
            yield _exception("break_glass", each, f"break-glass for {each.action}: {each.why}")
        elif each.kind == "intent" and each.blast.get("region_allowed") is False:
            region = text_of(each.blast.get("region_to")) or "a region not known"
            said = f"{each.action} → {wanted_text(each)} sends its data to {region}: {each.why}"
            yield _exception("residency", each, said)
    for record in facts.decisions:
        decision = record.decision
        if decision.despite and decision.taken_at >= shift.since:
            yield ExceptionReport(
                kind="against_objection",
                at=timestamp(decision.taken_at),
                subject=decision.model,
                by=decision.author,
                text=f"{decision.kind} against an objection: {decision.despite}",
            )


def _exception(kind: str, entry: Entry, text: str) -> ExceptionReport:
    return ExceptionReport(
        kind="break_glass" if kind == "break_glass" else "residency",
        at=timestamp(entry.at),
        subject=entry.target,
        by=entry.who.name,
        text=text,
    )


def follow_ups(facts: ShiftFacts) -> tuple[FollowUpReport, ...]:
    """Return what is left to do: what could not be verified, what is not closed, what notes ask."""
    return (*_unverified(facts.entries), *_unchecked(facts), *_asked_for(facts))


def _unverified(entries: tuple[Entry, ...]) -> Iterator[FollowUpReport]:
    """Operations whose outcome nobody knows, unless somebody said since what is true."""
    settled = {each.op_id for each in entries if each.kind == "resolved"}
    settled |= {
        each.op_id
        for each in entries
        if each.kind in ("outcome", "observed") and text_of(each.details.get("outcome")) in _DONE
    }
    for each in entries:
        if each.kind == "intent" and each.op_id not in settled:
            yield FollowUpReport(
                text=f"nobody knows whether {each.action} took hold: midwatch resolve {each.op_id}",
                subject=each.target,
                by=each.who.name,
                at=timestamp(each.at),
            )


def _unchecked(facts: ShiftFacts) -> Iterator[FollowUpReport]:
    for view in facts.views.values():
        left = [check for check in view.checks if check.done is not True]
        if view.incident.state == "resolved" and view.care.closing is None and left:
            texts = "; ".join(
                check.text if check.done is False else f"{check.text} (not known)" for check in left
            )
            yield FollowUpReport(
                text=f"over, and not closed: {texts}", subject=view.incident.id, by=None, at=None
            )


def _asked_for(facts: ShiftFacts) -> Iterator[FollowUpReport]:
    for each in facts.entries:
        if each.kind in ("note", "close") and LEFT_TO_DO.search(each.why):
            yield FollowUpReport(
                text=each.why,
                subject=each.incident or each.target or "the fleet",
                by=each.who.name,
                at=timestamp(each.at),
            )


def unknown(facts: ShiftFacts, shift: Shift) -> tuple[str, ...]:
    """Return as sentences what this handover cannot say, so that silence is never read as calm."""
    return (*_blind(facts), *_unread(facts, shift))


def _blind(facts: ShiftFacts) -> Iterator[str]:
    snapshot = facts.snapshot
    if snapshot is None:
        yield "no source could be read: how the models are is not known"
        return
    if snapshot.tick <= FIRST_LOOKS:
        yield "since when a rule holds: this looked for a moment only, it may be longer"
    for status in snapshot.sources:
        if status.state != "up":
            error = f": {status.error}" if status.error else ""
            yield f"source {status.name} is {status.state}{error}"
    if not snapshot.sources:
        yield "no source is declared: how the models are is not known"
    places = {status.name: status for status in snapshot.alert_sources}
    if not any(not status.infos for status in places.values()):
        yield "no place for alerts is read: only the console's own findings are known"
    for status in snapshot.alert_places:
        if status.state != "up":
            yield f"alerts of {status.name} are {status.state}: incidents may be missing"
    ungathered = [
        one.id
        for one in snapshot.incidents
        if one.state in ("firing", "suppressed") and one.id not in facts.views
    ]
    if ungathered:
        yield f"not gathered as a whole, from alerts and journal alone: {', '.join(ungathered)}"


def _unread(facts: ShiftFacts, shift: Shift) -> Iterator[str]:
    if facts.journal_problem:
        yield f"the journal: {facts.journal_problem}"
    snapshot = facts.snapshot
    if snapshot is not None and not snapshot.record.trusted and not facts.journal_problem:
        yield f"what is in force is not certain: {snapshot.record.summary(shift.now)[0]}"
    if facts.entries_from is not None:
        yield f"of the journal only what was written since {timestamp(facts.entries_from)} is told"


def head(facts: ShiftFacts) -> HeadReport:
    """Return the journal's end, for whoever wants to prove later what was on the record."""
    if facts.journal_problem:
        return HeadReport(
            seq=None, hash=None, place=facts.journal_place, text="not known: it cannot be read"
        )
    known = facts.head
    if known is None:
        return HeadReport(
            seq=None, hash=None, place=facts.journal_place, text="empty: nothing was ever written"
        )
    return HeadReport(
        seq=known.seq,
        hash=known.hash,
        place=facts.journal_place,
        text=f"entry {known.seq}, sha256 {known.hash}",
    )
