"""Folds breakers of all replicas and finds which shared dependency explains the models' trouble."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import UNKNOWN_BREAKER, Breaker, BreakerState, ReplicaShare
from console.domain.signals import NO_DATA, Reading, ReadingState
from console.domain.snapshot import Dependency
from console.metrics.units import clock, name, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from console.domain.snapshot import Cause
    from console.evaluation.dependency_calls import CallsBefore
    from console.evaluation.evidence import Evidence
    from console.evaluation.observations import LabelledValue, Statics
    from console.settings.schema import Settings

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


CULPRIT_ERROR_RATIO = 0.05
DOWN_ERROR_RATIO = 0.20
ATTEMPTS_LIMIT = 1.1
WINDOW_SECONDS = 300.0

_STATE_ORDER = {"down": 0, "degraded": 1, "unknown": 2, "ok": 3}
_TROUBLED_BREAKERS = (*OPEN_STATES, BreakerState.HALF_OPEN)


@dataclass(frozen=True, slots=True)
class DependencyFacts:
    """Labelled facts about dependencies by their own name, latest value each."""

    error_ratio: Mapping[str, LabelledValue]
    timeout_ratio: Mapping[str, LabelledValue]
    latency_p95: Mapping[str, LabelledValue]
    breakers: Mapping[str, Judged]


def aliases(settings: Settings) -> dict[str, str]:
    """Return configured names by the label value they match."""
    return {
        value: dependency
        for dependency, declared in settings.dependencies.items()
        for label, value in (declared.match or {}).items()
        if label == "dependency"
    }


def by_name(
    labelled: Iterable[LabelledValue], renamed: Mapping[str, str]
) -> dict[str, LabelledValue]:
    """Return the last fact of each dependency, under its configured name."""
    return {renamed.get(item.labels[0], item.labels[0]): item for item in labelled}


def renamed_breakers(
    breakers: Mapping[str, Judged], renamed: Mapping[str, str]
) -> dict[str, Judged]:
    """Return breakers by the configured name; of two labels of one dependency the worse."""
    found: dict[str, Judged] = {}
    for label, judged in breakers.items():
        dependency = renamed.get(label, label)
        found[dependency] = worse(found.get(dependency, UNJUDGED), judged)
    return found


@dataclass(frozen=True, slots=True)
class Past:
    """What the evaluation before found of dependencies: bad since, and breakers since (seconds)."""

    bad_since: Mapping[str, float]
    breakers: Mapping[str, tuple[BreakerState, float]]


class Chain:
    """Who calls what at this moment, by the dependency's configured name."""

    def __init__(self, evidence: Evidence, renamed: Mapping[str, str]) -> None:
        self.callers: dict[str, frozenset[str]] = dict(evidence.statics.callers)
        self.attempts: dict[str, float] = {}
        self.breakers = renamed_breakers(evidence.breakers.by_dependency, renamed)
        for callers in (evidence.attempts.places.callers, evidence.breakers.callers):
            for label, models in callers.items():
                dependency = renamed.get(label, label)
                self.callers[dependency] = self.callers.get(dependency, frozenset()) | models
        for label, value in evidence.attempts.by_dependency.items():
            dependency = renamed.get(label, label)
            self.attempts[dependency] = max(value, self.attempts.get(dependency, value))


def dependencies(
    evidence: Evidence,
    facts: DependencyFacts,
    settings: Settings,
    past: Past,
    calls: CallsBefore,
) -> tuple[Dependency, ...]:
    """Describe every dependency known by declaration or by label.

    Times are of the rise that ``calls`` follows, else of the first sight, which ``past`` has.
    """
    chain = Chain(evidence, aliases(settings))
    names = {*settings.dependencies, *chain.callers, *facts.error_ratio, *facts.breakers}
    found = [
        _describe(dependency, evidence, facts, chain, settings, past, calls) for dependency in names
    ]
    return in_order(found)


def in_order(found: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """Sort dependencies: culprits first, then the worst state, then names."""
    return tuple(
        sorted(found, key=lambda one: (not one.culprit, _STATE_ORDER[one.state], one.name))
    )


def with_culprits(found: Iterable[Dependency], causes: Iterable[Cause]) -> tuple[Dependency, ...]:
    """Return the dependencies with those marked that are the likely cause of some row."""
    likely = (each for each in causes if each.confidence == "likely")
    blamed = {each.name for each in likely if each.kind == "dependency"}
    return in_order(replace(one, culprit=one.name in blamed) for one in found)


def _describe(
    dependency: str,
    evidence: Evidence,
    facts: DependencyFacts,
    chain: Chain,
    settings: Settings,
    past: Past,
    calls: CallsBefore,
) -> Dependency:
    now = evidence.now
    errors = _error_reading(dependency, evidence, facts)
    breaker = _breaker(dependency, evidence, facts, chain, past.breakers)
    attempts = chain.attempts.get(dependency)
    state = _state(errors, breaker, attempts)
    if state == "ok" and ("", dependency) in calls.onsets:
        state = "degraded"
    models = tuple(sorted(chain.callers.get(dependency, ())))
    failing = errors.value is not None and errors.value > CULPRIT_ERROR_RATIO
    onset = calls.onsets.get(("", dependency))
    bad = failing or onset is not None or breaker.state in _TROUBLED_BREAKERS
    since = past.bad_since.get(dependency, now) if bad else None
    if onset is not None and not isnan(onset.since):
        since = onset.since
    declared = settings.dependencies.get(dependency)
    return Dependency(
        name=dependency,
        state=state,
        error_ratio=errors,
        attempts_per_request=NO_DATA
        if attempts is None
        else Reading(ReadingState.OK, attempts, now, WINDOW_SECONDS, method="worst caller"),
        latency_p95=_reading(facts.latency_p95.get(dependency), "histogram_quantile(0.95)"),
        breaker=breaker,
        models=models,
        owner=(declared.owner or "") if declared is not None else "",
        text=_text(dependency, facts, errors, breaker, since) if since is not None else "",
        since=since,
    )


def _reading(item: LabelledValue | None, method: str) -> Reading:
    if item is None:
        return NO_DATA
    if item.value != item.value:
        return Reading(ReadingState.NO_TRAFFIC, None, item.at, WINDOW_SECONDS, method=method)
    return Reading(ReadingState.OK, item.value, item.at, WINDOW_SECONDS, method=method)


def _error_reading(dependency: str, evidence: Evidence, facts: DependencyFacts) -> Reading:
    item = facts.error_ratio.get(dependency)
    if item is None and dependency in evidence.statics.index:
        row = evidence.statics.index[dependency]
        return evidence.asked.column("error_ratio").reading(row)
    return _reading(item, "failed calls / calls")


def _breaker(
    dependency: str,
    evidence: Evidence,
    facts: DependencyFacts,
    chain: Chain,
    before: Mapping[str, tuple[BreakerState, float]],
) -> Breaker:
    seen = worse(facts.breakers.get(dependency, UNJUDGED), chain.breakers.get(dependency, UNJUDGED))
    row = evidence.statics.index.get(dependency)
    if seen is UNJUDGED and row is not None:
        seen = Judged(evidence.breaker(row), evidence.breaker_share(row))
    if seen.state is BreakerState.UNKNOWN:
        return UNKNOWN_BREAKER
    known = before.get(dependency)
    since = known[1] if known is not None and known[0] is seen.state else evidence.now
    return Breaker(seen.state, since, evidence.now, seen.share)


def _state(errors: Reading, breaker: Breaker, attempts: float | None) -> str:
    ratio = errors.value if errors.known else None
    if breaker.state in OPEN_STATES or (ratio is not None and ratio >= DOWN_ERROR_RATIO):
        return "down"
    if (
        breaker.state is BreakerState.HALF_OPEN
        or (ratio is not None and ratio > CULPRIT_ERROR_RATIO)
        or (attempts is not None and attempts > ATTEMPTS_LIMIT)
    ):
        return "degraded"
    return "ok" if ratio is not None else "unknown"


def _text(
    dependency: str,
    facts: DependencyFacts,
    errors: Reading,
    breaker: Breaker,
    since: float,
) -> str:
    if breaker.state in _TROUBLED_BREAKERS and not (errors.value or 0.0) > CULPRIT_ERROR_RATIO:
        extent = f" ({breaker.extent})" if breaker.extent else ""
        return f"{name(dependency)} breaker {breaker.state.code}{extent} since {clock(since)}"
    slow = facts.latency_p95.get(dependency)
    if not errors.value:
        p95 = f" p95 {shown(slow.value, 's')}" if slow is not None else " is slow or retried"
        return f"{name(dependency)}{p95} since {clock(since)}"
    timeouts = facts.timeout_ratio.get(dependency)
    mostly_timeouts = timeouts is not None and timeouts.value >= errors.value / 2.0
    kind = "timeouts" if mostly_timeouts else "errors"
    ratio = timeouts.value if mostly_timeouts and timeouts is not None else errors.value
    return f"{name(dependency)} {kind} {shown(ratio, '%')} since {clock(since)}"
