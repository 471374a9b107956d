"""Evaluates expressions on stored samples with the results of Prometheus 2.42."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from console.domain.samples import Answer
from console.metrics.expressions import (
    PROCESS,
    PROCESS_START,
    Born,
    Clamp,
    Difference,
    Either,
    Expression,
    Folded,
    Gauge,
    HistogramMean,
    Increase,
    Joined,
    Node,
    OrZero,
    Over,
    Product,
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
    Worst,
    suffixed,
)
from console.metrics.growth import Grow, delta, increase, over_time, rate
from console.metrics.histogram import Labels, Latest, SampleStore, Window, bucket_layout, quantiles
from console.metrics.labels import (
    RECENT_SECONDS,
    ExpressionError,
    Groupings,
    Keys,
    Matcher,
    Matching,
    Metric,
    conditions,
    names_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.metrics.expressions import Aggregation
    from console.metrics.histogram import BucketLayout
    from console.metrics.names import Derived
    from console.metrics.queries import Query

    Floats = NDArray[np.float64]


# Sums run in series order, so results may differ from a server's in the last bits of a float.

__all__ = ["Labels", "Latest", "Memory", "SampleStore", "Window", "evaluate"]


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """One value a group; ``keys`` is the identical object while the groups do not change."""

    keys: Keys
    values: Floats


_Grown = tuple[tuple[Labels, ...], "Floats"]
_GrowthKey = tuple[
    Grow, Metric, tuple[Matcher, ...], float, float, float | None, "tuple[Derived, ...]"
]
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
    _named: dict[tuple[int, tuple[Derived, ...]], tuple[tuple[Labels, ...], tuple[Labels, ...]]] = (
        field(default_factory=dict)
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

    def named(self, labels: tuple[Labels, ...], derived: tuple[Derived, ...]) -> tuple[Labels, ...]:
        """Return the labels of series with those that rules make, the same object each time."""
        name = (id(labels), derived)
        known = self._named.get(name)
        if known is not None and known[0] is labels:
            return known[1]
        if len(self._named) >= _MOST_LAYOUTS:
            self._named.clear()
        made = tuple(_named(series, derived) for series in labels)
        self._named[name] = (labels, made)
        return made

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
        """Return the conditions on what is stored; those on made labels are tried afterwards."""
        made = {derived.label for derived in self.scope.derived}
        return (*where, *(m for m in self.scope.matchers if m.label not in made))

    def named(self, found: _Grown) -> _Grown:
        """Return series with the labels that rules make, only those that are asked for."""
        scope = self.scope
        wanted = {matcher.label: matcher for matcher in scope.matchers}
        derived = tuple(d for d in scope.derived if d.label in scope.by or d.label in wanted)
        if not derived:
            return found
        labels = self.memory.named(found[0], derived)
        asked = [wanted[d.label] for d in derived if d.label in wanted]
        if not asked:
            return labels, found[1]
        kept = np.array(
            [all(m.holds(dict(series).get(m.label, "")) for m in asked) for series in labels],
            dtype=np.bool_,
        )
        if kept.all():
            return labels, found[1]
        return self.memory.groupings.subset(labels, kept), found[1][kept]


def _named(series: Labels, derived: tuple[Derived, ...]) -> Labels:
    labels = dict(series)
    for one in derived:
        # What a rule says is nothing at all is no value of the label either.
        for label in one.reads:
            if labels.get(label) in one.rule.no_values:
                del labels[label]
        value = one.rule.value(labels)
        if value:
            labels[one.label] = value
    return tuple(sorted(labels.items()))


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
    metric: Metric,
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
    metric: Metric,
    where: tuple[Matcher, ...],
    grow: Grow,
    ask: _Ask,
    fallback_seconds: float | None = None,
) -> _Grown:
    """Return growth by series, without series of fewer than two samples (`Scope` for the other)."""
    matchers, scope = ask.matchers(where), ask.scope

    def make() -> _Grown:
        one = [_growth(name, matchers, grow, ask, fallback_seconds) for name in names_of(metric)]
        return ask.named(_beside(one, ask))

    # Which of the made labels are wanted follows from the grouping as well.
    derived = tuple(d for d in scope.derived if d.label in scope.by) + scope.derived
    key = (
        grow, metric, (*matchers, *scope.matchers), scope.window_seconds, scope.offset_seconds,
        fallback_seconds, derived,
    )  # fmt: skip
    return ask.memory.grown(ask.at, key, make)


def _growth(
    metric: str,
    matchers: tuple[Matcher, ...],
    grow: Grow,
    ask: _Ask,
    fallback_seconds: float | None,
) -> _Grown:
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


def _beside(found: Sequence[_Grown], ask: _Ask) -> _Grown:
    """Return the series of several names of one metric: the first counts where two are there."""
    (labels, values), *others = found
    for more, added in others:
        # A label set is a tuple like a key: the same bookkeeping serves.
        union = ask.memory.groupings.union(cast("Keys", labels), cast("Keys", more))
        if len(union.extra):
            labels = cast("tuple[Labels, ...]", union.keys)
            values = np.concatenate((values, added[union.extra]))
    return labels, values


def _latest(metric: Metric, where: tuple[Matcher, ...], ask: _Ask, above: float | None) -> _Grown:
    """Return the last values of a metric's series, only those above a limit if there is one."""
    found = []
    for name in names_of(metric):
        latest = ask.store.latest(name, ask.matchers(where), ask.end)
        labels, values = latest.labels, latest.values
        if above is not None:
            larger = values > above
            if not larger.all():
                labels = ask.memory.groupings.subset(labels, larger)
                values = values[larger]
        found.append((labels, values))
    return ask.named(_beside(found, ask))


def _over(node: Over, ask: _Ask) -> Vector:
    """Return a gauge over the window, aggregated over its series."""
    found, matchers = [], ask.matchers(conditions(node.where))
    for name in names_of(node.metric):
        window = ask.store.window(name, matchers, ask.start, ask.end)
        some = window.counts > 0
        values = over_time(node.function, window)
        labels = window.labels
        if not some.all():
            labels, values = ask.memory.groupings.subset(labels, some), values[some]
        found.append((labels, values))
    labels, values = ask.named(_beside(found, ask))
    groups = ask.memory.groupings.of(labels, ask.scope.by)
    return Vector(groups.keys, groups.aggregate(node.aggregation, values))


def _born(node: Born, ask: _Ask) -> Vector:
    """Count the series that appeared or grew within the window."""
    where, found = conditions(node.where), []
    for name in names_of(node.metric):
        now = ask.store.latest(name, ask.matchers(where), ask.end)
        before = frozenset(ask.store.latest(name, ask.matchers(where), ask.start).labels)
        new = np.array([series not in before for series in now.labels], dtype=np.bool_)
        appeared = ask.memory.groupings.subset(now.labels, new)
        labels, growth = _growth(name, ask.matchers(where), increase, ask, None)
        grew = ask.memory.groupings.subset(labels, growth > 0)
        found += [(one, np.ones(len(one))) for one in (appeared, grew)]
    labels, values = ask.named(_beside(found, ask))
    groups = ask.memory.groupings.of(labels, ask.scope.by)
    return Vector(groups.keys, groups.aggregate("count", values))


def _gauge(node: Gauge, ask: _Ask) -> Vector:
    labels, values = _latest(node.metric, conditions(node.where), ask, node.above)
    groups = ask.memory.groupings.of(labels, ask.scope.by)
    return Vector(groups.keys, groups.aggregate(node.aggregation, values))


def _quantile(node: Quantile, ask: _Ask) -> Vector:
    """Return `histogram_quantile` over buckets summed by group and edge."""
    metric, where = suffixed(node.histogram, "_bucket"), conditions(node.where)
    labels, values = _grown_series(metric, where, rate, ask)
    layout = ask.memory.layout(labels, ask.scope.by)
    return Vector(layout.keys, quantiles(node.q, layout, layout.counts(values)))


def _mean(node: HistogramMean, ask: _Ask) -> Vector:
    total, count = node.parts()
    return _divided(_value(total, ask), _value(count, ask), ask)


def _share_below(node: ShareBelow, ask: _Ask) -> Vector:
    where = conditions(node.where)
    edge = node.edge_matcher(ask.scope)
    under = _grown(suffixed(node.histogram, "_bucket"), (edge, *where), rate, ask)
    count = _grown(suffixed(node.histogram, "_count"), where, rate, ask)
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
    newest = Vector(processes.keys, processes.aggregate("max", began.values))
    return _carried_over(newest, node.metric, node.where, PROCESS, "max", ask)


def _joined(node: Joined, ask: _Ask) -> Vector:
    """Return what a neighbour measures, for the models that run in the same places."""
    of = _value(node.of, replace(ask, scope=node.elsewhere(ask.scope)))
    return _carried_over(of, node.through, node.where, node.on, node.aggregation, ask)


def _carried_over(
    of: Vector,
    through: Metric,
    where: Mapping[str, str | tuple[str, ...]],
    on: tuple[str, ...],
    aggregation: Aggregation,
    ask: _Ask,
) -> Vector:
    """Aggregate values by place (``of``, grouped by ``on``) for the models found in each place."""
    groupings, by = ask.memory.groupings, ask.scope.by
    labels, _ = _latest(through, conditions(where), ask, None)
    served = groupings.of(labels, (*by, *on))
    places = tuple(range(len(by), len(by) + len(on)))
    pairs = groupings.matching(served.keys, of.keys, places)
    return _aggregated(pairs.keys, of.values[pairs.right], aggregation, ask)


def _aggregated(keys: Keys, values: Floats, aggregation: Aggregation, ask: _Ask) -> Vector:
    """Aggregate over all but the labels that the question groups by, which begin each key."""
    groups = ask.memory.groupings.shorter(keys, len(ask.scope.by))
    return Vector(groups.keys, groups.aggregate(aggregation, values))


def _folded(node: Folded, ask: _Ask) -> Vector:
    by = (*ask.scope.by, *node.per)
    inner = _value(node.of, replace(ask, scope=replace(ask.scope, by=by)))
    return _aggregated(inner.keys, inner.values, node.aggregation, ask)


def _difference(node: Difference, ask: _Ask) -> Vector:
    of, less = _value(node.of, ask), _value(node.less, ask)
    if node.if_absent == "zero":
        less = _first_of(less, Vector(of.keys, 0.0 * of.values), ask)
    pairs = ask.memory.groupings.matching(of.keys, less.keys)
    return Vector(pairs.keys, of.values[pairs.left] - less.values[pairs.right])


def _product(node: Product, ask: _Ask) -> Vector:
    of, places = _value(node.of, ask), None
    factor = ask
    if node.times_by is not None:
        places = tuple(ask.scope.by.index(label) for label in node.times_by)
        factor = replace(ask, scope=replace(ask.scope, by=node.times_by))
    times = _value(node.times, factor)
    pairs = ask.memory.groupings.matching(of.keys, times.keys, places)
    return Vector(pairs.keys, of.values[pairs.left] * times.values[pairs.right])


def _clamp(node: Clamp, ask: _Ask) -> Vector:
    of = _value(node.of, ask)
    low = -np.inf if node.low is None else node.low
    high = np.inf if node.high is None else node.high
    return Vector(of.keys, np.minimum(np.maximum(of.values, low), high))


def _worst(node: Worst, ask: _Ask) -> Vector:
    found = [_value(option, ask) for option in node.options]
    best, *others = found
    for other in others:
        union = ask.memory.groupings.union(best.keys, other.keys)
        pairs = ask.memory.groupings.matching(union.keys, other.keys)
        values = np.concatenate((best.values, other.values[union.extra]))
        pick = np.fmax if node.how == "max" else np.fmin
        values[pairs.left] = pick(values[pairs.left], other.values[pairs.right])
        best = Vector(union.keys, values)
    return best


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
    Over: _over,
    Born: _born,
    Difference: _difference,
    Product: _product,
    Clamp: _clamp,
    Worst: _worst,
    Folded: _folded,
    Joined: _joined,
}
