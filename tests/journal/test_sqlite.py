"""The journal in a real file: several processes, kill -9, full disks, editors with root."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.domain.entry import Entry
from console.journal import (
    BrokenEntryError,
    JournalBusyError,
    JournalError,
    Question,
    TargetTouchedError,
    new_ulid,
    open_journal,
)
from console.settings.secret_references import SecretValue
from tests.journal.records import (
    NOW,
    WHO,
    gossip,
    head_of,
    intent,
    note,
    opened,
    outcome,
    tamper,
    url_of,
)
from tests.journal.writers import ROOT, Writer, acknowledged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def test_file_and_directory_belong_to_one_user_alone(path: Path) -> None:
    journal = opened(path)
    journal.append(note())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    base = sqlite3.connect(path)
    assert base.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    journal.close()


def test_an_entry_stands_for_every_other_process_when_append_returns(path: Path) -> None:
    first, second = opened(path), opened(path)
    entry = first.append(intent())
    assert second.entry(entry.seq) == entry
    assert second.head() is not None
    assert second.tail(1) == (entry,)
    assert second.tail(entry.seq) == ()


def test_questions_are_answered_by_time_kind_target_operation_and_incident(path: Path) -> None:
    journal = opened(path)
    op = new_ulid(NOW)
    journal.append_all([intent(op_id=op), outcome(op, at=NOW + 1)])
    journal.append_all([note(str(n), at=NOW + 10 + n, target="kyc") for n in range(5)])
    assert [e.kind for e in journal.entries(Question(op_id=op))] == ["intent", "outcome"]
    assert [e.why for e in journal.entries(Question(target="kyc", newest=2))] == ["3", "4"]
    assert len(journal.entries(Question(since=NOW + 11, until=NOW + 14))) == 3
    assert [e.seq for e in journal.entries(Question(kinds=("intent", "segment")))] == [1, 2]
    assert [e.kind for e in journal.entries(Question(incident="INC-412"))] == ["intent"]
    assert [e.seq for e in journal.entries(Question(before_seq=3))] == [1, 2]
    assert journal.entries(Question(target="'; DROP TABLE midwatch_entry; --")) == ()


def test_an_intent_is_unsettled_until_its_outcome_stands(path: Path) -> None:
    journal = opened(path)
    one, two = intent(), intent(target="kyc")
    journal.append_all([one, two, outcome(one.op_id)])
    assert [entry.op_id for entry in journal.unsettled()] == [two.op_id]
    journal.append(outcome(two.op_id))
    assert journal.unsettled() == ()


def test_several_entries_are_written_together_or_not_at_all(path: Path) -> None:
    journal = opened(path)
    journal.append(note())
    with pytest.raises(JournalError, match="no entry of kind"):
        journal.append_all([note(), gossip()])
    assert head_of(journal).seq == 2
    assert len(journal.append_all([note("a"), note("b")])) == 2


def test_more_entries_than_one_read_takes_come_back_whole(path: Path) -> None:
    journal = opened(path)
    journal.append_all([note(str(number)) for number in range(1203)])
    assert [entry.seq for entry in journal.entries()] == list(range(1, 1205))
    assert len(journal.entries(Question(limit=700))) == 700
    assert journal.verify().entries == 1204


def test_an_untouched_target_is_written_whatever_happened_to_others(path: Path) -> None:
    journal = opened(path)
    seen = journal.append(note(target="kyc")).seq
    journal.append(note())
    assert journal.append(intent(target="kyc"), untouched_since=seen).seq == 4
    with pytest.raises(TargetTouchedError, match="ana wrote intent trip about kyc") as told:
        journal.append(intent(target="kyc"), untouched_since=seen)
    assert told.value.entry.seq == 4
    assert head_of(journal).seq == 4


def test_killed_while_appending_every_entry_that_was_told_is_there(path: Path) -> None:
    for round_number in range(3):
        writer = Writer(url_of(path), 100_000, f"k{round_number}")
        writer.wait_ready()
        writer.go()
        time.sleep(0.2 + 0.07 * round_number)
        writer.process.send_signal(signal.SIGKILL)
        told = acknowledged(writer.lines())
        assert told
        journal = opened(path)
        judged = journal.verify()
        assert judged.ok, judged.sentence
        for seq, digest in told:
            entry = journal.entry(seq)
            assert entry is not None
            assert entry.hash == digest
        journal.append(note("after the crash"))
        journal.close()


# Somebody with write access to the file.


_FORK = (
    "INSERT INTO midwatch_entry SELECT 9, segment, chain, 'x', at, kind, target, op_id, "
    "incident, 'y', 'z', body FROM midwatch_entry WHERE seq = 2"
)


def test_no_entry_can_be_changed_removed_or_replaced_with_the_guards_in_place(path: Path) -> None:
    journal = opened(path)
    journal.append_all([note("a"), note("b")])
    base = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "UPDATE midwatch_entry SET kind = 'note' WHERE seq = 1",
        "DELETE FROM midwatch_entry WHERE seq = 3",
        "INSERT OR REPLACE INTO midwatch_entry SELECT * FROM midwatch_entry WHERE seq = 2",
        _FORK,
    ):
        with pytest.raises(sqlite3.IntegrityError):
            base.execute(statement)
    assert journal.verify().entries == 3


def test_one_edited_byte_is_named(path: Path) -> None:
    journal = opened(path)
    journal.append_all([note("ana did it"), note("b")])
    journal.close()
    content = path.read_bytes()
    assert content.count(b"ana did it") == 1
    path.write_bytes(content.replace(b"ana did it", b"ben did it"))
    journal = opened(path)
    judged = journal.verify()
    assert (judged.ok, judged.bad_seq) == (False, 2)
    assert judged.sentence == "BROKEN at entry 2: its content does not match its hash"
    with pytest.raises(BrokenEntryError, match="entry 2 of the journal is broken"):
        journal.entries()
    listed = journal.listing()
    assert [isinstance(each, Entry) for each in listed] == [True, False, True]


def test_an_edited_last_entry_does_not_keep_anybody_from_acting(path: Path) -> None:
    journal = opened(path)
    journal.append(note("last"))
    tamper(path, "UPDATE midwatch_entry SET body = replace(body, 'last', 'lost') WHERE seq = 2")
    assert head_of(journal).seq == 2
    assert journal.append(intent()).seq == 3
    assert journal.verify().bad_seq == 2


def test_swapped_entries_are_named(path: Path) -> None:
    journal = opened(path)
    journal.append_all([note("a"), note("b"), note("c")])
    tamper(
        path,
        "UPDATE midwatch_entry SET seq = -2 WHERE seq = 2",
        "UPDATE midwatch_entry SET seq = 2 WHERE seq = 3",
        "UPDATE midwatch_entry SET seq = 3 WHERE seq = -2",
    )
    assert journal.verify().bad_seq == 2


def test_a_rewritten_chain_is_named_under_an_anchor_and_only_there(path: Path) -> None:
    journal = opened(path)
    journal.append_all([note("a"), note("b")])
    anchor = head_of(journal)
    tamper(path, "DELETE FROM midwatch_entry WHERE seq > 1")
    journal.append_all([note("A"), note("b")])
    assert journal.verify().ok
    assert journal.verify().end == "not proven"
    judged = journal.verify([anchor])
    assert (judged.ok, judged.bad_seq) == (False, 3)
    assert "written anew" in judged.sentence


def test_a_search_cannot_be_fooled_unseen(path: Path) -> None:
    journal = opened(path)
    journal.append_all([intent(), note()])
    tamper(path, "UPDATE midwatch_entry SET target = 'other' WHERE seq = 2")
    assert journal.verify().bad_seq == 2


def test_guards_taken_away_are_told(path: Path) -> None:
    journal = opened(path)
    journal.append(note())
    base = sqlite3.connect(path)
    base.execute("DROP TRIGGER midwatch_entry_stays")
    base.commit()
    judged = journal.verify()
    assert not judged.ok
    assert "midwatch_entry_stays" in judged.sentence


def test_damaged_pages_are_told_in_a_sentence(path: Path) -> None:
    journal = opened(path)
    journal.append_all([note("x" * 3000) for _ in range(50)])
    journal.close()
    content = bytearray(path.read_bytes())
    for page in range(4, len(content) // 4096, 3):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    judged = opened(path).verify()
    assert not judged.ok
    assert "damaged" in judged.sentence or "SQLite finds damage" in judged.sentence


# Things that go wrong at three in the morning.


def test_a_file_held_by_another_process_is_told_after_the_wait(path: Path) -> None:
    opened(path).append(note())
    journal = opened(path, wait_seconds=0.2)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(JournalBusyError, match=r"held by another process for more than 0\.2 s"):
        journal.append(note())
    holder.execute("ROLLBACK")
    assert journal.append(note()).seq == 3


def test_something_else_than_a_journal_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("this is a shopping list, much longer than a header of SQLite " * 20)
    text.chmod(0o600)
    with pytest.raises(JournalError, match="no journal and no SQLite database"):
        opened(text)
    assert text.read_text().startswith("this is a shopping list")
    other = tmp_path / "other.db"
    base = sqlite3.connect(other)
    base.execute("CREATE TABLE songs (name)")
    base.commit()
    other.chmod(0o600)
    with pytest.raises(JournalError, match="but no journal"):
        opened(other)
    with pytest.raises(JournalError, match="is not a file"):
        opened(tmp_path)


def test_a_newer_format_is_left_alone(path: Path) -> None:
    opened(path).append(note())
    base = sqlite3.connect(path)
    base.execute("PRAGMA user_version = 7")
    with pytest.raises(JournalError, match="has format 7, this midwatch writes up to 1"):
        opened(path)


def test_a_file_others_can_read_or_change_is_refused(path: Path) -> None:
    opened(path).append(note())
    path.chmod(0o640)
    with pytest.raises(JournalError, match="chmod 600"):
        opened(path)
    path.chmod(0o600)
    path.parent.chmod(0o777)
    with pytest.raises(JournalError, match="anybody can replace it"):
        opened(path)


def test_a_journal_moved_away_while_open_is_not_written_into_the_void(path: Path) -> None:
    journal = opened(path)
    journal.append(note())
    path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(JournalError, match="moved, deleted or replaced"):
        journal.append(note())
    path.with_name("elsewhere.db").rename(path)
    assert journal.append(note()).seq == 3


def test_reading_makes_no_file_and_changes_none(path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        opened(path, read_only=True)
    assert not path.exists()
    opened(path).append(note())
    reader = opened(path, read_only=True)
    assert reader.verify().ok
    with pytest.raises(JournalError, match="cannot be written"):
        reader.append(note())


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = opened(path)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.head()


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with _directory_of_somebody_else() as directory:
        with pytest.raises(JournalError, match="cannot be made or opened: Permission denied"):
            opened(directory / "new" / "journal.db")
        with pytest.raises(JournalError, match=r"cannot be (opened|written)"):
            opened(directory / "journal.db").append(note())


@contextmanager
def _directory_of_somebody_else() -> Iterator[Path]:
    """A directory this user may only read, holding a journal of its own."""
    directory = Path(tempfile.mkdtemp(prefix="midwatch-"))
    file = directory / "journal.db"
    opened(file).append(note())
    directory.chmod(0o555)
    root = os.geteuid() == 0
    try:
        if root:  # root may write anywhere, so become somebody who may not
            os.chown(file, 65534, 65534)
            os.seteuid(65534)
        yield directory
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o700)
        for each in directory.iterdir():
            each.unlink()
        directory.rmdir()


_FILL = """
import resource, sys
from pathlib import Path
from tests.journal.records import note, opened
from console.journal import JournalError
path = Path(sys.argv[1])
journal = opened(path)
journal.append(note("before"))
if sys.argv[2] == "limit":
    size = path.stat().st_size + 8192
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
written = 2
try:
    for number in range(4000):
        journal.append(note("x" * 900))
        written += 1
except JournalError as fault:
    print(written, fault)
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    judged = journal.verify()
    print(judged.ok, judged.entries, journal.append(note("room again")).seq)
"""


def _fill(path: Path, how: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(path), how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_a_disk_that_takes_no_more_is_told_and_nothing_is_half_written(path: Path) -> None:
    told, after = _fill(path, "limit")
    written = told.split(" ")[0]
    assert "the disk refused to read or write" in told
    assert "nothing was written" in told
    assert after == f"True {written} {int(written) + 1}"


def test_a_really_full_file_system_is_told(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        (told,) = _fill(place / "journal.db", "mount")
        assert "the disk is full; nothing was written" in told
        reader = opened(place / "journal.db", read_only=True)
        judged = reader.verify()
        reader.close()
        assert (judged.ok, judged.entries) == (True, int(told.split(" ")[0]))
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_secrets_known_later_are_kept_out_too(path: Path) -> None:
    known: list[SecretValue] = []
    journal = opened(path, secrets=lambda: known)
    known.append(SecretValue("s3cr3t-token"))
    assert journal.append(note("with s3cr3t-token")).why == "with [secret]"
    assert b"s3cr3t-token" not in path.read_bytes()


def test_a_lease_has_one_holder_until_it_ends(path: Path) -> None:
    first, second = opened(path), opened(path)
    mine = first.take_lease("keeper", "ops-1", 30, NOW)
    assert (mine.holder, mine.expires_at, mine.fence) == ("ops-1", NOW + 30, 1)
    assert second.take_lease("keeper", "ops-2", 30, NOW + 29) == mine
    assert first.take_lease("keeper", "ops-1", 30, NOW + 20).expires_at == NOW + 50
    seen = second.lease("keeper", NOW + 49)
    assert seen is not None
    assert (seen.holder, seen.expires_at) == ("ops-1", NOW + 50)
    assert second.lease("keeper", NOW + 50) is None
    assert second.lease("nobody's", NOW) is None
    taken = second.take_lease("keeper", "ops-2", 30, NOW + 50)
    assert (taken.holder, taken.fence) == ("ops-2", 2)
    first.drop_lease("keeper", "ops-1")
    assert first.take_lease("keeper", "ops-1", 30, NOW + 51).holder == "ops-2"
    second.drop_lease("keeper", "ops-2")
    assert first.take_lease("keeper", "ops-1", 30, NOW + 51).fence == 3


def test_an_environment_of_any_bytes_keeps_nobody_from_writing(path: Path) -> None:
    stranger = replace(WHO, name="an\udcff\0", ssh_connection="\udc80 1 2 3", tty="\x1b[2J")
    journal = open_journal(url_of(path), who=stranger, environment="pr\udcffod")
    entry = journal.append(note())
    assert entry.who.name == "an\\udcff␀"
    assert entry.environment == "pr\\udcffod"
    assert entry.who.tty == "\x1b[2J"
    assert journal.verify().ok
