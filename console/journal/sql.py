"""The statements both stores share; ``?`` stands for a value, and no text is ever spliced in."""

# ruff: noqa: S608  (what is put together here are names of this module, never values)

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.entry import Lease, Segment
from console.journal.canonical import iso, seconds
from console.journal.chain import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.journal.protocol import Question

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
    "WHERE midwatch_lease.holder = excluded.holder OR midwatch_lease.expires_at <= ?"
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
