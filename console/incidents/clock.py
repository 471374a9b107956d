"""When users were hurt, and when an incident was noticed, taken, mitigated and over; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.facts.incident_view import IncidentClock
from console.facts.severity import Severity
from console.incidents.log import CLEAR_WORDS, HURT_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.facts.alert import Incident
    from console.facts.care import Care
    from console.facts.incident_view import TimelineEvent


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
