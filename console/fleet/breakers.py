"""Breakers of all replicas, folded: a row and a dependency are shown by their worst replica."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.facts.severity import BreakerState, ReplicaShare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.fleet.observed import LabelledValue
    from console.fleet.statics import Statics

    Labelled = tuple[LabelledValue, ...]
    Codes = NDArray[np.uint8]
    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

OPEN_STATES = (BreakerState.OPEN, BreakerState.FORCED_OPEN)

_WORST_FIRST = (
    BreakerState.FORCED_OPEN,
    BreakerState.OPEN,
    BreakerState.HALF_OPEN,
    BreakerState.DISABLED,
    BreakerState.METRICS_ONLY,
    BreakerState.CLOSED,
    BreakerState.UNKNOWN,
)
_WORSE = {state: rank for rank, state in enumerate(_WORST_FIRST)}
_BY_CODE = {float(int(state)): state for state in BreakerState}


@dataclass(frozen=True, slots=True)
class Judged:
    """The worst state among replicas, and how many of them are in it (open states as one)."""

    state: BreakerState
    share: ReplicaShare


UNJUDGED = Judged(BreakerState.UNKNOWN, ReplicaShare())


@dataclass(frozen=True, slots=True, eq=False)
class BreakerFacts:
    """Breakers as seen from models.

    ``states`` are `BreakerState` codes of each row's own breaker, ``shares`` the replicas behind
    those, ``places`` the row of each labelled value (-1: not an own breaker of a row).
    ``of_dependencies[model][dependency]`` is the model's breaker on it, ``dependency_open`` the
    rows with an open one; ``callers`` and ``by_dependency`` are the same by dependency.
    """

    states: Codes
    shares: Mapping[int, ReplicaShare]
    places: NDArray[np.int64]
    of_dependencies: Mapping[str, Mapping[str, Judged]]
    dependency_open: Mask
    callers: Mapping[str, frozenset[str]]
    by_dependency: Mapping[str, Judged]


def breaker_state(value: float) -> BreakerState:
    """Return the state behind a gauge value; what no state has is UNKNOWN."""
    return _BY_CODE.get(value, BreakerState.UNKNOWN)


def worse(one: Judged, other: Judged) -> Judged:
    """Return the more alarming of two judgements; of equal states the one with more replicas."""

    def order(judged: Judged) -> tuple[int, int]:
        return _WORSE[judged.state], -judged.share.replicas

    return min(one, other, key=order)


def judged(counts: Counter[BreakerState], noun: str = "replicas") -> Judged:
    """Judge replicas by their worst state, never by the largest code: HALF_OPEN is above OPEN."""
    state = min(counts, key=_WORSE.__getitem__, default=BreakerState.UNKNOWN)
    alike = OPEN_STATES if state in OPEN_STATES else (state,)
    share = ReplicaShare(sum(counts[each] for each in alike), counts.total(), noun)
    return Judged(state, share)


def breaker_facts(labelled: Labelled, statics: Statics) -> BreakerFacts:
    """Fold ``breaker_state`` (model, dependency, instance).

    An empty dependency, or one named like the model, is the model's own breaker.
    """
    own: dict[int, Counter[BreakerState]] = {}
    places = np.full(len(labelled), -1, dtype=np.int64)
    calls: dict[str, dict[str, Counter[BreakerState]]] = {}
    for number, item in enumerate(labelled):
        model = item.labels[0]
        dependency = item.labels[1] if len(item.labels) > 1 else ""
        row = statics.index.get(model)
        if row is None:
            continue
        if dependency and dependency != model:
            counts = calls.setdefault(model, {}).setdefault(dependency, Counter())
        else:
            places[number] = row
            counts = own.setdefault(row, Counter())
        counts[breaker_state(item.value)] += 1
    states = np.full(len(statics), int(BreakerState.UNKNOWN), dtype=np.uint8)
    shares: dict[int, ReplicaShare] = {}
    for row, counts in own.items():
        worst = judged(counts)
        states[row] = int(worst.state)
        shares[row] = worst.share
    callers: dict[str, set[str]] = {}
    totals: dict[str, Counter[BreakerState]] = {}
    is_open = np.zeros(len(statics), dtype=np.bool_)
    seen: dict[str, dict[str, Judged]] = {}
    for model, of_model in calls.items():
        seen[model] = {dependency: judged(counts) for dependency, counts in of_model.items()}
        is_open[statics.index[model]] = any(
            each.state in OPEN_STATES for each in seen[model].values()
        )
        for dependency, counts in of_model.items():
            callers.setdefault(dependency, set()).add(model)
            totals.setdefault(dependency, Counter()).update(counts)
    return BreakerFacts(
        states=states,
        shares=shares,
        places=places,
        of_dependencies=seen,
        dependency_open=is_open,
        callers={dependency: frozenset(models) for dependency, models in callers.items()},
        by_dependency=_all_callers(totals),
    )


def _all_callers(totals: Mapping[str, Counter[BreakerState]]) -> dict[str, Judged]:
    return {dependency: judged(counts, "breakers") for dependency, counts in totals.items()}


def shared_breakers(labelled: Labelled, _statics: Statics) -> Mapping[str, Judged]:
    """Fold ``dependency_breaker`` (dependency, model, instance) to one judgement a dependency."""
    totals: dict[str, Counter[BreakerState]] = {}
    for item in labelled:
        totals.setdefault(item.labels[0], Counter())[breaker_state(item.value)] += 1
    return _all_callers(totals)


def times_of(labelled: Labelled, facts: BreakerFacts) -> Floats:
    """Return Unix seconds of each row's own breaker reading, NaN where there is none."""
    at = np.full(len(facts.states), np.nan)
    own = facts.places >= 0
    at[facts.places[own]] = np.array([item.at for item in labelled], dtype=np.float64)[own]
    return at
