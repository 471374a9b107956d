"""The evaluation on samples and a real Prometheus give the same answers to the same questions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from console.domain.model import ModelRow, Objectives
from console.metrics.evaluate import Memory, evaluate
from console.metrics.expressions import (
    Either,
    Gauge,
    Increase,
    Node,
    Quantile,
    Rate,
    Ratio,
    ShareAbove,
    ShareBelow,
    Slope,
    Started,
    Sum,
)
from console.metrics.queries import Query
from console.metrics.query_plan import plan
from tests.metrics.fleet import HOSTILE, NOW
from tests.metrics.stored import ListStore
from tests.support.prometheus_server import instant

if TYPE_CHECKING:
    from console.metrics.expressions import Expression

MOMENTS = (NOW, NOW - 61.25, NOW - 375.5)
TOLERANCE = 1e-9


def rows() -> tuple[ModelRow, ...]:
    slow = Objectives(latency_under_seconds=0.4, latency_share_ratio=0.99, declared=True)
    return (
        ModelRow("fraud", profile="midwatch", objectives=slow, confidence_threshold=0.6),
        ModelRow("reset", profile="midwatch", objectives=slow),
        ModelRow("gap", profile="midwatch"),
        ModelRow(HOSTILE, profile="midwatch", confidence_threshold=0.9),
    )


def queries() -> tuple[Query, ...]:
    return plan(
        ["midwatch"], rows(), {}, NOW, matches={HOSTILE: {"model": HOSTILE, "instance": "i:1"}}
    )


def asked(expression: Node, *by: str, **more: float) -> Query:
    return Query(
        id="q", column="q", profile="midwatch", by=by or ("model",), promql="",
        expression=cast("Expression", expression), window_seconds=more.get("window", 300.0),
        offset_seconds=more.get("offset", 0.0), edge=more.get("edge"),
        fallback_seconds=more.get("fallback"),
    )  # fmt: skip


def differences(query: Query, promql: str, url: str, store: ListStore, at: float) -> list[str]:
    """Return what differs, in words; nothing when the two agree."""
    answer = evaluate(query, store, at, Memory())
    assert answer.error is None
    ours = dict(zip(answer.keys, answer.values.tolist(), strict=True))
    theirs = {
        tuple(labels.get(name, "") for name in query.by): value
        for labels, value in instant(url, promql, at)
    }
    found = [f"{query.id}: only ours {key}" for key in ours.keys() - theirs.keys()]
    found += [f"{query.id}: only theirs {key}" for key in theirs.keys() - ours.keys()]
    for key in ours.keys() & theirs.keys():
        left, right = ours[key], theirs[key]
        same = math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=1e-12)
        if not same and not (math.isnan(left) and math.isnan(right)):
            found.append(f"{query.id} {key}: ours {left!r}, theirs {right!r}")
    return found


@pytest.mark.parametrize("at", MOMENTS)
def test_every_question_of_the_contracts_profile(
    prometheus: str, midwatch_samples: ListStore, at: float
) -> None:
    answered = 0
    problems = []
    for query in queries():
        problems += differences(query, query.promql, prometheus, midwatch_samples, at)
        answered += bool(evaluate(query, midwatch_samples, at).keys)
    assert not problems, "\n".join(problems)
    # The rest are extensions that this fleet does not export.
    assert answered >= 60


H, C = "model_request_duration_seconds", "model_requests_total"
EXPRESSIONS = {
    "quantile 0": Quantile(0.0, H),
    "quantile 1": Quantile(1.0, H),
    "quantile middle": Quantile(0.37, H),
    "share at another spelling": ShareBelow(H, 10.0),
    "share above one": ShareAbove(H, 1.0),
    "share off the edges": ShareBelow(H, 0.33),
    "not equal": Rate(C, {"outcome": "!=success"}),
    "pattern": Rate(C, {"outcome": "=~re.*|succ.{4}"}),
    "not pattern": Increase(C, {"outcome": "!~(error)?"}),
    "one of": Increase(C, {"model": ("fraud", HOSTILE)}),
    "avg": Gauge("model_drift", "avg"),
    "min": Gauge("model_drift", "min"),
    "max": Gauge("model_drift", "max"),
    "count": Gauge("model_drift", "count", above=0.05),
    "slope": Slope("model_review_queue_depth"),
    "newest process": Started(C),
    "newest process of no metric": Started("nothing_total"),
    "renamed": Either((Rate("model_new_total"), Rate(C))),
    "renamed for some": Either((Rate("model_review_total"), Rate(C))),
    "sum with absent": Sum((Rate(C), Rate("model_review_total"), Rate("nothing_total"))),
    "ratio of nothing": Ratio(Rate("nothing_total"), Rate(C)),
    "ratio without a part": Ratio(Rate("nothing_total"), Rate(C), if_absent="no_data"),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_part_of_the_algebra(prometheus: str, midwatch_samples: ListStore, name: str) -> None:
    problems = []
    for spans in ({}, {"window": 60.0}, {"window": 1800.0, "offset": 90.0}, {"window": 16.0}):
        for by in (("model",), ("model", "outcome"), ("version",)):
            query = asked(EXPRESSIONS[name], *by, **spans)
            promql = EXPRESSIONS[name].promql(query.scope())
            problems += differences(query, promql, prometheus, midwatch_samples, NOW)
    assert not problems, "\n".join(problems)


RANDOM = {
    "rate": Rate("random_total"),
    "increase": Increase("random_total"),
    "slope": Slope("random_total"),
    "last": Gauge("random_total", "max"),
    "above": Gauge("random_total", "count", above=100.0),
    "median": Quantile(0.5, "random_seconds"),
    "p95": Quantile(0.95, "random_seconds"),
    "top": Quantile(1.0, "random_seconds"),
}


@pytest.mark.parametrize("window", [7.0, 20.0, 60.0])
def test_a_short_window_falls_back_series_by_series(
    prometheus: str, random_samples: ListStore, window: float
) -> None:
    problems = []
    both = Either((Rate("nothing_total"), Rate("random_total")))
    for offset, at in ((0.0, NOW), (45.0, NOW), (0.0, NOW - 33.217), (0.0, NOW + 140.0)):
        for by in (("n",), ("absent",)):
            query = asked(both, *by, window=window, offset=offset, fallback=300.0)
            plain = replace(query, fallback_seconds=None)
            problems += differences(
                query, both.promql(query.scope()), prometheus, random_samples, at
            )
            found = evaluate(query, random_samples, at, Memory())
            assert len(found.keys) >= len(evaluate(plain, random_samples, at, Memory()).keys)
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", RANDOM)
def test_samples_at_random(prometheus: str, random_samples: ListStore, name: str) -> None:
    problems = []
    assert len(evaluate(asked(RANDOM[name], "n"), random_samples, NOW).keys) > 50
    for window, offset in ((300.0, 0.0), (60.0, 0.0), (900.0, 120.0), (7.0, 30.0)):
        for by in (("n",), ("absent",)):
            query = asked(RANDOM[name], *by, window=window, offset=offset)
            promql = RANDOM[name].promql(query.scope())
            for at in (NOW, NOW - 33.217):
                problems += differences(query, promql, prometheus, random_samples, at)
    assert not problems, "\n".join(problems)
