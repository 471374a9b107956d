"""Evaluates expressions on stored samples with the results of Prometheus 2.42."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Answer
from console.metrics.expressions import (
    PROCESS,
    PROCESS_START,
    Either,
    Expression,
    Gauge,
    HistogramMean,
    Increase,
    Node,
    OrZero,
    Quantile,
    Rate,
    Ratio,
    Scaled,
    Scope,
    ShareAbove,
    ShareBelow,
    Slope,
    Started,
    Sum,
)
from console.metrics.histogram import Labels, Latest, SampleStore, Window, bucket_layout, quantiles
from console.metrics.labels import (
    RECENT_SECONDS,
    ExpressionError,
    Groupings,
    Keys,
    Matcher,
    Matching,
    conditions,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.metrics.histogram import BucketLayout
    from console.metrics.queries import Query

    Floats = NDArray[np.float64]

Grow = Callable[[Window, float, float], "Floats"]


def rate(window: Window, start: float, end: float) -> Floats:
    """Return each counter's growth a second (S entries); NaN with fewer than two samples."""
    return _extrapolated(window, start, end, counter=True, each_second=True)


def increase(window: Window, start: float, end: float) -> Floats:
    """Return each counter's growth over the window (S entries)."""
    return _extrapolated(window, start, end, counter=True, each_second=False)


def delta(window: Window, start: float, end: float) -> Floats:
    """Return each gauge's change over the window (S entries)."""
    return _extrapolated(window, start, end, counter=False, each_second=False)


def _extrapolated(
    window: Window, start: float, end: float, *, counter: bool, each_second: bool
) -> Floats:
    """Return growth between the first and last samples, stretched towards the window's ends.

    Source: ``extrapolatedRate`` of Prometheus 2.42. A counter's fall is a reset, and what stood
    before it counts. Growth is stretched to an end that is nearer than 1.1 mean sample distances,
    else by half a distance, and never to before the moment a counter was zero.
    """
    times, values, counts = window.times, window.values, window.counts
    series = np.arange(len(counts))
    if not times.size:
        return np.full(len(counts), np.nan)
    last_place = np.maximum(counts - 1, 0)
    first_value, last_value = values[:, 0], values[series, last_place]
    first_time, last_time = times[:, 0], times[series, last_place]
    result = last_value - first_value
    if counter:
        result = result + _before_resets(values, counts)
    to_start = _whole_milliseconds(first_time - start)
    to_end = _whole_milliseconds(end - last_time)
    sampled = _whole_milliseconds(last_time - first_time)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = sampled / (counts - 1)
        if counter:
            to_zero = sampled * (first_value / result)
            bounded = (result > 0) & (first_value >= 0) & (to_zero < to_start)
            to_start = np.where(bounded, to_zero, to_start)
        threshold = distance * 1.1
        stretched = (
            sampled
            + np.where(to_start < threshold, to_start, distance / 2)
            + np.where(to_end < threshold, to_end, distance / 2)
        )
        factor = stretched / sampled
        if each_second:
            factor = factor / _whole_milliseconds(end - start)
        result = result * factor
    result[counts < 2] = np.nan
    return result


def _whole_milliseconds(seconds: Floats | float) -> Floats:
    """Return time differences as a server has them, without the noise of large floats."""
    rounded: Floats = np.rint(np.asarray(seconds) * 1000.0) / 1000.0
    return rounded


def _before_resets(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return for each series the sum of the values that stood right before its resets."""
    before, after = values[:, :-1], values[:, 1:]
    fell = after < before
    if not fell.any():
        return np.zeros(len(counts))
    fell &= np.arange(1, values.shape[1]) < counts[:, None]
    lost: Floats = np.where(fell, before, 0.0).sum(axis=1)
    return lost


# Sums run in series order, so results may differ from a server's in the last bits of a float.

__all__ = ["Labels", "Latest", "Memory", "SampleStore", "Window", "evaluate"]


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """One value a group; ``keys`` is the identical object while the groups do not change."""

    keys: Keys
    values: Floats


_Grown = tuple[tuple[Labels, ...], "Floats"]
_GrowthKey = tuple[Grow, str, tuple[Matcher, ...], float, float, float | None]
_MOST_LAYOUTS = 256


@dataclass(slots=True)
class Memory:
    """What may be kept between evaluations: how labels group, and this moment's growths.

    A caller that asks many questions a tick keeps one per store: shared parts are then
    computed once, and ``Answer.keys`` stays the same object while series stay.
    """

    groupings: Groupings = field(default_factory=Groupings)
    _moment: float | None = None
    _grown: dict[_GrowthKey, _Grown] = field(default_factory=dict)
    _layouts: dict[tuple[int, tuple[str, ...]], tuple[tuple[Labels, ...], BucketLayout]] = field(
        default_factory=dict
    )

    def grown(self, at: float, key: _GrowthKey, make: Callable[[], _Grown]) -> _Grown:
        """Return this moment's growth by series for ``key``, made at most once."""
        if self._moment != at:
            self._moment = at
            self._grown.clear()
        found = self._grown.get(key)
        if found is None:
            found = self._grown[key] = make()
        return found

    def layout(self, labels: tuple[Labels, ...], by: tuple[str, ...]) -> BucketLayout:
        """Return how bucket series with these labels form histograms, computed once."""
        name = (id(labels), by)
        known = self._layouts.get(name)
        if known is not None and known[0] is labels:
            return known[1]
        if len(self._layouts) >= _MOST_LAYOUTS:
            self._layouts.clear()
        layout = bucket_layout(labels, by)
        self._layouts[name] = (labels, layout)
        return layout

    def forget(self) -> None:
        """Drop this moment's growths, for a store that took samples since."""
        self._moment = None
        self._grown.clear()


@dataclass(frozen=True, slots=True)
class _Ask:
    store: SampleStore
    scope: Scope
    at: float
    memory: Memory

    @property
    def end(self) -> float:
        return self.at - self.scope.offset_seconds

    @property
    def start(self) -> float:
        return self.end - self.scope.window_seconds

    def matchers(self, where: tuple[Matcher, ...]) -> tuple[Matcher, ...]:
        return (*where, *self.scope.matchers)


def evaluate(query: Query, store: SampleStore, at: float, memory: Memory | None = None) -> Answer:
    """Answer a query from stored samples at a moment (Unix seconds).

    ``Answer.error`` is set, and nothing raised, for raw PromQL, which needs a server.
    """
    began = time.perf_counter()
    if query.expression is None or not query.answerable_from_samples:
        return _refused(query, at, "this measurement is written in PromQL and needs a Prometheus")
    ask = _Ask(store, query.scope(), at, Memory() if memory is None else memory)
    try:
        # 0/0 is the meaning of no traffic here, not a fault.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            vector = _value(query.expression, ask)
    except ExpressionError as problem:
        return _refused(query, at, str(problem))
    elapsed = time.perf_counter() - began
    return Answer(query.id, vector.keys, vector.values, at, elapsed_seconds=elapsed)


def _refused(query: Query, at: float, sentence: str) -> Answer:
    return Answer(query.id, (), np.empty(0), at, error=sentence)


def _value(expression: Expression, ask: _Ask) -> Vector:
    return _EVALUATORS[type(expression)](expression, ask)


def _rate(node: Rate, ask: _Ask) -> Vector:
    fallback_seconds = ask.scope.fallback_seconds
    return _grown(node.metric, conditions(node.where), rate, ask, fallback_seconds)


def _increase(node: Increase, ask: _Ask) -> Vector:
    return _grown(node.metric, conditions(node.where), increase, ask)


def _slope(node: Slope, ask: _Ask) -> Vector:
    change = _grown(node.metric, conditions(node.where), delta, ask)
    return Vector(change.keys, change.values / ask.scope.window_seconds)


def _grown(
    metric: str,
    where: tuple[Matcher, ...],
    grow: Grow,
    ask: _Ask,
    fallback_seconds: float | None = None,
) -> Vector:
    """Return the summed growth of a metric by the scope's groups."""
    labels, values = _grown_series(metric, where, grow, ask, fallback_seconds)
    groups = ask.memory.groupings.of(labels, ask.scope.by)
    return Vector(groups.keys, groups.sum(values))


def _grown_series(
    metric: str,
    where: tuple[Matcher, ...],
    grow: Grow,
    ask: _Ask,
    fallback_seconds: float | None = None,
) -> _Grown:
    """Return growth by series, without series of fewer than two samples (`Scope` for the other)."""
    matchers, scope = ask.matchers(where), ask.scope

    def make() -> _Grown:
        window = ask.store.window(metric, matchers, ask.start, ask.end)
        values = grow(window, ask.start, ask.end)
        enough = window.counts >= 2
        if fallback_seconds is not None and not enough.all():
            start = ask.end - fallback_seconds
            longer = ask.store.window(metric, matchers, start, ask.end)
            recent = longer.last_times() >= ask.end - RECENT_SECONDS
            older = ~enough & (longer.counts >= 2) & recent
            values = np.where(older, grow(longer, start, ask.end), values)
            enough = enough | older
        if enough.all():
            return window.labels, values
        return ask.memory.groupings.subset(window.labels, enough), values[enough]

    key = (grow, metric, matchers, scope.window_seconds, scope.offset_seconds, fallback_seconds)
    return ask.memory.grown(ask.at, key, make)


def _gauge(node: Gauge, ask: _Ask) -> Vector:
    latest = ask.store.latest(node.metric, ask.matchers(conditions(node.where)), ask.end)
    labels, values = latest.labels, latest.values
    if node.above is not None:
        larger = values > node.above
        if not larger.all():
            labels = ask.memory.groupings.subset(labels, larger)
            values = values[larger]
    groups = ask.memory.groupings.of(labels, ask.scope.by)
    return Vector(groups.keys, groups.aggregate(node.aggregation, values))


def _quantile(node: Quantile, ask: _Ask) -> Vector:
    """Return `histogram_quantile` over buckets summed by group and edge."""
    metric, where = f"{node.histogram}_bucket", conditions(node.where)
    labels, values = _grown_series(metric, where, rate, ask)
    layout = ask.memory.layout(labels, ask.scope.by)
    return Vector(layout.keys, quantiles(node.q, layout, layout.counts(values)))


def _mean(node: HistogramMean, ask: _Ask) -> Vector:
    total, count = node.parts()
    return _divided(_value(total, ask), _value(count, ask), ask)


def _share_below(node: ShareBelow, ask: _Ask) -> Vector:
    where = conditions(node.where)
    edge = node.edge_matcher(ask.scope)
    under = _grown(f"{node.histogram}_bucket", (edge, *where), rate, ask)
    count = _grown(f"{node.histogram}_count", where, rate, ask)
    return _divided(under, count, ask)


def _share_above(node: ShareAbove, ask: _Ask) -> Vector:
    below = _share_below(node, ask)
    return Vector(below.keys, 1.0 - below.values)


def _ratio(node: Ratio, ask: _Ask) -> Vector:
    of = _value(node.of, ask)
    if node.to_by is not None:
        wider = replace(ask, scope=replace(ask.scope, by=node.to_by))
        return _divided_by_fewer(of, _value(node.to, wider), node.to_by, ask)
    to = _value(node.to, ask)
    if node.if_absent == "zero":
        of = _first_of(of, Vector(to.keys, 0.0 * to.values), ask)
    return _divided(of, to, ask)


def _or_zero(node: OrZero, ask: _Ask) -> Vector:
    total = _value(node.total, ask)
    return _first_of(_value(node.of, ask), Vector(total.keys, 0.0 * total.values), ask)


def _sum(node: Sum, ask: _Ask) -> Vector:
    first, *others = (_value(term, ask) for term in node.terms)
    result = first
    for other in others:
        filled = _first_of(other, Vector(first.keys, 0.0 * first.values), ask)
        pairs = ask.memory.groupings.matching(result.keys, filled.keys)
        result = Vector(pairs.keys, result.values[pairs.left] + filled.values[pairs.right])
    return result


def _scaled(node: Scaled, ask: _Ask) -> Vector:
    of = _value(node.of, ask)
    return Vector(of.keys, node.factor * of.values)


def _either(node: Either, ask: _Ask) -> Vector:
    first, *others = (_value(option, ask) for option in node.options)
    for other in others:
        first = _first_of(first, other, ask)
    return first


def _started(node: Started, ask: _Ask) -> Vector:
    """Return the newest start of the processes behind each group."""
    groupings = ask.memory.groupings
    began = ask.store.latest(PROCESS_START, (), ask.end)
    processes = groupings.of(began.labels, PROCESS)
    labels = ask.store.latest(node.metric, ask.matchers(conditions(node.where)), ask.end).labels
    served = groupings.of(labels, PROCESS)
    pairs = groupings.matching(served.keys, processes.keys)
    starts = np.full(len(served.keys), np.nan)
    starts[pairs.left] = processes.aggregate("max", began.values)[pairs.right]
    values = starts[served.group]
    known = np.isfinite(values)
    if not known.all():
        labels = groupings.subset(labels, known)
    groups = groupings.of(labels, ask.scope.by)
    return Vector(groups.keys, groups.aggregate("max", values[known]))


def _first_of(left: Vector, right: Vector, ask: _Ask) -> Vector:
    """Return PromQL's ``or``: all of the left, and of the right what the left has not."""
    union = ask.memory.groupings.union(left.keys, right.keys)
    if not len(union.extra):
        return left
    return Vector(union.keys, np.concatenate((left.values, right.values[union.extra])))


def _divided(of: Vector, to: Vector, ask: _Ask) -> Vector:
    pairs = ask.memory.groupings.matching(of.keys, to.keys)
    return Vector(pairs.keys, of.values[pairs.left] / to.values[pairs.right])


def _divided_by_fewer(of: Vector, to: Vector, to_by: tuple[str, ...], ask: _Ask) -> Vector:
    places = tuple(ask.scope.by.index(label) for label in to_by)
    pairs: Matching = ask.memory.groupings.matching(of.keys, to.keys, places)
    return Vector(pairs.keys, of.values[pairs.left] / to.values[pairs.right])


_EVALUATORS: dict[type[Node], Callable[..., Vector]] = {
    Rate: _rate,
    Increase: _increase,
    Slope: _slope,
    Gauge: _gauge,
    Quantile: _quantile,
    HistogramMean: _mean,
    ShareBelow: _share_below,
    ShareAbove: _share_above,
    Ratio: _ratio,
    OrZero: _or_zero,
    Sum: _sum,
    Scaled: _scaled,
    Either: _either,
    Started: _started,
}
