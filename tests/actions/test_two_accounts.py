"""The second person, proven by the operating system: one command each, under two real accounts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.journal import Question, gather_who, open_journal
from tests.actions.support import write_config
from tests.actions.world import World, config_toml, world
from tests.journal.postgres_server import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.journal import Journal

ROOT = Path(__file__).parents[2]
ANA, BEN = 61_001, 61_002
"""Accounts that no machine gives to anybody: the kernel knows them, the password file does not."""

ASKS = ("reset", "fraud-scorer", "--reason", "provider says it is well", "--yes", "--instant")


def _root_without_a_login() -> str:
    """Return why two accounts cannot be had here, empty where they can."""
    if os.geteuid() != 0:
        return "only root can act as two accounts"
    if gather_who("", "", {}).login_uid is not None:
        return "the kernel remembers who logged in, so every process here is that one person"
    return ""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that other accounts can read, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="midwatch-accounts-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def service() -> Iterator[World]:
    with world() as made:
        made.states["breaker"] = "FORCED_OPEN"
        yield made


@pytest.fixture(scope="module")
def journal_url() -> Iterator[str]:
    reason = _root_without_a_login()
    if reason:
        pytest.skip(reason)
    with postgres_server() as server:
        yield server.new_database("accounts")


@pytest.fixture
def config(service: World, journal_url: str, place: Path) -> Path:
    text = config_toml(journal_url, [service.url], tier=1).replace('"ana"', '"anybody"')
    made = write_config(place / "c.toml", text)
    made.chmod(0o644)
    return made


@pytest.fixture
def journal(journal_url: str) -> Iterator[Journal]:
    made = open_journal(journal_url, who=gather_who("test", "test", {}))
    yield made
    made.close()


def as_account(uid: int, config: Path, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.actions.as_account",
            str(uid),
            *command,
            "--config",
            str(config),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(config.parent)},
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_only_another_account_of_the_machine_is_a_second_person(
    service: World, config: Path, journal: Journal
) -> None:
    asks = as_account(ANA, config, *ASKS)
    try:
        asked = None
        deadline = time.monotonic() + 40.0
        while asked is None:
            assert asks.poll() is None, finished(asks)
            assert time.monotonic() < deadline, "nobody was asked"
            time.sleep(0.1)
            found = journal.entries(Question(kinds=("approval",)))
            asked = found[0] if found else None
        assert (asked.who.uid, asked.who.person, asked.who.name) == (ANA, f"uid {ANA}", "anybody")

        code, _, err = finished(as_account(ANA, config, "approve", asked.op_id, "--yes"))
        assert code == 7, err
        assert f"uid {ANA} asked for it; the second person has another login" in err

        root = [sys.executable, "-m", "console", "approve", asked.op_id, "--yes"]
        done = subprocess.run(
            [*root, "--config", str(config)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 7, done.stderr
        assert "a login several people use" in done.stderr
        assert service.changes == []

        code, out, err = finished(as_account(BEN, config, "approve", asked.op_id, "--yes"))
        assert code == 0, err
        assert out.startswith("approved: Force closed the breaker of fraud-scorer")

        code, out, err = finished(asks)
        assert code == 0, err
        assert f"approved by uid {BEN}" in err
        assert service.state("breaker") == "CLOSED"
        (given,) = (
            each
            for each in journal.entries(Question(op_id=asked.op_id, kinds=("approval",)))
            if each.details.get("step") == "given"
        )
        assert given.who.uid == BEN
        assert journal.verify().ok
    finally:
        asks.kill()
        asks.wait(10)
