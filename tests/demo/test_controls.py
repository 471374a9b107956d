"""Controls change how requests fare; the metrics follow."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from console.demo import http_server as controls
from console.demo.http_server import Request, Response
from console.demo.service import Simulation
from console.demo.service_breaker import BreakerState
from tests.demo.helpers import run, service_of, simulation, total, totals


def ask(
    world: Simulation,
    model: str,
    path: str,
    document: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> Response:
    body = b"" if document is None else json.dumps(document).encode()
    request = Request("GET" if document is None else "PUT", path, query or {}, headers or {}, body)
    return controls.answer({model: service_of(world, model)}, request, world.now)


def said(response: Response) -> Any:
    return json.loads(response.body)


def test_an_opened_breaker_moves_refusals_latency_cost_and_the_review_queue() -> None:
    world = simulation()
    run(world, 60)
    fraud = service_of(world, "fraud-scorer")
    names = (
        "model_request_duration_seconds_count",
        "model_attempts_total",
        "model_prediction_confidence_count",
    )
    before = {name: total(fraud, name) for name in names}
    spent = totals(fraud, "use", "model_cost_usd_total")
    waiting = fraud.review.arrive(world.now, 6)
    response = ask(
        world, "fraud-scorer", "/control/breaker", {"state": "FORCED_OPEN", "ttl_seconds": 60}
    )
    assert response.status == 200
    assert said(response)["state"] == "FORCED_OPEN"
    refused = total(fraud, "model_requests_total", outcome="refused")
    depth = fraud.review.depth
    run(world, 59)
    assert total(fraud, "model_requests_total", outcome="refused") > refused + 100
    assert {name: total(fraud, name) for name in names} == before
    assert total(fraud, "model_circuit_breaker_state", dependency="") == BreakerState.FORCED_OPEN
    after = totals(fraud, "use", "model_cost_usd_total")
    assert after["idle"] - spent["idle"] > 0
    calm_useful = spent["useful"] / 60
    assert (after["useful"] - spent["useful"]) / 59 < 0.5 * calm_useful
    assert waiting == 6
    assert fraud.review.depth < depth
    run(world, 30)
    assert fraud.breakers[""].state is BreakerState.CLOSED
    assert total(fraud, "model_request_duration_seconds_count") > before[names[0]]


def test_a_fallback_answers_with_its_own_latency_cost_confidence_and_no_attempts() -> None:
    world = simulation()
    run(world, 120)
    fraud = service_of(world, "fraud-scorer")

    def now() -> dict[str, float]:
        return {
            "n": total(fraud, "model_request_duration_seconds_count"),
            "seconds": total(fraud, "model_request_duration_seconds_sum"),
            "low": total(fraud, "model_prediction_confidence_bucket", le="0.6"),
            "fallback": total(fraud, "model_cost_usd_total", use="fallback"),
            "attempts": total(fraud, "model_attempts_total"),
            "refused": total(fraud, "model_requests_total", outcome="refused"),
        }

    ask(world, "fraud-scorer", "/control/breaker", {"state": "FORCED_OPEN"})
    before = now()
    response = ask(
        world,
        "fraud-scorer",
        "/control/route",
        {"target": "fraud-small", "level": "L2", "ttl_seconds": 400},
    )
    assert said(response)["target"] == "fraud-small"
    run(world, 300)
    after = now()
    answered = after["n"] - before["n"]
    assert answered > 1000
    assert after["attempts"] == before["attempts"]
    assert after["fallback"] > before["fallback"]
    assert (after["seconds"] - before["seconds"]) / answered > 0.18
    assert (after["low"] - before["low"]) / answered > 0.02
    assert (after["refused"] - before["refused"]) < 0.05 * answered
    assert total(fraud, "model_route", target="fraud-small") == 1
    assert total(fraud, "model_route") == 1
    run(world, 101)
    assert fraud.route.target == "primary"


def test_a_fallback_that_is_too_small_sheds_what_it_cannot_take() -> None:
    world = simulation()
    rerank = service_of(world, "search-rerank")
    ask(world, "search-rerank", "/control/route", {"target": "bm25"})
    run(world, 120)
    assert total(rerank, "model_requests_total", outcome="refused") == 0
    fraud = service_of(world, "fraud-scorer")
    fraud.loads["fraud-small"].holding_seconds = 4.0
    ask(world, "fraud-scorer", "/control/route", {"target": "fraud-small"})
    run(world, 20)
    assert fraud.loads["fraud-small"].holding_seconds < 4.0
    assert total(fraud, "model_requests_total", outcome="refused") > 0


def test_a_higher_threshold_fills_the_review_queue_until_its_end() -> None:
    world = simulation()
    run(world, 30)
    fraud = service_of(world, "fraud-scorer")
    response = ask(world, "fraud-scorer", "/control/threshold", {"value": 0.95, "ttl_seconds": 100})
    assert said(response)["value"] == 0.95
    assert said(response)["usual"] == 0.6
    run(world, 99)
    assert fraud.review.depth > 100
    assert total(fraud, "model_review_queue_depth") == fraud.review.depth
    assert total(fraud, "model_review_oldest_seconds") > 50
    run(world, 2)
    assert fraud.threshold.value == 0.6


def test_people_take_everything_when_asked_to() -> None:
    world = simulation()
    fraud = service_of(world, "fraud-scorer")
    assert said(ask(world, "fraud-scorer", "/control/review", {"all": True}))["all"] is True
    run(world, 60)
    assert total(fraud, "model_route", level="L4") == 1
    assert fraud.review.depth > 150
    assert total(fraud, "model_attempts_total") == 0
    ask(world, "fraud-scorer", "/control/review", {"all": False})
    run(world, 5)
    assert total(fraud, "model_attempts_total") > 0
    refused = ask(world, "churn-ranker", "/control/review", {"all": True})
    assert refused.status == 409


def test_refusing_clearly_is_a_route_too() -> None:
    world = simulation()
    ask(world, "toxicity", "/control/route", {"target": "refuse", "level": "L5"})
    run(world, 10)
    toxicity = service_of(world, "toxicity")
    assert total(toxicity, "model_requests_total", outcome="success") == 0
    assert total(toxicity, "model_requests_total", outcome="refused") > 100


def test_a_dependency_breaker_stops_the_attempts_and_the_features_are_missing() -> None:
    world = simulation()
    run(world, 20)
    churn = service_of(world, "churn-ranker")
    document = {"state": "FORCED_OPEN", "dependency": "feature-store-eu"}
    response = ask(world, "churn-ranker", "/control/breaker", document)
    assert said(response)["dependency"] == "feature-store-eu"
    attempts = total(churn, "model_attempts_total")
    success = total(churn, "model_requests_total", outcome="success")
    run(world, 60)
    assert total(churn, "model_attempts_total") == attempts
    assert total(churn, "model_requests_total", outcome="success") > success + 60
    assert total(churn, "model_input_nulls_total", feature="tenure_days") > 60
    assert total(churn, "model_circuit_breaker_state", dependency="feature-store-eu") == 4
    assert total(churn, "model_circuit_breaker_state", dependency="") == 0


def test_an_entity_tag_guards_against_a_change_in_between() -> None:
    world = simulation()
    first = ask(world, "fraud-scorer", "/control/threshold")
    tag = {"if-match": first.headers["ETag"]}
    moved = ask(world, "fraud-scorer", "/control/threshold", {"value": 0.7}, tag)
    assert moved.status == 200
    assert moved.headers["ETag"] != first.headers["ETag"]
    late = ask(world, "fraud-scorer", "/control/threshold", {"value": 0.8}, tag)
    assert late.status == 412
    assert service_of(world, "fraud-scorer").threshold.value == 0.7
    again = ask(world, "fraud-scorer", "/control/threshold")
    assert again.headers["ETag"] == moved.headers["ETag"]
    query = {"dependency": "feature-store-eu"}
    seen = ask(world, "fraud-scorer", "/control/breaker", query=query)
    ask(world, "fraud-scorer", "/control/breaker", {"state": "FORCED_OPEN"})
    kept = ask(world, "fraud-scorer", "/control/breaker", query=query)
    assert kept.headers["ETag"] == seen.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/control/nothing", None, 404),
        ("/control/breaker", {"state": "OPEN"}, 400),
        ("/control/breaker", {"state": "FORCED_OPEN", "force": True}, 400),
        ("/control/breaker", {"state": "CLOSED", "dependency": "moon"}, 404),
        ("/control/breaker", {"state": "FORCED_OPEN", "ttl_seconds": -1}, 400),
        ("/control/breaker", {"state": "FORCED_OPEN", "ttl_seconds": "1h"}, 400),
        ("/control/breaker", {"state": ["FORCED_OPEN"]}, 400),
        ("/control/route", {"target": "elsewhere"}, 400),
        ("/control/route", {"target": "fraud-small", "level": "L3"}, 400),
        ("/control/threshold", {"value": 1.5}, 400),
        ("/control/threshold", {"value": True}, 400),
        ("/control/threshold", {}, 400),
        ("/control/review", {"all": "yes"}, 400),
        ("/control/review", {"all": True, "reason": "x" * 501}, 400),
        ("/control/route", {"target": "fraud-small", "by": 7}, 400),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(
    path: str, document: Mapping[str, Any] | None, status: int
) -> None:
    world = simulation()
    fraud = service_of(world, "fraud-scorer")
    response = ask(world, "fraud-scorer", path, document)
    assert response.status == status
    assert said(response)["error"]
    assert fraud.route.revision == fraud.threshold.revision == fraud.breakers[""].revision == 1


def test_who_and_why_are_kept_until_the_next_change() -> None:
    world = simulation()
    author = {"by": "ana", "reason": "drill [/x] \x1b"}
    for path, change in (
        ("/control/breaker", {"state": "FORCED_OPEN", "ttl_seconds": 5}),
        ("/control/route", {"target": "fraud-small", "ttl_seconds": 5}),
        ("/control/threshold", {"value": 0.7, "ttl_seconds": 5}),
    ):
        assert (
            author.items() <= said(ask(world, "fraud-scorer", path, {**change, **author})).items()
        )
    run(world, 6)
    for path in ("/control/breaker", "/control/route", "/control/threshold"):
        shown = said(ask(world, "fraud-scorer", path))
        assert (shown["by"], shown["reason"], shown["until"]) == ("automatic", "", None)


def test_a_breaker_says_what_it_opened_on() -> None:
    world = simulation("outage")
    fraud = service_of(world, "fraud-scorer")
    for _ in range(120):
        run(world, 1)
        if fraud.breakers[""].state is BreakerState.OPEN:
            break
    shown = said(ask(world, "fraud-scorer", "/control/breaker"))
    assert shown["state"] == "OPEN"
    assert shown["opened_on_calls"] >= 20
    assert shown["opened_on_failures"] >= 0.5 * shown["opened_on_calls"]


def test_a_body_that_is_no_object_is_refused() -> None:
    world = simulation()
    fraud = service_of(world, "fraud-scorer")
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 10_000):
        request = Request("PUT", "/control/route", {}, {}, body)
        assert controls.answer({"fraud-scorer": fraud}, request, world.now).status == 400
    request = Request("POST", "/control/route", {}, {}, b"{}")
    assert controls.answer({"fraud-scorer": fraud}, request, world.now).status == 405


def test_where_several_models_live_the_name_is_asked_for() -> None:
    world = simulation()
    services = {name: service_of(world, name) for name in ("toxicity", "lead-score")}
    for query, status in (({}, 400), ({"model": "moon"}, 404), ({"model": "toxicity"}, 200)):
        request = Request("GET", "/control/route", query, {}, b"")
        assert controls.answer(services, request, world.now).status == status
