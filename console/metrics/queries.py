"""The shape of one query to a source, and queries for spans and score histograms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from console.metrics.expressions import Gauge, Increase, Scope, is_answerable, method
from console.metrics.labels import Matcher, bucket_edge, duration, exactly, one_of
from console.metrics.profile import window_seconds
from console.metrics.variants import measurements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.metrics.expressions import Expression
    from console.metrics.names import Derived
    from console.metrics.profile import Profile, Role

Cadence = Literal["tick", "slow", "rare"]
BUCKET_LABEL = "le"


@dataclass(frozen=True, slots=True)
class Query:
    """One instant query for the whole fleet.

    ``by`` names the labels whose values form ``Answer.keys``; ``by[0]`` is the model's (or
    dependency's) label. ``models`` lists the series values that take the answer (None: all).
    ``n_column`` gives the samples behind a value: the value itself for a column in ``1``,
    times the window for one in ``1/s``; under ``min_n`` a value is too_few. ``exclusive``
    marks an operator's own PromQL, which replaces the profile's answer even when it is empty;
    if it names one model and answers one series, that series is the model's whatever its labels.
    ``fallback_seconds`` is the span taken where the window holds no two samples (`Scope`),
    ``derived`` the labels that a name rule makes. ``voice`` is the profile that speaks where that
    is not the row's own, ``role`` its role: a gateway's and a companion's answers go by name.
    ``dropped`` are the labels of copies, of which one counts (`Scope`).
    ``rows`` names the rows that take the answer where series values alone do not tell (None: all).
    ``keeps_young`` asks for an amount: of what began within the window it is whole, and told.
    With ``partial`` a history shorter than the window answers for what there is of it.
    Times are seconds.
    """

    id: str
    column: str
    profile: str
    by: tuple[str, ...]
    promql: str
    expression: Expression | None
    window_seconds: float | None = None
    offset_seconds: float = 0.0
    edge: float | None = None
    cadence: Cadence = "tick"
    labelled: bool = False
    models: frozenset[str] | None = None
    method: str = ""
    n_column: str | None = None
    min_n: float = 0.0
    matchers: tuple[Matcher, ...] = ()
    exclusive: bool = False
    fallback_seconds: float | None = None
    derived: tuple[Derived, ...] = ()
    role: Role = "server"
    voice: str = ""
    dropped: tuple[str, ...] = ()
    keeps_young: bool = False
    partial: bool = False
    rows: frozenset[str] | None = None

    def scope(self) -> Scope:
        """Return the scope the expression is compiled and evaluated in."""
        return Scope(
            by=self.by,
            matchers=self.matchers,
            window_seconds=self.window_seconds or 300.0,
            offset_seconds=self.offset_seconds,
            edge=self.edge,
            fallback_seconds=self.fallback_seconds,
            derived=self.derived,
            dropped=self.dropped,
        )

    def over_steps(self, step_seconds: float) -> Query:
        """Return the question for a chart: steps longer than a short window need a longer one."""
        if self.fallback_seconds is None or step_seconds <= (self.window_seconds or 0.0) / 2:
            return self
        return replace(self, window_seconds=self.fallback_seconds, fallback_seconds=None)

    @property
    def is_buckets(self) -> bool:
        """Tell whether the answer is a histogram: one series a model and upper edge."""
        return self.by[-1:] == (BUCKET_LABEL,)

    @property
    def answerable_from_samples(self) -> bool:
        """Tell whether a source without PromQL can answer."""
        return self.expression is not None and is_answerable(self.expression)


SCORES = "score_buckets"
WINDOW_SECONDS = 3600.0
MOST_NAMED = 30
"""Up to so many models with a reference are named; beyond, the whole fleet is asked for."""


def score_queries(
    profile: Profile, values: frozenset[str], matchers: tuple[Matcher, ...]
) -> Iterator[Query]:
    """Yield the growth of score buckets of this hour and of the one before.

    ``values`` are the series values of models that have a reference; nothing is asked without.
    """
    fact = profile.facts.get(SCORES)
    if fact is None or not values:
        return
    if len(values) <= MOST_NAMED:
        matchers = (*matchers, one_of(profile.model_label, tuple(sorted(values))))
    window = window_seconds(fact.window) or WINDOW_SECONDS
    query = Query(
        id=f"{profile.name}/{SCORES}",
        column=SCORES,
        profile=profile.name,
        by=fact.by,
        promql="",
        expression=fact.expression,
        window_seconds=window,
        cadence="slow",
        labelled=True,
        models=values,
        method=method(fact.expression),
        matchers=matchers,
        derived=profile.derived,
    )
    for suffix, offset_seconds in (("", 0.0), ("@prev", window)):
        yield spelled(
            replace(
                query,
                # The condition belongs to the question: what it was asked for must stay told.
                id=f"{query.id}{suffix}{{{','.join(m.text() for m in matchers)}}}",
                column=f"{SCORES}{suffix}",
                offset_seconds=offset_seconds,
            )
        )


def one_model(profile: Profile, series_value: str, seconds: float) -> Query | None:
    """Return the growth of one model's score buckets over a window; None without such a metric."""
    fact = profile.facts.get(SCORES)
    if fact is None:
        return None
    return spelled(
        Query(
            id=f"{profile.name}/{SCORES} of one over {duration(seconds)}",
            column=SCORES,
            profile=profile.name,
            by=fact.by,
            promql="",
            expression=fact.expression,
            window_seconds=seconds,
            labelled=True,
            method=method(fact.expression),
            matchers=exactly({profile.model_label: series_value}),
            derived=profile.derived,
        )
    )


def since_start(query: Query) -> Query | None:
    """Return the same buckets counted since the services started; None where that is not known."""
    if not isinstance(query.expression, Increase):
        return None
    counted = Gauge(query.expression.metric, "sum", query.expression.where)
    return spelled(
        replace(query, id=f"{query.id} since start", expression=counted, window_seconds=None)
    )


def under_edge(query: Query, edge: float) -> Query | None:
    """Return the growth of one bucket (infinity: all predictions) of what a query asks by edge."""
    if not isinstance(query.expression, Increase):
        return None
    le = "+Inf" if edge == float("inf") else f"=~{bucket_edge(edge).value}"
    grown = Increase(query.expression.metric, {**query.expression.where, BUCKET_LABEL: le})
    return spelled(
        replace(
            query,
            id=f"{query.id} under {edge!r}",
            by=query.by[:1],
            expression=grown,
            labelled=False,
            models=None,
        )
    )


def counted_once(query: Query, dropped: tuple[str, ...]) -> Query:
    """Return a query in which copies that differ only in ``dropped`` labels count once.

    An operator's own text stays as it is.
    """
    if query.dropped == dropped or query.expression is None:
        return query
    return spelled(replace(query, dropped=dropped))


def spelled(query: Query) -> Query:
    """Return a query with the PromQL of its expression."""
    assert query.expression is not None
    return replace(query, promql=query.expression.promql(query.scope()))


LOWER_LEVELS = ("L2", "L3")


@dataclass(frozen=True, slots=True)
class OneModel:
    """A model as its source knows it: its profile, its series value, and further labels of its."""

    profile: Profile
    series_value: str
    labels: tuple[tuple[str, str], ...] = ()


def over_span(
    model: OneModel,
    name: str,
    seconds: float,
    ended_seconds_ago: float = 0.0,
    edge: float | None = None,
) -> Query | None:
    """Return the question for a measurement's mean over ``seconds``.

    ``name`` is a signal, a part (``cost_rate``) or a fact, whose further labels are summed over.
    A rate times the span is what was counted. None where the profile does not measure it.
    """
    defined = measurements(model.profile).get(name)
    label = model.profile.model_label
    if defined is not None:
        label = defined.model_label or label
        return _query(model, name, label, defined.expression, seconds, ended_seconds_ago, edge)
    fact = model.profile.facts.get(name)
    if fact is None:
        return None
    return _query(model, name, label, fact.expression, seconds, ended_seconds_ago, edge)


def on_lower_level(model: OneModel) -> Query | None:
    """Return the question whether a model's traffic goes to a rung of L2 or L3: 1 where it does."""
    fact = model.profile.facts.get("route")
    if fact is None or "level" not in fact.by or not isinstance(fact.expression, Gauge):
        return None
    gauge = fact.expression
    there = Gauge(gauge.metric, "max", {**gauge.where, "level": LOWER_LEVELS}, gauge.above)
    return _query(model, "lower_level", model.profile.model_label, there)


def _query(
    model: OneModel,
    name: str,
    label: str,
    expression: Expression,
    seconds: float = 0.0,
    ended_seconds_ago: float = 0.0,
    edge: float | None = None,
) -> Query:
    return spelled(
        Query(
            id=f"{model.profile.name}/{name} of one over a span",
            column=name,
            profile=model.profile.name,
            by=(label,),
            promql="",
            expression=expression,
            # Whole seconds: a window that is none cannot be spelt in every server's PromQL.
            window_seconds=float(round(seconds)) or None,
            offset_seconds=float(round(ended_seconds_ago)),
            edge=edge,
            method=method(expression),
            matchers=exactly({**dict(model.labels), label: model.series_value}),
            derived=model.profile.derived,
        )
    )
