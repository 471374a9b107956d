"""Lays out which row calls which dependency, how that compares with its past, and since when.

Counts of five minutes stand against those of the hours before. A rise is what chance does not
explain (Poisson tail of 1e-4); when it began is told by how the window filled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import BreakerState
from console.evaluation.derive import log_tail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.evaluation.evidence import Evidence
    from console.evaluation.observations import LabelledValue, Observed, Statics

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Indices = NDArray[np.int64]

CALL_FACTS = (
    "dependency_calls",
    "dependency_bad_calls",
    "dependency_attempts",
    "dependency_call_p95",
    "dependency_calls_before",
    "dependency_bad_calls_before",
    "dependency_attempts_before",
    "dependency_call_p95_before",
)
"""Labelled facts (model, dependency) that a cause is judged by."""

_COUNTS = (0, 1, 4, 5)
LEAST_CALLS = 20.0
"""From fewer calls nothing is concluded."""

WINDOW_SECONDS = 300.0
BEFORE_SECONDS = 6 * 3600.0
_LOG_CHANCE = float(np.log(1e-4))
_SLOWER_FACTOR, _SLOWER_SECONDS = 2.0, 0.05
_TRIES_FACTOR, _TRIES_STEP = 1.2, 0.1
_REFUSING = (BreakerState.OPEN, BreakerState.FORCED_OPEN)


@dataclass(frozen=True, slots=True, eq=False)
class CallTable:
    """Pairs of a row and a dependency, and where each labelled value belongs among them."""

    statics: Statics
    labels: list[tuple[str, ...]]
    sizes: tuple[int, ...]
    rows: Indices
    dependencies: Indices
    names: tuple[str, ...]
    pair_of: Indices
    fact_of: Indices

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Return model and dependency of each pair."""
        models = self.statics.rows
        return [
            (models[row].model, self.names[dependency])
            for row, dependency in zip(self.rows.tolist(), self.dependencies.tolist(), strict=True)
        ]


def call_table(
    observed: Observed, statics: Statics, renamed: Mapping[str, str], kept: CallTable | None
) -> tuple[CallTable, Floats]:
    """Return the pairs and their values (facts x pairs, NaN unknown); ``kept`` while labels stay.

    Two labels of one dependency, by its configured name, are one: counts add up, else the worse.
    """
    listed = [observed.labelled.get(fact, ()) for fact in CALL_FACTS]
    items: list[LabelledValue] = [item for facts in listed for item in facts]
    sizes = tuple(len(facts) for facts in listed)
    labels = [item.labels for item in items]
    same = kept is not None and kept.statics is statics and kept.sizes == sizes
    table = kept if kept is not None and same and kept.labels == labels else None
    if table is None:
        table = _placed(labels, sizes, statics, renamed)
    values = np.full((len(CALL_FACTS), len(table.rows)), np.nan)
    told = np.array([item.value for item in items], dtype=np.float64)
    used = (table.pair_of >= 0) & np.isfinite(told)
    counts = used & np.isin(table.fact_of, _COUNTS)
    where = (table.fact_of[counts], table.pair_of[counts])
    values[where] = 0.0
    np.add.at(values, where, told[counts])
    others = used & ~counts
    np.fmax.at(values, (table.fact_of[others], table.pair_of[others]), told[others])
    return table, values


def _placed(
    labels: list[tuple[str, ...]],
    sizes: tuple[int, ...],
    statics: Statics,
    renamed: Mapping[str, str],
) -> CallTable:
    numbers: dict[str, int] = {}
    pairs: dict[tuple[int, int], int] = {}
    pair_of = np.full(len(labels), -1, dtype=np.int64)
    for place, each in enumerate(labels):
        row = statics.index.get(each[0], -1)
        name = renamed.get(each[1], each[1]) if len(each) > 1 else ""
        if row < 0 or not name or name == each[0]:
            continue
        pair = (row, numbers.setdefault(name, len(numbers)))
        pair_of[place] = pairs.setdefault(pair, len(pairs))
    return CallTable(
        statics=statics,
        labels=labels,
        sizes=sizes,
        rows=np.array([row for row, _ in pairs], dtype=np.int64),
        dependencies=np.array([one for _, one in pairs], dtype=np.int64),
        names=tuple(numbers),
        pair_of=pair_of,
        fact_of=np.repeat(np.arange(len(CALL_FACTS)), sizes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What was usual before a rise, per entry: bad share (0-1), attempts, p95 (seconds)."""

    share: Floats
    attempts: Floats
    p95: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rises:
    """Per entry: excess bad (count of 5m), p95 above the usual (seconds), whether each is a rise.

    ``tries`` is how many attempts a request stand above the usual, ``usual`` what that is.
    """

    bad: Floats
    slow_seconds: Floats
    tries: Floats
    failing: Mask
    slower: Mask
    retrying: Mask
    usual: Usual

    @property
    def any(self) -> Mask:
        """Return the entries of which anything rose."""
        found: Mask = self.failing | self.slower | self.retrying
        return found


def rises_of(
    calls: Floats, bad: Floats, attempts: Floats, p95: Floats, usual: Usual, requests: Floats
) -> Rises:
    """Compare counts of five minutes with what is usual; NaN on any side is no rise."""
    expected = calls * np.maximum(usual.share, 1e-6)
    excess = np.maximum(np.nan_to_num(bad - expected), 0.0)
    enough = calls >= LEAST_CALLS
    tries = np.maximum(np.nan_to_num(attempts - usual.attempts), 0.0)
    slower = np.maximum(np.nan_to_num(p95 - usual.p95), 0.0)
    return Rises(
        bad=excess,
        slow_seconds=slower,
        tries=tries,
        failing=enough & (excess >= 3.0) & (log_tail(bad, expected) <= _LOG_CHANCE),
        slower=enough & (p95 >= _SLOWER_FACTOR * usual.p95) & (slower >= _SLOWER_SECONDS),
        retrying=(requests >= LEAST_CALLS)
        & (attempts >= _TRIES_FACTOR * usual.attempts)
        & (tries >= _TRIES_STEP),
        usual=usual,
    )


HISTORY_SECONDS = 450.0
STEP_SECONDS = 10.0
_LOW, _HIGH = 0.2, 0.6
FORGET_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """How excesses filled their window: times and values (looks x entries), the newest last."""

    times: tuple[float, ...] = ()
    values: tuple[Floats, ...] = ()

    def with_look(self, now: float, excess: Floats) -> Trace:
        """Return the trace with one more look, without those older than 7.5 minutes."""
        if self.values and len(self.values[-1]) != len(excess):
            return Trace((now,), (excess,))
        if self.times and now - self.times[-1] < STEP_SECONDS:
            return self
        first = sum(now - time > HISTORY_SECONDS for time in self.times)
        return Trace((*self.times[first:], now), (*self.values[first:], excess))

    def begun(self, entry: int) -> float:
        """Return when an entry's excess began (Unix seconds): NaN where before all looks.

        The window fills evenly from the beginning on: the line through about 20% and 60% of the
        most it held leads back to zero.
        """
        found = np.array([each[entry] for each in self.values])
        low = np.flatnonzero(found <= _LOW * found.max())
        if not len(low) or found.max() <= 0:
            return float("nan")
        high = np.flatnonzero(found[low[-1] :] >= _HIGH * found.max())
        at = self.times[low[-1]]
        if not len(high):
            return float(at)
        risen = found[low[-1] + high[0]] - found[low[-1]]
        run = self.times[low[-1] + high[0]] - at
        return float(at - run * found[low[-1]] / risen)


@dataclass(frozen=True, slots=True)
class Onset:
    """Since when something stands above the usual, and what that was (NaN unknown)."""

    since: float
    seen_at: float
    share: float
    attempts: float
    p95: float


@dataclass(frozen=True, slots=True, eq=False)
class CallsBefore:
    """What is kept of calls between evaluations: the table, traces, and what is under way."""

    table: CallTable | None = None
    trace: Trace = field(default_factory=Trace)
    onsets: Mapping[tuple[str, str], Onset] = field(default_factory=dict)


def requests_of(evidence: Evidence) -> Floats:
    """Return each row's requests of the last 5 minutes, NaN unknown."""
    counted = evidence.values("requests_count@5m")
    rate: Floats = evidence.values("requests_rate") * WINDOW_SECONDS
    return np.where(np.isfinite(counted), counted, rate)


def row_rises(evidence: Evidence, onsets: Mapping[tuple[str, str], Onset]) -> Rises:
    """Compare each row's own bad requests and latency with its past.

    The usual is the least of a day, six hours and the allowance: an hour may be part of the harm.
    """
    requests = requests_of(evidence)
    ratio = evidence.values("error_ratio@5m")
    usual = np.fmin(evidence.values("error_ratio@1d"), evidence.values("error_ratio@6h"))
    usual = np.where(np.isfinite(usual), usual, evidence.statics.error_allowance)
    base = evidence.derived.baselines["latency_p95"].copy()
    for row, model in enumerate(evidence.statics.rows) if onsets else ():
        known = onsets.get((model.model, ""))
        if known is not None:
            usual[row], base[row] = known.share, known.p95
    nothing = np.full(len(requests), np.nan)
    return rises_of(
        requests,
        ratio * requests,
        nothing,
        evidence.values("latency_p95"),
        Usual(usual, nothing, base),
        requests,
    )


def pair_usual(table: CallTable, values: Floats, onsets: Mapping[tuple[str, str], Onset]) -> Usual:
    """Return what is usual of each pair; while a rise lasts, what was before it."""
    calls, bad, attempts, p95 = values[4:]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(calls >= LEAST_CALLS, np.nan_to_num(bad) / calls, np.nan)
    usual = Usual(share, attempts.copy(), p95.copy())
    for place, key in enumerate(table.keys) if onsets else ():
        known = onsets.get(key)
        if known is not None:
            usual.share[place], usual.attempts[place] = known.share, known.attempts
            usual.p95[place] = known.p95
    return usual


def refused_calls(evidence: Evidence, table: CallTable, values: Floats) -> Floats:
    """Return the calls of 5 minutes that open breakers kept from each pair, by its usual rate."""
    refused = np.zeros(len(table.rows))
    if not evidence.breakers.dependency_open.any():
        return refused
    for place, (model, dependency) in enumerate(table.keys):
        judged = evidence.breakers.of_dependencies.get(model, {}).get(dependency)
        if judged is not None and judged.state in _REFUSING:
            usual = values[4, place] * WINDOW_SECONDS / BEFORE_SECONDS
            missing = usual - np.nan_to_num(values[0, place])
            refused[place] = max(0.0, float(missing)) if missing == missing else 0.0
    return refused
