"""When those who wait for word of an incident are to be told again; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from console.facts.incident_view import UpdateDue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.alert import Incident
    from console.facts.care import Care
    from console.facts.incident_view import TimelineEvent

UPDATE_EVERY_SECONDS: Final = 1800.0
"""Every 20 to 30 minutes is the usual pace of incident response; the longer end, so that what is
called overdue is late by anybody's rule."""

_WORDS: Final = frozenset({"ack", "note", "state"})
_NO_WORDS: Final = ("released", "snooze released")
"""Whoever lets go of an incident has not said how it stands."""


def update_due(
    incident: Incident, care: Care, events: Iterable[TimelineEvent], problem: str = ""
) -> UpdateDue:
    """Return when the next word is due: half an hour after a person's last, or after the begin.

    A word is an acknowledgement, a note, or a change of state that a person made. ``problem`` says
    why nobody can tell what people said, empty where the record was read.
    """
    if not incident.open:
        return UpdateDue(every_seconds=UPDATE_EVERY_SECONDS, why=f"it is {incident.state}")
    if problem:
        return UpdateDue(every_seconds=UPDATE_EVERY_SECONDS, unknown=problem)
    last = max((event.at for event in events if _is_word(event)), default=None)
    begin = _begin(incident, care)
    due_at = (begin if last is None else max(last, begin)) + UPDATE_EVERY_SECONDS
    return UpdateDue(due_at, last, UPDATE_EVERY_SECONDS)


def _is_word(event: TimelineEvent) -> bool:
    return bool(event.by) and event.kind in _WORDS and not event.text.startswith(_NO_WORDS)


def _begin(incident: Incident, care: Care) -> float:
    """Return when it began, or began again after somebody had closed it."""
    if care.closing is None:
        return incident.since
    again = [
        alert.since
        for alert in incident.alerts
        if alert.state == "firing" and alert.since > care.closing.at
    ]
    return min(again, default=incident.since)
