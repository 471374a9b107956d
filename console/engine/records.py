"""The journal's tail at every tick, read in a thread that holds nothing up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from console.engine.follower import RECENT, Followed, Follower
from console.facts.record import NO_RECORD, BrokenEntry, Record, RecordPage
from console.facts.text import visible
from console.journal import BrokenEntryError, JournalError, Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.facts.entry import Entry, JournalHead, Verification
    from console.journal import Journal
    from console.settings.schema import Settings

    ReadWitness = Callable[[Settings], tuple[JournalHead, ...]]

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
