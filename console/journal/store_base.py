"""The protocols of journal and store, and the SQL statements both stores share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from console.domain.entry import Lease, Segment
from console.domain.text import visible
from console.journal.chain import Row, TargetTouchedError, iso, seconds
from console.journal.leases import LONGEST_LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from console.domain.entry import Entry, EntryDraft, EntryKind, JournalHead, Verification, Writer
    from console.journal.chain import BrokenEntryError, Tail

KEEP_SECONDS = 183 * 86400.0


class Question(Struct, frozen=True, kw_only=True):
    """Which entries are wanted; everything left out does not limit. Times in Unix seconds UTC.

    With ``newest`` the last that many match, else ``limit`` from the oldest on.
    """

    since: float | None = None
    until: float | None = None
    kinds: tuple[EntryKind, ...] = ()
    target: str | None = None
    op_id: str | None = None
    incident: str | None = None
    after_seq: int = 0
    before_seq: int | None = None
    newest: int | None = None
    limit: int | None = None


class Pruned(Struct, frozen=True, kw_only=True):
    """What pruning did: segments now in archives, and why others had to stay."""

    archived: tuple[Segment, ...]
    kept: tuple[str, ...]


class Journal(Protocol):
    """The record of one team: append-only, one hash chain, safe to use from several processes.

    Every method blocks (a write waits for the disk); call from a thread where a loop runs. Any of
    them raises `JournalError` with a sentence for people.
    """

    @property
    def place(self) -> str:
        """Where it is kept, for people; free of secrets."""

    @property
    def shared(self) -> bool:
        """Whether other hosts write here too, so that a second person can confirm."""

    def name_rows(self, row_ids: Mapping[str, str]) -> None:
        """Take the ids of rows by name: what is written of a row from now on bears its id."""

    def append(self, draft: EntryDraft, *, untouched_since: int | None = None) -> Entry:
        """Write one entry and return it as it stands; it is durable when this returns.

        With ``untouched_since`` nothing is written, and `TargetTouchedError` raised, if any entry
        about the draft's target is newer than that seq.
        """

    def append_all(
        self, drafts: Sequence[EntryDraft], *, untouched_since: int | None = None
    ) -> tuple[Entry, ...]:
        """Write all of them or none."""

    def entries(self, question: Question = ...) -> tuple[Entry, ...]:
        """Return matching entries, oldest first; raise `BrokenEntryError` for an edited one."""

    def listing(self, question: Question = ...) -> tuple[Entry | BrokenEntryError, ...]:
        """Like `entries`, with the error in the place of an edited entry instead of raising it."""

    def tail(self, after_seq: int, limit: int = 500) -> tuple[Entry, ...]:
        """Return what was written after ``after_seq``, oldest first, at most ``limit``."""

    def entry(self, seq: int) -> Entry | None:
        """Return one entry by number, None where there is none."""

    def unsettled(self) -> tuple[Entry, ...]:
        """Return every ``intent`` whose operation has no ``outcome``: verify them, never resend."""

    def head(self) -> JournalHead | None:
        """Return the last entry's place and hash, None for an empty journal."""

    def writer(self, seq: int | None = None) -> Writer | None:
        """Return whom the store itself saw write entry ``seq`` (None: this session).

        None where the store keeps no such thing, as a file does.
        """

    def verify(self, anchors: Sequence[JournalHead] = ()) -> Verification:
        """Read the whole chain, name the first broken entry, and compare with the anchors."""

    def export_lines(self, question: Question = ...) -> Iterator[bytes]:
        """Yield matching entries as lines that can be verified without this program."""

    def segments(self) -> tuple[Segment, ...]:
        """Return every segment, archived ones included, in order."""

    def prune(
        self, now: float, *, keep_seconds: float = KEEP_SECONDS, directory: Path | None = None
    ) -> Pruned:
        """Move whole segments whose last entry is older than ``keep_seconds`` to archive files."""

    def take_lease(self, name: str, holder: str, ttl_seconds: float, now: float) -> Lease:
        """Take or renew a lease; the one returned is in force, and ``holder`` says whose it is."""

    def lease(self, name: str, now: float) -> Lease | None:
        """Return the lease in force at ``now``, None where nobody holds it; takes nothing.

        ``expires_at`` is on the clock of ``now``, whatever the store's own clock says.
        """

    def leases(self, now: float) -> tuple[Lease, ...]:
        """Return every lease that was not given back, in force or not, ends on ``now``'s clock."""

    def drop_lease(self, name: str, holder: str) -> None:
        """Give a lease back; one of another holder is left alone."""

    def close(self) -> None:
        """Let the file or the connection go."""


StoreKind = Literal["sqlite", "postgresql"]


class Store(Protocol):
    """Where rows are kept, for one thread; ``place`` names it. Raises `JournalError` alone."""

    place: str

    @property
    def kind(self) -> StoreKind:
        """What sort of store this is."""

    def write(
        self,
        compose: Callable[[Tail | None, float | None], Sequence[Row]],
        untouched: Sequence[tuple[str, int]],
    ) -> None:
        """Append what ``compose(tail, the server's clock)`` returns, all or nothing, durably.

        Each of ``untouched`` is a target and the newest seq its entries may have, else
        `TargetTouchedError`.
        """

    def rows(self, question: Question, limit: int) -> list[Row]:
        """Return at most ``limit`` matching rows, oldest first (of ``newest``: the newest)."""

    def unsettled(self) -> list[Row]:
        """Return intents without an outcome."""

    def last(self) -> Row | None:
        """Return the last row."""

    def segments(self) -> list[Segment]:
        """Return the segments that stand here, without archived ones."""

    def archived(self) -> list[Segment]:
        """Return the segments that went to archives."""

    def remove(
        self,
        segment: Segment,
        compose: Callable[[Tail | None, float | None], Sequence[Row]],
    ) -> None:
        """Note ``segment`` as archived, append ``compose``'s rows and drop its rows, as one."""

    def take_lease(self, name: str, holder: str, ttl_seconds: float, now: float) -> Lease:
        """Take or renew; return the lease in force."""

    def lease(self, name: str, now: float) -> Lease | None:
        """Return the lease in force, its end on the clock of ``now``."""

    def leases(self, now: float) -> list[Lease]:
        """Return every lease that was not given back."""

    def drop_lease(self, name: str, holder: str) -> None:
        """Give back."""

    def writer(self, seq: int | None) -> Writer | None:
        """Return whom the store saw write ``seq``, or who this session is; None: not kept."""

    def complaints(self) -> list[str]:
        """Return what breaks the store itself: damaged pages, guards taken away."""

    def remarks(self) -> list[str]:
        """Return what is worth knowing about the store and breaks nothing."""

    def close(self) -> None:
        """Let go."""


# ruff: noqa: S608  (what is put together here are names of this module, never values)


COLUMNS = ", ".join(Row._fields)
_MARKS = ", ".join("?" * len(Row._fields))
_ENTRIES = "SELECT " + COLUMNS + " FROM midwatch_entry "
INSERT = "INSERT INTO midwatch_entry (" + COLUMNS + ") VALUES (" + _MARKS + ")"
LAST = _ENTRIES + "ORDER BY seq DESC LIMIT 1"
SEGMENT_BEGAN = "SELECT at FROM midwatch_entry WHERE segment = ? ORDER BY seq LIMIT 1"
NEWEST_ABOUT = _ENTRIES + "WHERE target = ? AND seq > ? ORDER BY seq DESC LIMIT 1"
BY_ID = "SELECT seq FROM midwatch_entry WHERE id = ?"
UNSETTLED = _ENTRIES + (
    "AS asked WHERE kind = 'intent' AND NOT EXISTS ("
    "SELECT 1 FROM midwatch_entry AS told WHERE told.op_id = asked.op_id "
    "AND told.kind = 'outcome' AND told.seq > asked.seq) ORDER BY seq"
)
SEGMENTS = (
    "SELECT edge.number, edge.first_seq, edge.last_seq, opening.at, edge.latest, closing.hash "
    "FROM ("
    "SELECT segment AS number, min(seq) AS first_seq, max(seq) AS last_seq, max(at) AS latest "
    "FROM midwatch_entry GROUP BY segment) AS edge "
    "JOIN midwatch_entry AS opening ON opening.seq = edge.first_seq "
    "JOIN midwatch_entry AS closing ON closing.seq = edge.last_seq ORDER BY edge.number"
)
ARCHIVED = (
    "SELECT number, first_seq, last_seq, first_at, last_at, head_hash, archive, archive_sha256 "
    "FROM midwatch_archived ORDER BY number"
)
NOTE_ARCHIVED = "INSERT INTO midwatch_archived VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
DROP_SEGMENT = "DELETE FROM midwatch_entry WHERE segment = ?"
LEASE = "SELECT name, holder, expires_at, fence FROM midwatch_lease WHERE name = ?"
TAKE_LEASE = (
    "INSERT INTO midwatch_lease (name, holder, expires_at, fence) VALUES (?, ?, ?, 1) "
    "ON CONFLICT (name) DO UPDATE SET "
    "fence = midwatch_lease.fence "
    "+ CASE WHEN midwatch_lease.holder = excluded.holder THEN 0 ELSE 1 END, "
    "holder = excluded.holder, expires_at = excluded.expires_at "
    "WHERE midwatch_lease.holder = excluded.holder OR midwatch_lease.expires_at <= ? "
    # No lease is that long: a clock that was ahead wrote it, and nobody knows how old it is.
    f"OR midwatch_lease.expires_at > ? + {LONGEST_LEASE_SECONDS}"
)
LEASES = (
    "SELECT name, holder, expires_at, fence FROM midwatch_lease WHERE expires_at > 0 ORDER BY name"
)
DROP_LEASE = "UPDATE midwatch_lease SET expires_at = 0 WHERE name = ? AND holder = ?"


def select(question: Question, limit: int) -> tuple[str, tuple[object, ...]]:
    """Return the statement and values that find what ``question`` wants, at most ``limit``."""
    conditions: list[str] = ["seq > ?"]
    parameters: list[object] = [question.after_seq]
    for column, wanted in (
        ("target", question.target),
        ("op_id", question.op_id),
        ("incident", question.incident),
    ):
        if wanted is not None:
            conditions.append(f"{column} = ?")
            parameters.append(wanted)
    if question.since is not None:
        conditions.append("at >= ?")
        parameters.append(iso(max(0.0, question.since)))
    if question.until is not None:
        conditions.append("at < ?")
        parameters.append(iso(max(0.0, question.until)))
    if question.before_seq is not None:
        conditions.append("seq < ?")
        parameters.append(question.before_seq)
    if question.kinds:
        conditions.append(f"kind IN ({', '.join('?' * len(question.kinds))})")
        parameters.extend(question.kinds)
    order = "DESC" if question.newest is not None else "ASC"
    statement = f"{_ENTRIES}WHERE {' AND '.join(conditions)} ORDER BY seq {order} LIMIT ?"
    return statement, (*parameters, limit)


def rows_of(found: Iterable[Sequence[object]]) -> list[Row]:
    """Return what a cursor gave as rows; an edited row may hold anything and stays readable."""
    return [
        Row(_whole(seq), _whole(segment), *(_words(value) for value in others))
        for seq, segment, *others in found
    ]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else -1


def _words(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else repr(value)


def segments_of(found: Iterable[Sequence[object]]) -> list[Segment]:
    """Return segments from either `SEGMENTS` or `ARCHIVED`."""
    made: list[Segment] = []
    for number, first_seq, last_seq, first_at, last_at, head_hash, *archive in found:
        made.append(
            Segment(
                number=int(str(number)),
                first_seq=int(str(first_seq)),
                last_seq=int(str(last_seq)),
                first_at=_moment(first_at),
                last_at=_moment(last_at),
                head_hash=str(head_hash),
                archive=str(archive[0]) if archive else None,
                archive_sha256=str(archive[1]) if archive else None,
            )
        )
    return made


def lease_of(found: Sequence[object]) -> Lease:
    """Return a lease from a row of `LEASE`."""
    name, holder, expires_at, fence = found
    return Lease(
        name=str(name),
        holder=str(holder),
        expires_at=float(str(expires_at)),
        fence=int(str(fence)),
    )


def _moment(value: object) -> float:
    """Return the time; an edited one is endless, so that its segment is never old enough to go."""
    try:
        return seconds(str(value))
    except ValueError:
        return float("inf")


def archived_values(segment: Segment) -> tuple[object, ...]:
    """Return the values of `NOTE_ARCHIVED`."""
    return (
        segment.number,
        segment.first_seq,
        segment.last_seq,
        iso(segment.first_at),
        iso(segment.last_at),
        segment.head_hash,
        segment.archive,
        segment.archive_sha256,
    )


def touched(row: Row) -> TargetTouchedError:
    """Return the refusal that names who wrote what about the target, and when."""
    entry = row.entry()
    what = visible(f"{entry.kind} {entry.action}".strip(), 80)
    return TargetTouchedError(
        entry,
        f"{visible(entry.who.name, 64)} wrote {what} about {visible(entry.target, 80)} "
        f"at {visible(row.at, 40)} meanwhile; nothing was written, look again",
    )


SHORT_OP_LETTERS = 6
"""How many last letters of an operation's id lists show; four are enough to name one."""

_LEAST_LETTERS = 4
_SEARCHED_ENTRIES = 5000


def short_op(op_id: str) -> str:
    """Return the last letters of an operation's id, as lists show it and commands take it."""
    return op_id[-SHORT_OP_LETTERS:]


def whole_op(journal: Journal, text: str) -> str:
    """Return the id of the one operation that ``text`` is or ends; else ``text`` in capitals.

    Searches the newest entries, so that a name given at night is found at once. Raises
    ``ValueError`` where the letters end more than one, and ``JournalError``. Blocks.
    """
    wanted = text.strip().upper()
    if len(wanted) < _LEAST_LETTERS or journal.entries(Question(op_id=wanted, newest=1)):
        return wanted
    entries = journal.entries(Question(newest=_SEARCHED_ENTRIES))
    found = {each.op_id: each for each in entries if each.op_id.endswith(wanted)}
    if len(found) > 1:
        listed = ", ".join(f"{op} ({each.action} {each.target})" for op, each in found.items())
        raise ValueError(f"{wanted} ends {len(found)} operations: {listed}; give more letters")
    return next(iter(found), wanted)
