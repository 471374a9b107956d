"""Leases of clocks that were ahead and of processes that died: neither blocks anybody for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from console.cli.main import run
from console.domain.action import Override
from console.journal import Question, gather_who, open_journal
from console.journal.leases import LONGEST_LEASE_SECONDS, holder_name, is_dead, shown_holder
from tests.actions.support import write_config
from tests.actions.world import config_toml
from tests.journal.records import NOW, WHO, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from console.journal import Journal

DAY_SECONDS = 86400.0
TAKES = """
import sys, time
from console.journal import gather_who, open_journal
from console.journal.leases import holder_name
who = gather_who("ben", "test", {})
journal = open_journal(sys.argv[1], who=who)
now = time.time() + float(sys.argv[2])
print(journal.take_lease(sys.argv[3], holder_name(who, "01KB"), 20.0, now).holder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def opened(path: Path) -> Journal:
    return open_journal(url_of(path), who=WHO, environment="test")


def taken_by_another(path: Path, name: str, ahead_seconds: float = 0.0) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", TAKES, url_of(path), str(ahead_seconds), name],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ben@")
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_a_lease_from_the_future_counts_as_lapsed(path: Path) -> None:
    journal = opened(path)
    journal.take_lease("act fraud", "ana@ops-1:1 01KB", 20.0, NOW + DAY_SECONDS)
    assert journal.lease("act fraud", NOW) is None
    mine = journal.take_lease("act fraud", "ben@ops-2:2 01KC", 20.0, NOW)
    assert (mine.holder, mine.expires_at) == ("ben@ops-2:2 01KC", NOW + 20.0)
    seen = journal.lease("act fraud", NOW)
    assert seen is not None
    assert seen.holder == mine.holder


def test_a_lease_as_long_as_any_is_kept(path: Path) -> None:
    journal = opened(path)
    journal.take_lease("keeper", "ana@ops-1:1 x", LONGEST_LEASE_SECONDS, NOW)
    assert journal.take_lease("keeper", "ben@ops-2:2 x", 20.0, NOW).holder == "ana@ops-1:1 x"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are told by /proc")
def test_a_process_that_died_on_this_host_holds_nothing(path: Path) -> None:
    journal = opened(path)
    process = taken_by_another(path, "act fraud")
    now = time.time()
    living = journal.lease("act fraud", now)
    assert living is not None
    assert not is_dead(living.holder)
    assert journal.take_lease("act fraud", "me", 20.0, now).holder == living.holder
    killed(process)
    assert is_dead(living.holder)
    assert journal.lease("act fraud", now) is None
    assert journal.take_lease("act fraud", "me", 20.0, now).holder == "me"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are told by /proc")
def test_only_what_certainly_ran_here_is_called_dead() -> None:
    mine = holder_name(gather_who("ana", "test", {}), "01KB")
    assert not is_dead(mine)
    assert " ~" not in shown_holder(mine)
    assert shown_holder(mine).endswith(f":{os.getpid()} 01KB")
    head, _, began = mine.rpartition(".")
    assert is_dead(f"{head}.{int(began) + 1}"), "the number was given to another process"
    assert not is_dead(f"ana@elsewhere:{os.getpid()} 01KB ~0123456789ab.1")
    assert not is_dead(shown_holder(mine)), "written by an older version: not known"


def config_of(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    return str(write_config(tmp_path / "c.toml", config_toml(path, ["http://127.0.0.1:9"])))


def test_a_lease_is_shown_and_broken_with_a_reason_on_the_record(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(path, tmp_path, monkeypatch)
    journal = opened(path)
    journal.take_lease("act fraud-scorer", "ana@ops-1:1 01KB", 20.0, time.time())
    assert run(["lease", "show", "--config", config]) == 0
    assert "act fraud-scorer               in force" in capsys.readouterr().out
    command = ["lease", "break", "fraud-scorer", "--config", config]
    assert run([*command, "--yes"]) == 64
    assert "say why" in capsys.readouterr().err
    assert run([*command, "--reason", "ops-1 burnt down", "--yes"]) == 0
    said = capsys.readouterr()
    assert "broken: the lease on act fraud-scorer of ana@ops-1:1 01KB" in said.out
    assert "two who act at once undo each other" in said.err
    assert journal.lease("act fraud-scorer", time.time()) is None
    (entry,) = journal.entries(Question(kinds=("lease_broken",)))
    assert (entry.target, entry.why) == ("fraud-scorer", "ops-1 burnt down")
    assert entry.details["holder"] == "ana@ops-1:1 01KB"
    assert run([*command, "--reason", "once more", "--yes"]) == 7


def test_a_dead_keeper_of_a_clock_that_was_ahead_is_no_keeper(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(path, tmp_path, monkeypatch)
    opened(path).close()
    killed(taken_by_another(path, "keeper", DAY_SECONDS))
    assert run(["overrides", "--json", "--config", config]) == 0
    assert '"keeper": null' in capsys.readouterr().out
    assert run(["keep", "--once", "--config", config]) == 0
    assert "standing by" not in capsys.readouterr().out


def test_an_override_that_begins_in_the_future_says_so() -> None:
    from console.cli.overrides_command import document, line

    override = Override(
        "01KB", 3, "trip", "fraud", "FORCED_OPEN", (), "ana", "why", NOW + DAY_SECONDS,
        NOW + DAY_SECONDS + 3600, "service", (), (),
    )  # fmt: skip
    assert "BEGINS IN THE FUTURE: the clock that wrote it was 1d ahead" in line(
        override, NOW, keeper_lives=True
    )
    assert document(override, NOW, keeper_lives=True)["ahead_seconds"] == DAY_SECONDS
    assert "FUTURE" not in line(override, NOW + DAY_SECONDS, keeper_lives=True)
