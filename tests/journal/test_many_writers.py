"""One file and several writers: processes that append at once, consoles that begin at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from console.journal import JournalError, Question
from console.journal.sqlite import SqliteStore
from tests.journal.records import note, opened, url_of
from tests.journal.writers import Writer, acknowledged, run_together


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def test_eight_processes_make_one_chain_and_nothing_they_were_told_is_missing(path: Path) -> None:
    told = run_together(url_of(path), writers=8, count=25)
    journal = opened(path)
    judged = journal.verify()
    assert judged.ok, judged.sentence
    assert judged.entries == 8 * 25 + 1
    kept = {(entry.seq, entry.hash) for entry in journal.entries()}
    for lines in told:
        assert len(acknowledged(lines)) == 25
        assert set(acknowledged(lines)) <= kept


def test_consoles_that_make_the_journal_at_the_same_moment_all_open_it(tmp_path: Path) -> None:
    """Looked at in several steps, a half-made file was called "no journal" in a third of rounds."""
    faults: list[JournalError] = []

    def open_with_the_others(path: Path, start: threading.Barrier) -> None:
        start.wait()
        try:
            SqliteStore(path).close()
        except JournalError as fault:
            faults.append(fault)

    for number in range(20):
        path, start = tmp_path / str(number) / "journal.db", threading.Barrier(8)
        openers = [
            threading.Thread(target=open_with_the_others, args=(path, start)) for _ in range(8)
        ]
        for opener in openers:
            opener.start()
        for opener in openers:
            opener.join()
    assert faults == []


def test_of_two_operators_on_one_target_one_is_told_of_the_other(path: Path) -> None:
    journal = opened(path)
    seen = journal.append(note()).seq
    writers = [Writer(url_of(path), 1, name, "untouched", str(seen)) for name in ("ana", "ben")]
    for writer in writers:
        writer.wait_ready()
    for writer in writers:
        writer.go()
    said = sorted(writer.lines()[0].split(" ")[0] for writer in writers)
    assert said[1] == "touched"
    assert said[0].isdigit()
    assert len(journal.entries(Question(kinds=("intent",)))) == 1
