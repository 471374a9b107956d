"""Reading the journal on from where one stopped. Blocks; one thread at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.actions.care import CARE_KINDS, CARE_LOOKBACK_SECONDS, care_log
from console.actions.decided import DECISION_KINDS_OF_ENTRY, Decided, fold_decisions
from console.actions.overrides import OVERRIDE_KINDS, fold_overrides
from console.actions.standing import KEEPER_LEASE
from console.facts.record import BrokenEntry, Record
from console.journal import BrokenEntryError, JournalError, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from console.actions.care import CareLog
    from console.facts.decision import DecisionRecord
    from console.facts.entry import Entry, JournalHead
    from console.facts.override import Override
    from console.journal import Journal

RECENT = 200
"""How many of the newest entries a Snapshot carries; older ones are asked for."""

_CHUNK = 500
_MOST_BROKEN = 20


@dataclass(frozen=True, slots=True)
class Followed:
    """The record, what is in force by it, what people wrote about incidents, and what was decided.

    ``decisions`` are the oldest first.
    """

    record: Record
    overrides: tuple[Override, ...] = ()
    care: CareLog = field(default_factory=dict)
    decisions: tuple[DecisionRecord, ...] = ()


class Follower:
    """Follows one journal: the whole of what is in force at first, then only what is new.

    ``path`` is the file of a journal that is one, so that a file that is not there yet is told
    from one that cannot be read, and one put in its place is noticed.
    """

    def __init__(
        self, open_journal: Callable[[], Journal], environment: str, path: Path | None = None
    ) -> None:
        self._open = open_journal
        self._environment = environment
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._journal: Journal | None = None
        self._hash: str | None = None
        self._record = Record("starting")
        self._overrides: tuple[Override, ...] = ()
        self._care: CareLog = {}
        self._decided = Decided()

    def read(self, now: float) -> Followed:
        """Read what is new; a journal that cannot be read leaves what was known, and says why."""
        try:
            self._read(now)
        except JournalError as fault:
            self._let_go()
            self._record = replace(self._record, state="unreadable", sentence=fault.sentence)
        keeper = self._record.keeper
        kept = None if keeper is None else bool(keeper)
        overrides = tuple(replace(each, kept=kept) for each in self._overrides)
        return Followed(self._record, overrides, self._care, self._decided.records)

    def close(self) -> None:
        """Let the journal go."""
        self._let_go()

    def _read(self, now: float) -> None:
        if self._is_absent():
            self._let_go()
            self._forget()
            self._record = Record("absent", place=str(self._path), read_at=now)
            return
        if self._journal is None:
            self._journal = self._open()
        journal = self._journal
        head = journal.head()
        if head is not None and self._was_rewritten(head):
            problem = "it is not what it was: the journal was rewritten while it was followed"
            self._forget()
            self._note(BrokenEntry(head.seq, problem))
        if self._record.read_at is None:
            self._begin(journal, head, now)
        self._go_on(journal)
        lease = journal.lease(KEEPER_LEASE, now)
        self._record = replace(
            self._record,
            state="open",
            place=journal.place,
            sentence="",
            read_at=now,
            keeper="" if lease is None else lease.holder,
            keeper_until=None if lease is None else lease.expires_at,
        )

    def _is_absent(self) -> bool:
        """Tell whether nothing was ever written; let go of a file that was replaced."""
        if self._path is None:
            return False
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False  # opening it says why
        identity = (status.st_dev, status.st_ino)
        if self._identity is not None and identity != self._identity:
            self._let_go()
            self._forget()
        self._identity = identity
        return status.st_size == 0

    def _was_rewritten(self, head: JournalHead) -> bool:
        known = self._record.head_seq
        if not known:
            return False
        return head.seq < known or (
            head.seq == known and self._hash is not None and head.hash != self._hash
        )

    def _begin(self, journal: Journal, head: JournalHead | None, now: float) -> None:
        last = 0 if head is None else head.seq
        held = journal.listing(Question(kinds=OVERRIDE_KINDS, before_seq=last + 1))
        self._overrides = fold_overrides(self._mine(self._sound(held)))
        since = now - CARE_LOOKBACK_SECONDS
        cared = journal.listing(Question(kinds=CARE_KINDS, before_seq=last + 1, since=since))
        self._care = care_log(self._here(self._sound(cared)), {})
        decided = journal.listing(Question(kinds=DECISION_KINDS_OF_ENTRY, before_seq=last + 1))
        self._decided = fold_decisions(self._mine(self._sound(decided)))
        newest = journal.listing(Question(newest=RECENT, before_seq=last + 1))
        self._record = replace(
            self._record,
            entries=tuple(reversed(self._sound(newest))),
            head_seq=last,
            followed_from=last,
        )
        self._hash = None if head is None else head.hash

    def _go_on(self, journal: Journal) -> None:
        while True:
            found = journal.listing(Question(after_seq=self._record.head_seq, limit=_CHUNK))
            for each in found:
                self._follow(each)
            sound = self._sound(found)
            mine = self._mine(sound)
            self._overrides = fold_overrides(mine, self._overrides)
            self._decided = fold_decisions(mine, self._decided)
            self._care = care_log(self._here(sound), self._care)
            kept = (*reversed(sound), *self._record.entries)[:RECENT]
            self._record = replace(self._record, entries=kept)
            if len(found) < _CHUNK:
                return

    def _follow(self, each: Entry | BrokenEntryError) -> None:
        if isinstance(each, BrokenEntryError):
            self._hash = None
        else:
            if self._hash is not None and each.prev_hash != self._hash:
                self._note(BrokenEntry(each.seq, "it does not follow the entry before it"))
            self._hash = each.hash
        self._record = replace(self._record, head_seq=max(each.seq, self._record.head_seq + 1))

    def _sound(self, found: Iterable[Entry | BrokenEntryError]) -> list[Entry]:
        sound: list[Entry] = []
        for each in found:
            if isinstance(each, BrokenEntryError):
                self._note(BrokenEntry(each.seq, each.problem))
            else:
                sound.append(each)
        return sound

    def _mine(self, entries: Sequence[Entry]) -> list[Entry]:
        """Leave out what began elsewhere: a row is (environment, model), a journal may have many.

        An end counts whoever writes it, because a keeper may call its environment otherwise.
        """
        return [
            each for each in entries if not _begins(each) or each.environment == self._environment
        ]

    def _here(self, entries: Sequence[Entry]) -> list[Entry]:
        """Leave out what was done elsewhere: incidents of two environments may share an id.

        An end of a hold counts whoever writes it, as with overrides.
        """
        return [
            each
            for each in entries
            if each.environment == self._environment or each.details.get("step") == "released"
        ]

    def _note(self, broken: BrokenEntry) -> None:
        if broken not in self._record.broken and len(self._record.broken) < _MOST_BROKEN:
            self._record = replace(self._record, broken=(*self._record.broken, broken))

    def _forget(self) -> None:
        self._record = Record("starting", broken=self._record.broken)
        self._overrides = ()
        self._care = {}
        self._decided = Decided()
        self._hash = None

    def _let_go(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()


def _begins(entry: Entry) -> bool:
    """Tell whether an entry begins what later ones are about, and so belongs to one environment."""
    taken = entry.kind == "decision" and entry.details.get("step") == "taken"
    return taken or entry.kind == "override"
