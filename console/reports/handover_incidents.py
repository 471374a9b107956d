"""The parts of a handover that are about incidents: what is open, who holds what, how loud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.entry import number_of
from console.facts.severity import Severity
from console.reports.handover_document import HeldReport, OpenIncidentReport, PagesReport
from console.reports.handover_facts import OPEN_STATES, text_of
from console.reports.times import stamped, timestamp
from console.signals.units import format_age

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.alert import Incident
    from console.facts.care import Care
    from console.facts.entry import Entry
    from console.reports.handover_facts import Shift, ShiftFacts

_SLACK_SECONDS = 60.0
_TOLD_ACTIONS = 3
_IN_ORDER = {"S1": 0, "S2": 1, "unknown": 2, "S3": 3, "S4": 4, "ok": 5}


def open_incidents(facts: ShiftFacts, shift: Shift) -> tuple[OpenIncidentReport, ...]:
    """Return what is open, most urgent first; what was merged stands in the incident it is part of.

    An incident that a person gave a level counts as that level.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return ()
    found = [
        _opened(one, snapshot.care.get(one.id), facts, shift)
        for one in snapshot.incidents
        if one.state in OPEN_STATES and not _merged(snapshot.care.get(one.id))
    ]
    return tuple(sorted(found, key=lambda one: (_IN_ORDER.get(one.level, 9), one.since)))


def _merged(care: Care | None) -> bool:
    return care is not None and bool(care.merged_into)


def level_of(incident: Incident, care: Care | None) -> Severity:
    """Return the level a person gave an incident, else its own."""
    given = None if care is None else care.level
    return incident.severity if given is None else given


def _opened(
    incident: Incident, care: Care | None, facts: ShiftFacts, shift: Shift
) -> OpenIncidentReport:
    view = facts.views.get(incident.id)
    hold = None if care is None else care.hold
    can = (view.condition, view.actions, view.needs) if view is not None else ("", "", "")
    return OpenIncidentReport(
        id=incident.id,
        level=level_of(incident, care).label,
        title=incident.title,
        state=_state(incident, care),
        models=incident.models,
        since=timestamp(incident.since),
        held_by=(hold.by if hold is not None else incident.acked_by) or None,
        next_check_at=None if hold is None else stamped(hold.next_check_at),
        condition=can[0] or _condition(incident, shift),
        actions=can[1] or _actions(incident, facts.entries),
        needs=can[2] or _needs(incident, care, shift),
        gathered=view is not None,
    )


def _state(incident: Incident, care: Care | None) -> str:
    if care is not None and care.closing is not None:
        return f"closed by {care.closing.by}, and still {incident.state}"
    if incident.suppressed_by:
        return f"{incident.state}: {'; '.join(incident.suppressed_by)}"
    return incident.state


def _condition(incident: Incident, shift: Shift) -> str:
    said = incident.summary or incident.title
    stale = incident.stale_seconds
    old = f"; last heard {format_age(stale)} ago" if stale is not None else ""
    return f"{said}, for {format_age(shift.now - incident.since)}{old}"


def _actions(incident: Incident, entries: Iterable[Entry]) -> str:
    mine = [
        f"{done_text(each)} by {each.who.name}"
        for each in entries
        if each.kind == "outcome"
        and each.incident == incident.id
        and each.at >= incident.since - _SLACK_SECONDS
    ]
    return "; ".join(mine[-_TOLD_ACTIONS:]) or "no action on the record"


def done_text(entry: Entry) -> str:
    """Return what an ``outcome`` says was done, and whether it took hold."""
    to = text_of(entry.details.get("to")) or text_of(entry.wanted)
    outcome = text_of(entry.details.get("outcome")) or "outcome not known"
    drill = "drill: " if entry.details.get("drill") is True else ""
    purpose = text_of(entry.details.get("purpose"))
    what = f"{purpose} of {entry.action}" if purpose else entry.action
    arrow = f" → {to}" if to and not purpose else ""
    return f"{drill}{what} {entry.target}{arrow} ({outcome})"


def _needs(incident: Incident, care: Care | None, shift: Shift) -> str:
    hold = None if care is None else care.hold
    if hold is None:
        if incident.acked_by:
            return "nothing is written down; its alerts are acknowledged elsewhere"
        return f"somebody to take it: midwatch ack {incident.id}"
    if hold.left_seconds(shift.now) <= 0:
        return f"{hold.by}'s {hold.kind} has ended: take it anew"
    return f"ask {hold.by}: {hold.reason}" if hold.reason else f"ask {hold.by}"


def held(facts: ShiftFacts, shift: Shift) -> tuple[HeldReport, ...]:
    """Return every acknowledgement and snooze, the oldest first, also those whose end is past."""
    snapshot = facts.snapshot
    if snapshot is None:
        return ()
    titles = {one.id: one.title for one in snapshot.incidents}
    holds = [care.hold for care in snapshot.care.values() if care.hold is not None]
    return tuple(
        HeldReport(
            incident=hold.incident,
            title=titles.get(hold.incident) or hold.title or "no alert of it is known now",
            kind=hold.kind,
            by=hold.by,
            account=hold.account,
            reason=hold.reason,
            began_at=timestamp(hold.began_at),
            ends_at=timestamp(hold.ends_at),
            ended=hold.left_seconds(shift.now) <= 0,
            next_check_at=stamped(hold.next_check_at),
            place=hold.place or None,
            certain=hold.certain,
            op=hold.op_id,
        )
        for hold in sorted(holds, key=lambda one: (one.began_at, one.incident))
    )


def pages(facts: ShiftFacts, shift: Shift) -> PagesReport:
    """Return how loud the shift was and how much of it was noise.

    Counted are incidents that began in the shift: those known now, and those the journal names.
    The noise share is of those somebody judged at closing.
    """
    known = facts.snapshot is not None or not facts.journal_problem
    levels = _begun(facts, shift)
    verdicts = _verdicts(facts.entries, levels)
    counts = {kind: list(verdicts.values()).count(kind) for kind in ("useful", "noise", "unclear")}
    judged = sum(counts.values())
    share = counts["noise"] / judged if judged else None
    paging = sum(level == "S1" for level in levels.values())
    return PagesReport(
        incidents=len(levels),
        paging=paging,
        useful=counts["useful"],
        noise=counts["noise"],
        unclear=counts["unclear"],
        not_judged=len(levels) - judged,
        noise_share=share,
        text=_loudness(len(levels), paging, judged, share) if known else "not known",
    )


def _begun(facts: ShiftFacts, shift: Shift) -> dict[str, str]:
    """Return the level of every incident that began in the shift, by id."""
    found: dict[str, str] = {}
    for each in facts.entries:
        since = number_of(each.details.get("since"))
        if each.incident and since is not None and since >= shift.since:
            found[each.incident] = text_of(each.details.get("severity")) or found.get(
                each.incident, "unknown"
            )
    for one in () if facts.snapshot is None else facts.snapshot.incidents:
        if one.since >= shift.since and one.state != "pending":
            found[one.id] = one.severity.label
    return found


def _verdicts(entries: Iterable[Entry], levels: dict[str, str]) -> dict[str, str]:
    return {
        each.incident: text_of(each.details.get("verdict"))
        for each in entries
        if each.kind == "close" and each.incident in levels
    }


def _loudness(begun: int, paging: int, judged: int, noise_share: float | None) -> str:
    if not begun:
        return "no incident began in this shift that is known now or on the record"
    said = f"{begun} {'incident' if begun == 1 else 'incidents'} began, {paging} of them S1"
    if noise_share is None:
        return f"{said}; noise share not known: nobody has judged one"
    waiting = f", {begun - judged} not judged" if begun > judged else ""
    return f"{said}; noise {noise_share * 100:.0f}% of {judged} judged{waiting}"
