"""The ``midwatch`` preset against the demo's services, over real HTTP."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from console.controls.protocol import Control
from console.controls.registry import check_control
from console.demo.demo_fleet import DemoFleet
from tests.controls.acting import WHO, acted, prepared, preset, settled, undone


@pytest.fixture(scope="module")
def fleet() -> Iterator[DemoFleet]:
    running = DemoFleet(scenario="calm")
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def service(fleet: DemoFleet) -> str:
    return next(each.url for each in fleet.services if each.name == "fraud-scorer")


def control(service: str, kind: str, **variables: object) -> Control:
    return preset("midwatch", service, kind=kind, **{"model": "fraud-scorer", **variables})


async def test_a_breaker_is_tripped_for_a_time_and_reset(service: str) -> None:
    breaker = control(service, "breaker")
    checked = await check_control(breaker, time.time())
    assert (checked.well, checked.sentence) == (True, f"{service}: CLOSED")
    change, result, state = await acted(breaker, "trip", ttl_seconds=600)
    assert (result.verdict, state.value) == ("accepted", "FORCED_OPEN")
    assert change.ends_itself
    assert '"by": "ana"' in state.targets[0].excerpt
    assert (await undone(breaker, change)).value == "CLOSED"


async def test_an_end_kept_by_the_service_comes_by_itself(service: str) -> None:
    breaker = control(service, "breaker")
    change, _, _ = await acted(breaker, "trip", ttl_seconds=1)
    deadline = time.monotonic() + 10
    while (state := await breaker.read(time.time())).value == "FORCED_OPEN":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert state.value in ("HALF_OPEN", "CLOSED")
    assert change.ends_itself
    await acted(breaker, "reset")


async def test_a_change_without_an_end_does_not_claim_one(service: str) -> None:
    _, change = await prepared(control(service, "breaker"), "trip")
    assert not change.ends_itself
    assert "ttl_seconds" not in change.calls[0].shown


async def test_the_breaker_of_a_dependency_is_another_one(service: str) -> None:
    own = control(service, "breaker")
    shared = control(service, "breaker", dependency="feature-store-eu")
    change, _, _ = await acted(shared, "trip")
    assert (await own.read(time.time())).value == "CLOSED"
    assert (await undone(shared, change)).value == "CLOSED"


async def test_a_shared_dependency_is_tripped_in_every_service_that_calls_it(
    fleet: DemoFleet,
) -> None:
    name = "feature-store-eu"
    callers = {model.name for model in fleet.models if name in model.dependencies}
    urls = [each.url for each in fleet.services if each.name in callers]
    assert len(urls) > 1
    shared = preset("midwatch-dependency", *urls, dependency=name)
    change, result, state = await acted(shared, "trip", ttl_seconds=600)
    assert (result.verdict, state.value) == ("accepted", "FORCED_OPEN")
    assert len(result.results) == len(urls)
    assert (await undone(shared, change)).value == "CLOSED"
    misspelt = preset("midwatch-dependency", *urls, dependency="feature-store-ue")
    assert not (await check_control(misspelt, time.time())).well


@pytest.mark.parametrize(
    "variables", [{"model": "fraud-scorrer"}, {"dependency": "feature-store-ue"}]
)
async def test_a_misspelt_name_is_seen(service: str, variables: dict[str, str]) -> None:
    wrong = control(service, "breaker", **variables)
    checked = await check_control(wrong, time.time())
    assert not checked.well


async def test_traffic_goes_to_a_rung_to_people_and_back_to_the_rung(service: str) -> None:
    route = control(service, "route")
    assert (await route.read(time.time())).value == "primary"
    down, _, state = await acted(route, "fallback", to="fraud-small")
    assert state.value == "fraud-small"
    people = control(service, "human")
    human, _, state = await acted(people, "human")
    assert state.value == "human"
    assert (await undone(people, human)).value == "fraud-small"
    assert (await undone(route, down)).value == "primary"


async def test_a_rung_that_is_not_there_is_refused(service: str) -> None:
    route = control(service, "route")
    _, change = await prepared(route, "fallback", to="moon")
    result = await route.send(change, time.time())
    assert (result.verdict, result.results[0].status) == ("rejected", 400)
    assert "'target' must be one of" in result.sentence


async def test_the_threshold_moves_and_returns(service: str) -> None:
    threshold = control(service, "threshold")
    change, _, state = await acted(threshold, "threshold", value=0.72)
    assert state.value == 0.72
    assert (await undone(threshold, change)).value == 0.6


async def test_two_who_saw_the_same_state_cannot_both_change_it(service: str) -> None:
    threshold = control(service, "threshold")
    seen = await threshold.read(time.time())
    one = threshold.prepare("threshold", {**WHO, "value": 0.7}, seen)
    two = threshold.prepare("threshold", {**WHO, "by": "li", "value": 0.8}, seen)
    results = await asyncio.gather(threshold.send(one, 1.0), threshold.send(two, 1.0))
    assert sorted(each.verdict for each in results) == ["accepted", "rejected"]
    won = one if results[0].verdict == "accepted" else two
    assert (await settled(threshold, won))[1] == ["wanted"]
    assert (await undone(threshold, won)).value == 0.6
