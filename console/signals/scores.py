"""Questions about the histogram of a model's scores, for drift against a declared reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.signals.expressions import Gauge, Increase
from console.signals.matchers import Matcher, bucket_edge, exactly, one_of
from console.signals.methods import method
from console.signals.profile import window_seconds
from console.signals.query import BUCKET_LABEL, Query
from console.signals.scope import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.signals.profile import Profile

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


def spelled(query: Query) -> Query:
    """Return a query with the PromQL of its expression."""
    assert query.expression is not None
    return replace(query, promql=query.expression.promql(query.scope()))
