"""Reading a chain from its first entry to its last, and saying where it stops being one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.domain.entry import Entry, JournalHead, Verification
from console.domain.text import visible
from console.journal.chain import NO_HASH, BrokenEntryError, JournalError, Row, from_body, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from console.domain.entry import Segment

SKEW_SECONDS = 60.0
_MOST_REMARKS = 20


class ChainReader:
    """Takes rows in order and stops being ``sound`` at the first that does not belong."""

    def __init__(
        self,
        archived: Sequence[Segment] = (),
        anchors: Sequence[JournalHead] = (),
        *,
        from_anywhere: bool = False,
    ) -> None:
        """Expect entry 1, or what follows the last archive, or (``from_anywhere``) any entry."""
        self._from_anywhere = from_anywhere
        self._archived = archived
        self._anchors: dict[tuple[str, int], set[str]] = {}
        for anchor in anchors:
            self._anchors.setdefault((anchor.chain, anchor.seq), set()).add(anchor.hash)
        self._previous: Entry | None = None
        self._pruned: set[object] = set()
        self._remarks: list[str] = []
        self._unsaid = 0
        self._met = 0
        self.entries = 0
        self.first_seq: int | None = None
        self.bad_seq: int | None = None
        self.problem = ""

    @property
    def last_seq(self) -> int | None:
        """The last entry that was sound."""
        return None if self._previous is None else self._previous.seq

    def read(self, rows: Iterable[Row]) -> bool:
        """Check ``rows`` after what was read before; return whether the chain is still sound."""
        for row in rows:
            if self.bad_seq is not None:
                break
            try:
                self._step(row)
            except BrokenEntryError as fault:
                self.fail(fault.seq, fault.problem)
        return self.bad_seq is None

    def fail(self, seq: int | None, problem: str) -> None:
        """Note the first break; later ones are consequences and say nothing new."""
        if self.bad_seq is None and not self.problem:
            self.bad_seq, self.problem = seq, problem

    def remark(self, sentence: str) -> None:
        """Note something that is worth knowing and breaks nothing."""
        if len(self._remarks) < _MOST_REMARKS:
            self._remarks.append(sentence)
        else:
            self._unsaid += 1

    def _step(self, row: Row) -> None:
        expected = self._expected_seq(row)
        if row.seq != expected:
            raise BrokenEntryError(expected, f"it is missing, entry {row.seq} follows")
        entry = row.entry()
        if (entry.seq, entry.prev_hash) != (row.seq, row.prev_hash):
            raise BrokenEntryError(row.seq, "it stands at another place than it was written for")
        self._check_link(entry)
        self._check_copies(row, entry)
        self._check_anchor(entry)
        self._check_clock(entry)
        if entry.kind == "pruned":
            self._pruned.add(entry.details.get("head_hash"))
        self._previous = entry
        self.entries += 1
        if self.first_seq is None:
            self.first_seq = entry.seq

    def _expected_seq(self, row: Row) -> int:
        if self._previous is not None:
            return self._previous.seq + 1
        if self._from_anywhere:
            return row.seq
        return self._archived[-1].last_seq + 1 if self._archived else 1

    def _check_link(self, entry: Entry) -> None:
        before = self._previous
        if before is None and self._from_anywhere:
            if entry.seq > 1:
                self.remark(f"what stood before entry {entry.seq} is not in what was read")
            return
        if before is None:
            linked = self._archived[-1].head_hash if self._archived else NO_HASH
        else:
            linked = before.hash
        if entry.prev_hash != linked:
            raise BrokenEntryError(entry.seq, "it does not continue the entry before it")
        if before is not None and entry.chain != before.chain:
            raise BrokenEntryError(entry.seq, "it belongs to another journal")
        opens = entry.kind == "segment"
        if opens and entry.details.get("previous_head_hash") != entry.prev_hash:
            raise BrokenEntryError(entry.seq, "its segment does not hold the head before it")
        follows = before is None or entry.segment == before.segment + (1 if opens else 0)
        if not follows or (before is None and not opens):
            raise BrokenEntryError(entry.seq, "its segment does not begin where it should")

    def _check_copies(self, row: Row, entry: Entry) -> None:
        """The columns searched by must say what the hashed bytes say, or a search would lie."""
        said = (
            entry.segment,
            entry.chain,
            entry.id,
            iso(entry.at),
            entry.kind,
            entry.target,
            entry.op_id,
            entry.incident,
        )
        kept = (
            row.segment,
            row.chain,
            row.id,
            row.at,
            row.kind,
            row.target,
            row.op_id,
            row.incident,
        )
        if said != kept:
            raise BrokenEntryError(entry.seq, "what it is found by was edited")

    def _check_anchor(self, entry: Entry) -> None:
        held = self._anchors.get((entry.chain, entry.seq))
        if held is None:
            return
        self._met = entry.seq
        # An anchor that only grows keeps the old hash too when a rewritten chain is anchored.
        if held != {entry.hash}:
            raise BrokenEntryError(
                entry.seq, "the anchor holds another hash for it: the chain was written anew"
            )

    def _check_clock(self, entry: Entry) -> None:
        host = visible(entry.who.host, 80)
        if entry.clock_back_seconds > 0:
            self.remark(
                f"entry {entry.seq}: the clock of {host} stood {entry.clock_back_seconds:.0f} s "
                "before the entry before it"
            )
        if entry.store_at is not None and abs(entry.store_at - entry.at) > SKEW_SECONDS:
            self.remark(
                f"entry {entry.seq}: the clock of {host} differs from the database's by "
                f"{entry.at - entry.store_at:+.0f} s"
            )

    def result(self) -> Verification:
        """Return the judgement once every row was read."""
        head = self._head()
        # Of the archived segments the last one's note always stands here, never in an archive.
        if self._archived and self._archived[-1].head_hash not in self._pruned:
            self.fail(self.first_seq, "entries before it went away, and no entry says so")
        self._check_end(head)
        unread = sum(1 for _, seq in self._anchors if self.first_seq and seq < self.first_seq)
        if unread:
            self.remark(f"{unread} anchored entries before {self.first_seq} were not read here")
        if self._unsaid:
            self._remarks.append(f"and {self._unsaid} more remarks")
        ok = not self.problem
        proven = ok and head is not None and self._met == head.seq
        return Verification(
            ok=ok,
            entries=self.entries,
            first_seq=self.first_seq,
            head=head,
            end="proven" if proven else "not proven",
            sentence=self._sentence(head, proven),
            bad_seq=self.bad_seq,
            problem=self.problem,
            remarks=tuple(self._remarks),
        )

    def _head(self) -> JournalHead | None:
        last = self._previous
        if last is None:
            return None
        return JournalHead(chain=last.chain, seq=last.seq, hash=last.hash, at=last.at)

    def _check_end(self, head: JournalHead | None) -> None:
        """Compare the end with the newest anchor, unless the chain broke before it."""
        if not self._anchors or self.problem:
            return
        chain = next(iter(self._anchors))[0] if head is None else head.chain
        anchored = [seq for of_chain, seq in self._anchors if of_chain == chain]
        last = 0 if head is None else head.seq
        if not anchored:
            self.fail(self.first_seq, "the anchor belongs to another journal")
        elif max(anchored) > last:
            self.fail(
                last + 1,
                f"the anchor knows entry {max(anchored)}, the journal ends at {last}: "
                "its end was cut off",
            )

    def _sentence(self, head: JournalHead | None, proven: bool) -> str:
        if self.problem:
            place = f"entry {self.bad_seq}: " if self.bad_seq is not None else ""
            return f"BROKEN at {place}{self.problem}" if place else f"BROKEN: {self.problem}"
        if head is None:
            return "the journal is empty; end not proven"
        counted = f"{self.entries} entries, {self.first_seq} to {head.seq}, are one whole chain"
        if proven:
            return f"{counted}; end proven by the anchor"
        if self._met:
            return f"{counted}; proven to entry {self._met}, end not proven after it"
        return f"{counted}; end not proven (no anchor outside the journal names it)"


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
