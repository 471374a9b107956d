"""The evaluation on samples and a real Prometheus give the same answers to the same questions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from console.domain.model import ModelRow, Objectives
from console.metrics.evaluate import Memory, evaluate
from console.metrics.expressions import (
    Born,
    Clamp,
    Difference,
    Either,
    Folded,
    Gauge,
    Increase,
    Joined,
    Node,
    Over,
    Product,
    Quantile,
    Rate,
    Ratio,
    Scaled,
    ShareAbove,
    ShareBelow,
    Slope,
    Started,
    Sum,
    Worst,
)
from console.metrics.labels import exactly
from console.metrics.names import MODEL_LABEL, Derived, NameRule
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
    "over": Over("model_drift", "max", "max"),
    "mean over": Over("model_review_queue_depth", "avg", "sum"),
    "last over": Over("model_review_queue_depth", "last", "sum"),
    "least over": Over("model_review_queue_depth", "min", "sum"),
    "counted over": Over("model_drift", "count", "sum"),
    "born": Born(C),
    "difference": Difference(Rate(C), Rate(C, {"outcome": "success"})),
    "nothing less": Difference(Rate(C), Rate("nothing_total"), if_absent="zero"),
    "difference of nothing": Difference(Rate(C), Rate("nothing_total")),
    "product": Product(Rate(C), Scaled(Rate(C), 2.5)),
    "price of a node": Folded(
        Product(Rate(C), Gauge("process_start_time_seconds", "max"), ("instance",)),
        ("instance",),
        "sum",
    ),
    "clamp": Clamp(Rate(C), low=0.5, high=2.0),
    "worst": Worst((Rate(C), Gauge("model_drift", "max"), Rate("nothing_total"))),
    "least": Worst((Rate(C), Rate("model_review_total")), "min"),
    "replicas": Folded(Gauge(C, "count"), ("instance",), "count"),
    "largest, then the sum": Folded(Gauge("model_drift", "max"), ("instance",), "sum"),
    "joined": Joined(Rate("process_start_time_seconds"), ("instance",), "avg", C),
    "joined by two": Joined(
        Gauge("process_start_time_seconds", "max"), ("instance", "job"), "max", C
    ),
    "two names": Rate(("model_new_total", C)),
    "two names side by side": Rate((C, "model_review_total")),
    "two names of a gauge": Gauge(("nothing", "model_drift", "model_review_queue_depth"), "max"),
    "two names of a histogram": Quantile(0.9, ("nothing_seconds", H)),
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


MODEL = NameRule(template="{model}/{version}")
RULES = {
    "joined": MODEL,
    "first": NameRule(first_of=("version", "nothing", "model"), no_values=("", "v1")),
    "pattern": NameRule(label="instance", pattern="(?P<model>[a-e]):.*"),
    "twin": NameRule(first_of=("exported_model", "model")),
}


@pytest.mark.parametrize("name", RULES)
def test_names_by_rule(prometheus: str, midwatch_samples: ListStore, name: str) -> None:
    derived = (Derived(MODEL_LABEL, RULES[name]),)
    problems, answered = [], 0
    only = {"joined": "fraud/v1", "first": "fraud", "pattern": "a", "twin": HOSTILE}[name]
    expressions = (
        "quantile middle",
        "sum with absent",
        "avg",
        "born",
        "over",
        "replicas",
        "joined",
    )
    for kind in expressions:
        for matchers in ((), exactly({MODEL_LABEL: only})):
            query = asked(EXPRESSIONS[kind], MODEL_LABEL)
            query = replace(query, derived=derived, matchers=matchers)
            promql = EXPRESSIONS[kind].promql(query.scope())
            problems += differences(query, promql, prometheus, midwatch_samples, NOW)
            answered += bool(evaluate(query, midwatch_samples, NOW).keys)
    assert not problems, "\n".join(problems)
    assert answered >= len(expressions)


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
