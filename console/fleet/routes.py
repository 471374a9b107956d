"""Where traffic goes, folded to rows and classified once, not once a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.facts.severity import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.facts.model import ModelRow
    from console.fleet.observed import LabelledValue
    from console.fleet.statics import Statics

    Mask = NDArray[np.bool_]

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
