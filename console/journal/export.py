"""Entries as lines of a file that anybody can verify with any SHA-256 and any JSON reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.facts.entry import Entry
from console.journal.canonical import from_body, iso
from console.journal.chain import Row
from console.journal.errors import BrokenEntryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE = re.compile(rb'\{"entry":(?P<body>\{.*\}),"hash":"(?P<hash>[0-9a-f]{64})"\}\n?')


def line_of(row: Row) -> bytes:
    """Return ``{"entry":{…},"hash":"…"}`` and a newline; the entry's bytes are the hashed ones."""
    return b'{"entry":' + row.body.encode() + b',"hash":"' + row.hash.encode() + b'"}\n'


def rows_in(lines: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows that `line_of` wrote; raise `BrokenEntryError` at a line that is not such.

    The numbers in errors are entries, counted on from the last one that could be read.
    """
    last_seq = 0
    for line in lines:
        row = _row(line, last_seq + 1)
        last_seq = row.seq
        yield row


def _row(line: bytes, seq: int) -> Row:
    taken = _LINE.fullmatch(line)
    if taken is None:
        raise BrokenEntryError(seq, "its line is not written as the journal writes lines")
    body, hash_ = taken["body"], taken["hash"].decode()
    return row_of(from_body(body, hash_, seq), body.decode())


def row_of(entry: Entry, body: str) -> Row:
    """Return the row that holds ``entry``."""
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
        hash=entry.hash,
        body=body,
    )
