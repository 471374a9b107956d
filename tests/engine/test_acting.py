"""The write side in the engine: arming, a record that cannot be used, and what was cut off."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from console.actions.gate import ARMED_SECONDS
from console.actions.refusal import WritesNotAllowed
from console.engine.acting import Acting, told_refusal
from console.engine.handle import Refused, WriteState
from console.engine.thread import EngineThread
from console.facts.action import ActionRequest, Confirmation, PreparedAction
from console.facts.entry import EntryDraft
from console.journal import JournalError, open_configured
from console.settings.load import Flags, Loaded, load
from console.settings.schema import Settings
from console.settings.secrets import SecretResolver
from tests.support.prepared import prepared_action

TRIP = ActionRequest("trip", "fraud-scorer", "too many timeouts")
YES = Confirmation(yes=True)


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def loaded_from(
    place: Path, *, write: bool = False, writes: str = "armed", url: str = ""
) -> Loaded:
    path = place / "config.toml"
    url = url or f"sqlite:///{place}/journal.db"
    path.write_text(f'version = 1\nwrites = "{writes}"\n[journal]\nurl = "{url}"\n')
    path.chmod(0o600)
    return load(Flags(config=path, write=write), {"HOME": str(place)})


def acting_on(loaded: Loaded, clock: Clock | None = None) -> Acting:
    return Acting(loaded, SecretResolver([], os.environ), os.environ, clock=clock or Clock())


def mode_of(acting: Acting) -> str:
    return acting.state.mode


async def test_an_arming_runs_out_at_the_gate_itself(tmp_path: Path) -> None:
    clock = Clock()
    acting = acting_on(loaded_from(tmp_path), clock)
    try:
        await acting.start()
        assert mode_of(acting) == "read_only"
        prepared = prepared_action(TRIP, now=clock.now)
        with pytest.raises(WritesNotAllowed):
            await acting.perform(prepared, YES, lambda stage, sentence: None)
        acting.switch_arming()
        assert mode_of(acting) == "armed"
        assert acting.state.armed_left_seconds == ARMED_SECONDS
        clock.now += ARMED_SECONDS
        assert mode_of(acting) == "read_only"
        with pytest.raises(WritesNotAllowed):
            await acting.perform(prepared, YES, lambda stage, sentence: None)
    finally:
        await acting.close()


async def test_never_means_never(tmp_path: Path) -> None:
    acting = acting_on(loaded_from(tmp_path, writes="never"))
    acting.switch_arming()
    assert mode_of(acting) == "read_only"
    assert "never" in acting.state.unarmable
    await acting.close()


async def test_who_only_looks_makes_no_record(tmp_path: Path) -> None:
    acting = acting_on(loaded_from(tmp_path))
    await acting.start()
    assert acting.state.who
    await acting.close()
    assert not (tmp_path / "journal.db").exists()


async def test_a_record_that_cannot_be_opened_is_said_and_stops_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("no directory")
    acting = acting_on(loaded_from(tmp_path, write=True, url=f"sqlite:///{blocked}/journal.db"))
    try:
        with pytest.raises(JournalError) as fault:
            await acting.start()
        assert "the journal cannot be used" in acting.state.problem
        assert told_refusal(fault.value).kind == "journal"
        with pytest.raises(JournalError):
            await acting.prepare(TRIP, None)
    finally:
        await acting.close()


async def test_what_a_crash_cut_off_is_read_back_at_start(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, write=True)
    journal = open_configured(loaded, SecretResolver([], os.environ), os.environ)
    journal.append(
        EntryDraft(kind="intent", at=time.time(), action="trip", target="fraud-scorer", op_id="01X")
    )
    journal.close()
    acting = acting_on(loaded)
    try:
        await acting.start()
        [sentence] = acting.state.settled
        assert sentence.startswith("01X: it was cut off")
    finally:
        await acting.close()


async def test_a_thread_without_a_write_side_refuses_in_words(tmp_path: Path) -> None:
    def never() -> None:
        raise AssertionError("not started")

    thread = EngineThread(never, Settings())  # type: ignore[arg-type]
    came: list[PreparedAction | Refused] = []
    thread.prepare_action(TRIP, came.append)
    await asyncio.sleep(0)
    assert came == [Refused(("the write side is still starting",))]
    assert thread.writing == WriteState(unarmable="the write side is still starting")
