"""The journal over any store: one writer thread, append, read, verify, archive."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLongError
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from console.journal import archive
from console.journal.chain import (
    SEGMENT_SECONDS,
    Author,
    BrokenEntryError,
    JournalError,
    JournalReadOnlyError,
    JournalReplacedError,
    JournalUncertainError,
    compose,
    head_of,
)
from console.journal.export import ChainReader, line_of
from console.journal.leases import is_dead
from console.journal.store_base import KEEP_SECONDS, Pruned, Question
from console.settings.secret_references import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from console.domain.entry import (
        Entry,
        EntryDraft,
        JournalHead,
        Lease,
        Segment,
        Verification,
        Writer,
    )
    from console.journal.chain import Row, Tail
    from console.journal.head_memory import HeadMemory
    from console.journal.store_base import Store
    from console.settings.secret_references import SecretValue

T = TypeVar("T")


class StoreThread:
    """Opens a store in its own thread and runs one piece of work on it after the other."""

    def __init__(self, open_store: Callable[[], Store], limit_seconds: float) -> None:
        """Open the store; raise `JournalError` if it cannot be, or takes too long."""
        self._limit_seconds = limit_seconds
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._closed = threading.Event()
        try:
            self._store = self._wait(self._executor.submit(open_store), "was not opened")
        except JournalError:
            self._executor.shutdown(wait=False, cancel_futures=True)
            raise

    @property
    def store(self) -> Store:
        """The store, for its name and kind only."""
        return self._store

    def run(self, work: Callable[[Store], T]) -> T:
        """Return what ``work`` returns; raise what it raises, or `JournalUncertainError`."""
        if self._closed.is_set():
            raise JournalError("the journal is closed; start midwatch again")
        return self._wait(self._executor.submit(work, self._store), "gave no answer")

    def _wait(self, future: Future[T], what: str) -> T:
        try:
            return future.result(self._limit_seconds)
        except WaitedTooLongError as fault:
            if future.cancel():
                raise JournalError(
                    f"the journal {what} within {self._limit_seconds:g} s, because earlier work "
                    "on it hangs; nothing was written"
                ) from fault
            raise JournalUncertainError(
                f"the journal {what} within {self._limit_seconds:g} s (a hanging disk or "
                "database); whether the entry stands is not known"
            ) from fault

    def close(self) -> None:
        """Close the store after the work that waits; a second call does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        try:
            self._wait(self._executor.submit(self._store.close), "was not closed")
        finally:
            self._executor.shutdown(wait=False)


CHUNK = 500


class ChainedJournal:
    """A `Journal`; made by `console.journal.opening.open_journal`."""

    def __init__(
        self,
        thread: StoreThread,
        author: Author,
        *,
        secrets: Callable[[], Iterable[SecretValue]],
        archives: Path,
        segment_seconds: float = SEGMENT_SECONDS,
        read_only: bool = False,
        memory: HeadMemory | None = None,
    ) -> None:
        self._read_only = read_only
        self._memory = memory
        self._thread = thread
        self._author = author
        self._secrets = secrets
        self._archives = archives
        self._segment_seconds = segment_seconds
        self._row_ids: Mapping[str, str] = {}

    def name_rows(self, row_ids: Mapping[str, str]) -> None:
        """Take the ids of rows by name: what is written of a row from now on bears its id."""
        self._row_ids = row_ids

    def _with_row(self, draft: EntryDraft) -> EntryDraft:
        row = self._row_ids.get(draft.target)
        if not row or "row" in draft.details:
            return draft
        return replace(draft, details={**draft.details, "row": row})

    @property
    def place(self) -> str:
        """Where it is kept, for people; free of secrets."""
        return self._thread.store.place

    @property
    def shared(self) -> bool:
        """Whether other hosts write here too."""
        return self._thread.store.kind == "postgresql"

    def append(self, draft: EntryDraft, *, untouched_since: int | None = None) -> Entry:
        """Write one entry; it is durable when this returns."""
        return self.append_all((draft,), untouched_since=untouched_since)[0]

    def append_all(
        self, drafts: Sequence[EntryDraft], *, untouched_since: int | None = None
    ) -> tuple[Entry, ...]:
        """Write all of them or none, in order."""
        self._check_writable()
        drafts = [self._with_row(draft) for draft in drafts]
        targets = dict.fromkeys(draft.target for draft in drafts)
        untouched = (
            [] if untouched_since is None else [(target, untouched_since) for target in targets]
        )
        composer = self._composer(drafts)
        self._thread.run(lambda store: store.write(composer, untouched))
        if self._memory is not None:
            self._memory.keep(head_of(composer.rows[-1]))
        # What the journal adds by itself (a new segment) is not what the caller asked for.
        return tuple(row.entry() for row in composer.rows[-1 : -len(drafts) - 1 : -1][::-1])

    def check_head(self) -> None:
        """Raise `JournalReplacedError` where this is not the journal that this host knows."""
        if self._memory is None:
            return
        if doubt := self._memory.doubt(self):
            raise JournalReplacedError(self.place, doubt)
        if (head := self.head()) is not None:
            self._memory.keep(head)

    def doubt(self) -> str:
        """Return why this is not the journal that this host knows, empty where it is."""
        return "" if self._memory is None else self._memory.doubt(self)

    def accept_head(self) -> None:
        """Take the journal as it is for the one that this host knows from now on."""
        if self._memory is not None and (head := self.head()) is not None:
            self._memory.keep(head, anew=True)

    def _check_writable(self) -> None:
        """Stop every way to write at the one place they all pass; raise `JournalReadOnlyError`."""
        if self._read_only:
            raise JournalReadOnlyError(self.place)

    def _composer(self, drafts: Sequence[EntryDraft]) -> _Composer:
        return _Composer(drafts, self._author, self._wash(), self._segment_seconds)

    def _wash(self) -> Callable[[str], str]:
        known = tuple(self._secrets())
        return lambda text: redact(text, known)

    def entries(self, question: Question = Question()) -> tuple[Entry, ...]:  # noqa: B008  # frozen
        """Return matching entries, oldest first."""
        return tuple(row.entry() for row in self._matching(question))

    def listing(
        self,
        question: Question = Question(),  # noqa: B008  # frozen
    ) -> tuple[Entry | BrokenEntryError, ...]:
        """Return matching entries, oldest first, with an error in the place of an edited one."""
        return tuple(_entry_or_error(row) for row in self._matching(question))

    def _matching(self, question: Question) -> Iterable[Row]:
        if question.newest is None:
            return self._rows(question)
        return reversed(self._chunk(question, question.newest))

    def _rows(self, question: Question) -> Iterator[Row]:
        """Yield matching rows in chunks, so that no writer waits for a long read."""
        left = question.limit
        while left is None or left > 0:
            size = CHUNK if left is None else min(CHUNK, left)
            found = self._chunk(question, size)
            yield from found
            if len(found) < size:
                return
            left = None if left is None else left - len(found)
            question = replace(question, after_seq=found[-1].seq)

    def _chunk(self, question: Question, size: int) -> list[Row]:
        return self._thread.run(lambda store: store.rows(question, size))

    def tail(self, after_seq: int, limit: int = CHUNK) -> tuple[Entry, ...]:
        """Return what was written after ``after_seq``, oldest first."""
        return self.entries(Question(after_seq=after_seq, limit=limit))

    def entry(self, seq: int) -> Entry | None:
        """Return one entry by number."""
        found = self.tail(seq - 1, limit=1)
        return found[0] if found and found[0].seq == seq else None

    def unsettled(self) -> tuple[Entry, ...]:
        """Return every intent without an outcome, oldest first."""
        return tuple(row.entry() for row in self._thread.run(lambda store: store.unsettled()))

    def head(self) -> JournalHead | None:
        """Return the last entry's place and hash, as `verify` will judge them."""
        row = self._thread.run(lambda store: store.last())
        return None if row is None else head_of(row)

    def writer(self, seq: int | None = None) -> Writer | None:
        """Return whom the store itself saw write ``seq``, or who this session is."""
        return self._thread.run(lambda store: store.writer(seq))

    def verify(self, anchors: Sequence[JournalHead] = ()) -> Verification:
        """Read the whole chain; a store that cannot be read on breaks it where that happens."""
        while True:
            archived = self._archived()
            judged = self._read_through(ChainReader(archived, anchors))
            # Entries that went to an archive while they were read must not look like a gap.
            if judged.ok or self._archived() == archived:
                return judged

    def _archived(self) -> list[Segment]:
        return self._thread.run(lambda store: store.archived())

    def _read_through(self, reader: ChainReader) -> Verification:
        try:
            for row in self._rows(Question(after_seq=-(2**62))):
                if not reader.read((row,)):
                    break
            for complaint in self._thread.run(lambda store: store.complaints()):
                reader.fail(None, complaint)
            for remark in self._thread.run(lambda store: store.remarks()):
                reader.remark(remark)
        except JournalError as fault:
            last = reader.last_seq
            reader.fail(None if last is None else last + 1, f"it cannot be read: {fault.sentence}")
        return reader.result()

    def export_lines(
        self,
        question: Question = Question(),  # noqa: B008  # frozen
    ) -> Iterator[bytes]:
        """Yield matching entries, each a line ending in a newline."""
        for row in self._rows(question):
            row.entry()
            yield line_of(row)

    def segments(self) -> tuple[Segment, ...]:
        """Return every segment in order, archived ones first."""
        archived, here = self._thread.run(lambda store: (store.archived(), store.segments()))
        return (*archived, *here)

    def prune(
        self, now: float, *, keep_seconds: float = KEEP_SECONDS, directory: Path | None = None
    ) -> Pruned:
        """Archive what is older than ``keep_seconds``, segment by segment from the oldest on."""
        self._check_writable()
        return archive.prune(
            self,
            now,
            keep_seconds,
            directory or self._archives,
            lambda number: list(self._segment_rows(number)),
            self._remove,
        )

    def _segment_rows(self, number: int) -> Iterator[Row]:
        for segment in self._thread.run(lambda store: store.segments()):
            if segment.number == number:
                count = segment.last_seq - segment.first_seq + 1
                yield from self._rows(Question(after_seq=segment.first_seq - 1, limit=count))

    def _remove(self, segment: Segment, note: EntryDraft) -> None:
        composer = self._composer((note,))
        self._thread.run(lambda store: store.remove(segment, composer))

    def take_lease(self, name: str, holder: str, ttl_seconds: float, now: float) -> Lease:
        """Take or renew a lease; return the one in force. A dead holder's is free at once."""
        self._check_writable()

        def take(store: Store) -> Lease:
            lease = store.take_lease(name, holder, ttl_seconds, now)
            if lease.holder != holder and is_dead(lease.holder):
                store.drop_lease(name, lease.holder)
                lease = store.take_lease(name, holder, ttl_seconds, now)
            return lease

        return self._thread.run(take)

    def lease(self, name: str, now: float) -> Lease | None:
        """Return the lease in force, without taking it."""
        return self._thread.run(lambda store: store.lease(name, now))

    def leases(self, now: float) -> tuple[Lease, ...]:
        """Return every lease that was not given back, in force or not."""
        return tuple(self._thread.run(lambda store: store.leases(now)))

    def drop_lease(self, name: str, holder: str) -> None:
        """Give a lease back."""
        self._check_writable()
        self._thread.run(lambda store: store.drop_lease(name, holder))

    def close(self) -> None:
        """Let the store go."""
        self._thread.close()


def _entry_or_error(row: Row) -> Entry | BrokenEntryError:
    try:
        return row.entry()
    except BrokenEntryError as fault:
        return fault


class _Composer:
    """Links drafts to whatever the tail is once the store holds its lock, and keeps the rows."""

    def __init__(
        self,
        drafts: Sequence[EntryDraft],
        author: Author,
        wash: Callable[[str], str],
        segment_seconds: float,
    ) -> None:
        self._drafts = drafts
        self._author = author
        self._wash = wash
        self._segment_seconds = segment_seconds
        self.rows: list[Row] = []

    def __call__(self, tail: Tail | None, store_at: float | None) -> Sequence[Row]:
        """Return the rows that continue ``tail``."""
        self.rows = compose(
            tail,
            self._drafts,
            self._author,
            self._wash,
            store_at=store_at,
            segment_seconds=self._segment_seconds,
        )
        return self.rows
