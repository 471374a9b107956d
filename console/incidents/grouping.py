"""Groups alerts into incidents by shared cause, by model or by name; pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from console.domain.alert import OWN_SOURCE, Incident
from console.domain.text import visible
from console.evaluation.row_identity import fitting_rows, rows_by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.domain.alert import Alert, AlertState, Labels, Silence
    from console.domain.model import ModelRow
    from console.domain.snapshot import Cause, Dependency
    from console.incidents.alert_memory import Track
    from console.settings.schema import Settings

NO_CAUSES: Mapping[int, Cause] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The fleet around alerts: row names by label value, and what each model calls.

    ``needs`` holds direct dependencies by model, by their configured names; a dependency may be a
    model itself. ``causes`` are dependencies already named as what hurts a model, by model;
    ``labels`` are those by which the rows' own servers name models, ``namesakes`` the rows that
    may be meant by a name.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    namesakes: Mapping[str, Sequence[ModelRow]] = field(default_factory=dict)

    def behind(self, model: str) -> frozenset[str]:
        """Return everything a model needs, what its dependencies need included."""
        found: set[str] = set()
        waiting = list(self.needs.get(model, ()))
        while waiting:
            name = waiting.pop()
            if name not in found and name != model:
                found.add(name)
                waiting.extend(self.needs.get(name, ()))
        return frozenset(found)

    def callers(self, dependency: str) -> frozenset[str]:
        """Return the models that need a dependency, directly or through others."""
        return frozenset(model for model in self.needs if dependency in self.behind(model))


@dataclass(frozen=True, slots=True)
class FleetNames:
    """What alerts may call rows; see `Surroundings`. It changes with rows and settings alone."""

    models: Mapping[str, str]
    labels: tuple[str, ...]
    namesakes: Mapping[str, Sequence[ModelRow]]


def fleet_names(rows: Sequence[ModelRow], settings: Settings) -> FleetNames:
    """Gather the names of rows from the rows and the configuration."""
    from console.metrics.profile import profiles  # numpy comes with it, and acting needs none

    kinds = (profiles().get(name) for name in dict.fromkeys(row.profile for row in rows))
    labels = dict.fromkeys(each.model_label for each in kinds if each is not None)
    models = {row.model: row.model for row in rows} | {name: name for name in settings.models}
    for name, declared in settings.models.items():
        for part in declared.matches:
            for value in _names_in(part, "model"):
                models.setdefault(value, name)
    return FleetNames(models, tuple(labels), rows_by_name(rows))


def surroundings(
    rows: Sequence[ModelRow],
    dependencies: Iterable[Dependency],
    settings: Settings,
    causes: Mapping[int, Cause] = NO_CAUSES,
    called: FleetNames | None = None,
) -> Surroundings:
    """Gather names, calls and causes (by row) from the configuration and the last observation.

    Only what is likely folds incidents together. ``called`` is what `fleet_names` gave for the
    same rows and settings, where that is known already.
    """
    called = called or fleet_names(rows, settings)
    names = {name: name for name in settings.dependencies}
    for name, shared in settings.dependencies.items():
        for value in _names_in(shared.match, "dependency"):
            names.setdefault(value, name)
    needs: dict[str, set[str]] = {
        name: set(declared.dependencies) for name, declared in settings.models.items()
    }
    for seen in dependencies:
        names.setdefault(seen.name, seen.name)
        for model in seen.models:
            needs.setdefault(model, set()).add(seen.name)
    return Surroundings(
        called.models,
        names,
        {model: frozenset(needed) for model, needed in needs.items()},
        {
            rows[row].model: cause.name
            for row, cause in causes.items()
            if cause.kind == "dependency" and cause.confidence == "likely"
        },
        called.labels,
        called.namesakes,
    )


def _names_in(match: Mapping[str, str] | None, label: str) -> tuple[str, ...]:
    """Return the values that name the thing itself, not the cluster or namespace it is in."""
    if not match:
        return ()
    if len(match) == 1:
        return tuple(match.values())
    return (match[label],) if label in match else ()


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


# Every alert stands in exactly one incident. An incident's id is a digest of what the group is
# about, so it is the same on every console and after every restart.

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
    failing = _failing(members)
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
    if alike := around.namesakes.get(alert.model):
        fitting = fitting_rows(dict(alert.labels), alike)
        # Of several that fit none is picked: the alert stands on each, under the name they share.
        model = fitting[0].model if len(fitting) == 1 else alert.model
    dependency = around.dependencies.get(alert.dependency, alert.dependency)
    if not model and not dependency:
        # The label by which the row's own server names its models counts beside the declared one.
        labels = dict(alert.labels)
        named = (around.models.get(labels.get(label, "")) for label in around.labels)
        model = next((name for name in named if name), "")
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
        named = around.causes.get(alert.model)
        if named is None:
            # What another system calls bad; what the model calls itself before what lies behind.
            own = around.needs.get(alert.model, frozenset())
            behind = around.behind(alert.model) & failing
            named = min(behind, key=lambda one: (one not in own, one), default=None)
        return _Key("dependency", named) if named else _Key("model", alert.model)
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
