"""What was cut off is read back and never sent again; without a journal nothing is sent."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from console.actions.recovery import WATCH_SECONDS
from console.domain.action import ActionRefused
from console.domain.entry import EntryDraft
from console.journal import Question
from console.journal.override_log import overrides_in_force
from tests.actions.support import YES, actor, do, trip, write_config
from tests.actions.world import World, config_toml, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIP = ("trip", "fraud-scorer", "--reason", "too many timeouts", "--yes", "--instant")


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def config(service: World, tmp_path: Path) -> Path:
    return write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", [service.url]))


def command(config: Path, *words: str, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    def limited() -> None:
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-m", "console", *words, "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(config.parent)},
        preexec_fn=limited,
    )


async def test_a_person_who_says_it_applied_leaves_an_override_with_its_end(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(ttl_seconds=600.0), None)
        intent = acting._write_intent(prepared, YES)
    words = ("resolve", prepared.op_id, "--as", "applied", "--reason", "looked myself", "--yes")
    said = command(config, *words)
    _, err = said.communicate(timeout=30)
    assert said.returncode == 0, err
    with actor(config) as acting:
        (held,) = overrides_in_force(acting.bench.journal)
        assert held.certain
        assert held.ends_at == pytest.approx(intent.at + 600.0)
        assert held.state(time.time()) == "no end"
        assert held.state(time.time(), keeper_lives=True) == "in force"


@pytest.mark.parametrize("applied", [True, False])
async def test_killed_between_intent_and_outcome(
    service: World, config: Path, applied: bool
) -> None:
    service.hang_seconds, service.applies = 0.5, applied
    killed = command(config, *TRIP, "--ttl", "10m")
    deadline = time.monotonic() + 20.0
    while not service.changes and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    assert killed.returncode == -signal.SIGKILL
    assert len(service.changes) == 1
    with actor(config, name="ben") as now:
        (intent,) = now.bench.journal.unsettled()
        at_once = await now.prepare(trip(), None)
        assert not {"busy", "unsettled"} & {guard.id for guard in at_once.guards}, "it is dead"
        told = {guard.id for guard in at_once.guards if guard.level == "warn"}
        assert ("may_come" in told) == (not applied), "what it sent may still arrive"
    with actor(config, name="ben", clock=lambda: time.time() + WATCH_SECONDS + 30.0) as later:
        await later.prepare(trip(), None)
        assert later.bench.journal.unsettled() == ()
        entries = later.bench.journal.entries(Question(op_id=intent.op_id))
        kinds = [
            each.details["outcome"] for each in entries if each.kind in ("outcome", "observed")
        ]
        assert kinds == (["applied"] if applied else ["unverified", "failed"])
        held = overrides_in_force(later.bench.journal)
        assert [each.op_id for each in held] == ([intent.op_id] if applied else [])
        if applied:
            assert held[0].ends_at == pytest.approx(intent.at + 600.0)
        assert len(service.changes) == 1, "verified, never sent again"
        assert later.bench.journal.verify().ok


async def test_cut_off_and_unreadable_is_locked_until_a_person_says(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        acting._write_intent(prepared, YES)
    service.read_status = 503
    with actor(config, name="ben") as later:
        locked = await later.prepare(trip(), None)
        assert "unverified" in {guard.id for guard in locked.forbidden}
        with pytest.raises(ActionRefused):
            await later.perform(locked, YES)
    said = command(
        config, "resolve", prepared.op_id, "--as", "not", "--reason", "looked myself", "--yes"
    )
    out, err = said.communicate(timeout=30)
    assert said.returncode == 0, err
    assert out.startswith("resolved: trip fraud-scorer")
    service.read_status = 200
    with actor(config, name="ben") as later:
        assert (await do(later, trip()))[1].kind == "applied"


def test_a_full_disk_sends_nothing(service: World, config: Path) -> None:
    with actor(config) as acting:
        for number in range(40):
            acting.bench.journal.append(
                EntryDraft(kind="note", at=time.time(), target="payments", why=f"{number} " * 200)
            )
    size = (config.parent / "j.db").stat().st_size
    full = command(config, *TRIP, limit_bytes=size)
    out, err = full.communicate(timeout=40)
    assert full.returncode == 1, (out, err)
    assert "nothing was sent" in err
    assert "Traceback" not in err
    assert service.changes == []
    with actor(config) as after:
        assert after.bench.journal.verify().ok
        assert after.bench.journal.entries(Question(kinds=("intent",))) == ()


def test_a_journal_that_cannot_be_opened_sends_nothing(service: World, config: Path) -> None:
    (config.parent / "j.db").write_bytes(b"this is no journal at all, only a text file " * 100)
    failed = command(config, *TRIP)
    _, err = failed.communicate(timeout=40)
    assert failed.returncode == 1
    assert "nothing was sent" in err
    assert service.changes == []


async def test_an_interrupt_while_reading_back_leaves_it_to_be_verified(
    service: World, config: Path
) -> None:
    text = config.read_text().replace("within = 1.0", "within = 30.0")
    slow = write_config(config.parent / "slow.toml", text)
    service.applies = False
    acting = command(slow, *TRIP)
    deadline = time.monotonic() + 20.0
    while not service.changes and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    acting.send_signal(signal.SIGINT)
    _, err = acting.communicate(timeout=10)
    assert acting.returncode == 130
    assert "cut off" in err
    assert "Traceback" not in err
    service.states["breaker"] = "FORCED_OPEN"  # it took longer than anybody waited
    with actor(config, name="ben") as later:
        prepared = await later.prepare(trip(), None)
        assert prepared.already
        (held,) = overrides_in_force(later.bench.journal)
        assert held.by == "ana", "whoever reads it back, it is hers"
