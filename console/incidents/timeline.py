"""Merges the events of every witness into one ordered timeline without repeats; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from console.domain.alert import OWN_SOURCE
from console.domain.incident import TimelineEvent
from console.domain.severity import Severity
from console.domain.text import visible
from console.incidents.event_log import alert_event, change_event, rule_event, subjects_of
from console.incidents.journal_events import journal_events, persisted_events
from console.metrics.units import format_clock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from console.domain.alert import Alert, Incident
    from console.domain.entry import Entry
    from console.domain.incident import Care
    from console.domain.snapshot import Change

CHANGE_LEAD_SECONDS: Final = 3600.0
"""How long before an incident a change may have been, and still stand in its timeline."""

SIGN_LEAD_SECONDS: Final = 900.0
"""How long before an incident its first signs are looked for."""

SLACK_SECONDS: Final = 60.0
"""Entries and events within so many seconds of each other may be the same, or of this incident."""

EFFECT_SECONDS: Final = 90.0
"""A breaker or a route that moves within so long after an action on it moved because of it."""

_DEPENDENCY = "dep:"
_ORDER: Final = (
    "change", "signal", "impact", "detect", "alert", "auto",
    "ack", "page", "action", "note", "decision", "state",
)  # fmt: skip
"""In which order events of one moment are told: causes first."""


def timeline(
    incident: Incident,
    *,
    since: float,
    until: float,
    entries: Iterable[Entry] = (),
    events: Iterable[TimelineEvent] = (),
    changes: Iterable[Change] = (),
    care: Care | None = None,
) -> tuple[TimelineEvent, ...]:
    """Return what happened, oldest first; ``since`` and ``until`` in Unix seconds.

    ``since`` is when the incident began: signs of the quarter of an hour and changes of the hour
    before it are told too. ``entries`` are the journal's, those of other incidents and models are
    passed over; ``events`` is what the log saw about the incident's subjects. ``care`` stands in
    for entries that are not at hand. For an incident that is over, entries and alerts are enough.
    """
    subjects = frozenset(subjects_of(incident))
    merged = () if care is None else care.merged
    told = list(related(incident, entries, since, until, merged))
    seen = [*events, *_alerts(incident)]
    seen += [
        event
        for change in changes
        if change.subject in subjects and (event := change_event(change)) is not None
    ]
    acted = journal_events(told)
    acted += _cared(care, acted)
    found = [*acted, *_unseen(persisted_events(told), seen), *seen]
    inside = [one for one in found if _inside(one, since, until)]
    whole = _with_effects(_once(inside))
    return _detected(sorted(whole, key=_place), incident)


def related(
    incident: Incident,
    entries: Iterable[Entry],
    since: float,
    until: float,
    merged: Collection[str] = (),
) -> Iterator[Entry]:
    """Yield the entries about an incident, or about what it is about while it lasted.

    ``merged`` are incidents merged into it, by id.
    """
    subjects = frozenset(subjects_of(incident))
    ids = {incident.id, *merged}
    begin = since - SLACK_SECONDS
    for entry in entries:
        if entry.at > until:
            continue
        if entry.incident:
            mine = entry.incident in ids and entry.at >= begin
        else:
            lead = CHANGE_LEAD_SECONDS if entry.kind == "change" else SLACK_SECONDS
            mine = entry.at >= since - lead and _about(entry, subjects)
        if mine:
            yield entry


def _about(entry: Entry, subjects: frozenset[str]) -> bool:
    if entry.kind == "change" and not entry.target:
        return True  # something changed for everybody
    return entry.target.removeprefix(_DEPENDENCY) in subjects


def _inside(event: TimelineEvent, since: float, until: float) -> bool:
    lead = CHANGE_LEAD_SECONDS if event.kind == "change" else SIGN_LEAD_SECONDS
    return since - lead <= event.at <= until


def _alerts(incident: Incident) -> list[TimelineEvent]:
    found: list[TimelineEvent] = []
    for alert in incident.alerts:
        if alert.state != "pending":
            found.append(_begin(alert))
        if alert.state == "resolved" and alert.ends is not None:
            found.append(_end(alert, alert.ends))
    if incident.state == "resolved" and incident.ends is not None:
        text = "resolved: nothing fires any more"
        found.append(TimelineEvent(incident.ends, "state", text, source=OWN_SOURCE))
    return found


def _begin(alert: Alert) -> TimelineEvent:
    if alert.source != OWN_SOURCE:
        return alert_event(alert, alert.since, "begins")
    label = alert.severity.label
    return rule_event(alert.model, alert.name, alert.summary, label, alert.since)


def _end(alert: Alert, at: float) -> TimelineEvent:
    if alert.source != OWN_SOURCE:
        return alert_event(alert, at, "ends")
    return rule_event(alert.model, alert.name, "", alert.severity.label, at)


def _cared(care: Care | None, known: Sequence[TimelineEvent]) -> list[TimelineEvent]:
    """Return what people did of which no entry is at hand."""
    if care is None:
        return []
    holds = (*care.held_before, *(() if care.hold is None else (care.hold,)))
    made = [
        TimelineEvent(
            hold.began_at,
            "ack",
            visible(f"{'taken' if hold.kind == 'ack' else 'snoozed'}{_quoted(hold.reason)}"),
            visible(hold.by, 60),
            f"#{hold.seq}",
            hold.op_id,
        )
        for hold in holds
    ]
    made += [
        TimelineEvent(note.at, "note", visible(note.text), visible(note.by, 60))
        for note in care.notes
    ]
    made += [
        TimelineEvent(
            one.at,
            "page",
            visible(f"{one.words}{_quoted(one.reason)}"),
            visible(one.by, 60),
        )
        for one in care.escalations
    ]
    if care.closing is not None:
        closing = care.closing
        text = f"closed, page {closing.verdict}{_quoted(closing.reason)}"
        made.append(TimelineEvent(closing.at, "state", visible(text), visible(closing.by, 60)))
    there = {(one.kind, one.at) for one in known}
    return [one for one in made if (one.kind, one.at) not in there]


def _quoted(text: str) -> str:
    return f' "{text}"' if text else ""


def _unseen(
    persisted: Iterable[TimelineEvent], seen: Sequence[TimelineEvent]
) -> list[TimelineEvent]:
    """Return what another console saw and this one did not.

    Two consoles see the same thing some seconds apart and with other numbers: what is before the
    colon counts.
    """
    own: dict[tuple[str, str], list[float]] = {}
    for one in seen:
        own.setdefault(_topic(one), []).append(one.at)
    found: list[TimelineEvent] = []
    for event in sorted(persisted, key=_place):
        known = own.setdefault(_topic(event), [])
        if all(abs(at - event.at) > SLACK_SECONDS for at in known):
            known.append(event.at)
            found.append(event)
    return found


def _topic(event: TimelineEvent) -> tuple[str, str]:
    kind = "signal" if event.kind == "detect" else event.kind
    return kind, event.text.partition(": ")[0]


def _once(events: Iterable[TimelineEvent]) -> list[TimelineEvent]:
    """Leave out what is told twice: the same topic within a second, or the same entry."""
    found: dict[tuple[str, str, int, str], TimelineEvent] = {}
    for event in events:
        kind, topic = _topic(event)
        by_entry = event.source if event.source.startswith("#") else ""
        found.setdefault((kind, topic, round(event.at), by_entry), event)
    return list(found.values())


def _with_effects(events: Sequence[TimelineEvent]) -> list[TimelineEvent]:
    """Put what moved because of an action to that action, as its effect seen."""
    actions = [one for one in events if one.kind == "action" and one.before]
    moved = [one for one in events if one.kind == "auto" and one.source == OWN_SOURCE]
    caused: dict[int, TimelineEvent] = {}
    for move in sorted(moved, key=_place):
        because = [
            one
            for one in actions
            if 0.0 <= move.at - one.at <= EFFECT_SECONDS and _names(one, move)
        ]
        if because:
            caused[id(move)] = max(because, key=lambda one: one.at)
    found = []
    for event in events:
        if id(event) in caused:
            continue
        seen = [
            f"seen {format_clock(move.at, seconds=True)}: {move.text}"
            for move in moved
            if caused.get(id(move)) is event
        ]
        effect = "; ".join((*([event.effect] if event.effect else []), *seen))
        found.append(replace(event, effect=effect) if seen else event)
    return found


def _names(action: TimelineEvent, move: TimelineEvent) -> bool:
    """Tell whether an action is on what moved: the words of one begin with the other's target."""
    words = action.text.split(" ")
    target = words[1].removeprefix(_DEPENDENCY) if len(words) > 1 else ""
    return bool(target) and move.text.startswith((f"{target} ", f"{target}'s "))


def _detected(events: Sequence[TimelineEvent], incident: Incident) -> tuple[TimelineEvent, ...]:
    """Mark the first sign that calls somebody: a rule at S1 or S2, or another system's alert."""
    if any(event.kind == "detect" for event in events):
        return tuple(events)
    calling = [
        alert
        for alert in incident.alerts
        if alert.severity <= Severity.S2 and alert.state != "pending"
    ]
    texts = {(_begin(alert).at, _begin(alert).text) for alert in calling}
    found = list(events)
    for place, event in enumerate(found):
        calls = event.kind == "signal" and (": S1, " in event.text or ": S2, " in event.text)
        if calls or (event.at, event.text) in texts:
            found[place] = replace(event, kind="detect")
            break
    return tuple(found)


def _place(event: TimelineEvent) -> tuple[float, int, str, str, str]:
    return event.at, _ORDER.index(event.kind), event.text, event.source, event.by
