"""A team's journal in PostgreSQL, followed by a console: others' entries, and a dead server."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from console.engine.service import Engine
from console.evaluation.overrides import count, force
from console.journal import open_journal
from console.journal.leases import KEEPER_LEASE
from console.settings.schema import JournalSettings
from tests.engine.fakes import FakeSource, loaded, seen, settings_of
from tests.engine.keep_record import WHO
from tests.engine.test_records import NOW, ROOT, VALUES, Writer, in_force, reading
from tests.journal.postgres_server import PostgresServer, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


def engine_on(url: str, now: list[float]) -> Engine:
    settings = msgspec.structs.replace(settings_of("one"), journal=JournalSettings(url=url))
    source = FakeSource(models=seen("alpha", "beta"), values=VALUES)
    return Engine(loaded(settings), sources=[source], clock=lambda: now[0], open_record=reading)


@pytest.fixture
def url(server: PostgresServer, request: pytest.FixtureRequest) -> str:
    return server.new_database(f"follow_{abs(hash(request.node.name)) % 10**8}")


@contextmanager
def writer(url: str) -> Iterator[Writer]:
    """Somebody on another host, who writes into the same journal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.keep_record", url, "default"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Writer(process)
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def other(url: str) -> Iterator[Writer]:
    with writer(url) as made:
        yield made


async def test_what_others_write_appears_within_one_tick(url: str, other: Writer) -> None:
    now = [NOW]
    engine = engine_on(url, now)
    other.write(kind="note", at=NOW, why="the journal begins")
    first = await engine.tick()
    assert (first.record.state, first.overrides) == ("open", ())
    assert first.record.keeper == ""
    other.begin("OP1", NOW + 720.5)
    other.write(
        kind="ack", at=NOW, action="ack", target="inc:412", incident="412", why="looking",
        details={"step": "taken", "ends_at": NOW + 3600.0, "title": "timeouts"},
    )  # fmt: skip
    begun = await engine.tick()
    assert in_force(begun) == ["alpha OP1"]
    assert [each.kind for each in begun.record.entries[:2]] == ["ack", "override"]
    assert begun.record.entries[0].who.host == "ops-2"
    assert begun.record.entries[0].store_at is not None
    assert begun.overrides[0].state(NOW) == "no end", "no keeper runs anywhere"
    keepers = open_journal(url, who=WHO)
    keepers.take_lease(KEEPER_LEASE, "keeper@ops-3:8", 15.0, now=0.0)
    kept = await engine.tick()
    assert kept.overrides[0].state(NOW) == "in force"
    keepers.drop_lease(KEEPER_LEASE, "keeper@ops-3:8")
    keepers.close()
    other.write(kind="override_ended", at=NOW, op_id="OP1", target="alpha", action="fallback")
    assert in_force(await engine.tick()) == []
    await engine.close()


async def test_a_server_that_is_killed_leaves_the_last_known_in_doubt_and_heals(
    url: str, other: Writer, server: PostgresServer
) -> None:
    now = [NOW]
    engine = engine_on(url, now)
    other.begin("OP1", NOW + 720.5)
    known = await engine.tick()
    assert known.record.trusted
    assert count(known, now[0])[0].startswith("in force 1 next 12m")
    server.stop(signal.SIGQUIT)
    now[0] += 5.0
    try:
        away = await engine.tick()
        assert away.record.state == "unreadable"
        assert away.record.read_at == NOW
        assert in_force(away) == ["alpha OP1"], "the last that is known stays in sight"
        assert count(away, now[0]) == ("in force 1? next 11m 1 NO END", True)
        assert "journal UNREADABLE, last read 5 s ago" in force(away, None, now[0])
        assert "password" not in away.record.sentence
    finally:
        server.start()
    now[0] += 5.0
    back = await engine.tick()
    assert (back.record.state, back.record.read_at) == ("open", NOW + 10.0)
    assert back.record.trusted
    assert not back.record.broken
    assert count(back, now[0])[0].startswith("in force 1 next 11m")
    with writer(url) as writes:
        writes.begin("OP2", NOW + 900.0, "beta")
        assert in_force(await engine.tick()) == ["alpha OP1", "beta OP2"]
    await engine.close()
