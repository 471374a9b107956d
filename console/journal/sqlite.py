"""Keeps a journal in one SQLite file: tables, append-only triggers, statements, errors in
sentences.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from console.domain.text import visible
from console.journal import store_base
from console.journal.chain import (
    NO_HASH,
    JournalBusyError,
    JournalError,
    JournalUncertainError,
    TargetTouchedError,
    tail_of,
)
from console.journal.leases import in_force
from console.journal.store_base import touched
from console.settings.problems import readable_by_others, writable_by_others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from console.domain.entry import Lease, Segment, Writer
    from console.journal.chain import Row, Tail
    from console.journal.store_base import Question

_DAMAGED = (
    "the file is damaged; keep a copy, run midwatch journal verify on it, and start a new journal "
    "at another path"
)
# Masked to the primary code: the extended ones only say where inside SQLite it happened.
_PRIMARY = 0xFF


def explained(error: sqlite3.Error, place: str, wait_seconds: float) -> JournalError:
    """Return the error as a sentence about the journal at ``place``."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return JournalBusyError(
                f"the journal {place} is held by another process for more than "
                f"{wait_seconds:g} s; nothing was written, try again, and if it stays so look who "
                "holds the file: fuser -v FILE"
            )
        case sqlite3.SQLITE_FULL:
            why = "the disk is full; nothing was written: free some space and repeat"
        case sqlite3.SQLITE_IOERR:
            why = (
                "the disk refused to read or write (full, over quota, or failing); nothing was "
                "written: look at df, quota and dmesg"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            why = (
                "it cannot be written: the file, its directory or the file system is read-only "
                "for this user; nothing was written"
            )
        case sqlite3.SQLITE_CANTOPEN:
            why = "it cannot be opened; look whether the directory exists and who owns it: ls -ld"
        case sqlite3.SQLITE_NOTADB:
            why = "the file is no journal and no SQLite database; it is left as it is"
        case sqlite3.SQLITE_CORRUPT:
            why = _DAMAGED
        case sqlite3.SQLITE_CONSTRAINT:
            why = (
                f"the store refused the entry ({visible(str(error), 120)}); nothing was written: "
                "run midwatch journal verify"
            )
        case _:
            why = f"SQLite says: {visible(str(error), 160)}"
    return JournalError(f"the journal {place}: {why}")


# What is in force is read past the indexes: no hash covers them, and one damaged page of theirs
# made an ended override stand again. A scan of half a year's entries takes some 20 ms.
_TABLE = " FROM midwatch_entry "
_UNINDEXED = " FROM midwatch_entry NOT INDEXED "
_OUTCOMES = f"SELECT op_id, max(seq){_UNINDEXED}WHERE kind = 'outcome' GROUP BY op_id"
_INTENTS = f"SELECT seq, op_id{_UNINDEXED}WHERE kind = 'intent' ORDER BY seq"
_BY_SEQ = f"SELECT {store_base.COLUMNS}{_UNINDEXED}WHERE seq = ?"
APPLICATION_ID = 0x4D57524A  # "MWRJ": tells a journal from any other SQLite file
SCHEMA_VERSION = 1

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS midwatch_entry (
        seq INTEGER PRIMARY KEY,
        segment INTEGER NOT NULL,
        chain TEXT NOT NULL,
        id TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        target TEXT NOT NULL,
        op_id TEXT NOT NULL,
        incident TEXT NOT NULL,
        prev_hash TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS midwatch_archived (
        number INTEGER PRIMARY KEY,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        first_at TEXT NOT NULL,
        last_at TEXT NOT NULL,
        head_hash TEXT NOT NULL,
        archive TEXT NOT NULL,
        archive_sha256 TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS midwatch_lease (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        expires_at REAL NOT NULL,
        fence INTEGER NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS midwatch_entry_target ON midwatch_entry (target, seq)",
    "CREATE INDEX IF NOT EXISTS midwatch_entry_op ON midwatch_entry (op_id, kind)",
    "CREATE INDEX IF NOT EXISTS midwatch_entry_kind ON midwatch_entry (kind, seq)",
    "CREATE INDEX IF NOT EXISTS midwatch_entry_segment ON midwatch_entry (segment, seq)",
)

TRIGGERS = {
    # The store itself refuses a row that does not continue the chain, whoever inserts it.
    "midwatch_entry_continues": f"""
        BEFORE INSERT ON midwatch_entry
        WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM midwatch_entry)
          OR NEW.prev_hash IS NOT coalesce(
               (SELECT hash FROM midwatch_entry ORDER BY seq DESC LIMIT 1), '{NO_HASH}')
        BEGIN SELECT RAISE(ABORT, 'the entry does not continue the chain'); END
    """,  # noqa: S608  # a constant of this package
    "midwatch_entry_stays": """
        BEFORE UPDATE ON midwatch_entry
        BEGIN SELECT RAISE(ABORT, 'entries of the journal are never changed'); END
    """,
    "midwatch_entry_not_removed": """
        BEFORE DELETE ON midwatch_entry
        WHEN NOT EXISTS (SELECT 1 FROM midwatch_archived WHERE number = OLD.segment)
        BEGIN SELECT RAISE(ABORT, 'entries leave the journal only with their archived segment'); END
    """,
    "midwatch_archived_stays": """
        BEFORE UPDATE ON midwatch_archived
        BEGIN SELECT RAISE(ABORT, 'the list of archives is never changed'); END
    """,
    "midwatch_archived_not_removed": """
        BEFORE DELETE ON midwatch_archived
        BEGIN SELECT RAISE(ABORT, 'the list of archives is never shortened'); END
    """,
}


def statements() -> list[str]:
    """Return everything that makes an empty file a journal; repeating it changes nothing."""
    triggers = [f"CREATE TRIGGER IF NOT EXISTS {name} {rest}" for name, rest in TRIGGERS.items()]
    marks = [
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ]
    return [*TABLES, *triggers, *marks]


class SqliteStore:
    """One connection to the file, for one thread.

    A rollback journal and not the write-ahead log: SQLite before 3.51.3 can lose pages of a
    write-ahead log that several processes checkpoint, and at a human's pace it gains nothing.
    """

    kind: Literal["sqlite"] = "sqlite"

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        empty_if_absent: bool = False,
        wait_seconds: float = 5.0,
    ) -> None:
        """Open the file, and make it if it is not there and may be; raise `JournalError`.

        ``empty_if_absent`` reads a file that is not there as a record in which nothing stands.
        """
        self._path = path
        self._wait_seconds = wait_seconds
        self._identity: tuple[int, int] | None = None
        self.place = visible(str(path), 300)
        if not read_only:
            _make_private_file(path, self.place)
        absent = read_only and _is_empty(path)
        if absent and not empty_if_absent:
            raise JournalError(f"there is no journal at {self.place} yet; nothing was written")
        # A reader too must be able to undo what a crashed writer left half done.
        mode = "rw" if not read_only or os.access(path, os.W_OK) else "ro"
        uri = ":memory:" if absent else f"file:{quote(str(path.absolute()))}?mode={mode}"
        with self._told():
            self._base = sqlite3.connect(
                uri, uri=True, timeout=wait_seconds, isolation_level=None, cached_statements=64
            )
        try:
            with self._told():
                if absent:
                    for statement in statements():
                        self._base.execute(statement)
                self._prepare(read_only)
        except JournalError:
            self._base.close()
            raise
        self._identity = self._file_identity()

    def _prepare(self, read_only: bool) -> None:
        # Bytes that are no UTF-8 are an edited entry to be named, not a reason to stop reading.
        self._base.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        self._base.execute("PRAGMA trusted_schema = OFF")
        self._base.execute("PRAGMA cell_size_check = ON")
        fresh = self._check_format(read_only)
        if read_only:
            self._base.execute("PRAGMA query_only = ON")
            return
        mode = self._base.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        if mode != "delete":
            raise JournalError(
                f"the journal {self.place} stays in SQLite's {mode} mode, which is not safe for "
                "several writers; close whatever else has it open"
            )
        self._base.execute("PRAGMA synchronous = EXTRA")
        if fresh:
            with self._exclusive():
                for statement in statements():
                    self._base.execute(statement)
            _sync_directory(self._path)

    def _check_format(self, read_only: bool) -> bool:
        """Return whether the file is still empty; raise `JournalError` if it is something else."""
        # One transaction for the three: between two reads another process may make the journal.
        self._base.execute("BEGIN")
        try:
            application = self._base.execute("PRAGMA application_id").fetchone()[0]
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            tables = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            self._base.execute("COMMIT")
        if application == 0 and tables == 0:
            if read_only:
                raise JournalError(f"the journal {self.place} is still empty; nothing was written")
            return True
        if application != APPLICATION_ID:
            raise JournalError(
                f"{self.place} is a SQLite database but no journal; it is left as it is. "
                "Give journal.url another path"
            )
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self.place} has format {version}, this midwatch writes up to "
                f"{SCHEMA_VERSION}; nothing was written: update midwatch on this host"
            )
        return False

    def write(
        self,
        compose: Callable[[Tail | None, float | None], Sequence[Row]],
        untouched: Sequence[tuple[str, int]],
    ) -> None:
        """Append in one transaction that no other process can enter."""
        rows: Sequence[Row] = ()
        try:
            with self._told(), self._exclusive():
                for target, newest in untouched:
                    self._refuse_if_touched(target, newest)
                rows = compose(self._tail(), None)
                self._base.executemany(store_base.INSERT, rows)
        except JournalError as fault:
            if rows and not isinstance(fault, TargetTouchedError):
                self._settle(rows, fault)
                return
            raise

    def _settle(self, rows: Sequence[Row], fault: JournalError) -> None:
        """Find out after a fault whether the entries stand; raise unless they do.

        Only a fault at the very end of a commit leaves that open; the file itself knows.
        """
        try:
            stands = self._base.execute(store_base.BY_ID, (rows[-1].id,)).fetchone() is not None
        except sqlite3.Error as second:
            raise JournalUncertainError(
                f"{fault.sentence.replace('nothing was written', 'the write failed')}; the file "
                f"cannot be read either ({visible(str(second), 120)}), so whether the entry "
                "stands is not known"
            ) from fault
        if not stands:
            raise fault

    def _refuse_if_touched(self, target: str, newest: int) -> None:
        found = store_base.rows_of(self._base.execute(store_base.NEWEST_ABOUT, (target, newest)))
        if found:
            raise touched(found[0])

    def _tail(self) -> Tail | None:
        row = self._last()
        if row is None:
            return None
        began = self._base.execute(store_base.SEGMENT_BEGAN, (row.segment,)).fetchone()[0]
        return tail_of(row, str(began))

    def _last(self) -> Row | None:
        found = store_base.rows_of(self._base.execute(store_base.LAST))
        return found[0] if found else None

    def rows(self, question: Question, limit: int) -> list[Row]:
        """Return matching rows; the read lock is let go before this returns."""
        statement, values = store_base.select(question, limit)
        if question.target is None and question.op_id is None and question.incident is None:
            statement = statement.replace(_TABLE, _UNINDEXED)
        with self._told():
            return store_base.rows_of(self._base.execute(statement, values).fetchall())

    def unsettled(self) -> list[Row]:
        """Return intents without an outcome."""
        with self._told():
            outcomes = dict(self._base.execute(_OUTCOMES).fetchall())
            begun = self._base.execute(_INTENTS).fetchall()
            if not all(isinstance(seq, int) for seq in (*outcomes.values(), *dict(begun))):
                raise JournalError(f"the journal {self.place}: {_DAMAGED}")
            wanted = [seq for seq, op_id in begun if outcomes.get(op_id, -1) < seq]
            found = [self._base.execute(_BY_SEQ, (seq,)).fetchone() for seq in wanted]
        return store_base.rows_of(found)

    def last(self) -> Row | None:
        """Return the last row."""
        with self._told():
            return self._last()

    def segments(self) -> list[Segment]:
        """Return the segments that stand here."""
        with self._told():
            return store_base.segments_of(self._base.execute(store_base.SEGMENTS).fetchall())

    def archived(self) -> list[Segment]:
        """Return the segments that went to archives."""
        with self._told():
            return store_base.segments_of(self._base.execute(store_base.ARCHIVED).fetchall())

    def remove(
        self,
        segment: Segment,
        compose: Callable[[Tail | None, float | None], Sequence[Row]],
    ) -> None:
        """Note, append and drop in one transaction."""
        with self._told(), self._exclusive():
            self._base.executemany(store_base.INSERT, compose(self._tail(), None))
            self._base.execute(store_base.NOTE_ARCHIVED, store_base.archived_values(segment))
            self._base.execute(store_base.DROP_SEGMENT, (segment.number,))

    def take_lease(self, name: str, holder: str, ttl_seconds: float, now: float) -> Lease:
        """Take or renew; ``now`` is this host's clock, and every holder stands on this host."""
        with self._told(), self._exclusive():
            self._base.execute(store_base.TAKE_LEASE, (name, holder, now + ttl_seconds, now, now))
            found = self._base.execute(store_base.LEASE, (name,)).fetchone()
        return store_base.lease_of(found)

    def lease(self, name: str, now: float) -> Lease | None:
        """Return the lease in force by this host's clock."""
        with self._told():
            found = self._base.execute(store_base.LEASE, (name,)).fetchone()
        lease = None if found is None else store_base.lease_of(found)
        return lease if in_force(lease, now) else None

    def leases(self, now: float) -> list[Lease]:
        """Return every lease that was not given back."""
        with self._told():
            return [
                store_base.lease_of(each)
                for each in self._base.execute(store_base.LEASES).fetchall()
            ]

    def drop_lease(self, name: str, holder: str) -> None:
        """Give back."""
        with self._told(), self._exclusive():
            self._base.execute(store_base.DROP_LEASE, (name, holder))

    def writer(self, seq: int | None) -> Writer | None:
        """Return None: a file knows nobody."""
        return None

    def complaints(self) -> list[str]:
        """Return damaged pages and triggers that somebody took away."""
        with self._told():
            found = [str(line[0]) for line in self._base.execute("PRAGMA integrity_check(5)")]
            present = {
                name
                for (name,) in self._base.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                )
            }
        damage = [f"SQLite finds damage: {visible(line, 160)}" for line in found if line != "ok"]
        missing = sorted(set(TRIGGERS) - present)
        if missing:
            damage.append(f"triggers that guard the journal are gone: {', '.join(missing)}")
        return damage

    def remarks(self) -> list[str]:
        """Return what is odd: foreign triggers, rights, links, bytes after the file's end."""
        with self._told():
            triggers = self._base.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')"
            ).fetchall()
            pages = self._base.execute("PRAGMA page_count").fetchone()[0]
            size = self._base.execute("PRAGMA page_size").fetchone()[0]
        foreign = sorted({str(name) for (name,) in triggers} - set(TRIGGERS))
        found = []
        if foreign:
            names = visible(", ".join(foreign), 200)
            found.append(f"triggers or views that midwatch did not make act on it: {names}")
        try:
            status = self._path.stat()
        except OSError:
            return found  # an empty record of a session that may not make the file
        if complaint := readable_by_others(self._path) or writable_by_others(self._path):
            found.append(visible(complaint, 300))
        if status.st_nlink > 1:
            found.append(f"the file has {status.st_nlink} names (hard links); who else writes it?")
        if status.st_size > pages * size:
            found.append(f"{status.st_size - pages * size} bytes follow the end of the database")
        return found

    def close(self) -> None:
        """Close the file."""
        with self._told():
            self._base.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise explained(error, self.place, self._wait_seconds) from error
        except UnicodeDecodeError as error:
            # SQLite's own message quotes the damaged bytes, which are no text.
            raise JournalError(f"the journal {self.place}: {_DAMAGED}") from error

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the write lock from the first read on: a tail read without it could be stale."""
        if self._identity is not None and self._file_identity() != self._identity:
            raise JournalError(
                f"the journal {self.place} was moved, deleted or replaced while it was open; "
                "nothing was written: put the file back, or start midwatch again"
            )
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
                    self._base.execute("ROLLBACK")
            raise

    def _file_identity(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0, 0)
        return (status.st_dev, status.st_ino)


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True
    except OSError:
        return False  # opening it says why


def _make_private_file(path: Path, place: str) -> None:
    """Make directory (700) and file (600) where they are missing; refuse what others can change."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        if path.is_symlink() and not path.exists():
            raise JournalError(f"{place} is a link that leads nowhere; give journal.url a file")
        if not path.is_file():
            raise JournalError(f"{place} is not a file; give journal.url the path of one")
        complaint = writable_by_others(path) or readable_by_others(path)
    except OSError as error:
        raise JournalError(
            f"the journal {place} cannot be made or opened: {visible(error.strerror or '')}; "
            "nothing was written"
        ) from error
    if complaint is not None:
        raise JournalError(f"the journal {place} is refused: {visible(complaint, 300)}")


def _sync_directory(path: Path) -> None:
    """Make the new file's name durable; a crash right after must not lose the whole journal."""
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
