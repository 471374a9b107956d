"""A journal that vanished, was cut or replaced, or is damaged: told, and never begun anew."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from console.cli.main import run
from console.domain.entry import EntryDraft
from console.journal import (
    JournalError,
    JournalReplacedError,
    Question,
    open_configured,
    open_journal,
)
from console.settings.load import Flags, load
from console.settings.secrets import SecretResolver
from tests.actions.support import write_config
from tests.actions.world import config_toml
from tests.journal.records import WHO, intent, note, outcome, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from console.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "journal.db"


@pytest.fixture
def config(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return write_config(tmp_path / "c.toml", config_toml(path, ["http://127.0.0.1:9"]))


def opened(config: Path, *, read_only: bool = False) -> Journal:
    loaded = load(Flags(config=config), os.environ)
    return open_configured(loaded, SecretResolver((), os.environ), os.environ, read_only=read_only)


def write(config: Path, *words: str) -> None:
    journal = opened(config)
    for why in words:
        journal.append(EntryDraft(kind="note", at=time.time(), why=why))
    journal.close()


def _delete(path: Path, _: Path) -> None:
    path.unlink()


def _empty(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def _roll_back(path: Path, copy: Path) -> None:
    shutil.copy(copy, path)


def _replace(path: Path, copy: Path) -> None:
    path.unlink()
    other = open_journal(url_of(path), who=WHO)
    for number in range(9):
        other.append(note(f"another {number}"))
    other.close()


@pytest.mark.parametrize(
    ("accident", "said"),
    [
        (_delete, "it is not there any more, or empty, and entry 4"),
        (_empty, "it is not there any more, or empty, and entry 4"),
        (_roll_back, "it is an older copy or was cut off: it ends at 2, and entry 4"),
        (_replace, "it is another journal: entry 4"),
    ],
)
def test_a_journal_that_is_not_what_it_was_refuses_until_a_person_says(
    accident: object, said: str, config: Path, path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write(config, "one")
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    write(config, "two", "three")
    accident(path, copy)  # type: ignore[operator]
    for read_only in (False, True):
        with pytest.raises(JournalReplacedError, match=said):
            opened(config, read_only=read_only)
    trip = ["trip", "fraud-scorer", "--reason", "test", "--yes", "--instant"]
    assert run([*trip, "--config", str(config)]) == 1
    assert said in capsys.readouterr().err
    assert run(["overrides", "--config", str(config)]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert "nothing is held by hand" not in told.err
    assert run(["journal", "verify", "--config", str(config)]) in (0, 1)
    assert said in capsys.readouterr().err
    accept = ["journal", "accept", "--config", str(config)]
    assert run(accept) == 64
    assert run([*accept, "--reason", "the disk came back from Monday's copy"]) == 0
    assert "accepted as entry" in capsys.readouterr().out
    journal = opened(config)
    (entry,) = journal.entries(Question(kinds=("journal_accepted",)))
    assert said in str(entry.details["doubt"])
    journal.close()
    write(config, "life goes on")


def test_a_console_does_not_call_a_journal_that_vanished_an_empty_record(
    config: Path, path: Path
) -> None:
    from console.engine.journal_tail import Follower

    follower = Follower(lambda: opened(config, read_only=True), "test", path)
    assert follower.read(time.time()).record.state == "absent"
    write(config, "one")
    assert follower.read(time.time()).record.state == "open"
    path.unlink()
    record = follower.read(time.time()).record
    assert record.state == "unreadable"
    assert "is not what it was" in record.sentence
    follower.close()


def test_a_state_folder_that_cannot_be_written_stops_nothing(config: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way", encoding="utf-8")
    write(config, "one")
    write(config, "two")


def test_every_flipped_byte_of_the_schema_is_told_in_a_sentence(path: Path, tmp_path: Path) -> None:
    """283 of them were `a fault of midwatch itself`: SQLite quotes the damaged bytes."""
    journal = open_journal(url_of(path), who=WHO)
    op_id = "01KB2"
    journal.append_all([intent(op_id=op_id), outcome(op_id), note("a")])
    journal.close()
    sound = path.read_bytes()
    damaged = tmp_path / "damaged.db"
    refused = 0
    for at in range(0, 5000, 7):
        raw = bytearray(sound)
        raw[at] ^= 0xFF
        damaged.write_bytes(bytes(raw))
        damaged.chmod(0o600)
        try:
            read = open_journal(url_of(damaged), who=WHO, read_only=True)
        except JournalError:
            refused += 1
            continue
        try:
            read.verify()
            read.listing()
            read.unsettled()
        except JournalError:
            refused += 1
        read.close()
    assert refused > 20


def test_what_is_in_force_does_not_rest_on_an_index(path: Path) -> None:
    journal = open_journal(url_of(path), who=WHO)
    op_id = "01KB2"
    journal.append_all([intent(op_id=op_id), outcome(op_id)])
    journal.close()
    base = sqlite3.connect(path)
    (root,) = base.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'midwatch_entry_kind'"
    ).fetchone()
    (size,) = base.execute("PRAGMA page_size").fetchone()
    base.close()
    raw = bytearray(path.read_bytes())
    page = raw[(root - 1) * size : root * size]
    raw[(root - 1) * size : root * size] = page.replace(b"outcome", b"outcomf")
    path.write_bytes(bytes(raw))
    journal = open_journal(url_of(path), who=WHO, read_only=True)
    assert journal.unsettled() == ()
    assert len(journal.entries(Question(kinds=("outcome",)))) == 1
    assert not journal.verify().ok, "the damage is named all the same"
    journal.close()


def test_what_is_odd_about_a_file_is_remarked_on(path: Path) -> None:
    journal = open_journal(url_of(path), who=WHO)
    journal.append(note("a"))
    assert journal.verify().remarks == ()
    journal.close()
    base = sqlite3.connect(path)
    base.execute("CREATE TRIGGER mine AFTER INSERT ON midwatch_lease BEGIN SELECT 1; END")
    base.close()
    with path.open("ab") as file:
        file.write(b"junk")
    path.chmod(0o644)
    os.link(path, path.with_name("second"))
    journal = open_journal(url_of(path), who=WHO, read_only=True)
    judged = journal.verify()
    told = "; ".join(judged.remarks)
    assert "did not make act on it: mine" in told
    assert "2 names (hard links)" in told
    assert "4 bytes follow the end" in told
    assert len(judged.remarks) == 4, told
    journal.close()
