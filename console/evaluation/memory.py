"""State that one evaluation hands to the next: streaks, first sightings, previous levels."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import BreakerState
from console.evaluation.dependency_calls import CallsBefore
from console.evaluation.phases import no_phases, reorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.snapshot import Cause, Change
    from console.evaluation.cost import Habits
    from console.evaluation.dependencies import BreakerFacts, Judged
    from console.evaluation.evidence import Evidence
    from console.evaluation.observations import Statics
    from console.evaluation.phases import Phases
    from console.evaluation.replicas import ReplicaFacts
    from console.evaluation.row_labels import CallPlaces, Fold, Identity, RouteFacts
    from console.evaluation.score_drift import ScoreDrift

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

RAISE_AFTER = 2
CLEAR_AFTER = 3
HOLD_SECONDS = 900.0
"""A raised rule that can no longer be judged is held for so long after it last held."""

_MOST = 250


@dataclass(frozen=True, slots=True, eq=False)
class Streaks:
    """Per row and rule: evaluations in a row that hit or were clean, and what is raised.

    ``since`` is Unix seconds of the first hit of the run that raised it, ``hit_at`` of the last,
    ``answered_at`` of the last answer that was counted.
    """

    hits: Codes
    clean: Codes
    raised: Mask
    since: Floats
    hit_at: Floats
    answered_at: Floats


@dataclass(frozen=True, slots=True, eq=False)
class RowsBefore:
    """Per row, as it last was: breaker code and since when, absence, change, level (0 unseen)."""

    breaker_states: Codes
    breaker_since: Floats
    absent_since: Floats
    changed_at: Floats
    severities: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """The last folds of labelled facts, taken again while nothing changed."""

    breakers: Fold[BreakerFacts]
    shared_breakers: Fold[Mapping[str, Judged]]
    routes: Fold[RouteFacts]
    versions: Fold[Mapping[int, tuple[str, ...]]]
    identities: Fold[Mapping[int, Identity]]
    calls: Fold[CallPlaces]
    replicas: Fold[ReplicaFacts]


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Opaque between evaluations; `Memory()` starts anew.

    ``identities`` are what each model is made of, ``bad_dependencies`` Unix seconds since when,
    ``held`` the overrides in force by operation (None unknown), ``held_texts`` the last sentence
    of rules that are raised but do not hold at the moment, ``causes`` what was named, by model,
    ``began`` when the harm of models began (Unix seconds) that a source was asked of.
    """

    statics: Statics | None = None
    streaks: Streaks | None = None
    before: RowsBefore | None = None
    evidence: Evidence | None = None
    folds: Folds | None = None
    identities: Mapping[str, Identity] = field(default_factory=dict)
    held_texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    held: Mapping[str, Override] | None = None
    source_states: Mapping[str, str] = field(default_factory=dict)
    score_drift: ScoreDrift | None = None
    days: Habits | None = None
    bad_dependencies: Mapping[str, float] = field(default_factory=dict)
    dependency_breakers: Mapping[str, tuple[BreakerState, float]] = field(default_factory=dict)
    phases: Phases | None = None
    calls: CallsBefore = field(default_factory=CallsBefore)
    causes: Mapping[str, Cause] = field(default_factory=dict)
    began: Mapping[str, float] = field(default_factory=dict)


def no_streaks(rows: int, rules: int) -> Streaks:
    """Return streaks of rows nobody has judged before."""
    shape = (rows, rules)
    return Streaks(
        hits=np.zeros(shape, dtype=np.uint8),
        clean=np.zeros(shape, dtype=np.uint8),
        raised=np.zeros(shape, dtype=np.bool_),
        since=np.full(shape, np.nan),
        hit_at=np.full(shape, np.nan),
        answered_at=np.full(shape, -np.inf),
    )


def nothing_before(rows: int) -> RowsBefore:
    """Return the past of rows nobody has seen before."""
    return RowsBefore(
        breaker_states=np.full(rows, int(BreakerState.UNKNOWN), dtype=np.uint8),
        breaker_since=np.full(rows, np.nan),
        absent_since=np.full(rows, np.nan),
        changed_at=np.full(rows, np.nan),
        severities=np.zeros(rows, dtype=np.uint8),
    )


def follow(memory: Memory, statics: Statics, rules: int) -> tuple[Streaks, RowsBefore]:
    """Return the past in the order of the present rows; models not met before have none."""
    streaks, before, old = memory.streaks, memory.before, memory.statics
    if streaks is None or before is None or old is None:
        return no_streaks(len(statics), rules), nothing_before(len(statics))
    if old is statics:
        return streaks, before
    where = np.array([old.index.get(row.model, -1) for row in statics.rows], dtype=np.int64)
    met = where >= 0
    return _moved_streaks(streaks, where, met, rules), _moved_rows(before, where, met)


def phases_before(memory: Memory, statics: Statics) -> Phases:
    """Return the phases in the order of the present rows; models not met before hurt."""
    phases, old = memory.phases, memory.statics
    if phases is None or old is None:
        return no_phases(len(statics))
    if old is statics:
        return phases
    return reorder(
        phases, np.array([old.index.get(row.model, -1) for row in statics.rows], dtype=np.int64)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What a source told of the last hours of ``models`` that burn, one entry each.

    ``began`` is Unix seconds, NaN not known.
    """

    models: tuple[str, ...]
    phases: Phases
    began: Floats


def with_past(memory: Memory, past: Past) -> Memory:
    """Return the memory with what a source told of models it knows."""
    if memory.statics is None:
        return memory
    index = memory.statics.index
    places = [place for place, model in enumerate(past.models) if model in index]
    rows = [index[past.models[place]] for place in places]
    known = memory.phases or no_phases(len(memory.statics))
    merged = reorder(known, np.arange(len(memory.statics), dtype=np.int64))
    for each in fields(merged):
        getattr(merged, each.name)[rows] = getattr(past.phases, each.name)[places]
    told = {
        model: at
        for model, at in zip(past.models, past.began.tolist(), strict=True)
        if np.isfinite(at)
    }
    return replace(memory, phases=merged, began={**memory.began, **told})


def _moved_streaks(streaks: Streaks, where: NDArray[np.int64], met: Mask, rules: int) -> Streaks:
    fresh = no_streaks(len(where), rules)
    for name in ("hits", "clean", "raised", "since", "hit_at", "answered_at"):
        getattr(fresh, name)[met] = getattr(streaks, name)[where[met]]
    return fresh


def _moved_rows(before: RowsBefore, where: NDArray[np.int64], met: Mask) -> RowsBefore:
    fresh = nothing_before(len(where))
    for name in ("breaker_states", "breaker_since", "absent_since", "changed_at", "severities"):
        getattr(fresh, name)[met] = getattr(before, name)[where[met]]
    return fresh


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """How rules are counted, rows x rules: the time of the answer judged, and what keeps.

    ``answered_at`` is Unix seconds; ``immediate`` and ``at_first`` have one entry a rule.
    ``ripe`` tells, by since when each run lasts, what may be raised.
    """

    answered_at: Floats
    keeps: Mask
    ripe: Callable[[Floats], Mask]
    immediate: Mask
    at_first: Mask


def advance(streaks: Streaks, hit: Mask, clean: Mask, pace: Pace, now: float) -> Streaks:
    """Count one more evaluation (rows x rules).

    A rule is raised after 2 hits in a row and cleared after 3 clean answers in a row; the same
    answer, looked at again, counts once. What ``keeps`` is not clean, what is not ``ripe`` waits.
    One that cannot be judged breaks both runs: what is raised stays raised, for 15 minutes after
    its last hit, and what is not raised starts again. An immediate rule is raised while it hits,
    one of ``at_first`` by its first hit: its counts are proof enough.
    """
    fresh = pace.answered_at > streaks.answered_at
    kept = streaks.raised & pace.keeps
    clean = clean & ~kept
    counted = np.minimum(streaks.hits, _MOST) + fresh
    hits = np.where(hit, counted, 0).astype(np.uint8)
    cleans = np.where(clean, np.minimum(streaks.clean, _MOST) + fresh, 0).astype(np.uint8)
    hit_at = np.where(hit | kept, now, streaks.hit_at)
    first = np.where(hit & (streaks.hits == 0) & ~streaks.raised, now, streaks.since)
    expired = ~hit & ~clean & (now - hit_at > HOLD_SECONDS)
    least = np.where(pace.at_first, 1, RAISE_AFTER)
    begins = (hits >= least) & pace.ripe(first)
    raised = (streaks.raised & (cleans < CLEAR_AFTER) & ~expired) | begins
    raised = np.where(pace.immediate, hit, raised)
    answered_at = np.fmax(streaks.answered_at, pace.answered_at)
    return Streaks(hits, cleans, raised, first, hit_at, answered_at)


def at_once(hit: Mask, now: float) -> Streaks:
    """Return streaks in which every hit is raised: a judgement without a past."""
    fresh = no_streaks(*hit.shape)
    return Streaks(
        hits=hit.astype(np.uint8),
        clean=fresh.clean,
        raised=hit,
        since=np.where(hit, now, np.nan),
        hit_at=np.where(hit, now, np.nan),
        answered_at=fresh.answered_at,
    )
