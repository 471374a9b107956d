"""Entries as the bytes that are hashed: RFC 8785 canonical JSON, SHA-256, times in ISO 8601."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import rfc8785

from console.facts.entry import Entry
from console.facts.text import visible
from console.journal.errors import BrokenEntryError, JournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.facts.entry import Json

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
