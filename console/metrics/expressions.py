"""Expressions of measurements: parsed from profiles, written as PromQL.

Every node compiles to one instant vector with exactly the labels of the scope's ``by``, so that
nodes combine without join clauses. The same nodes are evaluated on stored samples by
`console.metrics.evaluate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from console.metrics.labels import (
    RECENT_SECONDS,
    ExpressionError,
    Matcher,
    Metric,
    Scope,
    bucket_edge,
    checked_label,
    conditions,
    duration,
    filled,
    matchers_text,
    names_of,
    number,
)
from console.metrics.labels import names as placeholders
from console.metrics.names import Derived, NameRule

__all__ = ["Expression", "Scope", "duration", "number"]

if TYPE_CHECKING:
    from collections.abc import Callable

Aggregation = Literal["sum", "max", "min", "avg", "count"]
PROCESS_START = "process_start_time_seconds"
PROCESS = ("instance", "job")
"""The labels that tell one scraped process from another."""

Where: TypeAlias = dict[str, str | tuple[str, ...]]


class Node(Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    """A measurement that can be asked of a source."""

    def promql(self, scope: Scope) -> str:
        """Return the measurement as PromQL; raises `ExpressionError`."""
        raise NotImplementedError

    def parts(self) -> tuple[Expression, ...]:
        """Return the measurements this one is made of."""
        return ()

    def metrics(self) -> frozenset[str]:
        """Return the names of all series this measurement reads."""
        return frozenset[str]().union(*(part.metrics() for part in self.parts()))


class Rate(Node, frozen=True, tag="rate"):
    """Summed growth a second of a counter over the window."""

    metric: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (…) (rate(…))``; a short window with its fallback, series by series."""
        where = conditions(self.where)

        def growth(metric: str) -> str:
            inside = f"rate({scope.ranged(metric, where)})"
            if scope.fallback_seconds is not None:
                longer = scope.over(metric, where, scope.fallback_seconds)
                recent = scope.over(metric, where, RECENT_SECONDS)
                inside += f" or (rate({longer}) and last_over_time({recent}))"
            return inside

        return f"sum {scope.grouping()} ({scope.series(self.metric, growth)})"

    def metrics(self) -> frozenset[str]:
        """Return the counter."""
        return frozenset(names_of(self.metric))


class Increase(Node, frozen=True, tag="increase"):
    """Summed growth of a counter over the window."""

    metric: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (…) (increase(…))``."""
        where = conditions(self.where)
        grown = scope.series(self.metric, lambda name: f"increase({scope.ranged(name, where)})")
        return f"sum {scope.grouping()} ({grown})"

    def metrics(self) -> frozenset[str]:
        """Return the counter."""
        return frozenset(names_of(self.metric))


class Gauge(Node, frozen=True, tag="gauge"):
    """The last value, aggregated over instances; ``above`` keeps only larger series."""

    metric: Metric
    aggregation: Aggregation
    where: Where = msgspec.field(default_factory=dict)
    above: float | None = None

    def promql(self, scope: Scope) -> str:
        """Return ``max by (…) (…)`` or its like."""
        where = conditions(self.where)
        limit = "" if self.above is None else f" > {number(self.above)}"
        inside = scope.series(self.metric, lambda name: f"{scope.instant(name, where)}{limit}")
        return f"{self.aggregation} {scope.grouping()} ({inside})"

    def metrics(self) -> frozenset[str]:
        """Return the gauge."""
        return frozenset(names_of(self.metric))


class Slope(Node, frozen=True, tag="slope"):
    """Summed change a second of a gauge over the window; negative while it falls."""

    metric: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (…) (delta(…)) / window``."""
        where = conditions(self.where)
        change = scope.series(self.metric, lambda name: f"delta({scope.ranged(name, where)})")
        return f"sum {scope.grouping()} ({change}) / {number(scope.window_seconds)}"

    def metrics(self) -> frozenset[str]:
        """Return the gauge."""
        return frozenset(names_of(self.metric))


class Quantile(Node, frozen=True, tag="quantile"):
    """A quantile of a histogram from summed buckets; in the top bucket it is a lower bound."""

    q: float
    histogram: Metric
    where: Where = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is no quantile."""
        if not 0.0 <= self.q <= 1.0:
            raise ExpressionError(f"a quantile is from 0 to 1, not {self.q}")

    def promql(self, scope: Scope) -> str:
        """Return ``histogram_quantile(q, sum by (…, le) (rate(…_bucket)))``."""
        where = conditions(self.where)
        buckets = suffixed(self.histogram, "_bucket")
        inside = scope.series(buckets, lambda name: f"rate({scope.ranged(name, where)})")
        return f"histogram_quantile({number(self.q)}, sum {scope.grouping('le')} ({inside}))"

    def metrics(self) -> frozenset[str]:
        """Return the buckets."""
        return frozenset(names_of(suffixed(self.histogram, "_bucket")))


class HistogramMean(Node, frozen=True, tag="mean"):
    """The mean of a histogram or summary: summed growth of ``_sum`` over that of ``_count``."""

    histogram: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the ratio of the two rates; NaN where nothing was counted."""
        total, count = self.parts()
        return f"{total.promql(scope)} / {count.promql(scope)}"

    def parts(self) -> tuple[Expression, ...]:
        """Return sum and count."""
        return (
            Rate(suffixed(self.histogram, "_sum"), self.where),
            Rate(suffixed(self.histogram, "_count"), self.where),
        )


class ShareBelow(Node, frozen=True, tag="share_below"):
    """The share of observations at or under a bucket edge; without ``edge`` the question's.

    There is no series, and so no data, where the edge is not one of the histogram's.
    """

    histogram: Metric
    edge: float | None = None
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the ratio of the bucket's rate to the count's."""
        under, count = self.under_and_count(scope)
        return f"{under} / {count}"

    def under_and_count(self, scope: Scope) -> tuple[str, str]:
        """Return the PromQL of what is under the edge, and of everything."""
        where = conditions(self.where)
        where = (self.edge_matcher(scope), *where)
        buckets = suffixed(self.histogram, "_bucket")
        under = scope.series(buckets, lambda name: f"rate({scope.ranged(name, where)})")
        count = Rate(suffixed(self.histogram, "_count"), self.where).promql(scope)
        return f"sum {scope.grouping()} ({under})", count

    def edge_matcher(self, scope: Scope) -> Matcher:
        """Return the matcher of the bucket in question; raises `ExpressionError` without one."""
        edge = self.edge if self.edge is not None else scope.edge
        if edge is None:
            raise ExpressionError(f"the share of {self.histogram} needs a bucket edge")
        return bucket_edge(edge)

    def metrics(self) -> frozenset[str]:
        """Return buckets and count."""
        return frozenset(
            name
            for suffix in ("_bucket", "_count")
            for name in names_of(suffixed(self.histogram, suffix))
        )


class ShareAbove(ShareBelow, frozen=True, tag="share_above"):
    """The share of observations above a bucket edge; without ``edge`` the question's."""

    def promql(self, scope: Scope) -> str:
        """Return one minus the share below."""
        under, count = self.under_and_count(scope)
        return f"1 - {under} / {count}"


class Ratio(Node, frozen=True, tag="ratio"):
    """One measurement over another; an absent numerator is zero where the denominator exists.

    ``if_absent`` "no_data" is for a numerator that is a metric of its own rather than a part of
    the denominator. ``to_by`` groups the denominator by fewer labels than the question (the
    requests of a model under its attempts on one dependency); then an absent numerator stays so.
    """

    of: Expression
    to: Expression
    if_absent: Literal["zero", "no_data"] = "zero"
    to_by: tuple[str, ...] | None = None

    def promql(self, scope: Scope) -> str:
        """Return the division; 0/0 stays NaN, which means no traffic."""
        of = self.of.promql(scope)
        if self.to_by is not None:
            to = self.to.promql(replace(scope, by=self.to_by))
            return f"({of}) / on ({', '.join(map(checked_label, self.to_by))}) group_left () ({to})"
        to = self.to.promql(scope)
        if self.if_absent == "no_data":
            return f"({of}) / ({to})"
        return f"(({of}) or 0 * ({to})) / ({to})"

    def parts(self) -> tuple[Expression, ...]:
        """Return numerator and denominator."""
        return (self.of, self.to)


class OrZero(Node, frozen=True, tag="or_zero"):
    """A part of a total, zero where only the total has a series: errors before the first one."""

    of: Expression
    total: Expression

    def promql(self, scope: Scope) -> str:
        """Return ``(part) or 0 * (total)``."""
        return f"({self.of.promql(scope)}) or 0 * ({self.total.promql(scope)})"

    def parts(self) -> tuple[Expression, ...]:
        """Return part and total."""
        return (self.of, self.total)


class Sum(Node, frozen=True, tag="sum"):
    """A sum in which the first term must exist and later ones are zero where they are absent."""

    terms: tuple[Expression, ...]

    def __post_init__(self) -> None:
        """Refuse a sum of nothing."""
        if not self.terms:
            raise ExpressionError("a sum needs at least one term")

    def promql(self, scope: Scope) -> str:
        """Return ``first + (next or 0 * first) …``."""
        first, *others = (term.promql(scope) for term in self.terms)
        return " + ".join([f"({first})", *(f"(({o}) or 0 * ({first}))" for o in others)])

    def parts(self) -> tuple[Expression, ...]:
        """Return the terms."""
        return self.terms


class Scaled(Node, frozen=True, tag="scaled"):
    """A measurement in other units."""

    of: Expression
    factor: float

    def promql(self, scope: Scope) -> str:
        """Return ``factor * (…)``."""
        return f"{number(self.factor)} * ({self.of.promql(scope)})"

    def parts(self) -> tuple[Expression, ...]:
        """Return what is scaled."""
        return (self.of,)


class Either(Node, frozen=True, tag="either"):
    """The first that has a series, for each model: names that changed between releases."""

    options: tuple[Expression, ...]

    def __post_init__(self) -> None:
        """Refuse a choice of nothing."""
        if not self.options:
            raise ExpressionError("either needs at least one option")

    def promql(self, scope: Scope) -> str:
        """Return ``(a) or (b)``, each already aggregated, so that nothing counts twice."""
        return " or ".join(f"({option.promql(scope)})" for option in self.options)

    def parts(self) -> tuple[Expression, ...]:
        """Return the options, newest first."""
        return self.options


class Started(Node, frozen=True, tag="started"):
    """When the newest process that exports a metric began, in Unix seconds."""

    metric: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the newest ``process_start_time_seconds`` of the instances behind each group."""
        where = conditions(self.where)
        series = scope.series(self.metric, lambda name: scope.instant(name, where))
        served = f"group {scope.grouping(*PROCESS)} ({series})"
        on = ", ".join(PROCESS)
        began = f"max by ({on}) ({scope.bare(PROCESS_START)})"
        return f"max {scope.grouping()} (0 * {served} + on ({on}) group_left () {began})"

    def metrics(self) -> frozenset[str]:
        """Return the metric and the processes' start."""
        return frozenset({*names_of(self.metric), PROCESS_START})


class Over(Node, frozen=True, tag="over"):
    """A gauge over the window (``max_over_time`` and its like), aggregated over instances.

    ``resets`` is how many times a counter went back.
    """

    metric: Metric
    function: Literal["max", "min", "avg", "sum", "count", "last", "resets"]
    aggregation: Aggregation
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``max by (…) (max_over_time(…))`` or its like."""
        where, over = conditions(self.where), f"{self.function}_over_time"
        if self.function == "resets":
            over = self.function
        inside = scope.series(self.metric, lambda name: f"{over}({scope.ranged(name, where)})")
        return f"{self.aggregation} {scope.grouping()} ({inside})"

    def metrics(self) -> frozenset[str]:
        """Return the gauge."""
        return frozenset(names_of(self.metric))


class Born(Node, frozen=True, tag="born"):
    """How many series of a counter appeared or grew within the window.

    The first event of a new label set makes a series that is 1 from the start: neither ``rate``
    nor ``increase`` sees it.
    """

    metric: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``count by (…) ((x unless x offset w) or (increase(x[w]) > 0))``."""
        where = conditions(self.where)
        back = replace(scope, offset_seconds=scope.offset_seconds + scope.window_seconds)

        def events(name: str) -> str:
            now, before = scope.instant(name, where), back.instant(name, where)
            grown = f"increase({scope.ranged(name, where)}) > 0"
            return f"({now} unless {before}) or ({grown})"

        return f"count {scope.grouping()} ({scope.series(self.metric, events)})"

    def metrics(self) -> frozenset[str]:
        """Return the counter."""
        return frozenset(names_of(self.metric))


class Difference(Node, frozen=True, tag="difference"):
    """One measurement less another; ``if_absent`` "zero" takes nothing away where it is absent."""

    of: Expression
    less: Expression
    if_absent: Literal["zero", "no_data"] = "no_data"

    def promql(self, scope: Scope) -> str:
        """Return ``(a) - (b)``."""
        of, less = self.of.promql(scope), self.less.promql(scope)
        if self.if_absent == "zero":
            less = f"({less}) or 0 * ({of})"
        return f"({of}) - ({less})"

    def parts(self) -> tuple[Expression, ...]:
        """Return both."""
        return (self.of, self.less)


class Product(Node, frozen=True, tag="product"):
    """One measurement times another; no data where either has none.

    ``times_by`` groups the factor by fewer labels than the question: the price of a node, under
    what each pod has of it.
    """

    of: Expression
    times: Expression
    times_by: tuple[str, ...] | None = None

    def promql(self, scope: Scope) -> str:
        """Return ``(a) * (b)``."""
        of = self.of.promql(scope)
        if self.times_by is None:
            return f"({of}) * ({self.times.promql(scope)})"
        times = self.times.promql(replace(scope, by=self.times_by))
        on = ", ".join(map(checked_label, self.times_by))
        return f"({of}) * on ({on}) group_left () ({times})"

    def parts(self) -> tuple[Expression, ...]:
        """Return both factors."""
        return (self.of, self.times)


class Clamp(Node, frozen=True, tag="clamp"):
    """A measurement kept within bounds, either of which may be left out."""

    of: Expression
    low: float | None = None
    high: float | None = None

    def promql(self, scope: Scope) -> str:
        """Return ``clamp_max(clamp_min(…))``."""
        text = self.of.promql(scope)
        if self.low is not None:
            text = f"clamp_min({text}, {number(self.low)})"
        return text if self.high is None else f"clamp_max({text}, {number(self.high)})"

    def parts(self) -> tuple[Expression, ...]:
        """Return what is bounded."""
        return (self.of,)


class Worst(Node, frozen=True, tag="worst"):
    """The largest (or smallest) of several measurements, of those that there are."""

    options: tuple[Expression, ...]
    how: Literal["max", "min"] = "max"

    def __post_init__(self) -> None:
        """Refuse a choice of nothing."""
        if not self.options:
            raise ExpressionError("worst needs at least one option")

    def promql(self, scope: Scope) -> str:
        """Return the aggregation over all options, each marked with its number."""
        marked = (
            f'label_replace({option.promql(scope)}, "mw_option", "{place}", "", "")'
            for place, option in enumerate(self.options)
        )
        return f"{self.how} {scope.grouping()} ({' or '.join(marked)})"

    def parts(self) -> tuple[Expression, ...]:
        """Return the options."""
        return self.options


class Folded(Node, frozen=True, tag="folded"):
    """A measurement taken for every value of more labels first, and aggregated then.

    ``{of = max of ranks, per = [instance], aggregation = sum}`` counts a server of eight ranks
    once; a count of counts per instance is the number of replicas.
    """

    of: Expression
    per: tuple[str, ...]
    aggregation: Aggregation

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (model) (max by (model, instance) (…))`` or its like."""
        inner = self.of.promql(replace(scope, by=(*scope.by, *self.per)))
        return f"{self.aggregation} {scope.grouping()} ({inner})"

    def parts(self) -> tuple[Expression, ...]:
        """Return what is aggregated."""
        return (self.of,)


class Joined(Node, frozen=True, tag="joined"):
    """What a neighbour measures by pod, instance or node, for the models that run there.

    ``through`` is a metric of the models' server that carries both the model and the labels
    ``on``. The neighbour's ``exported_`` twin of such a label is read first: Prometheus renames
    what an exporter says of others. A place that serves several models counts for each.
    """

    of: Expression
    on: tuple[str, ...]
    aggregation: Aggregation
    through: Metric
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the aggregation of ``0 * served + on (…) group_left () measured``."""
        where, on = conditions(self.where), ", ".join(map(checked_label, self.on))
        series = scope.series(self.through, lambda name: scope.instant(name, where))
        served = f"group {scope.grouping(*self.on)} ({series})"
        measured = self.of.promql(self.elsewhere(scope))
        joined = f"0 * {served} + on ({on}) group_left () ({measured})"
        return f"{self.aggregation} {scope.grouping()} ({joined})"

    def elsewhere(self, scope: Scope) -> Scope:
        """Return the scope in which the neighbour is asked."""
        twins = tuple(
            Derived(label, NameRule(first_of=(f"exported_{label}", label))) for label in self.on
        )
        return replace(scope, by=self.on, matchers=(), derived=twins)

    def parts(self) -> tuple[Expression, ...]:
        """Return what the neighbour measures."""
        return (self.of,)

    def metrics(self) -> frozenset[str]:
        """Return the neighbour's metrics and the one joined through."""
        return frozenset(names_of(self.through)) | self.of.metrics()


class Raw(Node, frozen=True, tag="raw"):
    """PromQL that the algebra cannot say, with ``$by``, ``$match``, ``$window``, ``$offset``.

    A server can answer it; stored samples cannot.
    """

    text: str

    def promql(self, scope: Scope) -> str:
        """Return the text with its placeholders filled."""
        return filled(
            self.text,
            {
                "by": ", ".join(map(checked_label, scope.by)),
                "match": matchers_text(scope.matchers),
                "window": duration(scope.window_seconds),
                "offset": scope.offset.strip(),
            },
        )


Expression: TypeAlias = (
    Rate
    | Increase
    | Gauge
    | Slope
    | Quantile
    | HistogramMean
    | ShareBelow
    | ShareAbove
    | Ratio
    | OrZero
    | Sum
    | Scaled
    | Either
    | Started
    | Over
    | Born
    | Difference
    | Product
    | Clamp
    | Worst
    | Folded
    | Joined
    | Raw
)


def suffixed(metric: Metric, suffix: str) -> Metric:
    """Return a histogram's series of one kind: ``_bucket``, ``_count`` or ``_sum``."""
    return metric + suffix if isinstance(metric, str) else tuple(name + suffix for name in metric)


def respelled(expression: Expression, names: Callable[[str], Metric]) -> Expression:
    """Return a measurement with every metric's name replaced by those it has on one source."""
    changed: dict[str, object] = {}
    for field in expression.__struct_fields__:
        value = getattr(expression, field)
        if field in ("metric", "histogram", "through"):
            spelled = tuple(n for name in names_of(value) for n in names_of(names(name)))
            changed[field] = spelled[0] if len(spelled) == 1 else spelled
        elif isinstance(value, Node):
            changed[field] = respelled(cast("Expression", value), names)
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            changed[field] = tuple(respelled(part, names) for part in value)
    return msgspec.structs.replace(expression, **changed)


def is_windowed(expression: Expression) -> bool:
    """Tell whether the measurement looks at a span of time rather than at the last values."""
    if isinstance(expression, Raw):
        return "window" in placeholders(expression.text)
    if isinstance(expression, (Gauge, Started)):
        return False
    parts = expression.parts()
    return not parts or any(map(is_windowed, parts))


def divides(expression: Expression) -> bool:
    """Tell whether the measurement of somebody who was asked nothing is 0/0."""
    kinds = (Ratio, Quantile, HistogramMean, ShareBelow)
    return isinstance(expression, kinds) or any(map(divides, expression.parts()))


def method(expression: Expression) -> str:
    """Return how the number is made, in the words of ``?`` and the status document."""
    match expression:
        case Gauge(aggregation=aggregation, where=where):
            kind = "summary quantile" if "quantile" in where else "last value"
            return f"{kind}, {aggregation}"
        case Over(function=function, aggregation=aggregation):
            return f"{function} over the window, {aggregation}"
        case Scaled(of=of) | Clamp(of=of) | Folded(of=of):
            return method(of)
        case Joined(of=of, on=on):
            return f"{method(of)}, joined by {' and '.join(on)}"
        case Either(options=options):
            return method(options[0])
    return _METHODS[type(expression)]


_METHODS: dict[type[Node], str] = {
    Rate: "rate",
    Increase: "increase",
    Slope: "slope",
    Quantile: "histogram_quantile",
    HistogramMean: "mean",
    ShareBelow: "bucket share",
    ShareAbove: "bucket share",
    Ratio: "ratio",
    OrZero: "rate",
    Sum: "sum",
    Started: "newest process",
    Born: "series that appeared or grew",
    Difference: "difference",
    Product: "product",
    Worst: "worst of several",
    Raw: "PromQL",
}


def is_answerable(expression: Expression) -> bool:
    """Tell whether stored samples can answer, which raw PromQL prevents."""
    return not isinstance(expression, Raw) and all(map(is_answerable, expression.parts()))
