"""Computes when users were hurt and an incident was noticed, taken, mitigated and over; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from console.domain.entry import number_of
from console.domain.incident import IncidentClock
from console.domain.severity import Severity
from console.incidents.event_log import CLEAR_WORDS, HURT_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.domain.alert import Incident
    from console.domain.entry import Entry
    from console.domain.incident import Care, TimelineEvent


@dataclass(frozen=True, slots=True)
class HurtSpan:
    """A time in which a model's users were hurt, in Unix seconds; ``ended_at`` None: they are.

    ``model`` is harmless to show. ``text`` is what was seen at the beginning.
    """

    model: str
    began_at: float
    ended_at: float | None = None
    text: str = ""


def hurt_spans(events: Iterable[TimelineEvent], since: float) -> tuple[HurtSpan, ...]:
    """Return the spans that events of impact (oldest first) tell of, in the order they began.

    What was over before ``since`` (Unix seconds), the incident's beginning, is not its harm.
    """
    open_spans: dict[str, HurtSpan] = {}
    closed: list[HurtSpan] = []
    for event in events:
        if event.kind != "impact":
            continue
        if event.text.endswith(CLEAR_WORDS):
            began = open_spans.pop(event.text.removesuffix(CLEAR_WORDS), None)
            if began is not None:
                closed.append(HurtSpan(began.model, began.began_at, event.at, began.text))
            continue
        model, found, rest = event.text.partition(HURT_WORDS)
        if found:
            open_spans.setdefault(model, HurtSpan(model, event.at, None, rest.removeprefix(": ")))
    own = (one for one in closed if one.ended_at is None or one.ended_at >= since)
    return tuple(sorted((*own, *open_spans.values()), key=lambda one: one.began_at))


def with_recoveries(spans: Iterable[HurtSpan], over: Mapping[str, float]) -> tuple[HurtSpan, ...]:
    """Return spans of harm as ended where the counts since show it: ``over`` by model (Unix s).

    The share of five minutes goes on holding bad requests that nobody suffers any more.
    """
    return tuple(
        replace(one, ended_at=max(one.began_at, over[one.model]))
        if one.ended_at is None and one.model in over
        else one
        for one in spans
    )


def clock_of(
    incident: Incident, care: Care, events: Sequence[TimelineEvent], spans: Sequence[HurtSpan]
) -> IncidentClock:
    """Return the moments of an incident.

    It is mitigated once nobody who was hurt is hurt any more, whatever is still in force.
    """
    ends = [span.ended_at for span in spans]
    known_ends = [end for end in ends if end is not None]
    holds = (*care.held_before, *(() if care.hold is None else (care.hold,)))
    acked = [hold.began_at for hold in holds if hold.kind == "ack"]
    acked += [event.at for event in events if event.kind == "ack" and "snoozed" not in event.text]
    return IncidentClock(
        impact_at=min((span.began_at for span in spans), default=None),
        detected_at=_detected(incident, events),
        acked_at=min(acked, default=None),
        mitigated_at=max(known_ends) if known_ends and len(known_ends) == len(ends) else None,
        resolved_at=incident.ends if incident.state == "resolved" else None,
    )


def _detected(incident: Incident, events: Sequence[TimelineEvent]) -> float | None:
    told = [event.at for event in events if event.kind == "detect"]
    calls = (
        alert.since
        for alert in incident.alerts
        if alert.severity <= Severity.S2 and alert.state != "pending"
    )
    return min(told, default=min(calls, default=None))


LEARN_SECONDS: Final = 120.0
"""So long after a console's first look it takes the word of the record on when something began."""

MOST_AGE_SECONDS: Final = 86400.0


class Occurrences:
    """Beginnings by incident id; belongs to one loop.

    Alerts come and go within an incident, and a rule that is evaluated anew begins at its first
    look; neither makes it another incident. A console that has just started learns from what
    people wrote about an incident when it began.
    """

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._first_look: float | None = None

    def follow(
        self, incidents: Iterable[Incident], entries: Iterable[Entry], now: float
    ) -> tuple[Incident, ...]:
        """Return the incidents with the beginning of each; ``entries`` are the newest first."""
        if self._first_look is None:
            self._first_look = now
        listed = tuple(incidents)
        new = {one.id for one in listed if one.id not in self._began}
        learns = bool(new) and now - self._first_look <= LEARN_SECONDS
        told = _told(entries, new, now) if learns else {}
        self._began = {
            one.id: min(one.since, self._began.get(one.id, told.get(one.id, one.since)))
            for one in listed
        }
        return tuple(
            one if one.since == self._began[one.id] else replace(one, since=self._began[one.id])
            for one in listed
        )


def _told(entries: Iterable[Entry], wanted: set[str], now: float) -> dict[str, float]:
    """Return the begins that the last word about an incident gives, unless that closed it."""
    found: dict[str, float] = {}
    passed: set[str] = set()
    for entry in entries:
        if entry.incident not in wanted or entry.incident in passed:
            continue
        since = number_of(entry.details.get("since"))
        if entry.kind == "close" or now - entry.at > MOST_AGE_SECONDS:
            passed.add(entry.incident)
        elif since is not None:
            found[entry.incident] = since
            passed.add(entry.incident)
    return found
