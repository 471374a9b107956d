"""With ``writes = "never"`` no command, key or method of the console changes anything at all."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import os
import time
from typing import TYPE_CHECKING

import pytest

from console.actions.registry import ACTIONS
from console.actions.spec import ActionContext
from console.actions.write_gate import refusal
from console.cli.command_table import COMMANDS
from console.cli.main import run
from console.controls.registry import ControlRegistry
from console.domain.action import WritesNotAllowed
from console.domain.entry import EntryDraft
from console.journal import (
    JournalReadOnlyError,
    Question,
    gather_who,
    open_configured,
    open_journal,
)
from console.settings.load import Flags, load
from console.settings.secrets import SecretResolver
from tests.actions.support import write_config
from tests.actions.world import World, config_toml, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.domain.control import JsonValue
    from console.settings.load import Loaded

READS = {"status", "check", "incidents", "plot", "overrides", "decisions", "failures", "postmortem",
         "cost", "profiles", "lint-metrics", "demo", "init", "reference", "completion",
         "record", "replay"}  # fmt: skip
"""Commands that change neither the world nor the record, whatever follows them."""

WHY = ("--reason", "tested to be refused", "--yes")
WRITING: dict[str, tuple[tuple[str, ...], ...]] = {
    "ack": (("{incident}", *WHY[:2]),),
    "release": (("{incident}", *WHY[:2]),),
    "snooze": (("{incident}", *WHY[:2]),),
    "escalate": (("{incident}", "--to", "joel", *WHY[:2]),),
    "merge": (("{incident}", "--into", "I2", *WHY[:2]),),
    "severity": (("{incident}", "S2", *WHY[:2]),),
    "note": (("{incident}", "a note"),),
    "close": (("{incident}", "--verdict", "noise", "--decision", "none", *WHY[:2]),),
    "trip": (("fraud-scorer", *WHY),),
    "half-open": (("fraud-scorer", *WHY),),
    "reset": (("fraud-scorer", *WHY),),
    "disable": (("fraud-scorer", *WHY),),
    "watch": (("fraud-scorer", *WHY),),
    "fallback": (("fraud-scorer", *WHY),),
    "human": (("fraud-scorer", *WHY),),
    "restore": (("fraud-scorer", *WHY),),
    "rollback": (("fraud-scorer", *WHY),),
    "threshold": (("fraud-scorer", "0.5", *WHY),),
    "renew": (("{op}", *WHY),),
    "end": (("{op}", *WHY),),
    "undo": (("{op}", *WHY),),
    "resolve": (("{op}", "--as", "not", *WHY),),
    "approve": (("{op}", "--yes"),),
    "decide": (("fraud-scorer", "hold", "--review-by", "14d", *WHY),),
    "readiness": (
        ("attest", "load-test", "fraud-scorer", "--evidence", "https://x.example", *WHY),
        ("withdraw", "load-test", "fraud-scorer", *WHY),
        ("sign-off", "fraud-scorer", *WHY),
    ),
    "drill": (("fraud-scorer", "breaker", *WHY), ("fraud-scorer", "source-away", *WHY)),
    "keep": (("--once",),),
    "handover": (("--yes",), ("--accept",)),
    "journal": (("prune",), ("anchor", "{directory}/anchor"), ("init",), ("accept", *WHY[:2])),
    "secret": (("set", "file:{directory}/secret"),),
    "lease": (("break", "keeper", *WHY),),
}
"""For every other command what would make it write; a new command has to come into one of both."""


@pytest.fixture(scope="module")
def service() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def config(service: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
    path = tmp_path / "journal.db"
    journal = open_journal(
        f"sqlite:///{path}", who=gather_who("ana", "test", {}), environment="test"
    )
    journal.append(EntryDraft(kind="note", at=time.time(), target="fraud-scorer", why="before"))
    journal.close()
    return write_config(
        tmp_path / "c.toml",
        config_toml(path, [service.url], writes="never"),
    )


def loaded_of(config: Path) -> Loaded:
    return load(Flags(config=config), os.environ)


def state_of(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_every_command_is_known_to_write_or_to_read() -> None:
    assert set(COMMANDS) == READS | set(WRITING)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(name, each) for name in COMMANDS for each in WRITING.get(name, ())],
    ids=lambda value: value if isinstance(value, str) else "-".join(value)[:20],
)
def test_no_command_writes(
    command: str, arguments: tuple[str, ...], config: Path, service: World, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    before, service_before = state_of(tmp_path), list(service.changes)
    names = {"{op}": "01KB2ABCDEFGHJKMNPQRSTVWXY", "{incident}": "I1"}
    words = [names.get(each, each).replace("{directory}", str(tmp_path)) for each in arguments]
    code = run([command, *words, "--config", str(config)])
    assert code == 8, (code, capsys.readouterr().err)
    assert state_of(tmp_path) == before
    assert service.changes == service_before


@pytest.mark.parametrize(
    "spec", [each for each in ACTIONS if each.writes], ids=lambda each: each.id
)
def test_no_key_writes(spec: object) -> None:
    place = next(iter(spec.places))  # type: ignore[attr-defined]
    context = ActionContext(place=place, row_count=3)
    assert "read-only" in str(refusal(spec, "read_only", context))  # type: ignore[arg-type]


def test_the_journal_is_open_for_reading_whatever_a_command_forgot(config: Path) -> None:
    loaded = loaded_of(config)
    journal = open_configured(loaded, SecretResolver((), os.environ), os.environ)
    try:
        draft = EntryDraft(kind="note", at=time.time(), why="forgotten")
        attempts: list[Callable[[], object]] = [
            lambda: journal.append(draft),
            lambda: journal.append_all([draft]),
            lambda: journal.take_lease("keeper", "me", 15.0, time.time()),
            lambda: journal.drop_lease("keeper", "me"),
            lambda: journal.prune(time.time()),
        ]
        for attempt in attempts:
            with pytest.raises(JournalReadOnlyError):
                attempt()
        assert [each.why for each in journal.entries(Question(kinds=("note",)))] == ["before"]
    finally:
        journal.close()


def test_a_control_of_such_a_session_has_no_send(config: Path, service: World) -> None:
    loaded = loaded_of(config)

    async def go() -> None:
        controls = ControlRegistry(loaded.settings, SecretResolver((), os.environ))
        assert list(controls)
        for name in controls:
            control = controls[name]
            state = await control.read(time.time())
            assert state.targets
            action = next(iter(control.offers))
            variables: dict[str, JsonValue] = {
                "op_id": "01KB",
                "by": "ana",
                "reason": "test",
                "to": "x",
                "value": 0.5,
            }
            change = control.prepare(action, variables, state)
            with pytest.raises(WritesNotAllowed):
                await control.send(change, time.time())
        await controls.aclose()

    before = list(service.changes)
    asyncio.run(go())
    assert service.changes == before


def test_no_method_of_a_console_writes(config: Path, service: World, tmp_path: Path) -> None:
    """Every coroutine of the write service that takes arguments is called with nothing sensible."""
    from console.engine.write_service import Acting

    loaded = loaded_of(config)
    before = state_of(tmp_path)

    async def go() -> list[str]:
        acting = Acting(loaded, SecretResolver((), os.environ), os.environ)
        acting.switch_arming()
        assert acting.state.mode == "read_only"
        await acting.start()
        called = []
        for name, method in inspect.getmembers(acting, inspect.iscoroutinefunction):
            if name.startswith("_") or name in ("start", "close", "adopt"):
                continue
            count = sum(
                each.default is inspect.Parameter.empty
                for each in inspect.signature(method).parameters.values()
            )
            with contextlib.suppress(Exception):  # whatever nonsense raises, nothing is written
                await method(*[None] * count)
            called.append(name)
        await acting.close()
        return called

    assert len(asyncio.run(go())) >= 8
    assert state_of(tmp_path) == before
    assert service.changes == []
