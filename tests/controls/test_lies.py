"""What real services do wrong, and what a control makes of it: read-back first, codes second."""

import time
from dataclasses import replace

import pytest

from console.controls.protocol import Control, ControlError
from console.controls.registry import build_control, check_control
from console.controls.template import changed_since, reached
from console.domain.control import ControlState, PreparedChange, Reach, SendResult
from console.settings.endpoint_tables import ControlRead, ControlSettings
from tests.conftest import free_port
from tests.controls.acting import WHO, prepared, preset
from tests.controls.service import own, service, trip


async def sent(control: Control, change: PreparedChange) -> tuple[SendResult, list[Reach]]:
    """Send, read once, and say how far each target got."""
    result = await control.send(change, time.time())
    state = await control.read(time.time())
    return result, [
        reached(call, change.desired, each)
        for call in change.calls
        if (each := state.of(call.target)) is not None
    ]


def resilience4j(*targets: str, breaker: str = "risk-model") -> Control:
    return preset("resilience4j", *targets, breaker=breaker)


def built(settings: ControlSettings) -> Control:
    control = build_control("under-test", settings, None)
    assert control.problem == ""
    return control


async def test_an_honest_service_is_tripped_and_reset() -> None:
    with service() as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, got) == ("accepted", ["wanted"])
        assert world.breakers == {"risk-model": "FORCED_OPEN"}
        assert world.changes[0].headers["X-Request-Id"] == WHO["op_id"]
        inverse = change.calls[0].inverse
        assert inverse is not None
        assert (inverse.action, change.calls[0].inverse_problem) == ("reset", "")
        _, back = await prepared(control, inverse.action)
        assert (await sent(control, back))[1] == ["wanted"]


async def test_500_but_applied_is_told_by_reading_back() -> None:
    with service(status=500) as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, result.results[0].status) == ("indeterminate", 500)
        assert got == ["wanted"]
        assert len(world.changes) == 1


async def test_200_but_not_applied_is_told_by_reading_back() -> None:
    with service(applies=False, answer=None) as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, got) == ("accepted", ["not"])


async def test_an_answer_that_contradicts_its_code_is_no_acceptance() -> None:
    with service(applies=False) as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, got) == ("indeterminate", ["not"])
        assert "does not say that it acted" in result.sentence


async def test_a_timeout_after_sending_leaves_it_open_and_is_not_sent_twice() -> None:
    with service(hang_seconds=1.5) as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, result.results[0].sent) == ("indeterminate", True)
        assert "it may have acted" in result.sentence
        assert got == ["wanted"]
        assert len(world.changes) == 1


async def test_a_server_that_hangs_up_leaves_it_open() -> None:
    with service(hang_up=True) as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, result.results[0].sent) == ("indeterminate", True)
        assert got == ["wanted"]
        assert len(world.changes) == 1


async def test_a_connection_refused_before_sending_is_certain() -> None:
    with service() as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
    result = await control.send(change, time.time())
    assert (result.verdict, result.results[0].sent) == ("rejected", False)
    assert "nothing was sent" in result.sentence
    assert world.changes == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422])
async def test_a_refusal_is_certain(status: int) -> None:
    with service(applies=False, status=status) as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
        result, got = await sent(control, change)
        assert (result.verdict, got) == ("rejected", ["not"])


async def test_a_misspelt_breaker_is_never_created() -> None:
    with service() as world:
        control = resilience4j(world.url, breaker="risk-modle")
        checked = await check_control(control, time.time())
        assert not checked.well
        assert "not there" in checked.sentence
        _, change = await prepared(control, "trip")
        assert change.calls[0].impossible
        result = await control.send(change, time.time())
        assert (result.verdict, result.results[0].sent) == ("rejected", False)
        assert world.breakers == {"risk-model": "CLOSED"}
        assert world.changes == []


async def test_what_is_already_so_is_not_sent() -> None:
    with service(breakers={"risk-model": "FORCED_OPEN"}) as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        assert change.already
        assert (await control.send(change, time.time())).results == ()
        assert world.changes == []


async def test_a_state_an_action_does_not_start_from_is_objected_to() -> None:
    with service(breakers={"risk-model": "DISABLED"}) as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        assert change.objections == (
            f"{world.url} is DISABLED; trip starts from CLOSED, OPEN, HALF_OPEN, METRICS_ONLY",
        )
        assert not change.calls[0].impossible
        inverse = change.calls[0].inverse
        assert inverse is not None
        assert inverse.action == "disable"


async def test_a_change_in_between_is_refused_by_etag() -> None:
    with service() as world:
        control = built(own(world.url, trip=trip(if_match="etag")))
        before, change = await prepared(control, "trip")
        assert 'If-Match: "v1"' in change.calls[0].shown
        world.revision += 1
        after = await control.read(time.time())
        said = changed_since(before.targets[0], after.targets[0])
        assert said == f"{world.url} is still CLOSED, but somebody has changed it since"
        result, got = await sent(control, change)
        assert (result.verdict, result.results[0].status, got) == ("rejected", 412, ["not"])


async def test_a_change_in_between_is_refused_by_a_version_in_the_body() -> None:
    body = {"updateState": "FORCE_OPEN", "version": "${match}"}
    with service() as world:
        control = built(own(world.url, trip=trip(if_match="jmespath:version", json=body)))
        _, change = await prepared(control, "trip")
        world.revision += 1
        result, got = await sent(control, change)
        assert (result.verdict, result.results[0].status, got) == ("rejected", 409, ["not"])
        _, change = await prepared(control, "trip")
        assert (await sent(control, change))[1] == ["wanted"]
        assert world.changes[-1].json == {"updateState": "FORCE_OPEN", "version": 2}


async def test_what_is_already_so_can_be_sent_again_by_who_asks_for_it() -> None:
    with service(breakers={"risk-model": "FORCED_OPEN"}) as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        again = replace(change, calls=(replace(change.calls[0], already=False, objection=""),))
        assert (await control.send(again, time.time())).verdict == "accepted"
        assert len(world.changes) == 1


async def test_an_unread_target_gets_no_empty_precondition_and_no_blind_aim() -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    control = built(own(gone, trip=trip(if_match="etag")))
    _, change = await prepared(control, "trip")
    assert "If-Match" not in change.calls[0].shown
    assert not change.calls[0].impossible
    aimed = trip(if_match="jmespath:version", path="/breaker/{match}")
    _, change = await prepared(built(own(gone, trip=aimed)), "trip")
    assert change.calls[0].impossible


async def test_three_of_four_targets() -> None:
    with service() as one, service() as two, service() as three:
        gone = f"http://127.0.0.1:{free_port()}"
        control = resilience4j(one.url, two.url, gone, three.url)
        seen, change = await prepared(control, "trip")
        assert seen.value is None
        assert seen.text == "3 CLOSED, 1 ?"
        assert len(change.objections) == 1
        result, got = await sent(control, change)
        assert [each.verdict for each in result.results].count("accepted") == 3
        assert result.verdict == "indeterminate"
        assert got == ["wanted", "wanted", "unknown", "wanted"]
        # The way back is planned target by target, and not where nothing was known.
        assert [call.inverse is None for call in change.calls] == [False, False, True, False]


async def test_one_target_can_be_chosen() -> None:
    with service() as one, service() as two:
        control = resilience4j(one.url, two.url)
        seen = await control.read(time.time())
        change = control.prepare("trip", WHO, seen, targets=[two.url])
        await control.send(change, time.time())
        assert (one.breakers["risk-model"], two.breakers["risk-model"]) == ("CLOSED", "FORCED_OPEN")
        assert (await control.read(time.time())).value is None


async def test_a_flapping_read_back_is_told_read_by_read() -> None:
    with service() as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "trip")
        await control.send(change, time.time())
        got = []
        for state in ("FORCED_OPEN", "CLOSED", "FORCED_OPEN", "FORCED_OPEN"):
            world.breakers["risk-model"] = state
            seen = await control.read(time.time())
            got.append(reached(change.calls[0], change.desired, seen.targets[0]))
        assert got == ["wanted", "not", "wanted", "wanted"]


async def test_a_state_that_was_there_before_proves_nothing() -> None:
    with service(breakers={"risk-model": "OPEN"}, applies=False) as world:
        control = resilience4j(world.url)
        _, change = await prepared(control, "reset")
        assert not change.already
        assert change.desired == ("CLOSED", "OPEN", "HALF_OPEN")
        _, got = await sent(control, change)
        assert got == ["not"]
        # It was closed and has tripped itself again: another version of the same word.
        world.revision += 1
        state = await control.read(time.time())
        assert reached(change.calls[0], change.desired, state.targets[0]) == "accepted"


async def test_absent_by_404_is_a_state_where_actions_know_it() -> None:
    with service(breakers={}) as world:
        unknown = built(own(world.url, trip=trip()))
        seen, change = await prepared(unknown, "trip")
        assert (seen.exists, change.calls[0].impossible) == (False, True)
        known = built(own(world.url, trip=trip(from_states=("absent", "CLOSED"))))
        seen, change = await prepared(known, "trip")
        assert (seen.value, seen.exists, change.objections) == ("absent", True, ())
        assert (await sent(known, change))[1] == ["wanted"]


async def test_a_redirect_is_not_followed_and_leaves_a_change_open() -> None:
    with service() as elsewhere, service() as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
        world.location = f"{elsewhere.url}/breaker/risk-model"
        world.applies = False
        result = await control.send(change, time.time())
        assert (result.verdict, result.results[0].status) == ("indeterminate", 307)
        assert "not followed" in result.sentence
        state = await control.read(time.time())
        assert "a redirect" in state.error
        assert elsewhere.seen == []


async def test_an_oversized_answer_is_not_read() -> None:
    with service() as world:
        control = built(own(world.url, trip=trip()))
        _, change = await prepared(control, "trip")
        world.answer = b'{"state": "' + b"x" * 1_100_000 + b'"}'
        result = await control.send(change, time.time())
        assert result.verdict == "accepted"
        assert len(result.results[0].excerpt) <= 300
        state = await control.read(time.time())
        assert state.error == f"{world.url} answered more than 1 MiB; not read"
        assert state.value is None


async def test_terminal_escapes_in_an_answer_are_made_visible() -> None:
    evil = b'{"state": "\\u001b[2J\\u202eOPEN", "error": "\x9b31m[bold]"}'
    with service(answer=evil) as world:
        control = built(own(world.url, trip=trip(accept="state == 'x'")))
        state = await control.read(time.time())
        world.status = 500
        _, change = await prepared(control, "trip")
        result = await control.send(change, time.time())
        texts = [state.text, state.targets[0].excerpt, result.sentence, result.results[0].excerpt]
        assert state.text == "␛[2J\\u202eOPEN"
        assert all(text.isprintable() for text in texts)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "no state"),
        (b"not json \x00", "no state"),
        (b"[]", "no state"),
        (b'{"state": null}', "no state"),
        (b'{"state": {"a": 1}}', "finds a list or an object"),
        (b"[" * 50_000, "no state"),
    ],
)
async def test_an_answer_without_a_state_is_unknown_and_never_well(
    answer: bytes, said: str
) -> None:
    with service(answer=answer) as world:
        control = built(own(world.url, trip=trip()))
        state = await control.read(time.time())
        assert said in state.error
        assert (state.value, state.text) == (None, "?")
        assert not (await check_control(control, time.time())).well


async def test_an_expression_that_does_not_fit_the_answer_is_an_error() -> None:
    with service() as world:
        for exists, value in (("state > `5`", "state"), (None, "length(nothing)")):
            read = ControlRead(path="/breaker/{breaker}", exists=exists, value=value)
            state = await built(own(world.url, read, trip=trip())).read(time.time())
            assert "does not fit the answer" in state.error
            assert (state.exists, state.value) == (None, None)


async def test_a_state_read_elsewhere_is_no_ground_for_a_change() -> None:
    with service() as one, service() as two:
        control = resilience4j(one.url)
        other = await resilience4j(two.url).read(time.time())
        with pytest.raises(ControlError, match="is no target of the control"):
            control.prepare("trip", WHO, other)
        with pytest.raises(ControlError, match="no ground to change"):
            control.prepare("trip", WHO, ControlState("another", 0.0, other.targets))
