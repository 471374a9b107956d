"""One group of alerts summed up as one incident; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.facts.alert import Incident
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.alert import Alert, AlertState, Labels, Silence

FLAPPING_STARTS: Final = 4
"""So many beginnings of one alert within an hour are flapping."""

_LABEL_CHARACTERS: Final = 120
_STATES: Final[tuple[AlertState, ...]] = ("firing", "pending", "suppressed")
_MOST_REASONS: Final = 6


@dataclass(frozen=True, slots=True)
class Member:
    """An alert in a group, when it began within the last hour, and who tells it.

    ``age_seconds`` is how old the word of an absent source is, None where it is current.
    """

    alert: Alert
    starts: tuple[float, ...] = ()
    age_seconds: float | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """What a group is about."""

    id: str
    title: str
    model: str = ""
    dependency: str = ""
    models: tuple[str, ...] = ()
    flood: bool = False


def incident_of(about: Group, members: Sequence[Member], now: float) -> Incident:
    """Sum up the members, of which there is at least one."""
    ordered = sorted(members, key=_urgency)
    alerts = tuple(member.alert for member in ordered)
    state = _state(alerts)
    telling = [alert for alert in alerts if alert.state == state]
    acknowledged = _acknowledgement(telling) if state == "firing" else None
    ends = [alert.ends for alert in alerts if alert.ends is not None]
    most_starts = max(len(member.starts) for member in members)
    return Incident(
        id=about.id,
        title=about.title,
        state=state,
        severity=min(alert.severity for alert in telling),
        since=min(alert.since for alert in telling),
        model=about.model,
        dependency=about.dependency,
        models=about.models,
        ends=max(ends) if state == "resolved" and ends else None,
        labels=_common(alerts),
        summary=next((alert.summary for alert in telling if alert.summary), ""),
        runbook=next((alert.runbook for alert in telling if alert.runbook), ""),
        sources=tuple(sorted({name for member in members for name in member.sources})),
        acked_by=(acknowledged.by or "somebody") if acknowledged else "",
        acked_until=acknowledged.ends if acknowledged else None,
        suppressed_by=_reasons(alerts),
        alerts=alerts,
        starts_per_hour=float(sum(len(member.starts) for member in members)),
        flapping=most_starts >= FLAPPING_STARTS,
        stale_seconds=_stale(ordered, state),
        flood=about.flood,
    )


def _state(alerts: Sequence[Alert]) -> AlertState:
    for state in _STATES:
        if any(alert.state == state for alert in alerts):
            return state
    return "resolved"


def _urgency(member: Member) -> tuple[int, int, float, str, str]:
    alert = member.alert
    rank = _STATES.index(alert.state) if alert.state in _STATES else len(_STATES)
    return rank, int(alert.severity), alert.since, alert.name, alert.fingerprint


def _acknowledgement(firing: Sequence[Alert]) -> Silence | None:
    """Return the acknowledgement that ends first; an incident is acknowledged as a whole or not."""
    found = [alert.acknowledgement for alert in firing]
    held = [one for one in found if one is not None]
    if len(held) < len(found):
        return None
    return min(held, key=lambda one: (one.ends or 0.0, one.id), default=None)


def _stale(members: Sequence[Member], state: AlertState) -> float | None:
    """Return the age of the newest word where nothing current says what the incident is."""
    ages = [member.age_seconds for member in members if member.alert.state == state]
    known = [age for age in ages if age is not None]
    return min(known) if known and len(known) == len(ages) else None


def _common(alerts: Sequence[Alert]) -> Labels:
    shared = set(alerts[0].labels)
    for alert in alerts[1:]:
        shared &= set(alert.labels)
    return tuple(
        sorted(
            (visible(name, _LABEL_CHARACTERS), visible(value, _LABEL_CHARACTERS))
            for name, value in shared
        )
    )


def _reasons(alerts: Sequence[Alert]) -> tuple[str, ...]:
    """Say what holds alerts back, each reason once, in words that are harmless to show."""
    found: dict[str, None] = {}
    for alert in alerts:
        if alert.state == "suppressed":
            found.update(dict.fromkeys(_silenced(one) for one in alert.silences))
            found.update(dict.fromkeys(f"inhibited by {one}" for one in alert.inhibited_by))
            found.update(dict.fromkeys(f"muted by {one}" for one in alert.muted_by))
    reasons = tuple(found)
    if len(reasons) > _MOST_REASONS:
        return (*reasons[:_MOST_REASONS], f"and {len(reasons) - _MOST_REASONS} more")
    return reasons


def _silenced(silence: Silence) -> str:
    if not silence.known:
        return f"silenced by {silence.id}, of which nothing more is known"
    said = f": {silence.comment}" if silence.comment else ""
    return f"silenced by {silence.by or 'nobody named'}{said}"
