"""The second person, proven by the operating system: one command each, under two real accounts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from msgspec.structs import replace

from console.actions.approval import approval_of, approve
from console.domain.action import ActionRefused
from console.domain.entry import EntryDraft, Who, Writer
from console.journal import Question, gather_who, new_ulid, open_journal
from tests.actions.support import write_config
from tests.actions.world import World, config_toml, world
from tests.journal.postgres_server import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.action import PreparedAction
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


def _who_of(uid: int) -> Who:
    return replace(gather_who("anybody", "test", {}), os_user=f"uid {uid}", uid=uid)


def as_account(
    uid: int, config: Path, *command: str, claims: dict[str, str] | None = None
) -> subprocess.Popen[str]:
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
        env={"PATH": os.environ["PATH"], "HOME": str(config.parent), **(claims or {})},
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

        claims = {"SUDO_USER": "joel", "SUDO_UID": "4000", "USER": "joel", "LOGNAME": "joel"}
        claimed = as_account(ANA, config, "approve", asked.op_id, "--yes", claims=claims)
        code, _, err = finished(claimed)
        assert code == 7, err
        assert f"uid {ANA} asked for it; the second person has another login" in err
        assert service.changes == []

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


def test_where_each_person_has_a_role_the_server_proves_the_second_one(
    journal_url: str, journal: Journal
) -> None:
    """Whoever holds a password can claim to be anybody; the server says which role came."""
    import psycopg

    people = (
        "CREATE ROLE midwatch_people",
        "CREATE ROLE ana LOGIN PASSWORD 'a' IN ROLE midwatch_people",
        "CREATE ROLE joel LOGIN PASSWORD 'j' IN ROLE midwatch_people",
    )
    rights = (
        "GRANT SELECT, INSERT ON midwatch_entry TO midwatch_people",
        "GRANT SELECT ON midwatch_archived, midwatch_format, midwatch_witness TO midwatch_people",
        "GRANT SELECT, INSERT, UPDATE ON midwatch_lease TO midwatch_people",
    )
    with psycopg.connect(
        journal_url.replace("midwatch_owner@", "postgres@"), autocommit=True
    ) as base:
        for statement in (*people, *rights):
            base.execute(statement)

    def as_role(role: str, uid: int) -> Journal:
        url = journal_url.replace("midwatch_owner@", f"{role}:{role[0]}@")
        return open_journal(url, who=_who_of(uid))

    assert journal.writer() == Writer(role="midwatch_owner", address="127.0.0.1", personal=False)
    asking, forging, second = as_role("ana", ANA), as_role("ana", BEN), as_role("joel", BEN)
    try:
        draft = EntryDraft(
            kind="approval",
            at=time.time(),
            action="reset",
            target="fraud-scorer",
            op_id=new_ulid(time.time()),
            details={"step": "asked", "digest": "d"},
        )
        asked = asking.append(draft)
        assert asking.writer(asked.seq) == Writer(role="ana", address="127.0.0.1", personal=True)
        with pytest.raises(ActionRefused, match="both came as the database role ana"):
            approve(forging, asked, _who_of(BEN), "approved", time.time())
        # Past the program, straight into the table: the entry says uid 61002, the server says ana.
        forging.append(replace(draft, details={"step": "given", "digest": "d"}))
        wanted = cast("PreparedAction", SimpleNamespace(op_id=asked.op_id, digest="d"))
        assert approval_of(asking, wanted, _who_of(ANA), time.time()) == ""
        approve(second, asked, _who_of(BEN), "approved", time.time())
        assert approval_of(asking, wanted, _who_of(ANA), time.time()) == f"uid {BEN}"
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
        with psycopg.connect(journal_url.replace("midwatch_owner@", "ana:a@")) as base, refused:
            base.execute("INSERT INTO midwatch_witness VALUES ('99', 'joel', '', true, now())")
    finally:
        for each in (asking, forging, second):
            each.close()
