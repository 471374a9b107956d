"""What the tests of controls share: settings, a way to act, and a way to read back."""

import asyncio
import time

from console.controls.protocol import Control
from console.controls.registry import build_control
from console.controls.template import reached
from console.domain.control import (
    ControlState,
    Inverse,
    JsonValue,
    PreparedChange,
    Reach,
    SendResult,
)
from console.settings.endpoint_tables import ControlSettings

WHO: dict[str, JsonValue] = {
    "op_id": "01KB2ZT7Q3ZC5K2V9Y4M8N6P0R",
    "by": "ana",
    "reason": "feature store times out, INC-412",
}


def preset(name: str, /, *targets: str, kind: str | None = None, **variables: object) -> Control:
    """Return a control made from a shipped preset; fails the test if it cannot work."""
    settings = ControlSettings(
        driver="http",
        preset=name,
        kind=kind,  # type: ignore[arg-type]
        targets=targets,
        vars=variables,
    )
    control = build_control("under-test", settings, None)
    assert control.problem == ""
    return control


async def prepared(
    control: Control, action: str, **variables: JsonValue
) -> tuple[ControlState, PreparedChange]:
    """Read, and prepare one action from what was seen."""
    seen = await control.read(time.time())
    return seen, control.prepare(action, {**WHO, **variables}, seen)


async def settled(
    control: Control, change: PreparedChange, within_seconds: float = 30.0
) -> tuple[ControlState, list[Reach]]:
    """Read back until every target reached what was wanted, or time is up."""
    deadline = time.monotonic() + within_seconds
    while True:
        state = await control.read(time.time())
        got = [
            reached(call, change.desired, each)
            for call in change.calls
            if (each := state.of(call.target)) is not None
        ]
        if set(got) <= {"wanted", "accepted"} or time.monotonic() > deadline:
            return state, got
        await asyncio.sleep(0.1)


async def acted(
    control: Control, action: str, **variables: JsonValue
) -> tuple[PreparedChange, SendResult, ControlState]:
    """Do one action for real and read back until it shows."""
    _, change = await prepared(control, action, **variables)
    assert change.objections == ()
    result = await control.send(change, time.time())
    state, got = await settled(control, change)
    assert set(got) <= {"wanted", "accepted"}, (result, state)
    return change, result, state


async def undone(control: Control, change: PreparedChange) -> ControlState:
    """Carry out the way back that was planned before the change, and read back."""
    for call in change.calls:
        inverse = call.inverse
        assert isinstance(inverse, Inverse), call.inverse_problem
        seen = await control.read(time.time())
        back = control.prepare(
            inverse.action, {**WHO, **dict(inverse.variables)}, seen, targets=[inverse.target]
        )
        await control.send(back, time.time())
        _, got = await settled(control, back)
        assert set(got) <= {"wanted", "accepted"}
    return await control.read(time.time())
