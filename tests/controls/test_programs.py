"""The ``exec`` and ``local`` drivers: a real program, its time, its output, and nothing kept."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from console.controls.control import MemoryStore
from console.controls.protocol import Control, ControlError
from console.controls.registry import build_control, check_control
from console.controls.template import reached
from console.settings.endpoint_tables import (
    ControlAction,
    ControlRead,
    ControlSettings,
    ControlTimeouts,
)
from tests.controls.acting import WHO, acted, prepared, undone

PROGRAM = """#!{python} -I
import json, os, sys, time
state, verb, *rest = sys.argv[1:]
if verb == "get":
    print(open(state).read())
elif verb == "set":
    doc = json.load(open(state))
    doc["weights"] = {{"to": rest[0], "why": rest[1]}}
    json.dump(doc, open(state, "w"))
elif verb == "set-then-fail":
    json.dump({{"weights": {{"to": rest[0]}}}}, open(state, "w"))
    sys.exit("it broke \\x1b[2J afterwards")
elif verb == "refuse":
    sys.exit(3)
elif verb == "sleep":
    open(state + ".pid", "w").write(str(os.getpid()))
    time.sleep(30)
elif verb == "flood":
    print("x" * 1000000)
elif verb == "babble":
    print("not json")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "trafficctl"
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o700)
    (tmp_path / "state").write_text(json.dumps({"weights": {"to": "primary"}}))
    return path


def settings(program: Path, *verb: str, read: str = "get", **more: object) -> ControlSettings:
    state = str(program.with_name("state"))
    plain: dict[str, object] = {
        "desired": ("${to}",),
        "retry_class": "A",
        "argv": (str(program), state, *(verb or ("set", "${to}", "${reason}"))),
    }
    return ControlSettings(
        driver="exec",
        kind="route",
        timeouts=ControlTimeouts(total_seconds=3.0),
        read=ControlRead(argv=(str(program), state, read), value="weights.to"),
        actions={"fallback": ControlAction(**{**plain, **more})},  # type: ignore[arg-type]
    )


def built(declared: ControlSettings) -> Control:
    control = build_control("under-test", declared, None)
    assert control.problem == ""
    return control


async def test_a_program_changes_and_is_read_back(program: Path) -> None:
    control = built(settings(program))
    assert (await check_control(control, time.time())).well
    change, result, state = await acted(control, "fallback", to="small")
    assert (result.verdict, state.value) == ("accepted", "small")
    assert change.calls[0].shown.endswith("set small 'feature store times out, INC-412'")
    assert (await undone(control, change)).value == "primary"


async def test_no_shell_sees_a_hostile_value(program: Path) -> None:
    control = built(settings(program))
    evil = "$(touch /tmp/x); `id` && rm -rf . | cat > y\n'\""
    _, _, state = await acted(control, "fallback", to="small", reason=evil)
    assert state.value == "small"
    kept = json.loads(program.with_name("state").read_text())
    assert kept["weights"]["why"] == evil
    assert sorted(each.name for each in program.parent.iterdir()) == ["state", "trafficctl"]


async def test_a_value_cannot_pose_as_an_option(program: Path) -> None:
    control = built(settings(program))
    seen = await control.read(time.time())
    with pytest.raises(ControlError, match="read as an option"):
        control.prepare("fallback", {**WHO, "to": "--force"}, seen)


async def test_a_program_that_fails_may_have_acted(program: Path) -> None:
    control = built(settings(program, "set-then-fail", "${to}"))
    _, change = await prepared(control, "fallback", to="small")
    result = await control.send(change, time.time())
    assert result.verdict == "indeterminate"
    assert result.sentence.isprintable()
    assert "it broke ␛[2J afterwards" in result.sentence
    state = await control.read(time.time())
    assert reached(change.calls[0], change.desired, state.targets[0]) == "wanted"


@pytest.mark.parametrize(
    ("verb", "said"),
    [("babble", "not JSON"), ("flood", "more than 64 KiB"), ("refuse", "ended with 3")],
)
async def test_a_read_that_makes_no_sense_is_unknown(program: Path, verb: str, said: str) -> None:
    control = built(settings(program, read=verb))
    state = await control.read(time.time())
    assert said in state.error
    assert state.value is None


async def test_a_program_that_hangs_is_stopped(program: Path) -> None:
    declared = settings(program, "sleep")
    control = built(declared)
    _, change = await prepared(control, "fallback", to="small")
    began = time.monotonic()
    result = await control.send(change, time.time())
    assert time.monotonic() - began < 20.0
    assert result.verdict == "indeterminate"
    assert "did not end within 3 s" in result.sentence
    assert not alive(int(Path(f"{program.with_name('state')}.pid").read_text()))


async def test_who_gives_up_takes_the_program_along(program: Path) -> None:
    control = built(settings(program, "sleep"))
    _, change = await prepared(control, "fallback", to="small")
    sending = asyncio.create_task(control.send(change, time.time()))
    pid_file = Path(f"{program.with_name('state')}.pid")
    for _ in range(100):
        await asyncio.sleep(0.05)
        if pid_file.exists() and pid_file.read_text():
            break
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    pid = int(pid_file.read_text())
    for _ in range(60):
        if not alive(pid):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the program still runs although nobody waits for it")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_others_can_write_is_refused(program: Path) -> None:
    program.chmod(0o777)
    control = build_control("c", settings(program), None)
    assert "can be written by others" in control.problem


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "is empty"),
        (("${to}", "x"), "cannot be a variable"),
        (("no-such-program-here",), "no program no-such-program-here on PATH"),
    ],
)
def test_a_faulty_command_line_is_told_at_start(
    program: Path, argv: tuple[str, ...], said: str
) -> None:
    assert said in build_control("c", settings(program, argv=argv), None).problem


async def test_a_local_state_is_kept_and_says_that_it_is_local_only() -> None:
    store = MemoryStore()
    declared = ControlSettings(
        driver="local",
        kind="annotate",
        actions={
            "hold": ControlAction(desired=("held",), retry_class="A"),
            "free": ControlAction(desired=("unset",), retry_class="A"),
        },
    )
    control = build_control("local-hold", declared, None, local_store=store)
    seen, change = await prepared(control, "hold")
    assert seen.value == "unset"
    assert "no service is told" in change.calls[0].shown
    assert change.proof.unproven
    await control.send(change, time.time())
    assert store.get("local-hold") == "held"
    assert [each.found for each in await control.lookup(change, 0.0)] == [True]
    again = build_control("local-hold", declared, None, local_store=store)
    assert (await again.read(time.time())).value == "held"
    assert (await undone(control, change)).value == "unset"
