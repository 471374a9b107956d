"""Turns drafts into linked entries: canonical bytes, SHA-256 hashes, sequence numbers, segments;
and the journal's errors.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, get_args

import msgspec
import rfc8785
from msgspec import Struct
from msgspec.structs import replace

from console.domain.entry import ENTRY_KINDS, ENTRY_SCHEMA, ConfirmClass, Entry, JournalHead, Who
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.domain.entry import EntryDraft, Json


class JournalError(Exception):
    """The journal cannot be read or written; nothing was written unless the sentence says so."""

    @property
    def sentence(self) -> str:
        """What happened and what to do; harmless to show."""
        return str(self)


class JournalBusyError(JournalError):
    """Somebody else held the journal for longer than one waits; trying again is right."""


class JournalReplacedError(JournalError):
    """The journal is younger than what this host saw of it, or it is another one."""

    def __init__(self, place: str, doubt: str) -> None:
        super().__init__(
            f"the journal {place} is not what it was: {doubt}. What is in force may be missing "
            "from it: put the right one back, or look at the services and then say "
            "midwatch journal accept --reason TEXT"
        )


class JournalReadOnlyError(JournalError):
    """This session may look at the record and change nothing of it."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"the journal {place} cannot be written by this session; nothing was written: it only "
            'reads (writes = "never" in the configuration, --read-only, or a command that looks)'
        )


class JournalUncertainError(JournalError):
    """The connection broke while the entry was being written: it may or may not stand there."""


class BrokenEntryError(JournalError):
    """An entry that was asked for does not match its hash; ``seq`` names it."""

    def __init__(self, seq: int, problem: str) -> None:
        super().__init__(
            f"entry {seq} of the journal is broken: {problem}; run: midwatch journal verify"
        )
        self.seq = seq
        self.problem = problem


class TargetTouchedError(JournalError):
    """Somebody wrote about the target meanwhile; ``entry`` is the newest such entry."""

    def __init__(self, entry: Entry, sentence: str) -> None:
        super().__init__(sentence)
        self.entry = entry


_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LARGEST_MS = (1 << 48) - 1


def new_ulid(now: float) -> str:
    """Return a fresh ULID of ``now`` (Unix seconds UTC): 48 bits of time, 80 of chance."""
    ms = min(max(round(now * 1000), 0), _LARGEST_MS)
    number = (ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


NO_HASH = "0" * 64
LARGEST_ENTRY_BYTES = 256 * 1024
DEEPEST_VALUE = 24
_LARGEST_INTEGER = 2**53 - 1
_LARGEST_TIME_SECONDS = 253_402_300_799.0  # the last second of year 9999
_TIMES = ("at", "store_at")


def sha256(data: bytes) -> str:
    """Return the digest as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def iso(at: float) -> str:
    """Return Unix seconds as UTC text with microseconds, which sorts by time.

    Raises `JournalError` for a time no calendar holds.
    """
    if not 0 <= at <= _LARGEST_TIME_SECONDS:
        raise JournalError(f"the clock says {at!r} s since 1970, which is no time; set the clock")
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """Return what `iso` wrote as Unix seconds; raise ``ValueError`` for anything else."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007  # the Z is UTC
    return moment.replace(tzinfo=UTC).timestamp()


def to_body(entry: Entry) -> bytes:
    """Return the canonical bytes of everything but the hash; raise `JournalError` if too large."""
    document: dict[str, object] = msgspec.to_builtins(entry)
    del document["hash"]
    for key in _TIMES:
        moment = document[key]
        document[key] = iso(moment) if isinstance(moment, float) else None
    try:
        body = canonical(document)
    except (ValueError, RecursionError) as fault:
        raise JournalError(f"the entry cannot be written as JSON: {visible(str(fault))}") from fault
    if len(body) > LARGEST_ENTRY_BYTES:
        raise JournalError(
            f"an entry of {len(body)} bytes is refused, the limit is {LARGEST_ENTRY_BYTES}; "
            "shorten the reason or the evidence"
        )
    return body


def canonical(document: object) -> bytes:
    """Return RFC 8785 JSON of a document that `plain` made harmless."""
    return rfc8785.dumps(document)  # type: ignore[arg-type]  # the library's own recursive alias


def from_body(body: bytes, stored_hash: str, seq: int) -> Entry:
    """Return the entry in ``body``; raise `BrokenEntryError` where it does not match its hash."""
    if sha256(body) != stored_hash:
        raise BrokenEntryError(seq, "its content does not match its hash")
    try:
        document = json.loads(body)
        for key in _TIMES:
            if document[key] is not None:
                document[key] = seconds(document[key])
        return msgspec.convert({**document, "hash": stored_hash}, Entry)
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError) as fault:
        raise BrokenEntryError(seq, "its content is no entry this version can read") from fault


def plain(value: object, wash: Callable[[str], str], depth: int = 0) -> Json:
    """Return ``value`` as JSON that any reader gets back unchanged.

    Text goes through ``wash`` (secrets out). What JSON cannot hold stays readable: NaN, the
    infinities and whole numbers beyond 2^53 become text. Raises `JournalError` for other types.
    """
    if depth > DEEPEST_VALUE:
        raise JournalError(f"a value nested more than {DEEPEST_VALUE} deep is not written")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, wash)
    if isinstance(value, int):
        return int(value) if abs(value) <= _LARGEST_INTEGER else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {text(str(key), wash): plain(entry, wash, depth + 1) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [plain(entry, wash, depth + 1) for entry in value]
    raise JournalError(f"a value of type {type(value).__name__} cannot be written into the journal")


def text(value: str, wash: Callable[[str], str]) -> str:
    """Return ``value`` without secrets, halves of surrogate pairs and NUL, which no store takes."""
    washed = wash(str(value)).replace("\0", "\u2400")
    return washed.encode("utf-8", "backslashreplace").decode()


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
