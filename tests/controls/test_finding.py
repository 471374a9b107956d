"""Targets that are looked up: behind a name, by a query, gone, or never found."""

import time

from msgspec.structs import replace

from console.controls.registry import build_control
from console.controls.template import reached
from console.settings.endpoint_tables import ControlSettings
from tests.conftest import free_port
from tests.controls.acting import WHO, prepared
from tests.controls.service import own, service, trip


def looked_up(**where: str) -> ControlSettings:
    return replace(own("http://127.0.0.1:1", trip=trip()), targets=(), targets_from=where)


async def test_every_address_behind_a_name_is_a_target() -> None:
    with service() as world:
        port = world.url.rpartition(":")[2]
        declared = looked_up(dns=f"http://localhost:{port}")
        control = build_control("c", declared, None)
        assert control.problem == ""
        state = await control.read(time.time())
        there = [each for each in state.targets if each.target == world.url]
        assert [each.value for each in there] == ["CLOSED"]
        assert world.seen[0].headers["Host"] == f"localhost:{port}"
        change = control.prepare("trip", WHO, state, targets=[world.url])
        await control.send(change, time.time())
        assert world.breakers == {"risk-model": "FORCED_OPEN"}


async def test_a_name_that_does_not_resolve_is_unknown_and_never_empty_success() -> None:
    control = build_control(
        "c", replace(looked_up(dns="http://no-such-host.invalid:80"), allow_plaintext=True), None
    )
    state = await control.read(time.time())
    assert "cannot be resolved" in state.error
    assert (state.value, state.text) == (None, "?")


async def test_a_query_names_the_targets_of_the_moment() -> None:
    with service() as one, service() as two:
        found = [one.url, two.url.removeprefix("http://")]

        async def finder(promql: str) -> list[str]:
            assert promql == 'up{job="fraud"}'
            return found

        control = build_control("c", looked_up(promql='up{job="fraud"}'), None, finder=finder)
        seen, change = await prepared(control, "trip")
        assert {each.target for each in seen.targets} == {one.url, two.url}
        found[:] = [two.url]
        await control.send(change, time.time())
        after = await control.read(time.time())
        assert [each.target for each in after.targets] == [two.url]
        got = {
            call.target: None
            if (each := after.of(call.target)) is None
            else reached(call, change.desired, each)
            for call in change.calls
        }
        assert got == {one.url: None, two.url: "wanted"}


async def test_what_a_query_finds_is_judged_like_what_is_written() -> None:
    for found, said in (
        ([], "names no target now"),
        (["http://breaker.example.net"], "plain http beyond this host"),
        (["file:///etc/passwd"], "is no base URL"),
        (["http://127.0.0.1:1/?x=\n"], "is no base URL"),
        ([f"127.0.0.1:{port}" for port in range(1, 300)], "more than 256"),
    ):

        async def finder(_promql: str, found: list[str] = found) -> list[str]:
            return found

        control = build_control("c", looked_up(promql="up"), None, finder=finder)
        state = await control.read(time.time())
        assert said in state.error
        assert state.value is None


async def test_a_target_that_went_away_is_told_as_not_sent() -> None:
    gone = f"http://127.0.0.1:{free_port()}"

    async def finder(_promql: str) -> list[str]:
        return [gone]

    control = build_control("c", looked_up(promql="up"), None, finder=finder)
    _, change = await prepared(control, "trip")
    result = await control.send(change, time.time())
    assert [(each.verdict, each.sent) for each in result.results] == [("rejected", False)]
