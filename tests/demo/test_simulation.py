"""Metrics follow from simulated requests: nothing is lost, and causes have their effects."""

import numpy as np
import pytest

from console.demo.midwatch_series import CALL_OUTCOMES
from console.demo.service import arrival_rate
from console.demo.service_breaker import BreakerState
from tests.demo.helpers import NOW, run, service_of, simulation, total, totals
from tests.support.pace import cost_in_paces


@pytest.mark.parametrize("scenario", ["calm", "outage"])
def test_nothing_is_lost_between_the_series_of_a_model(scenario: str) -> None:
    world = simulation("outage" if scenario == "outage" else "calm")
    run(world, 200)
    for service in world.services:
        if service.model.profile != "midwatch":
            continue
        outcomes = totals(service, "outcome", "model_requests_total")
        worked = outcomes["success"] + outcomes["error"]
        assert total(service, "model_request_duration_seconds_count") == worked
        if "confidence" not in service.model.omits:
            assert total(service, "model_prediction_confidence_count") == outcomes["success"]
            assert total(service, "model_prediction_score_count") == outcomes["success"]
        if "attempts" in service.model.omits:
            continue
        attempts = total(service, "model_attempts_total")
        if scenario == "calm":
            assert attempts >= worked
        if service.model.dependencies:
            calls = totals(service, "outcome", "model_dependency_requests_total")
            assert set(calls) == set(CALL_OUTCOMES)
            assert calls["success"] + calls["error"] + calls["timeout"] == attempts
            assert total(service, "model_dependency_duration_seconds_count") == attempts


def test_arrivals_keep_to_the_daily_rhythm() -> None:
    world = simulation()
    run(world, 300)
    for name in ("search-rerank", "toxicity", "fraud-scorer"):
        service = service_of(world, name)
        expected = float(arrival_rate(service.model, NOW + 150.0)) * 300
        seen = total(service, "model_requests_total")
        assert abs(seen - expected) < 5 * expected**0.5 + 1
    model = service_of(world, "search-rerank").model
    day = arrival_rate(model, NOW + 3600.0 * np.arange(24.0, dtype=np.float64))
    assert day.max() > 1.8 * day.min()
    weekend = arrival_rate(model, NOW + 5 * 86400.0)
    assert float(weekend) == pytest.approx(0.8 * float(arrival_rate(model, NOW)))


def test_unsure_answers_go_to_review_and_people_clear_them() -> None:
    world = simulation()
    run(world, 900)
    service = service_of(world, "toxicity")
    answered = total(service, "model_requests_total", outcome="success")
    low = total(service, "model_prediction_confidence_bucket", le="0.65")
    reviewed = total(service, "model_review_total")
    assert reviewed + service.review.depth == low
    share = service.model.primary.low_share
    assert abs(low - share * answered) < 5 * (share * answered) ** 0.5


def test_the_same_seed_gives_the_same_fleet_and_another_gives_another() -> None:
    first, again, other = simulation(seed=5), simulation(seed=5), simulation(seed=6)
    for world in (first, again, other):
        run(world, 30)
    for one, same in zip(first.services, again.services, strict=True):
        assert np.array_equal(one.values, same.values, equal_nan=True)
    assert any(
        not np.array_equal(one.values, another.values, equal_nan=True)
        for one, another in zip(first.services, other.services, strict=True)
    )


def test_a_failing_feature_store_storms_retries_and_opens_the_breaker() -> None:
    world = simulation("story")
    run(world, 20)
    fraud = service_of(world, "fraud-scorer")
    before = (total(fraud, "model_attempts_total"), total(fraud, "model_requests_total"))
    opened_at = refused_before = None
    holding_seconds = fraud.loads["fraud-scorer"].holding_seconds
    while world.now < NOW + 150 and opened_at is None:
        run(world, 1)
        if fraud.breakers[""].state is BreakerState.OPEN:
            opened_at = world.now - NOW
            refused_before = total(fraud, "model_requests_total", outcome="refused")
    assert opened_at is not None
    assert refused_before == 0
    assert 30 < opened_at < 150
    attempts = total(fraud, "model_attempts_total") - before[0]
    requests = total(fraud, "model_requests_total") - before[1]
    assert attempts / requests > 2.0
    assert fraud.loads["fraud-scorer"].holding_seconds > 5 * holding_seconds
    run(world, 20)
    assert total(fraud, "model_requests_total", outcome="refused") > 30
    assert total(fraud, "model_input_nulls_total", feature="txn_age") > 20
    assert total(fraud, "model_input_nulls_total", feature="amount") == 0
    churn = service_of(world, "churn-ranker")
    assert churn.breakers[""].state is BreakerState.CLOSED
    # The store is well again 305 s after the start; the next probe may be half a minute later.
    run(world, 240)
    assert fraud.breakers[""].state is BreakerState.CLOSED
    rising = total(fraud, "model_requests_total", outcome="refused")
    run(world, 60)
    assert total(fraud, "model_requests_total", outcome="refused") == rising


def test_longer_texts_cost_more_and_take_longer_without_harm_to_others() -> None:
    story, calm = simulation("story"), simulation("calm")
    for world in (story, calm):
        run(world, 240)
    told, quiet = service_of(story, "support-llm"), service_of(calm, "support-llm")

    def each(name: str) -> tuple[float, float]:
        return tuple(  # type: ignore[return-value]
            total(service, name) / total(service, "model_requests_total", outcome="success")
            for service in (told, quiet)
        )

    costs, tokens = each("model_cost_usd_total"), each("model_tokens_total")
    seconds = each("model_request_duration_seconds_sum")
    assert tokens[0] > 3 * tokens[1]
    assert costs[0] > 3 * costs[1]
    assert seconds[0] > 2.5 * seconds[1]
    toxicity = [
        total(service_of(world, "toxicity"), "model_cost_usd_total") for world in (story, calm)
    ]
    assert toxicity[0] == pytest.approx(toxicity[1], rel=0.1)


def test_speed_moves_the_story_and_not_the_arrivals() -> None:
    slow, fast = simulation("story"), simulation("story")
    fast.speed = 4.0
    for world in (slow, fast):
        run(world, 15)
    seen = [
        total(service_of(world, "search-rerank"), "model_requests_total") for world in (slow, fast)
    ]
    assert seen[0] == pytest.approx(seen[1], rel=0.15)
    timeouts = [
        total(
            service_of(world, "fraud-scorer"), "model_dependency_requests_total", outcome="timeout"
        )
        for world in (slow, fast)
    ]
    assert timeouts[1] > 20 > timeouts[0]


def test_a_second_of_the_fleet_costs_little() -> None:
    world = simulation("story")
    run(world, 60)
    assert cost_in_paces(lambda: run(world, 1), turns=60) < 12.0
