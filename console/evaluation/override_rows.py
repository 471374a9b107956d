"""Folds overrides onto rows: which trouble they explain, and which end unattended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.action import WARN_SECONDS
from console.domain.severity import BreakerState, Route
from console.evaluation.dependencies import OPEN_STATES
from console.evaluation.row_identity import bound_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.model import ModelRow
    from console.evaluation.dependencies import BreakerFacts, Judged
    from console.evaluation.observations import Statics
    from console.evaluation.row_labels import RouteFacts

    Mask = NDArray[np.bool_]

DEPENDENCY_PREFIX = "dep:"

HUMAN_LEVEL = "L4"

_HELD_BREAKERS = {
    "trip": OPEN_STATES,
    "disable": (BreakerState.DISABLED,),
    "watch": (BreakerState.METRICS_ONLY,),
}


@dataclass(frozen=True, slots=True, eq=False)
class HeldFacts:
    """What is held by hand, by row, oldest first; ``shared`` are those of a row's dependencies.

    ``planned`` rows have trouble that an owned, unexpired override explains and are off primary
    for no other reason; ``routed`` is that of the route alone. ``ending`` and ``overdue`` rows
    have an override that ends within 5 minutes, or should have ended.
    """

    planned: Mask
    routed: Mask
    ending: Mask
    overdue: Mask
    own: Mapping[int, tuple[Override, ...]] = field(default_factory=dict)
    shared: Mapping[int, tuple[Override, ...]] = field(default_factory=dict)

    def of_row(self, row: int) -> tuple[Override, ...]:
        """Return the row's own overrides, then those of its dependencies."""
        return (*self.own.get(row, ()), *self.shared.get(row, ()))


def dependency_of(override: Override) -> str:
    """Return the dependency an override holds, empty where it holds a model."""
    name = override.target.removeprefix(DEPENDENCY_PREFIX)
    return name if name != override.target else ""


def counts_as_planned(override: Override, now: float) -> bool:
    """Tell whether an override is owned, in force and not past its end (Unix seconds)."""
    return (
        bool(override.by)
        and not override.lost
        and override.ends_at is not None
        and override.ends_at > now
    )


def ends_unattended(override: Override, now: float) -> bool:
    """Tell whether an override ends within 5 minutes; a drill is meant to end and does not count.

    A successor takes the place of an override in the journal, so one that is still there has none.
    """
    left = override.left_seconds(now)
    return left is not None and 0 <= left < WARN_SECONDS and not override.drill


def is_overdue(override: Override, now: float) -> bool:
    """Tell whether an override should have ended and nobody ended it."""
    left = override.left_seconds(now)
    return left is not None and left < 0


def explains_route(override: Override, route: Route) -> bool:
    """Tell whether an override is why traffic goes where it goes."""
    if override.verb == "fallback":
        return override.to in ("", route.target)
    return override.verb == "human" and (route.level == HUMAN_LEVEL or route.target == "human")


def explains_breaker(override: Override, state: BreakerState) -> bool:
    """Tell whether an override is why a breaker is in its state."""
    return state in _HELD_BREAKERS.get(override.verb, ())


def held_facts(
    overrides: Sequence[Override],
    statics: Statics,
    breakers: BreakerFacts,
    dependency_breakers: Mapping[str, Judged],
    routes: RouteFacts,
    now: float,
) -> HeldFacts:
    """Fold overrides to rows and compare them with what is seen."""
    planned, routed, ending, overdue = (np.zeros(len(statics), dtype=np.bool_) for _ in range(4))
    own: dict[int, tuple[Override, ...]] = {}
    shared: dict[int, tuple[Override, ...]] = {}
    for override in overrides:
        dependency = dependency_of(override)
        rows = _rows(override, dependency, statics, breakers)
        where = shared if dependency else own
        for row in rows:
            where[row] = (*where.get(row, ()), override)
            ending[row] |= ends_unattended(override, now)
            overdue[row] |= is_overdue(override, now)
            if not counts_as_planned(override, now):
                continue
            if dependency:
                model = statics.rows[row].model
                seen = breakers.of_dependencies.get(model, {}).get(dependency)
                judged = seen or dependency_breakers.get(dependency)
                planned[row] |= judged is not None and explains_breaker(override, judged.state)
                continue
            route = routes.by_row.get(row)
            routed[row] |= route is not None and explains_route(override, route)
            planned[row] |= explains_breaker(override, BreakerState(int(breakers.states[row])))
    routed &= routes.off_primary
    planned = (planned | routed) & (routed | ~routes.off_primary)
    return HeldFacts(planned, routed, ending, overdue, own, shared)


def _rows(
    override: Override, dependency: str, statics: Statics, breakers: BreakerFacts
) -> tuple[int, ...]:
    if not dependency:
        row = statics.index.get(override.target)
        return () if row is None else (row,)
    declared = statics.users.get(dependency, ())
    calling = (statics.index.get(model) for model in breakers.callers.get(dependency, ()))
    return tuple(sorted({*declared, *(row for row in calling if row is not None)}))


def bind_overrides(overrides: Sequence[Override], rows: Sequence[ModelRow]) -> tuple[Override, ...]:
    """Return the overrides with the names that their rows have today as targets."""
    bound = []
    for each in overrides:
        target = bound_name(each.target, each.row, rows)
        bound.append(each if target == each.target else replace(each, target=target))
    return tuple(bound)
