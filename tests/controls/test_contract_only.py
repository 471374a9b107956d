"""Presets nobody could run here: what their contract's answers are read as, and what they ask."""

import json
import time
from collections.abc import Mapping

import pytest

from console.controls.registry import check_control
from tests.controls.acting import prepared, preset
from tests.http.serving import Asked, Behaviour, Handler, serving


def answering(answers: Mapping[str, tuple[int, object]]) -> Behaviour:
    def behave(handler: Handler, asked: Asked) -> None:
        status, document = answers[asked.path.partition("?")[0]]
        handler.answer(status, json.dumps(document).encode())

    return behave


def deployment(model_id: str, **info: object) -> dict[str, object]:
    return {"model_name": "chat", "model_info": {"id": model_id, "db_model": True, **info}}


@pytest.mark.parametrize(
    ("info", "state"),
    [({"blocked": True}, "BLOCKED"), ({"blocked": False}, "PASSING"), ({}, "PASSING")],
)
async def test_litellm_tells_a_blocked_deployment(info: dict[str, object], state: str) -> None:
    data = {"data": [deployment("one", blocked=state != "BLOCKED"), deployment("two", **info)]}
    with serving(answering({"/model/info": (200, data)})) as server:
        control = preset("litellm", server.url, kind="breaker", model_id="two")
        seen, change = await prepared(control, "trip")
        assert seen.value == state
        assert change.already == (state == "BLOCKED")
        assert "LiteLLM-Changed-By: ana" in change.calls[0].shown
        assert change.calls[0].shown.endswith('{"model_id": "two"}')
        assert server.asked[0].path == "/model/info?litellm_model_id=two"
        misspelt = preset("litellm", server.url, kind="breaker", model_id="three")
        assert not (await check_control(misspelt, time.time())).well


async def test_litellm_without_a_fallback_can_be_given_one_and_lose_it_again() -> None:
    with serving(answering({"/fallback/chat": (404, {"detail": {"error": "none"}})})) as server:
        control = preset("litellm", server.url, kind="fallback", model="chat")
        seen, change = await prepared(control, "fallback", to="small")
        assert (seen.value, seen.exists, change.objections) == ("none", True, ())
        inverse = change.calls[0].inverse
        assert inverse is not None
        assert inverse.action == "restore"
        assert inverse.shown.startswith(f"DELETE {server.url}/fallback/chat?fallback_type=general")


async def test_litellm_goes_back_to_the_fallback_that_was_set() -> None:
    document = {"model": "chat", "fallback_models": ["small"], "fallback_type": "general"}
    with serving(answering({"/fallback/chat": (200, document)})) as server:
        control = preset("litellm", server.url, kind="fallback", model="chat")
        seen, change = await prepared(control, "fallback", to="tiny")
        assert seen.value == "small"
        inverse = change.calls[0].inverse
        assert inverse is not None
        assert (inverse.action, dict(inverse.variables)) == ("fallback", {"to": "small"})
