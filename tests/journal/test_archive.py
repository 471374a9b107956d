"""Segments leave as a whole, for files that can be checked, and the chain stays one."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from console.domain.entry import EntryDraft
from console.journal import Journal, JournalError, Question
from console.journal.export import verify_files
from tests.conftest import require_binary
from tests.journal.records import NOW, head_of, intent, note, opened, outcome, tamper

DAY = 86400.0
DOCS = Path(__file__).parents[2] / "docs" / "journal.md"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def three_months(path: Path) -> Journal:
    """A journal with entries a month apart: segments 1, 2 and 3 of two and two and two entries."""
    journal = opened(path)
    for month in range(3):
        journal.append(note(f"month {month}", at=NOW + month * 32 * DAY))
    return journal


def test_only_whole_segments_past_the_retention_leave(path: Path) -> None:
    journal = three_months(path)
    kept = journal.prune(NOW + 182 * DAY)
    assert kept.archived == ()
    assert kept.kept == ("segment 1 stays: its last entry is younger than 183 days",)
    done = journal.prune(NOW + 184 * DAY)
    assert [segment.number for segment in done.archived] == [1]
    assert [entry.seq for entry in journal.entries(Question(until=NOW + 100 * DAY))] == [3, 4, 5, 6]
    judged = journal.verify()
    assert (judged.ok, judged.first_seq) == (True, 3)


def test_the_next_segment_and_an_entry_hold_what_was_archived(path: Path) -> None:
    journal = three_months(path)
    (segment,) = journal.prune(NOW + 184 * DAY).archived
    opening = journal.entries(Question(limit=1))[0]
    assert opening.kind == "segment"
    assert opening.details["previous_head_hash"] == segment.head_hash
    (told,) = journal.entries(Question(kinds=("pruned",)))
    assert told.details["archive_sha256"] == segment.archive_sha256
    archive = path.parent / "journal-archive" / str(segment.archive)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == segment.archive_sha256
    assert archive.stat().st_mode & 0o777 == 0o600
    assert journal.segments()[0] == segment


def test_archives_and_an_export_are_one_chain_again(path: Path, tmp_path: Path) -> None:
    journal = three_months(path)
    anchor = head_of(journal)
    done = journal.prune(NOW + 220 * DAY)
    assert [segment.number for segment in done.archived] == [1, 2]
    files = [path.parent / "journal-archive" / str(each.archive) for each in done.archived]
    export = tmp_path / "export.jsonl"
    export.write_bytes(b"".join(journal.export_lines()))
    judged = verify_files([*files, export], [anchor, head_of(journal)])
    assert (judged.ok, judged.first_seq, judged.end) == (True, 1, "proven"), judged.sentence
    assert verify_files([files[1], export]).remarks[0].startswith("what stood before entry 3")
    assert verify_files([files[0], export]).bad_seq == 3
    assert verify_files([export, files[0]]).ok is False


def test_an_edited_line_of_a_file_is_named(path: Path, tmp_path: Path) -> None:
    journal = three_months(path)
    lines = b"".join(journal.export_lines())
    file = tmp_path / "export.jsonl"
    for old, new, bad_seq in (
        (b"month 1", b"month 9", 4),
        (b'"seq":3', b'"seq": 3', 3),
        (b'{"entry"', b' {"entry"', 1),
        (lines.splitlines(keepends=True)[2], b"", 3),
    ):
        assert old in lines
        file.write_bytes(lines.replace(old, new, 1))
        assert verify_files([file]).bad_seq == bad_seq
    with pytest.raises(JournalError, match="cannot be read"):
        verify_files([tmp_path / "absent"])


def test_the_shell_lines_of_the_docs_give_the_same_hashes(path: Path, tmp_path: Path) -> None:
    require_binary("sha256sum")
    journal = three_months(path)
    (tmp_path / "export.jsonl").write_bytes(b"".join(journal.export_lines()))
    script = re.search(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert script is not None
    done = subprocess.run(
        ["bash", "-c", script[1]], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [entry.hash for entry in journal.entries()]


def test_a_broken_chain_is_not_archived(path: Path) -> None:
    journal = three_months(path)
    tamper(path, "UPDATE midwatch_entry SET body = replace(body, 'month 0', 'month 9')")
    with pytest.raises(JournalError, match="nothing was archived, the journal is broken"):
        journal.prune(NOW + 184 * DAY)
    assert not (path.parent / "journal-archive").exists()


def test_a_segment_with_an_open_intent_stays(path: Path) -> None:
    journal = opened(path)
    trip = intent()
    journal.append(trip)
    journal.append(note(at=NOW + 40 * DAY))
    kept = journal.prune(NOW + 400 * DAY).kept
    assert kept[0].startswith("segment 1 stays: entry 2 is an intent without an outcome")
    journal.append(outcome(trip.op_id, at=NOW + 41 * DAY))
    assert len(journal.prune(NOW + 400 * DAY).archived) == 1


def test_the_segment_being_written_stays_however_old(path: Path) -> None:
    journal = opened(path)
    journal.append(note())
    done = journal.prune(NOW + 4000 * DAY)
    assert done.archived == ()
    assert done.kept == ("segment 1 stays: it is the one being written",)


def test_an_archive_that_cannot_be_written_leaves_the_journal_whole(path: Path) -> None:
    journal = three_months(path)
    blocked = path.parent / "blocked"
    blocked.write_text("not a directory")
    with pytest.raises(JournalError, match="nothing left the journal"):
        journal.prune(NOW + 184 * DAY, directory=blocked)
    assert journal.verify().entries == 6


def test_an_archive_of_another_content_is_never_replaced(path: Path) -> None:
    journal = three_months(path)
    (segment,) = journal.prune(NOW + 184 * DAY).archived
    archive = path.parent / "journal-archive" / str(segment.archive)
    name = archive.name.replace("segment-00001", "segment-00002")
    name = re.sub(r"\d{4}-\d\d-\d\d", "2026-12-25", name)
    (archive.parent / name).write_text("something else")
    with pytest.raises(JournalError, match="exists and holds something else"):
        journal.prune(NOW + 220 * DAY)
    assert [part.name for part in archive.parent.glob(".*")] == []
    (archive.parent / name).unlink()
    assert len(journal.prune(NOW + 220 * DAY).archived) == 1


def test_an_archive_left_by_an_attempt_that_was_cut_off_is_taken(path: Path) -> None:
    three_months(path).close()
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o600)
    (first,) = opened(copy).prune(NOW + 184 * DAY).archived  # its archive stands, the rows too
    journal = opened(path)
    assert journal.prune(NOW + 184 * DAY).archived == (first,)
    assert journal.verify().first_seq == 3


def test_rows_cannot_leave_without_their_archive_being_told(path: Path) -> None:
    journal = three_months(path)
    tamper(path, "DELETE FROM midwatch_entry WHERE segment = 1")
    assert journal.verify().bad_seq == 1
    tamper(
        path,
        "INSERT INTO midwatch_archived SELECT 1, 1, 2, '', '', prev_hash, 'a', 'b' "
        "FROM midwatch_entry WHERE seq = 3",
    )
    judged = journal.verify()
    assert not judged.ok
    assert "no entry says so" in judged.sentence


def test_a_journal_emptied_altogether_is_told(path: Path) -> None:
    journal = three_months(path)
    journal.prune(NOW + 184 * DAY)
    tamper(path, "DELETE FROM midwatch_entry")
    assert not journal.verify().ok


def test_a_clock_far_ahead_once_does_not_let_young_entries_leave(path: Path) -> None:
    journal = opened(path)
    journal.append(note("in a year", at=NOW + 365 * DAY))
    journal.append(EntryDraft(kind="note", at=NOW, why="now"))
    journal.append(note("later", at=NOW + 366 * DAY + 31 * DAY))
    kept = journal.prune(NOW + 190 * DAY)
    assert kept.archived == ()
