"""Builds a whole handover from the fleet, the journal and the clock; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.incident import LEFT_TO_DO
from console.domain.severity import Severity
from console.domain.timestamps import stamped, timestamp
from console.handover.handover_document import (
    SCHEMA,
    ExceptionReport,
    FollowUpReport,
    HandoverDocument,
    HeadReport,
    PreviousReport,
    text_of,
)
from console.handover.sections import (
    changes,
    decisions,
    held,
    in_force,
    money,
    open_incidents,
    pages,
    wanted_text,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.domain.entry import Entry
    from console.handover.handover_document import (
        ForceReport,
        OpenIncidentReport,
        Shift,
        ShiftFacts,
    )

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


_LEVELS = (
    Severity.S1,
    Severity.S2,
    Severity.UNKNOWN,
    Severity.UNJUDGED,
    Severity.S3,
    Severity.S4,
)


def handover(facts: ShiftFacts, shift: Shift) -> HandoverDocument:
    """Return the handover of a shift, its texts as they came: clean them before they are shown."""
    incidents, forced = open_incidents(facts, shift), in_force(facts, shift)
    watched, notices = watch(facts)
    made, coming = changes(facts, shift)
    taken, due = decisions(facts, shift)
    return HandoverDocument(
        schema=SCHEMA,
        environment=facts.environment,
        taken_at=timestamp(shift.now),
        since=timestamp(shift.since),
        by=shift.by,
        account=shift.account,
        to=shift.to or None,
        due_at=stamped(shift.due_at),
        previous=previous(facts.handovers),
        state=_state(facts, incidents, forced),
        unknown=unknown(facts, shift),
        fleet_known=facts.snapshot is not None,
        record_known=_record_known(facts),
        incidents=incidents,
        in_force=forced,
        held=held(facts, shift),
        watch=watched,
        notices=notices,
        changes_made=made,
        changes_coming=coming,
        decisions_taken=taken,
        decisions_due=due,
        pages=pages(facts, shift),
        cost=money(facts),
        exceptions=exceptions(facts, shift),
        follow_ups=follow_ups(facts),
        journal=head(facts),
    )


def _record_known(facts: ShiftFacts) -> bool:
    trusted = facts.snapshot is None or facts.snapshot.record.trusted
    return trusted and not facts.journal_problem


def previous(entries: Sequence[Entry]) -> PreviousReport | None:
    """Return the newest handover among ``entries`` (oldest first), and who accepted it."""
    written = [each for each in entries if each.kind == "handover"]
    if not written:
        return None
    last = written[-1]
    accepted = next(
        (each for each in entries if each.kind == "handover_accepted" and each.op_id == last.op_id),
        None,
    )
    return PreviousReport(
        id=last.op_id,
        by=last.who.name,
        written_at=timestamp(last.at),
        accepted_by=None if accepted is None else accepted.who.name,
        accepted_at=None if accepted is None else timestamp(accepted.at),
    )


def _state(
    facts: ShiftFacts,
    incidents: Sequence[OpenIncidentReport],
    forced: Sequence[ForceReport],
) -> str:
    """Return everything in one line: how the models are, what is open, what is in force."""
    parts = [_models(facts)]
    if facts.snapshot is not None:
        parts.append(_open(incidents))
        number = f"{len(forced)} in force" if forced else "nothing in force"
        known = _record_known(facts)
        parts.append(number if known else f"{len(forced)} in force that is known of")
        overdue = sum(each.state == "overdue" for each in forced)
        if overdue:
            parts.append(f"{overdue} overdue")
    return "; ".join(parts)


def _models(facts: ShiftFacts) -> str:
    snapshot = facts.snapshot
    if snapshot is None:
        return "how the models are is not known"
    rows = range(len(snapshot.rows))
    levels = [snapshot.severity(row) for row in rows]
    counts = [f"{levels.count(level)} {level.label}" for level in _LEVELS if levels.count(level)]
    models = "1 model" if len(levels) == 1 else f"{len(levels)} models"
    if not levels:
        return "no model is known"
    if not counts:
        return f"{models}, nothing wrong"
    worst = snapshot.rows[int(snapshot.order[0])].model
    named = f", first {worst}" if Severity.S1 in levels or Severity.S2 in levels else ""
    return f"{', '.join(counts)} of {models}{named}"


def _open(incidents: Sequence[OpenIncidentReport]) -> str:
    if not incidents:
        return "no open incident is known"
    alone = sum(each.held_by is None for each in incidents)
    said = f"{len(incidents)} open {'incident' if len(incidents) == 1 else 'incidents'}"
    return f"{said}, {alone} with nobody" if alone else said
