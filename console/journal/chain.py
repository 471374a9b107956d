"""How drafts become linked entries: numbers, hashes, and a new segment when the last is old."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

from msgspec import Struct
from msgspec.structs import replace

from console.facts.entry import (
    ENTRY_KINDS,
    ENTRY_SCHEMA,
    ConfirmClass,
    Entry,
    JournalHead,
    Who,
)
from console.journal.canonical import (
    NO_HASH,
    from_body,
    iso,
    plain,
    seconds,
    sha256,
    text,
    to_body,
)
from console.journal.errors import JournalError
from console.journal.ids import new_ulid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.facts.entry import EntryDraft, Json

SEGMENT_SECONDS = 31 * 86400.0
# Writers read their clock before they wait for each other, so a little disorder is no fault.
CLOCK_TOLERANCE_SECONDS = 10.0
_CLASSES = get_args(ConfirmClass)


class Row(NamedTuple):
    """One entry as a store keeps it: the hashed bytes, and copies of what is searched by."""

    seq: int
    segment: int
    chain: str
    id: str
    at: str
    kind: str
    target: str
    op_id: str
    incident: str
    prev_hash: str
    hash: str
    body: str

    def entry(self) -> Entry:
        """Return the entry; raise `BrokenEntryError` where the bytes do not match the hash."""
        return from_body(self.body.encode("utf-8", "surrogateescape"), self.hash, self.seq)


class Tail(Struct, frozen=True, kw_only=True):
    """The end of the chain as seen inside a store's write transaction; times in Unix seconds."""

    chain: str
    seq: int
    hash: str
    at: float
    segment: int
    segment_began_at: float


class Author(Struct, frozen=True, kw_only=True):
    """What the journal puts under every entry it writes."""

    who: Who
    environment: str
    version: str
    config_digest: str

    def writable(self) -> Author:
        """Return the same without what no store takes: an environment can hold any bytes."""
        said = {
            name: text(value, str)
            for name, value in ((name, getattr(self.who, name)) for name in Who.__struct_fields__)
            if isinstance(value, str)
        }
        return replace(
            self,
            who=replace(self.who, **said),
            environment=text(self.environment, str),
        )


def compose(
    tail: Tail | None,
    drafts: Sequence[EntryDraft],
    author: Author,
    wash: Callable[[str], str],
    *,
    store_at: float | None = None,
    segment_seconds: float = SEGMENT_SECONDS,
) -> list[Row]:
    """Return the rows that continue the chain at ``tail`` (None: a new chain), in order.

    The first entry of every segment is of kind ``segment`` and links to the head of the segment
    before it. Raises `JournalError` for a draft that cannot be written.
    """
    rows: list[Row] = []
    for draft in drafts:
        check_draft(draft)
        if tail is None or draft.at - tail.segment_began_at >= segment_seconds:
            rows.append(_opening(tail, draft.at, author, store_at))
            tail = _after(rows[-1], tail)
        rows.append(_row(tail, draft, author, wash, store_at))
        tail = _after(rows[-1], tail)
    return rows


def check_draft(draft: EntryDraft) -> None:
    """Raise `JournalError` where a draft says something no reader would understand."""
    if draft.kind not in ENTRY_KINDS:
        raise JournalError(f"the journal knows no entry of kind {draft.kind!r}")
    if draft.confirm_class not in _CLASSES:
        raise JournalError(f"there is no confirmation class {draft.confirm_class!r}")
    iso(draft.at)


def _opening(tail: Tail | None, at: float, author: Author, store_at: float | None) -> Row:
    identifier = new_ulid(at)
    details: dict[str, Json] = {
        "previous_head_hash": NO_HASH if tail is None else tail.hash,
        "previous_head_seq": 0 if tail is None else tail.seq,
    }
    return _seal(
        Entry(
            schema=ENTRY_SCHEMA,
            chain=identifier if tail is None else tail.chain,
            segment=1 if tail is None else tail.segment + 1,
            seq=1 if tail is None else tail.seq + 1,
            id=identifier,
            at=at,
            store_at=store_at,
            clock_back_seconds=_clock_back(tail, at),
            environment=author.environment,
            kind="segment",
            action="",
            target="",
            op_id="",
            why="the journal begins" if tail is None else "the segment before is full",
            confirm_class="",
            incident="",
            before=None,
            wanted=None,
            after=None,
            blast={},
            details=details,
            who=author.who,
            version=author.version,
            config_digest=author.config_digest,
            prev_hash=NO_HASH if tail is None else tail.hash,
        )
    )


def _row(
    tail: Tail,
    draft: EntryDraft,
    author: Author,
    wash: Callable[[str], str],
    store_at: float | None,
) -> Row:
    return _seal(
        Entry(
            schema=ENTRY_SCHEMA,
            chain=tail.chain,
            segment=tail.segment,
            seq=tail.seq + 1,
            id=new_ulid(draft.at),
            at=draft.at,
            store_at=store_at,
            clock_back_seconds=_clock_back(tail, draft.at),
            environment=author.environment,
            kind=draft.kind,
            action=text(draft.action, wash),
            target=text(draft.target, wash),
            op_id=text(draft.op_id, wash),
            why=text(draft.why, wash),
            confirm_class=draft.confirm_class,
            incident=text(draft.incident, wash),
            before=plain(draft.before, wash),
            wanted=plain(draft.wanted, wash),
            after=plain(draft.after, wash),
            blast=_table(draft.blast, wash),
            details=_table(draft.details, wash),
            who=author.who,
            version=author.version,
            config_digest=author.config_digest,
            prev_hash=tail.hash,
        )
    )


def _table(value: object, wash: Callable[[str], str]) -> dict[str, Json]:
    made = plain(value, wash)
    if not isinstance(made, dict):
        raise JournalError("blast radius and details must be tables of names and values")
    return made


def _clock_back(tail: Tail | None, at: float) -> float:
    """Return by how many seconds the writer's clock stood before the entry before, 0 if it did not.

    A clock that went back never stops an entry: refusing would leave an engineer unable to act
    because some host's clock once ran ahead. It is written down and `verify` says it.
    """
    behind = 0.0 if tail is None else tail.at - at
    return round(behind, 6) if behind > CLOCK_TOLERANCE_SECONDS else 0.0


def _seal(entry: Entry) -> Row:
    body = to_body(entry)
    return Row(
        seq=entry.seq,
        segment=entry.segment,
        chain=entry.chain,
        id=entry.id,
        at=iso(entry.at),
        kind=entry.kind,
        target=entry.target,
        op_id=entry.op_id,
        incident=entry.incident,
        prev_hash=entry.prev_hash,
        hash=sha256(body),
        body=body.decode(),
    )


def tail_of(row: Row, segment_began: str) -> Tail:
    """Return the end of the chain from its last row, also where that row's content was edited.

    An edited last entry must not keep an engineer from acting: the chain goes on from the hash
    that was written, and `verify` goes on naming the edited entry.
    """
    return Tail(
        chain=row.chain,
        seq=row.seq,
        hash=row.hash,
        at=_moment(row.at),
        segment=row.segment,
        segment_began_at=_moment(segment_began),
    )


def head_of(row: Row) -> JournalHead:
    """Return the end of the chain for readers, also where that row's content was edited."""
    return JournalHead(chain=row.chain, seq=row.seq, hash=row.hash, at=_moment(row.at))


def _moment(text_of_time: str) -> float:
    try:
        return seconds(text_of_time)
    except ValueError:
        return 0.0  # an edited copy: it neither calls a clock late nor keeps a segment open


def _after(row: Row, before: Tail | None) -> Tail:
    """Return the tail once ``row`` stands."""
    at = seconds(row.at)
    goes_on = before is not None and row.segment == before.segment
    return Tail(
        chain=row.chain,
        seq=row.seq,
        hash=row.hash,
        at=at,
        segment=row.segment,
        segment_began_at=before.segment_began_at if before is not None and goes_on else at,
    )
