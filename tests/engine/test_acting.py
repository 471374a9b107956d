"""The write side in the engine: arming, a record that cannot be used, and what was cut off."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from console.actions.write_gate import ARMED_SECONDS
from console.domain.action import (
    ActionRefused,
    ActionRequest,
    Confirmation,
    PreparedAction,
    WritesNotAllowed,
)
from console.domain.entry import EntryDraft
from console.domain.incident import CareWish
from console.engine.client import Refused, WriteState
from console.engine.thread import EngineThread
from console.engine.write_service import Acting, told_refusal
from console.journal import JournalError, open_configured
from console.journal.leases import KEEPER_LEASE
from console.journal.store_base import Question
from console.settings.load import Flags, Loaded, load
from console.settings.schema import Settings
from console.settings.secrets import SecretResolver
from tests.actions.cared import incident, seen
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


def ack_taken(now: float, ends_in: float, step: str = "taken") -> EntryDraft:
    return EntryDraft(
        kind="ack",
        at=now,
        action="ack",
        target="inc:f1",
        op_id="01HELD",
        why="looking",
        incident="f1",
        details={"step": step, "ends_at": now + ends_in, "since": now - 60.0, "title": "fraud"},
    )


async def test_an_armed_console_ends_what_is_held_where_no_keeper_runs(tmp_path: Path) -> None:
    clock, loaded = Clock(), loaded_from(tmp_path, write=True)
    journal = open_configured(loaded, SecretResolver([], os.environ), os.environ)
    acting, told = acting_on(loaded, clock), list[str]()
    try:
        journal.append(ack_taken(clock.now, 30.0))
        await acting.keep_holds(None, told.append)
        assert [each.kind for each in journal.entries(Question(kinds=("ack",)))] == ["ack"]
        clock.now += 31.0
        journal.take_lease(KEEPER_LEASE, "a keeper", 15.0, clock.now)
        await acting.keep_holds(None, told.append)
        assert len(journal.entries(Question(kinds=("ack",)))) == 1
        journal.drop_lease(KEEPER_LEASE, "a keeper")
        await acting.keep_holds(None, told.append)
        last = journal.entries(Question(kinds=("ack",)))[-1]
        assert (last.details["step"], last.why) == ("released", "its end came")
        assert "let go: ack of fraud" in told[0]
    finally:
        journal.close()
        await acting.close()


async def test_a_console_that_is_not_armed_keeps_nothing(tmp_path: Path) -> None:
    clock, loaded = Clock(), loaded_from(tmp_path)
    journal = open_configured(loaded, SecretResolver([], os.environ), os.environ)
    acting = acting_on(loaded, clock)
    try:
        journal.append(ack_taken(clock.now - 60.0, 30.0))
        await acting.keep_holds(None, lambda _: None)
        assert len(journal.entries(Question(kinds=("ack",)))) == 1
    finally:
        journal.close()
        await acting.close()


async def test_a_console_lets_go_of_what_it_sees_is_over(tmp_path: Path) -> None:
    clock, loaded = Clock(), loaded_from(tmp_path, write=True)
    journal = open_configured(loaded, SecretResolver([], os.environ), os.environ)
    acting, told = acting_on(loaded, clock), list[str]()
    over = incident("f1", "fraud", clock.now - 60.0, state="resolved")
    try:
        journal.append(ack_taken(clock.now, 3600.0))
        for _ in range(12):
            await acting.keep_holds(seen(clock.now, over), told.append)
            clock.now += 10.0
        last = journal.entries(Question(kinds=("ack",)))[-1]
        assert (last.details["step"], last.why) == ("released", "it is over")
    finally:
        journal.close()
        await acting.close()


async def test_a_wish_of_a_screen_is_done_and_a_refusal_is_told(tmp_path: Path) -> None:
    clock, loaded = Clock(), loaded_from(tmp_path, write=True)
    acting = acting_on(loaded, clock)
    there = seen(clock.now, incident("f1f1f1f1", "fraud", clock.now - 60.0))
    try:
        outcome = await acting.care(CareWish("ack", "fraud"), there)
        assert outcome.kind == "applied"
        assert (await acting.care(CareWish("undo", op_id=outcome.op_id), there)).kind == "applied"
        with pytest.raises(ActionRefused, match="names no incident") as refused:
            await acting.care(CareWish("ack", "nope"), there)
        assert told_refusal(refused.value).kind == "guard"
        acting.switch_arming()
        with pytest.raises(WritesNotAllowed):
            await acting.care(CareWish("note", "fraud", "a word"), there)
    finally:
        await acting.close()
