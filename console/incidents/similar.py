"""Incidents like one that came before it: which, why, how they ended and what is left; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.domain.entry import number_of
from console.domain.incident import NOTHING_TO_DECIDE, Earlier, SameBefore
from console.domain.text import visible
from console.incidents.clock import hurt_spans
from console.incidents.past_incidents import SLACK_SECONDS, alike
from console.incidents.timeline import SIGN_LEAD_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.domain.alert import Incident
    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry
    from console.domain.incident import TimelineEvent
    from console.incidents.past_incidents import Alike, Recorded

MOST_TOLD: Final = 3
_MOST_DONE: Final = 4
_NAME_CHARACTERS: Final = 60
_TEXT_CHARACTERS: Final = 300
_STATES: Final = {
    "pending": "waits for its second person", "in_force": "in force", "due": "due soon",
    "overdue": "OVERDUE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the time before an incident, at ``now`` (Unix seconds).

    ``occurrences`` are what the record tells of incidents of this environment, ``changes`` the
    entries of what changed in the world; ``since`` is how far back both reach, None: nothing was
    ever written. ``seen`` is what the log saw of impact. ``listed`` are the incidents there are
    now: what still goes on was not before.
    """

    now: float
    occurrences: Sequence[Recorded] = ()
    changes: Sequence[Entry] = ()
    since: float | None = None
    decisions: Sequence[DecisionRecord] = ()
    seen: Sequence[TimelineEvent] = ()
    listed: Sequence[Incident] = ()
    doubt: str = ""


def same_before(incident: Incident, past: Past) -> SameBefore:
    """Return what came before an incident and is like it, the most alike and newest first."""
    found = [
        (reason, one)
        for one in past.occurrences
        if _was_before(one, incident, past.listed)
        and (reason := alike(incident, one.about)) is not None
    ]
    there = {one.id for _, one in found}
    found = [(why, one) for why, one in found if one.merged_into not in there - {one.id}]
    found.sort(key=lambda pair: (pair[0].strength, -pair[1].since))
    return SameBefore(
        earlier=tuple(
            _told(one, reason, _until(one, past.occurrences, incident), incident, past)
            for reason, one in found[:MOST_TOLD]
        ),
        begins=tuple(sorted((*(one.since for _, one in found), incident.since))),
        since=past.since,
        doubt=past.doubt,
    )


def _was_before(one: Recorded, incident: Incident, listed: Sequence[Incident]) -> bool:
    begin = incident.since - SLACK_SECONDS
    part_of_it = one.merged_into == incident.id and one.last_at >= begin
    goes_on = any(
        each.id == one.id and each.state != "resolved" and one.since >= each.since - SLACK_SECONDS
        for each in listed
    )
    return one.since < begin and not part_of_it and not goes_on


def _until(one: Recorded, occurrences: Sequence[Recorded], incident: Incident) -> float:
    """Return up to when something that names its id is about it: the next one begins then."""
    later = [each.since for each in occurrences if each.id == one.id and each.since > one.since]
    return min([*later, incident.since]) - SLACK_SECONDS


def _told(one: Recorded, why: Alike, until: float, incident: Incident, past: Past) -> Earlier:
    closing = one.closing
    verdict = "" if closing is None else str(closing.details.get("verdict") or "unclear")
    said = "" if closing is None or closing.why == f"closed as {verdict}" else closing.why
    ended_at = _missed(one, past.listed) if closing is None else closing.at
    done = [*one.done.values(), *_changes(one, one.last_at if ended_at is None else ended_at, past)]
    return Earlier(
        id=visible(one.id, 20),
        since=one.since,
        alike=why.why,
        shared=visible(why.shared, _NAME_CHARACTERS),
        rule=visible(why.rule, _NAME_CHARACTERS),
        title=visible(one.title, _NAME_CHARACTERS * 2),
        level=one.level,
        acked_at=one.acked_at,
        mitigated_at=_mitigated(one, until, incident, past),
        ended_at=ended_at,
        closed_by="" if closing is None else visible(closing.who.name, _NAME_CHARACTERS),
        verdict=visible(verdict, 20),
        closing=visible(said, _TEXT_CHARACTERS),
        merged_into=visible(one.merged_into, 20),
        done=tuple(visible(each, _TEXT_CHARACTERS) for each in done[:_MOST_DONE]),
        decided=tuple(_decided(one, until, past)),
        left=tuple(visible(each, _TEXT_CHARACTERS) for each in one.left),
    )


def _missed(one: Recorded, listed: Sequence[Incident]) -> float | None:
    """Return when its alerts were first missed, while it is still listed as over."""
    near = (
        each.ends
        for each in listed
        if each.id == one.id and abs(each.since - one.since) <= SLACK_SECONDS
    )
    return next(near, None)


def _changes(one: Recorded, until: float, past: Past) -> Iterator[str]:
    """Yield what somebody noted to have changed meanwhile, of what it was about."""
    subjects = {one.dependency, *one.models} - {""}
    for entry in past.changes:
        at = number_of(entry.details.get("at")) or entry.at
        about = entry.target.removeprefix("dep:")
        if about in subjects and one.since <= at <= until:
            yield f"{about}: {entry.why}"


def _mitigated(one: Recorded, until: float, incident: Incident, past: Past) -> float | None:
    """Return when nobody was hurt any more, None where no witness of all of it is left."""
    events = sorted((*one.events, *past.seen), key=lambda event: event.at)
    inside = [each for each in events if one.since - SIGN_LEAD_SECONDS <= each.at <= until]
    names = {visible(name, _NAME_CHARACTERS) for name in one.models}
    spans = [
        span
        for span in hurt_spans(inside, one.since)
        if span.model in names or (not names and one.id == incident.id)
    ]
    ends = [span.ended_at for span in spans if span.ended_at is not None]
    return max(ends) if ends and len(ends) == len(spans) else None


def _decided(one: Recorded, until: float, past: Past) -> Iterator[str]:
    """Yield what was decided on retraining because of it, and where each of that stands now."""
    named = "" if one.closing is None else str(one.closing.details.get("decision") or "")
    found = False
    for record in past.decisions:
        decision = record.decision
        within = one.since - SLACK_SECONDS <= decision.taken_at <= until
        if decision.id == named or (decision.incident == one.id and within):
            found = found or decision.id == named
            state = record.state(past.now)
            stands = f"closed: {record.outcome}" if state == "closed" else _STATES[state]
            yield visible(f"{decision.kind} {decision.model}, {stands}", _TEXT_CHARACTERS)
    if named == NOTHING_TO_DECIDE:
        yield f"{NOTHING_TO_DECIDE}, nothing to decide"
    elif named and not found:
        yield visible(f"{named}, which is not among the decisions that were read", 120)
