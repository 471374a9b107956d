"""What the rest of the console asks of a journal, and what a journal asks of its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from console.facts.entry import (
        Entry,
        EntryDraft,
        EntryKind,
        JournalHead,
        Lease,
        Segment,
        Verification,
    )
    from console.journal.chain import Row, Tail
    from console.journal.errors import BrokenEntryError

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

    def drop_lease(self, name: str, holder: str) -> None:
        """Give back."""

    def complaints(self) -> list[str]:
        """Return what breaks the store itself: damaged pages, guards taken away."""

    def remarks(self) -> list[str]:
        """Return what is worth knowing about the store and breaks nothing."""

    def close(self) -> None:
        """Let go."""
