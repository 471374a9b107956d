"""What one shift leaves to the next, from what is known; nothing here asks or reads anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.reports.handover_document import SCHEMA, HandoverDocument, PreviousReport
from console.reports.handover_incidents import held, open_incidents, pages
from console.reports.handover_loose import exceptions, follow_ups, head, unknown
from console.reports.handover_parts import changes, decisions, in_force, money, watch
from console.reports.times import stamped, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.entry import Entry
    from console.reports.handover_document import ForceReport, OpenIncidentReport
    from console.reports.handover_facts import Shift, ShiftFacts

_LEVELS = (Severity.S1, Severity.S2, Severity.UNKNOWN, Severity.S3, Severity.S4)


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
