"""Reads the journal's new entries at every tick and folds them, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from console.decisions.decision_log import DECISION_KINDS_OF_ENTRY, Decided, fold_decisions
from console.domain.entry import NO_RECORD, BrokenEntry, Record, RecordPage
from console.domain.proof import NO_PROOFS
from console.domain.text import visible
from console.incidents.state import CARE_KINDS, CARE_LOOKBACK_SECONDS, care_log
from console.journal import BrokenEntryError, JournalError, JournalReplacedError, Question
from console.journal.leases import KEEPER_LEASE, shown_holder
from console.journal.override_log import OVERRIDE_KINDS, fold_overrides
from console.readiness.proofs import PROOF_KINDS, ProofLog, fold_proofs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from console.domain.action import Override
    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry, JournalHead, Verification
    from console.domain.proof import Proofs
    from console.incidents.state import CareLog
    from console.journal import Journal
    from console.settings.schema import Settings

    ReadWitness = Callable[[Settings], tuple[JournalHead, ...]]

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
    proofs: Proofs = NO_PROOFS


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
        self._proven = ProofLog()

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
        decisions, proofs = self._decided.records, self._proven.proofs
        return Followed(self._record, overrides, self._care, decisions, proofs)

    def close(self) -> None:
        """Let the journal go."""
        self._let_go()

    def _read(self, now: float) -> None:
        if self._is_absent():
            self._let_go()
            self._check_never_was()
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
            keeper="" if lease is None else shown_holder(lease.holder),
            keeper_until=None if lease is None else lease.expires_at,
        )

    def _check_never_was(self) -> None:
        """Raise where a journal that is not there was there once: that is not an empty record."""
        try:
            self._open().close()
        except JournalReplacedError:
            raise
        except JournalError:
            return  # what says that there is none yet

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
        proven = journal.listing(Question(kinds=PROOF_KINDS, before_seq=last + 1))
        self._proven = fold_proofs(self._of_environment(self._sound(proven)))
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
            self._proven = fold_proofs(self._of_environment(sound), self._proven)
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

    def _of_environment(self, entries: Sequence[Entry]) -> list[Entry]:
        """Leave out what was proven elsewhere: staging's drill proves nothing of production."""
        return [each for each in entries if each.environment == self._environment]

    def _note(self, broken: BrokenEntry) -> None:
        if broken not in self._record.broken and len(self._record.broken) < _MOST_BROKEN:
            self._record = replace(self._record, broken=(*self._record.broken, broken))

    def _forget(self) -> None:
        self._record = Record("starting", broken=self._record.broken)
        self._overrides = ()
        self._care = {}
        self._decided = Decided()
        self._proven = ProofLog()
        self._hash = None

    def _let_go(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()


def _begins(entry: Entry) -> bool:
    """Tell whether an entry begins what later ones are about, and so belongs to one environment."""
    taken = entry.kind == "decision" and entry.details.get("step") == "taken"
    return taken or entry.kind == "override"


T = TypeVar("T")

LATE_SECONDS = 15.0
_FILE = "sqlite:///"


class Records:
    """What the journal says, as of the last reading that came back.

    ``open_record`` opens the journal that settings name, for reading; None reads none.
    ``read_witness`` returns the heads that its anchor holds, for the end to be proven by. A
    reading that hangs holds up neither ticks nor the end of the program: its thread is left behind.
    """

    def __init__(
        self,
        open_record: Callable[[Settings], Journal] | None,
        settings: Settings,
        clock: Callable[[], float],
        read_witness: ReadWitness | None = None,
    ) -> None:
        self._open = open_record
        self._read_witness = read_witness
        self._settings = settings
        self._clock = clock
        self._follower = self._follow(settings)
        self._reading: asyncio.Task[None] | None = None
        self._began_at = 0.0
        self._known = Followed(NO_RECORD if open_record is None else Record("starting"))

    def configure(self, settings: Settings) -> bool:
        """Follow what the settings name from the next reading on; return whether that differs."""
        before, self._settings = self._settings, settings
        if (before.journal, before.environment) == (settings.journal, settings.environment):
            return False
        self._follower = self._follow(settings)
        self._known = Followed(NO_RECORD if self._open is None else Record("starting"))
        return True

    def start(self) -> None:
        """Begin to read, unless a reading is under way."""
        if self._follower is not None and (self._reading is None or self._reading.done()):
            self._began_at = self._clock()
            self._reading = asyncio.create_task(self._read(self._follower))

    async def settle(self, limit_seconds: float) -> None:
        """Wait for the reading under way, at most ``limit_seconds``."""
        if self._reading is not None:
            await asyncio.wait((self._reading,), timeout=limit_seconds)

    def known(self, now: float) -> Followed:
        """Return the record and what is in force as last read; a late reading says so."""
        under_way = self._reading is not None and not self._reading.done()
        if under_way and now - self._began_at > LATE_SECONDS:
            sentence = f"no answer for {now - self._began_at:.0f} s; look at its disk or database"
            late = replace(self._known.record, state="unreadable", sentence=sentence)
            return replace(self._known, record=late)
        return self._known

    async def page(self, before_seq: int) -> RecordPage:
        """Return the entries before a number, newest first, or why they cannot be read."""
        question = Question(before_seq=before_seq, newest=RECENT)
        try:
            found = await in_thread(lambda: self._ask(lambda journal: journal.listing(question)))
        except JournalError as fault:
            return RecordPage(sentence=fault.sentence)
        broken = [each for each in found if isinstance(each, BrokenEntryError)]
        sound = [each for each in found if not isinstance(each, BrokenEntryError)]
        return RecordPage(
            tuple(reversed(sound)), tuple(BrokenEntry(each.seq, each.problem) for each in broken)
        )

    async def entries(self, question: Question) -> tuple[Entry, ...] | None:
        """Return the sound entries that match, oldest first; None where no journal is read.

        Raises ``JournalError``.
        """
        if self._open is None or self._known.record.state == "absent":
            return None
        found = await in_thread(lambda: self._ask(lambda journal: journal.listing(question)))
        return tuple(each for each in found if not isinstance(each, BrokenEntryError))

    async def verify(self) -> Verification | str:
        """Read the anchor, then the whole chain; a sentence says why one could not be read."""
        settings, witness = self._settings, self._read_witness

        def judged() -> Verification:
            # The anchor first: what is written meanwhile must not look as if it were cut off.
            heads = () if witness is None else witness(settings)
            return self._ask(lambda journal: journal.verify(heads))

        try:
            return await in_thread(judged)
        except JournalError as fault:
            return fault.sentence

    async def close(self) -> None:
        """Let the journal go; a reading that hangs is left behind."""
        await self.settle(0.5)
        follower = self._follower
        if follower is not None and (self._reading is None or self._reading.done()):
            with contextlib.suppress(JournalError):  # it was only read: nothing can be lost
                await asyncio.wait_for(in_thread(follower.close), 1.0)

    def _ask(self, ask: Callable[[Journal], T]) -> T:
        if self._open is None:
            raise JournalError("no journal is read here")
        journal = self._open(self._settings)
        try:
            return ask(journal)
        finally:
            journal.close()

    def _follow(self, settings: Settings) -> Follower | None:
        opens = self._open
        if opens is None:
            return None
        url = settings.journal.url
        path = Path(url.removeprefix(_FILE)).expanduser() if url.startswith(_FILE) else None
        return Follower(lambda: opens(settings), settings.environment, path)

    async def _read(self, follower: Follower) -> None:
        now = self._clock()
        try:
            found = await in_thread(lambda: follower.read(now))
        except Exception as fault:  # noqa: BLE001 - told on screen; the fleet is watched all the same
            sentence = f"a fault inside the console: {visible(repr(fault), 300)}"
            broken = replace(self._known.record, state="unreadable", sentence=sentence)
            found = replace(self._known, record=broken)
        if follower is self._follower:
            self._known = found


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that the end of the program does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, fault: Exception | None) -> None:
        if done.cancelled():
            return
        if fault is not None:
            done.set_exception(fault)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, fault = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised again where the work is awaited
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, fault)

    threading.Thread(target=run, name="midwatch record", daemon=True).start()
    return await done
