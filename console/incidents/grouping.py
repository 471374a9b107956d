"""Alerts become incidents: by shared culprit, by model, or by name; pure, and the same each time.

Every alert stands in exactly one incident. An incident's id is a digest of what the group is
about, so it is the same on every console and after every restart.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from console.facts.alert import OWN_SOURCE
from console.facts.text import visible
from console.incidents.making import Group, Member, incident_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.facts.alert import Alert, Incident
    from console.incidents.memory import Track
    from console.incidents.surroundings import Surroundings

FLOOD_ALERTS: Final = 10
FLOOD_SECONDS: Final = 600.0
"""More than so many alerts that began within so many seconds are a flood."""

STATE_ORDER: Final = {"firing": 0, "pending": 1, "suppressed": 2, "resolved": 3}


@dataclass(frozen=True, slots=True)
class SourceTracks:
    """The alerts of one source; ``age_seconds`` is set where the source is away."""

    name: str
    tracks: Mapping[str, Track] = field(default_factory=dict)
    age_seconds: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class _Key:
    """What a group is about: a kind (dependency, model, name, flood) and a name."""

    kind: str
    name: str

    @property
    def id(self) -> str:
        text = f"{self.kind}\x00{self.name}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class _Sum:
    """What was summed up of a group, so that the same group need not be summed up again."""

    about: Group
    members: tuple[Member, ...]
    incident: Incident


@dataclass(frozen=True, slots=True)
class Grouped:
    """Incidents, the most urgent first, and whether flood mode put them together."""

    incidents: tuple[Incident, ...]
    flood: bool = False
    sums: Mapping[_Key, _Sum] = field(default_factory=dict, compare=False, repr=False)


def group(
    sources: Sequence[SourceTracks],
    around: Surroundings,
    now: float,
    before: Grouped | None = None,
) -> Grouped:
    """Group the alerts of all sources, given in the order of precedence, at ``now`` (Unix s).

    What ``before``, the grouping of the look before, knows of a group that is the same is taken
    over: the result does not depend on it.
    """
    members = [_placed(one, around) for one in _distinct(sources, now)]
    flood = _floods(members, now)
    failing = _failing(members) | around.culprits
    shared = _shared(members, around) if flood else Counter()
    groups: dict[_Key, list[Member]] = {}
    for member in members:
        key = _flood_key(member.alert, around, shared) if flood else None
        groups.setdefault(key or _key(member.alert, around, failing, flood), []).append(member)
    known = before.sums if before is not None and before.flood == flood else {}
    sums = {
        key: _summed(key, tuple(found), around, flood, known.get(key), now)
        for key, found in groups.items()
    }
    incidents = sorted((each.incident for each in sums.values()), key=urgency)
    return Grouped(tuple(incidents), flood, sums)


def _summed(
    key: _Key,
    members: tuple[Member, ...],
    around: Surroundings,
    flood: bool,
    known: _Sum | None,
    now: float,
) -> _Sum:
    same = known is not None and known.members == members
    if known is not None and same and key.kind == "model":
        return known
    about = _about(key, members, around, flood)
    if known is not None and same and known.about == about:
        return known
    return _Sum(about, members, incident_of(about, members, now))


def _distinct(sources: Sequence[SourceTracks], now: float) -> list[Member]:
    """Return each alert once: two sources may tell the same one, and a living word counts more."""
    found: dict[object, Member] = {}
    for source in sources:
        for track in source.tracks.values():
            if not track.shown(now):
                continue
            member = Member(track.alert, track.starts, source.age_seconds, (source.name,))
            identity = track.alert.labels or (source.name, track.alert.fingerprint)
            other = found.get(identity)
            if other is None:
                found[identity] = member
                continue
            better, worse = (member, other) if _weight(member) < _weight(other) else (other, member)
            found[identity] = replace(better, sources=(*better.sources, *worse.sources))
    return list(found.values())


def _weight(member: Member) -> tuple[bool, bool]:
    return member.age_seconds is not None, member.alert.state == "resolved"


def _placed(member: Member, around: Surroundings) -> Member:
    """Put the fleet's own names for the label values that mean them."""
    alert = member.alert
    model = around.models.get(alert.model, alert.model)
    dependency = around.dependencies.get(alert.dependency, alert.dependency)
    if not model and not dependency and alert.service:
        model = around.models.get(alert.service, "")
        dependency = "" if model else around.dependencies.get(alert.service, "")
    stale = member.age_seconds is not None
    if (model, dependency, stale) == (alert.model, alert.dependency, alert.stale):
        return member
    return replace(member, alert=replace(alert, model=model, dependency=dependency, stale=stale))


def _floods(members: Sequence[Member], now: float) -> bool:
    """Count what began; all that the own rules call of one model is one, or none beside others'."""
    recent = [
        member
        for member in members
        if any(0.0 <= now - at <= FLOOD_SECONDS for at in member.starts)
    ]
    others = [member for member in recent if member.alert.source != OWN_SOURCE]
    told = {member.alert.model for member in others}
    own = {member.alert.model for member in recent if member.alert.source == OWN_SOURCE}
    return len(others) + len(own - told) > FLOOD_ALERTS


def _failing(members: Sequence[Member]) -> frozenset[str]:
    """Return the dependencies that an alert of their own, naming no model, calls bad."""
    return frozenset(
        member.alert.dependency
        for member in members
        if member.alert.state == "firing" and not member.alert.model and member.alert.dependency
    )


def _shared(members: Sequence[Member], around: Surroundings) -> Counter[str]:
    """Count, for each dependency, the models with alerts that need it."""
    touched = {member.alert.model for member in members if member.alert.model}
    return Counter(name for model in touched for name in around.behind(model))


def _key(alert: Alert, around: Surroundings, failing: frozenset[str], flood: bool) -> _Key:
    if alert.dependency:
        return _Key("dependency", alert.dependency)
    if alert.model:
        behind = sorted(around.behind(alert.model) & failing)
        return _Key("dependency", behind[0]) if behind else _Key("model", alert.model)
    if flood:
        return _Key("flood", "alerts that name no model")
    return _Key("name", f"{alert.name}\x00{alert.service}")


def _flood_key(alert: Alert, around: Surroundings, shared: Counter[str]) -> _Key | None:
    """Return the dependency that most of the touched models share, None where none is shared."""
    if alert.dependency or not alert.model:
        return None
    found = [(-shared[name], name) for name in around.behind(alert.model) if shared[name] > 1]
    return _Key("dependency", min(found)[1]) if found else None


def _about(key: _Key, members: Sequence[Member], around: Surroundings, flood: bool) -> Group:
    named = {member.alert.model for member in members if member.alert.model}
    if key.kind == "dependency":
        touched = named | around.callers(key.name)
        return Group(
            key.id,
            f"dependency {visible(key.name, 60)}",
            dependency=key.name,
            models=tuple(sorted(touched)),
            flood=flood,
        )
    if key.kind == "model":
        title = visible(key.name, 60)
        return Group(key.id, title, model=key.name, models=(key.name,), flood=flood)
    if key.kind == "flood":
        return Group(key.id, key.name, flood=True)
    name, _, service = key.name.partition("\x00")
    on = f" on {visible(service, 60)}" if service else ""
    return Group(key.id, f"{name}{on}", flood=flood)


def urgency(incident: Incident) -> tuple[int, int, bool, float, str]:
    """Return what incidents are sorted by: state, level, unacknowledged first, oldest, id."""
    return (
        STATE_ORDER[incident.state],
        int(incident.severity),
        bool(incident.acked_by),
        incident.since,
        incident.id,
    )
