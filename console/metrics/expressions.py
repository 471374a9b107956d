"""Expressions of measurements: parsed from profiles, written as PromQL.

Every node compiles to one instant vector with exactly the labels of the scope's ``by``, so that
nodes combine without join clauses. The same nodes are evaluated on stored samples by
`console.metrics.evaluate`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from console.metrics.labels import (
    RECENT_SECONDS,
    ExpressionError,
    Matcher,
    Scope,
    bucket_edge,
    checked_label,
    conditions,
    duration,
    filled,
    matchers_text,
    number,
)
from console.metrics.labels import names as placeholders

__all__ = ["Expression", "Scope", "duration", "number"]

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

    metric: str
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (…) (rate(…))``; a short window with its fallback, series by series."""
        where = conditions(self.where)
        inside = f"rate({scope.ranged(self.metric, where)})"
        if scope.fallback_seconds is not None:
            longer = scope.over(self.metric, where, scope.fallback_seconds)
            recent = scope.over(self.metric, where, RECENT_SECONDS)
            inside += f" or (rate({longer}) and last_over_time({recent}))"
        return f"sum {scope.grouping()} ({inside})"

    def metrics(self) -> frozenset[str]:
        """Return the counter."""
        return frozenset({self.metric})


class Increase(Node, frozen=True, tag="increase"):
    """Summed growth of a counter over the window."""

    metric: str
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (…) (increase(…))``."""
        ranged = scope.ranged(self.metric, conditions(self.where))
        return f"sum {scope.grouping()} (increase({ranged}))"

    def metrics(self) -> frozenset[str]:
        """Return the counter."""
        return frozenset({self.metric})


class Gauge(Node, frozen=True, tag="gauge"):
    """The last value, aggregated over instances; ``above`` keeps only larger series."""

    metric: str
    aggregation: Aggregation
    where: Where = msgspec.field(default_factory=dict)
    above: float | None = None

    def promql(self, scope: Scope) -> str:
        """Return ``max by (…) (…)`` or its like."""
        inside = scope.instant(self.metric, conditions(self.where))
        if self.above is not None:
            inside = f"{inside} > {number(self.above)}"
        return f"{self.aggregation} {scope.grouping()} ({inside})"

    def metrics(self) -> frozenset[str]:
        """Return the gauge."""
        return frozenset({self.metric})


class Slope(Node, frozen=True, tag="slope"):
    """Summed change a second of a gauge over the window; negative while it falls."""

    metric: str
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return ``sum by (…) (delta(…)) / window``."""
        ranged = scope.ranged(self.metric, conditions(self.where))
        return f"sum {scope.grouping()} (delta({ranged})) / {number(scope.window_seconds)}"

    def metrics(self) -> frozenset[str]:
        """Return the gauge."""
        return frozenset({self.metric})


class Quantile(Node, frozen=True, tag="quantile"):
    """A quantile of a histogram from summed buckets; in the top bucket it is a lower bound."""

    q: float
    histogram: str
    where: Where = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is no quantile."""
        if not 0.0 <= self.q <= 1.0:
            raise ExpressionError(f"a quantile is from 0 to 1, not {self.q}")

    def promql(self, scope: Scope) -> str:
        """Return ``histogram_quantile(q, sum by (…, le) (rate(…_bucket)))``."""
        ranged = scope.ranged(f"{self.histogram}_bucket", conditions(self.where))
        return f"histogram_quantile({number(self.q)}, sum {scope.grouping('le')} (rate({ranged})))"

    def metrics(self) -> frozenset[str]:
        """Return the buckets."""
        return frozenset({f"{self.histogram}_bucket"})


class HistogramMean(Node, frozen=True, tag="mean"):
    """The mean of a histogram or summary: summed growth of ``_sum`` over that of ``_count``."""

    histogram: str
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the ratio of the two rates; NaN where nothing was counted."""
        total, count = self.parts()
        return f"{total.promql(scope)} / {count.promql(scope)}"

    def parts(self) -> tuple[Expression, ...]:
        """Return sum and count."""
        return (
            Rate(f"{self.histogram}_sum", self.where),
            Rate(f"{self.histogram}_count", self.where),
        )


class ShareBelow(Node, frozen=True, tag="share_below"):
    """The share of observations at or under a bucket edge; without ``edge`` the question's.

    There is no series, and so no data, where the edge is not one of the histogram's.
    """

    histogram: str
    edge: float | None = None
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the ratio of the bucket's rate to the count's."""
        under, count = self.under_and_count(scope)
        return f"{under} / {count}"

    def under_and_count(self, scope: Scope) -> tuple[str, str]:
        """Return the PromQL of what is under the edge, and of everything."""
        where = conditions(self.where)
        bucket = scope.ranged(f"{self.histogram}_bucket", (self.edge_matcher(scope), *where))
        count = Rate(f"{self.histogram}_count", self.where).promql(scope)
        return f"sum {scope.grouping()} (rate({bucket}))", count

    def edge_matcher(self, scope: Scope) -> Matcher:
        """Return the matcher of the bucket in question; raises `ExpressionError` without one."""
        edge = self.edge if self.edge is not None else scope.edge
        if edge is None:
            raise ExpressionError(f"the share of {self.histogram} needs a bucket edge")
        return bucket_edge(edge)

    def metrics(self) -> frozenset[str]:
        """Return buckets and count."""
        return frozenset({f"{self.histogram}_bucket", f"{self.histogram}_count"})


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

    metric: str
    where: Where = msgspec.field(default_factory=dict)

    def promql(self, scope: Scope) -> str:
        """Return the newest ``process_start_time_seconds`` of the instances behind each group."""
        series = scope.instant(self.metric, conditions(self.where))
        served = f"group {scope.grouping(*PROCESS)} ({series})"
        on = ", ".join(PROCESS)
        began = f"max by ({on}) ({scope.bare(PROCESS_START)})"
        return f"max {scope.grouping()} (0 * {served} + on ({on}) group_left () {began})"

    def metrics(self) -> frozenset[str]:
        """Return the metric and the processes' start."""
        return frozenset({self.metric, PROCESS_START})


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
    | Raw
)


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
        case Scaled(of=of):
            return method(of)
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
    Raw: "PromQL",
}


def is_answerable(expression: Expression) -> bool:
    """Tell whether stored samples can answer, which raw PromQL prevents."""
    return not isinstance(expression, Raw) and all(map(is_answerable, expression.parts()))
