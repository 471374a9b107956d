"""Folds series with labels to one entry a row: versions, routes, alerts that name the row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from console.domain.severity import Route
from console.evaluation.row_identity import fitting_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from console.domain.alert import Alert, Incident
    from console.domain.incident import Hold
    from console.domain.model import ModelRow
    from console.evaluation.observations import LabelledValue, Statics

    Labelled = tuple[LabelledValue, ...]
    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

T = TypeVar("T")
Reads = Literal["value", "presence", "nothing"]

_CODE_LABEL = 4
_PAIR = 2


@dataclass(frozen=True, slots=True, eq=False)
class Fold(Generic[T]):
    """What labelled values came to, with what it was made of."""

    labels: list[tuple[str, ...]]
    values: list[float]
    statics: Statics
    result: T


def fold(
    labelled: Labelled,
    statics: Statics,
    previous: Fold[T] | None,
    make: Callable[[Labelled, Statics], T],
    reads: Reads = "value",
) -> Fold[T]:
    """Fold again only when something that is read changed: of most ticks nothing did.

    ``reads`` says what ``make`` looks at beside the labels: the value, only whether it is above
    0, or nothing.
    """
    labels = [item.labels for item in labelled]
    values: list[float] = []
    if reads == "value":
        values = [item.value for item in labelled]
    elif reads == "presence":
        values = [item.value > 0 for item in labelled]
    if (
        previous is not None
        and previous.statics is statics
        and previous.values == values
        and previous.labels == labels
    ):
        return previous
    return Fold(labels, values, statics, make(labelled, statics))


def several_versions(labelled: Labelled, statics: Statics) -> Mapping[int, tuple[str, ...]]:
    """Return the versions of rows that serve more than one, from ``versions`` (model, version)."""
    seen: dict[int, set[str]] = {}
    for item in labelled:
        if item.value > 0 and len(item.labels) > 1 and item.labels[1]:
            row = statics.index.get(item.labels[0])
            if row is not None:
                seen.setdefault(row, set()).add(item.labels[1])
    return {row: tuple(sorted(names)) for row, names in seen.items() if len(names) > 1}


class Identity(NamedTuple):
    """What a model is made of, as its service tells; empty where it does not."""

    version: str = ""
    code: str = ""
    data_snapshot: str = ""
    trained_at: str = ""


def identities(labelled: Labelled, statics: Statics) -> Mapping[int, Identity]:
    """Return each row's identity: of its only ``info`` series, else as discovered.

    ``info`` is labelled (model, version, region, data_snapshot, code, trained_at, framework).
    """
    found = {
        row: Identity(model.version, *(model.info.get(label, "") for label in Identity._fields[1:]))
        for row, model in enumerate(statics.rows)
    }
    several: dict[int, int] = {}
    for item in labelled:
        row = statics.index.get(item.labels[0])
        if row is None:
            continue
        several[row] = several.get(row, 0) + 1
        if several[row] == 1 and len(item.labels) > _CODE_LABEL:
            version, _region, data_snapshot, code, trained_at = (*item.labels[1:6], "")[:5]
            found[row] = Identity(version, code, data_snapshot, trained_at)
    return {row: pair for row, pair in found.items() if several.get(row, 1) == 1}


@dataclass(frozen=True, slots=True, eq=False)
class CallPlaces:
    """Which row calls which dependency, one entry a labelled value of ``dependency_attempts``.

    ``rows`` and ``dependencies`` are indices, -1 where the model or the dependency is nobody.
    """

    rows: NDArray[np.int64]
    dependencies: NDArray[np.int64]
    names: tuple[str, ...]
    callers: Mapping[str, frozenset[str]]


def call_places(labelled: Labelled, statics: Statics) -> CallPlaces:
    """Fold the labels of ``dependency_attempts`` (model, dependency)."""
    numbers: dict[str, int] = {}
    callers: dict[str, set[str]] = {}
    rows: list[int] = []
    places: list[int] = []
    for item in labelled:
        labels = item.labels
        row = statics.index.get(labels[0], -1)
        if row < 0 or len(labels) < _PAIR or not labels[1]:
            rows.append(-1)
            places.append(-1)
            continue
        rows.append(row)
        places.append(numbers.setdefault(labels[1], len(numbers)))
        callers.setdefault(labels[1], set()).add(labels[0])
    return CallPlaces(
        rows=np.array(rows, dtype=np.int64),
        dependencies=np.array(places, dtype=np.int64),
        names=tuple(numbers),
        callers={dependency: frozenset(models) for dependency, models in callers.items()},
    )


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """Attempts per request: of each row on its worst dependency (NaN none), and of dependencies.

    ``worst_place`` is the index into ``places.names`` of that dependency, -1 for none.
    """

    places: CallPlaces
    worst: Floats
    worst_place: NDArray[np.int64]
    by_dependency: Mapping[str, float]


def attempts(labelled: Labelled, places: CallPlaces, rows: int) -> Attempts:
    """Lay this tick's attempts per request out by row and by dependency."""
    values = np.array([item.value for item in labelled], dtype=np.float64)
    used = np.flatnonzero((places.rows >= 0) & np.isfinite(values))
    # Ascending, so that the last assignment to a row is its largest value.
    used = used[np.argsort(values[used], kind="stable")]
    worst = np.full(rows, np.nan)
    worst_place = np.full(rows, -1, dtype=np.int64)
    worst[places.rows[used]] = values[used]
    worst_place[places.rows[used]] = places.dependencies[used]
    most = np.full(len(places.names), np.nan)
    most[places.dependencies[used]] = values[used]
    by_dependency = {
        dependency: value
        for dependency, value in zip(places.names, most.tolist(), strict=True)
        if not isnan(value)
    }
    return Attempts(places, worst, worst_place, by_dependency)


ANSWERING_LEVELS = ("L1", "L2", "L3", "L4")
"""Rungs of the ladder on which something still answers."""

OFF_PRIMARY_LEVELS = (*ANSWERING_LEVELS, "L5")
TRIAL_WORDS = ("canary", "shadow")
PRIMARY_TARGETS = ("primary", "prim", "")

_LABELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class RouteFacts:
    """Active routes by row, and masks: known, answered below L0, off primary, on trial, outside.

    ``outside`` rows are served from a region they do not allow; ``judged`` rows have a route and
    a list of allowed regions.
    """

    by_row: Mapping[int, Route]
    known: Mask
    answering: Mask
    off_primary: Mask
    trial: Mask
    outside: Mask
    judged: Mask


def is_trial(route: Route) -> bool:
    """Tell whether a route is a canary or a shadow, by its target or level."""
    said = f"{route.target} {route.level}".lower()
    return any(word in said for word in TRIAL_WORDS)


def is_off_primary(route: Route) -> bool:
    """Tell whether traffic goes anywhere but to the primary; a trial at L0 does not count."""
    if route.level in OFF_PRIMARY_LEVELS:
        return True
    if route.level == "L0":
        return False
    return route.target not in PRIMARY_TARGETS and not is_trial(route)


def served_region(route: Route, model: ModelRow) -> str:
    """Return the region that serves: as exported, else as declared for the route's target."""
    if route.region:
        return route.region
    for fallback in model.fallbacks:
        if fallback.name == route.target:
            return fallback.region
    return ""


def route_facts(labelled: tuple[LabelledValue, ...], statics: Statics) -> RouteFacts:
    """Fold ``route`` (model, target, level, region): a series above 0 is active.

    Where several are active the lowest rung is shown, because that is the one to know about.
    """
    size = len(statics)
    by_row = _active(labelled, statics)
    masks = {
        name: np.zeros(size, dtype=np.bool_)
        for name in ("known", "answering", "off_primary", "trial", "outside", "judged")
    }
    kinds: dict[Route, tuple[bool, bool, bool]] = {}
    for row, route in by_row.items():
        kind = kinds.get(route)
        if kind is None:
            kind = kinds[route] = (
                route.level in ANSWERING_LEVELS,
                is_off_primary(route),
                is_trial(route),
            )
        masks["known"][row] = True
        masks["answering"][row], masks["off_primary"][row], masks["trial"][row] = kind
        model = statics.rows[row]
        if model.allowed_regions:
            region = served_region(route, model)
            masks["judged"][row] = bool(region)
            masks["outside"][row] = bool(region) and region not in model.allowed_regions
    return RouteFacts(by_row, **masks)


def _active(labelled: tuple[LabelledValue, ...], statics: Statics) -> dict[int, Route]:
    kept: dict[tuple[str, ...], Route] = {}
    by_row: dict[int, Route] = {}
    for item in labelled:
        row = statics.index.get(item.labels[0])
        if row is None or not item.value > 0:
            continue
        where = item.labels[1:_LABELS]
        route = kept.get(where)
        if route is None:
            route = kept[where] = Route(*where)
        before = by_row.get(row)
        if before is None or route.level > before.level:
            by_row[row] = route
    return by_row


def rows_meant(alert: Alert, statics: Statics) -> tuple[int, ...]:
    """Return the rows that all labels of an alert fit: one, or several of its model's name."""
    alike = statics.by_name.get(alert.model)
    if alike is None:
        row = statics.index.get(alert.model)
        return () if row is None else (row,)
    fitting = fitting_rows(dict(alert.labels), alike)
    return tuple(statics.index[row.model] for row in fitting)


def firing_by_row(incidents: Iterable[Incident], statics: Statics) -> dict[int, tuple[Alert, ...]]:
    """Return the firing alerts of each row, worst first.

    Only alerts that name the model count: a dependency's own alert says nothing yet of the harm
    to its callers, and an alert that nobody confirms any more is not known to fire.
    """
    found: dict[int, list[Alert]] = {}
    for incident in incidents:
        for alert in incident.alerts:
            if not alert.model or alert.state != "firing" or alert.stale:
                continue
            meant = rows_meant(alert, statics)
            if len(meant) > 1:
                said = f"one of {len(meant)} that it may mean; {alert.summary}".rstrip("; ")
                alert = replace(alert, summary=said)
            for row in meant:
                found.setdefault(row, []).append(alert)
    return {
        row: tuple(sorted(alerts, key=lambda one: (int(one.severity), one.since, one.name)))
        for row, alerts in found.items()
    }


def holds_by_row(holds: Iterable[Hold], statics: Statics) -> dict[int, tuple[Hold, ...]]:
    """Return, for each row, the holds on incidents that touch it, in the order given."""
    found: dict[int, tuple[Hold, ...]] = {}
    for hold in holds:
        for model in hold.models:
            row = statics.index.get(model)
            if row is not None:
                found[row] = (*found.get(row, ()), hold)
    return found


def acknowledged_rows(
    alerts: Mapping[int, tuple[Alert, ...]], holds: Mapping[int, tuple[Hold, ...]]
) -> tuple[int, ...]:
    """Return the rows of which every firing alert is acknowledged.

    A row without any is acknowledged while somebody holds an incident that touches it.
    """
    return tuple(
        row
        for row in (alerts.keys() | holds.keys())
        if all(alert.acknowledgement is not None for alert in alerts.get(row, ()))
        and (alerts.get(row) or row in holds)
    )
