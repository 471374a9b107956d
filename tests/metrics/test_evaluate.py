"""What the evaluation promises to those who keep it: shared objects, sentences, no surprises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from console.domain.model import ModelRow
from console.metrics.evaluate import Memory, evaluate
from console.metrics.expressions import Quantile, Raw, Scaled, ShareBelow
from console.metrics.histogram import Latest, Window
from console.metrics.labels import Matcher
from console.metrics.queries import Query
from console.metrics.query_plan import plan
from tests.metrics.fleet import NOW
from tests.metrics.stored import ListStore


class CountingStore:
    """Counts how often the samples are looked up."""

    def __init__(self, store: ListStore) -> None:
        self.store, self.windows = store, 0

    def window(
        self, metric: str, matchers: tuple[Matcher, ...], start: float, end: float
    ) -> Window:
        self.windows += 1
        return self.store.window(metric, matchers, start, end)

    def latest(self, metric: str, matchers: tuple[Matcher, ...], at: float) -> Latest:
        return self.store.latest(metric, matchers, at)


def queries() -> tuple[Query, ...]:
    return plan(["midwatch"], [ModelRow("fraud", profile="midwatch")], {}, NOW)


def test_keys_stay_the_same_object_while_series_stay(midwatch_samples: ListStore) -> None:
    memory = Memory()
    first = [evaluate(query, midwatch_samples, NOW, memory) for query in queries()]
    second = [evaluate(query, midwatch_samples, NOW + 0.25, memory) for query in queries()]
    for before, after in zip(first, second, strict=True):
        assert after.keys is before.keys, before.query_id
        assert after.at == NOW + 0.25


def test_a_moments_growth_is_worked_out_once(midwatch_samples: ListStore) -> None:
    store, memory = CountingStore(midwatch_samples), Memory()
    latencies = [q for q in queries() if q.column in ("latency_p50", "latency_p95", "latency_p99")]
    for query in latencies:
        evaluate(query, store, NOW, memory)
    assert store.windows == 1
    memory.forget()
    evaluate(latencies[0], store, NOW, memory)
    assert store.windows == 2
    evaluate(latencies[0], store, NOW + 1, memory)
    assert store.windows == 3


def test_a_store_without_samples_answers_nothing_and_no_error() -> None:
    for query in queries():
        answer = evaluate(query, ListStore(), NOW)
        assert (answer.keys, answer.error) == ((), None)
        assert answer.values.shape == (0,)


def test_what_needs_a_server_says_so(midwatch_samples: ListStore) -> None:
    query = queries()[0]
    for own in (
        replace(query, expression=None),
        replace(query, expression=Scaled(Raw("vector(1)"), 2.0)),
    ):
        answer = evaluate(own, midwatch_samples, NOW)
        assert answer.keys == ()
        assert answer.error is not None
        assert "needs a Prometheus" in answer.error


def test_a_share_without_a_threshold_is_an_error_of_its_own(midwatch_samples: ListStore) -> None:
    query = replace(queries()[0], expression=ShareBelow("model_prediction_confidence"), edge=None)
    answer = evaluate(query, midwatch_samples, NOW)
    assert answer.error == "the share of model_prediction_confidence needs a bucket edge"


def test_an_idle_model_is_no_number_and_not_zero(midwatch_samples: ListStore) -> None:
    by_id = {query.id: query for query in queries()}
    answer = evaluate(by_id["midwatch/error_ratio"], midwatch_samples, NOW)
    values = dict(zip(answer.keys, answer.values.tolist(), strict=True))
    assert np.isnan(values[("idle",)])
    assert values[("clean",)] == 0.0
    assert ("gone",) not in values


def test_the_evaluation_tells_how_long_it_took(midwatch_samples: ListStore) -> None:
    query = replace(queries()[0], expression=Quantile(0.5, "model_request_duration_seconds"))
    assert evaluate(query, midwatch_samples, NOW).elapsed_seconds > 0


def test_a_refused_request_makes_no_attempt_and_counts_in_none() -> None:
    store = ListStore()
    times = [NOW - 15.0 * back for back in range(20, -1, -1)]
    for outcome, rate in (("success", 2.0), ("error", 1.0), ("refused", 40.0)):
        labels = {"model": "fraud", "outcome": outcome}
        store.add("model_requests_total", labels, times, [rate * (at - times[0]) for at in times])
    labels = {"model": "fraud", "dependency": "features"}
    store.add("model_attempts_total", labels, times, [4.5 * (at - times[0]) for at in times])
    for query in queries():
        if query.column in ("attempts_per_request", "dependency_attempts"):
            # 4.5 attempts for the 3 requests a second that the breaker let through.
            np.testing.assert_allclose(evaluate(query, store, NOW).values, [1.5])
