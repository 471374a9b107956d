"""The journal's tail in the Snapshot: written by another process, absent, locked, edited, late."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event

import msgspec

from console.domain.entry import EntryDraft, RecordPage, Verification
from console.domain.snapshot import Snapshot
from console.engine.journal_tail import Follower, Records
from console.engine.service import Engine
from console.engine.thread import EngineThread
from console.evaluation.overrides import count, force
from console.journal import Journal, JournalError, open_journal
from console.journal.leases import KEEPER_LEASE
from console.reports.status import document
from console.screens.journal import reader
from console.settings.schema import JournalSettings, Settings
from tests.engine.fakes import FakeSource, loaded, seen, settings_of
from tests.engine.keep_record import WHO
from tests.journal.records import tamper

ROOT = Path(__file__).parents[2]
NOW = 1_795_402_033.0
VALUES = {"requests_rate": 2.0, "error_ratio": 0.0}


class Writer:
    """A writer in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def write(self, **draft: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(draft) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def begin(self, op_id: str, ends_at: float | None, target: str = "alpha") -> int:
        details = {
            "ends_at": ends_at,
            "controls": ["route"],
            "enforced_by": "keeper",
            "to": "small",
        }
        return self.write(
            kind="override", at=NOW, action="fallback", target=target, op_id=op_id, why="timeouts",
            wanted="small", details=details,
        )  # fmt: skip


@contextmanager
def writer(path: Path, environment: str = "default") -> Iterator[Writer]:
    command = [sys.executable, "-m", "tests.engine.keep_record", url_of(path), environment]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Writer(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        assert process.wait(20) == 0


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def reading(settings: Settings) -> Journal:
    return open_journal(settings.journal.url, who=WHO, read_only=True, wait_seconds=0.2)


def settings_with(path: Path) -> Settings:
    declared = settings_of("one")
    return msgspec.structs.replace(declared, journal=JournalSettings(url=url_of(path)))


def engine_on(path: Path, clock: Callable[[], float] = lambda: NOW) -> Engine:
    source = FakeSource(models=seen("alpha", "beta"), values=VALUES)
    return Engine(loaded(settings_with(path)), sources=[source], clock=clock, open_record=reading)


def follower_on(path: Path, environment: str = "default") -> Follower:
    return Follower(lambda: reading(settings_with(path)), environment, path)


def in_force(snapshot: Snapshot) -> list[str]:
    return [f"{each.target} {each.op_id}" for each in snapshot.overrides]


async def test_an_override_of_another_process_appears_in_a_tick_and_goes_with_its_end(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j" / "journal.db"
    engine = engine_on(path)
    first = await engine.tick()
    assert first.record.state == "absent"
    assert first.overrides == ()
    with writer(path) as other:
        other.begin("OP1", NOW + 720.5)
        begun = await engine.tick()
        assert in_force(begun) == ["alpha OP1"]
        assert begun.record.state == "open"
        assert begun.record.entries[0].kind == "override"
        assert count(begun, NOW) == ("in force 1 next 12m 1 NO END", True)  # no keeper runs
        other.write(
            kind="override_renewed", at=NOW, op_id="OP1", target="alpha", action="fallback",
            details={"ends_at": NOW + 3600.0},
        )  # fmt: skip
        assert (await engine.tick()).overrides[0].ends_at == NOW + 3600.0
        other.write(kind="override_ended", at=NOW, op_id="OP1", target="alpha", action="fallback")
        ended = await engine.tick()
    assert in_force(ended) == []
    texts = [change.text for change in ended.changes]
    assert "alpha fb small by ana is no longer in force" in texts
    assert ended.record.followed_from == 0
    await engine.close()


async def test_a_keeper_that_dies_leaves_no_end_and_one_that_comes_heals_it(
    tmp_path: Path,
) -> None:
    path, now = tmp_path / "journal.db", [NOW]
    source = FakeSource(models=seen("alpha"), values=VALUES)
    engine = Engine(
        loaded(settings_with(path)),
        sources=[source],
        clock=lambda: now[0],
        open_record=reading,
    )
    with writer(path) as other:
        other.begin("OP1", NOW + 720.5)
    keepers = open_journal(url_of(path), who=WHO)
    keepers.take_lease(KEEPER_LEASE, "keeper@ops-2:7", 15.0, NOW)
    lives = await engine.tick()
    assert (lives.record.keeper, lives.record.keeper_until) == ("keeper@ops-2:7", NOW + 15.0)
    assert lives.overrides[0].state(NOW) == "in force"
    assert "ends in 12m" in force(lives, None, NOW)
    now[0] += 16.0
    died = await engine.tick()
    assert died.record.keeper == ""
    assert died.overrides[0].state(now[0]) == "no end"
    assert died.overrides[0].enforcer() == "nobody"
    assert count(died, now[0]) == ("in force 1 next 11m 1 NO END", True)
    assert "NO END due 11m" in force(died, None, now[0])
    told = document(died).overrides[0]
    assert (told.state, told.enforced_by) == ("no end", "nobody")
    keepers.take_lease(KEEPER_LEASE, "keeper@ops-3:8", 15.0, now[0])
    healed = await engine.tick()
    assert healed.overrides[0].state(now[0]) == "in force"
    assert document(healed).overrides[0].enforced_by == "keeper"
    keepers.close()
    await engine.close()


async def test_one_look_knows_what_is_in_force(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writer(path) as other:
        other.begin("OP1", NOW + 720.0)
    engine = engine_on(path)
    assert in_force(await engine.once(remembers=False)) == ["alpha OP1"]
    page = await engine.journal_page(3)
    assert [entry.kind for entry in page.entries] == ["override", "segment"]
    judged = await engine.verify_journal()
    assert isinstance(judged, Verification)
    assert judged.ok
    await engine.close()


def test_what_began_in_another_environment_is_not_ours_but_its_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writer(path, "staging") as other:
        other.begin("OP1", NOW + 720.0)
        here = follower_on(path)
        assert here.read(NOW).overrides == ()
        with writer(path) as ours:
            ours.begin("OP2", NOW + 720.0)
        assert [each.op_id for each in here.read(NOW).overrides] == ["OP2"]
        other.write(kind="override_ended", at=NOW, op_id="OP2")
        assert here.read(NOW).overrides == ()
    here.close()


def test_a_locked_journal_keeps_what_is_known_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writer(path) as other:
        other.begin("OP1", NOW + 720.0)
    here = follower_on(path)
    assert len(here.read(NOW).overrides) == 1
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    locked = here.read(NOW + 5.0)
    assert locked.record.state == "unreadable"
    assert "held by another process" in locked.record.sentence
    assert locked.record.read_at == NOW
    assert len(locked.overrides) == 1
    holder.execute("ROLLBACK")
    holder.close()
    again = here.read(NOW + 10.0)
    assert (again.record.state, again.record.read_at) == ("open", NOW + 10.0)
    here.close()


def test_a_file_that_is_no_journal_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("a shopping list, long enough to be no database at all\n" * 40)
    found = follower_on(path).read(NOW)
    assert found.record.state == "unreadable"
    assert "no journal" in found.record.sentence
    assert not found.record.trusted


def test_an_edited_entry_is_named_and_the_rest_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writer(path) as other:
        other.begin("OP1", NOW + 720.0)
        other.begin("OP2", NOW + 720.0, "beta")
    tamper(
        path, "UPDATE midwatch_entry SET body = replace(body, 'timeouts', 'holidays') WHERE seq = 2"
    )
    found = follower_on(path).read(NOW)
    assert [each.seq for each in found.record.broken] == [2]
    assert [each.op_id for each in found.overrides] == ["OP2"]
    assert found.record.summary(NOW)[0].startswith("journal BROKEN at #2")


def test_a_rewritten_chain_is_noticed_while_it_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writer(path) as other:
        seqs = [other.write(kind="note", at=NOW, why=f"note {number}") for number in range(4)]
        here = follower_on(path)
        assert here.read(NOW).record.head_seq == seqs[-1]
    tamper(path, f"DELETE FROM midwatch_entry WHERE seq > {seqs[-3]}")
    cut = here.read(NOW)
    assert "rewritten" in cut.record.broken[0].problem
    assert cut.record.head_seq == seqs[-3]
    here.close()


def test_a_journal_put_in_the_place_of_another_is_read_from_its_beginning(tmp_path: Path) -> None:
    path, second = tmp_path / "journal.db", tmp_path / "second.db"
    for place, target in ((path, "alpha"), (second, "beta")):
        with writer(place) as other:
            other.begin(f"OP-{target}", NOW + 720.0, target)
    here = follower_on(path)
    assert [each.target for each in here.read(NOW).overrides] == ["alpha"]
    second.rename(path)
    assert [each.target for each in here.read(NOW).overrides] == ["beta"]
    path.unlink()
    gone = here.read(NOW)
    assert (gone.record.state, gone.overrides) == ("absent", ())


async def test_a_journal_that_hangs_holds_up_no_tick_and_no_end(tmp_path: Path) -> None:
    hang, now = Event(), [NOW]

    def stuck(_settings: Settings) -> Journal:
        hang.wait(30.0)
        raise JournalError("released")

    path = tmp_path / "journal.db"
    path.write_bytes(b"something")
    records = Records(stuck, settings_with(path), lambda: now[0])
    records.start()
    began = time.perf_counter()
    await records.settle(0.05)
    records.start()
    now[0] += 20.0
    late = records.known(now[0]).record
    assert late.state == "unreadable"
    assert "no answer for 20 s" in late.sentence
    await records.close()
    assert time.perf_counter() - began < 15.0
    hang.set()
    await asyncio.sleep(0.05)


async def test_a_reload_follows_the_journal_that_is_named_then(tmp_path: Path) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    for place, target in ((first, "alpha"), (second, "beta")):
        with writer(place) as other:
            other.begin(f"OP-{target}", NOW + 720.0, target)
    engine = engine_on(first)
    assert in_force(await engine.tick()) == ["alpha OP-alpha"]
    moved = msgspec.structs.replace(engine.settings, journal=JournalSettings(url=url_of(second)))
    await engine.adopt(moved)
    snapshot = await engine.tick()
    assert in_force(snapshot) == ["beta OP-beta"]
    assert "no longer in force" not in " ".join(change.text for change in snapshot.changes)
    await engine.close()


async def test_without_a_journal_nothing_is_read() -> None:
    source = FakeSource(models=seen("alpha"), values=VALUES)
    engine = Engine(loaded(settings_of("one")), sources=[source])
    snapshot = await engine.tick()
    assert (snapshot.record.state, snapshot.overrides) == ("off", ())
    assert (await engine.journal_page(9)).sentence == "no journal is read here"
    assert await engine.verify_journal() == "no journal is read here"
    await engine.close()


def test_a_long_tail_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(url_of(path), who=WHO)
    journal.append(EntryDraft(kind="note", at=NOW, why="first"))
    here = follower_on(path)
    here.read(NOW)
    drafts = [EntryDraft(kind="note", at=NOW, why=f"note {number}") for number in range(1100)]
    last = journal.append_all(drafts)[-1]
    found = here.read(NOW).record
    assert found.head_seq == last.seq
    assert len(found.entries) == 200
    assert found.entries[0].why == "note 1099"
    here.close()
    journal.close()


def test_the_engines_thread_reads_the_journal_when_it_is_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with writer(path) as other:
        for number in range(3):
            other.write(kind="note", at=NOW, why=f"note {number}")
        tamper(path, "UPDATE midwatch_entry SET body = '{}' WHERE seq = 2")
    thread = EngineThread(lambda: engine_on(path), settings_with(path))
    snapshots: Queue[Snapshot] = Queue()
    thread.start(snapshots.put, lambda sentence: None)
    try:
        snapshots.get(timeout=20.0)
        pages: Queue[RecordPage] = Queue()
        thread.request_journal_page(4, pages.put)
        page = pages.get(timeout=20.0)
        assert [entry.seq for entry in page.entries] == [3, 1]
        assert [each.seq for each in page.broken] == [2]
        judged: Queue[Verification | str] = Queue()
        thread.request_verification(judged.put)
        found = judged.get(timeout=20.0)
        assert isinstance(found, Verification)
        assert found.bad_seq == 2
        assert reader(thread) is thread
    finally:
        thread.stop()
