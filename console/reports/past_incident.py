"""An incident that no source tells of any more, as far as the journal remembers it; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast, get_args

from console.facts.alert import Incident
from console.facts.care import Care
from console.facts.incident_view import EventKind, IncidentClock, IncidentView, TimelineEvent
from console.facts.severity import Severity
from console.reports.handover_facts import number, text_of
from console.reports.handover_incidents import done_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from console.facts.entry import Entry

_SLACK_SECONDS = 60.0
_KINDS: dict[str, EventKind] = {
    "ack": "ack",
    "snooze": "ack",
    "note": "note",
    "escalate": "page",
    "merge": "state",
    "severity": "state",
    "close": "state",
    "change": "change",
    "decision": "decision",
    "outcome": "action",
}
_LEVELS = {level.label: level for level in Severity}


def past_view(
    incident: str, entries: Sequence[Entry], care: Care | None, now: float
) -> IncidentView | None:
    """Return the newest occurrence that ``entries`` (oldest first) of this id tell of, or None.

    When it ended is when somebody closed it; its impact nobody can measure any more.
    """
    begins = [at for each in entries if (at := number(each.details.get("since"))) is not None]
    if not begins:
        return None
    since = max(begins)
    mine = [each for each in entries if each.at >= since - _SLACK_SECONDS]
    events = _events(mine)
    closing = next((each for each in reversed(mine) if each.kind == "close"), None)
    known = _remembered(incident, since, mine)
    ends = None if closing is None else closing.at
    return IncidentView(
        incident=replace(known, ends=ends),
        care=care if care is not None else Care(incident, since),
        at=now,
        events=events,
        condition="Only the journal remembers it: no source tells of it any more.",
        clock=_clock(events, ends),
        people=tuple(dict.fromkeys((each.by, "wrote about it") for each in events if each.by)),
    )


def _remembered(incident: str, since: float, entries: Sequence[Entry]) -> Incident:
    """Return what the entries say the incident was about; the newest word on each thing counts."""
    said: dict[str, object] = {}
    for each in entries:
        said.update({name: value for name, value in each.details.items() if value})
    models = said.get("models")
    model = text_of(said.get("model"))
    listed = [text_of(one) for one in models] if isinstance(models, list | tuple) else [model]
    return Incident(
        id=incident,
        title=text_of(said.get("title")) or f"incident {incident}",
        state="resolved",
        severity=_LEVELS.get(text_of(said.get("severity")), Severity.UNKNOWN),
        since=since,
        model=model,
        dependency=text_of(said.get("dependency")),
        models=tuple(one for one in listed if one),
    )


def _events(entries: Sequence[Entry]) -> tuple[TimelineEvent, ...]:
    """Return what the journal saw and what consoles had seen when they wrote, oldest first."""
    found = {
        (event.at, event.kind, event.text): event for event in (*_kept(entries), *_written(entries))
    }
    return tuple(sorted(found.values(), key=lambda event: event.at))


def _kept(entries: Iterable[Entry]) -> Iterator[TimelineEvent]:
    for entry in entries:
        listed = entry.details.get("events")
        for each in listed if isinstance(listed, list | tuple) else ():
            kept = each if isinstance(each, dict) else {}
            at, kind = number(kept.get("at")), text_of(kept.get("kind"))
            if at is not None and kind in get_args(EventKind):
                yield TimelineEvent(
                    at,
                    cast("EventKind", kind),
                    text_of(kept.get("text")),
                    text_of(kept.get("by")),
                    text_of(kept.get("source")) or f"#{entry.seq}",
                )


def _written(entries: Iterable[Entry]) -> Iterator[TimelineEvent]:
    for entry in entries:
        kind = _KINDS.get(entry.kind)
        if kind is not None:
            at = number(entry.details.get("at")) if entry.kind == "change" else None
            yield TimelineEvent(
                entry.at if at is None else at,
                kind,
                _said(entry),
                entry.who.name,
                f"#{entry.seq}",
                entry.op_id,
                text_of(entry.before),
            )


def _said(entry: Entry) -> str:
    if entry.kind == "outcome":
        return done_text(entry)
    step = text_of(entry.details.get("step"))
    what = "" if entry.kind in ("note", "change") else f"{step or entry.kind}: "
    return f"{what}{entry.why or entry.action}"


def _clock(events: Sequence[TimelineEvent], ends: float | None) -> IncidentClock:
    first: dict[str, float] = {}
    for event in events:
        first.setdefault(event.kind, event.at)
    return IncidentClock(
        impact_at=first.get("impact"),
        detected_at=first.get("detect"),
        acked_at=first.get("ack"),
        resolved_at=ends,
    )
