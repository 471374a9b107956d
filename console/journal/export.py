"""Entries as lines of a file that anybody can verify with any SHA-256 and any JSON reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.facts.entry import Entry
from console.facts.text import visible
from console.journal.canonical import from_body, iso
from console.journal.chain import Row
from console.journal.errors import BrokenEntryError, JournalError
from console.journal.verify import ChainReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from console.facts.entry import JournalHead, Verification

_LINE = re.compile(rb'\{"entry":(?P<body>\{.*\}),"hash":"(?P<hash>[0-9a-f]{64})"\}\n?')


def line_of(row: Row) -> bytes:
    """Return ``{"entry":{…},"hash":"…"}`` and a newline; the entry's bytes are the hashed ones."""
    return b'{"entry":' + row.body.encode() + b',"hash":"' + row.hash.encode() + b'"}\n'


def verify_files(paths: Sequence[Path], anchors: Sequence[JournalHead] = ()) -> Verification:
    """Check exports and archives, in the order given, as one chain; needs no journal.

    Raises `JournalError` where a file cannot be read.
    """
    reader = ChainReader(anchors=anchors, from_anywhere=True)
    for path in paths:
        try:
            with path.open("rb") as file:
                _read_file(file, reader)
        except OSError as error:
            raise JournalError(
                f"{visible(str(path), 200)} cannot be read: {visible(error.strerror or '')}"
            ) from error
    return reader.result()


def _read_file(lines: Iterable[bytes], reader: ChainReader) -> None:
    try:
        reader.read(rows_in(lines, (reader.last_seq or 0) + 1))
    except BrokenEntryError as fault:
        reader.fail(fault.seq, fault.problem)


def rows_in(lines: Iterable[bytes], first_seq: int = 1) -> Iterator[Row]:
    """Yield the rows that `line_of` wrote; raise `BrokenEntryError` at a line that is not such.

    The numbers in errors are entries, counted on from ``first_seq`` or the last one read.
    """
    expected = first_seq
    for line in lines:
        row = _row(line, expected)
        expected = row.seq + 1
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
