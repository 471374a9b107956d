"""Polls one source or one outside place: never twice at once, slower when it is slow."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from console.domain.samples import SourceStatus
from console.domain.text import visible
from console.http.resilience import WireError
from console.incidents.feeds import AlertsUnreadable
from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.domain.samples import Answer, SourceState
    from console.metrics.profile import Profile
    from console.metrics.queries import Query
    from console.sources.base import Discovery, Source

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 60.0
STALE_AFTER_CADENCES = 3.0
LEAST_STALE_SECONDS = 12.0

AnswerT = TypeVar("AnswerT")
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Reader(Protocol[AnswerT_co]):
    """What asks one place; ``read`` raises `WireError`, or `AlertsUnreadable` for the foreign."""

    async def read(self, now: float) -> AnswerT_co:
        """Return everything the place says."""

    async def aclose(self) -> None:
        """Close every connection."""


class PlacePoller(Generic[AnswerT]):
    """One place: never asked twice at once, and less often while it fails.

    ``what`` names its kind in sentences ("place for alerts"). A subclass keeps what it hears in
    `take`, and may say ``warnings`` and ``infos`` of its state.
    """

    def __init__(
        self, name: str, kind: str, what: str, make: Callable[[], Reader[AnswerT]]
    ) -> None:
        self.name = name
        self.kind = kind
        self.answered_at: float | None = None
        self.warnings: tuple[str, ...] = ()
        self.infos: tuple[str, ...] = ()
        self._error: str | None = None
        self._failures = 0
        self._polled_at = -math.inf
        self._pause_seconds = 0.0
        self._task: asyncio.Task[None] | None = None
        self._reader: Reader[AnswerT] | None = None
        try:
            self._reader = make()
        except (OSError, ValueError) as fault:
            self._error = f"this {what} cannot be set up: {visible(str(fault))}"

    def take(self, answer: AnswerT, now: float) -> None:
        """Keep what the place said at ``now`` (Unix seconds)."""
        raise NotImplementedError

    def start(self, now: float, cadence_seconds: float) -> asyncio.Task[None] | None:
        """Begin a poll and return it, unless one is under way or none is due."""
        # The loop's clock jitters by milliseconds; without slack every other tick is missed.
        due_at = self._polled_at + max(cadence_seconds * 0.9, self._pause_seconds)
        if self._reader is None or self.busy or now < due_at:
            return None
        self._polled_at = now
        self._task = asyncio.create_task(
            self._poll(self._reader, now, cadence_seconds), name=f"{self.kind} {self.name}"
        )
        return self._task

    @property
    def busy(self) -> bool:
        """Tell whether a poll is under way."""
        return self._task is not None and not self._task.done()

    def hasten(self) -> None:
        """Make the next poll due at once."""
        self._polled_at = -math.inf

    async def close(self) -> None:
        """End the poll under way and close every connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._reader is not None:
            await self._reader.aclose()

    def status(self, now: float, cadence_seconds: float) -> SourceStatus:
        """Return how this place is doing; without a current answer what is known is stale."""
        status = SourceStatus(
            self.name,
            self.kind,
            answered_at=self.answered_at,
            error=self._error,
            next_try_at=self._polled_at + self._pause_seconds if self._failures else None,
            cadence_seconds=cadence_seconds,
            warnings=self.warnings,
            infos=self.infos,
        )
        if self._error is not None:
            return replace(status, state="down" if self.answered_at is None else "stale")
        if self.answered_at is None:
            return status
        silent_seconds = now - self.answered_at
        if silent_seconds > max(STALE_AFTER_CADENCES * cadence_seconds, LEAST_STALE_SECONDS):
            late = f"no answer for {silent_seconds:.0f} s"
            return replace(status, state="stale", error=late)
        return replace(status, state="up")

    async def _poll(self, reader: Reader[AnswerT], now: float, cadence_seconds: float) -> None:
        try:
            answer = await reader.read(now)
        except (WireError, AlertsUnreadable) as fault:
            self._failed(visible(str(fault)), cadence_seconds)
        except Exception as fault:
            # A fault of the console's own must not end the loop; it is told as the place's state.
            log.exception("reading %s failed", visible(self.name))
            self._failed(f"the console failed to read it: {visible(repr(fault))}", cadence_seconds)
        else:
            self.take(answer, now)
            self.answered_at = now
            self._error, self._failures, self._pause_seconds = None, 0, 0.0

    def _failed(self, sentence: str, cadence_seconds: float) -> None:
        self._error = sentence
        self._pause_seconds = min(
            LONGEST_PAUSE_SECONDS, cadence_seconds * 2.0 ** min(self._failures, 10)
        )
        self._failures += 1


PollerT = TypeVar("PollerT", bound="PlacePoller[Any]")


class PlaceDesk(Generic[PollerT]):
    """All places of one sort; a subclass makes the pollers and says in which rhythm they live."""

    def __init__(self, pollers: list[PollerT]) -> None:
        self._pollers = pollers

    @property
    def cadence_seconds(self) -> float:
        """How often each place is asked while it answers."""
        raise NotImplementedError

    def start(self, now: float) -> list[asyncio.Task[None]]:
        """Begin the polls that are due at ``now`` (Unix seconds), and return them.

        One that hangs from before is not among them: it slows itself and nothing else.
        """
        began = [poller.start(now, self.cadence_seconds) for poller in self._pollers]
        return [task for task in began if task is not None]

    def hasten(self) -> None:
        """Make every next poll due at once."""
        for poller in self._pollers:
            poller.hasten()

    async def replace_with(self, pollers: list[PollerT]) -> None:
        """Go on with ``pollers``, and let go of those that are not among them."""
        gone = [poller for poller in self._pollers if poller not in pollers]
        self._pollers = pollers
        for poller in gone:
            await poller.close()

    async def close(self) -> None:
        """Let go of every place."""
        await self.replace_with([])


SLOW_SECONDS = 60.0
RARE_SECONDS = 900.0
"""Days that are over do not change; a model that is new, or a source that was away, may."""

DISCOVERY_SECONDS = 60.0
BUSY_SERVER_SECONDS = 1.0
ASSUMED_SERVER_CORES = 2.0
LONGEST_STRETCH = 12
_DAY_SECONDS = 86400.0


class Desk(Protocol):
    """Where a poller gets its questions and leaves what it learnt."""

    def discovered(self, source: str, discovery: Discovery) -> None:
        """Take the models a source was found to know."""

    def questions(self, source: str, now: float) -> Sequence[Query]:
        """Return what to ask this source now, slow questions included."""

    def answered(self, source: str, answers: Sequence[Answer]) -> None:
        """Take the answers of one round."""

    def problem(self, sentence: str) -> None:
        """Tell the operator of a fault that is no source's."""


class Poller:
    """One source and its rhythm; all times are Unix seconds given by the caller."""

    def __init__(
        self,
        source: Source,
        desk: Desk,
        profiles: Callable[[], Mapping[str, Profile]],
        refresh_seconds: float,
    ) -> None:
        self.source = source
        self.name = source.name
        self._desk = desk
        self._profiles = profiles
        self._refresh_seconds = refresh_seconds
        self._task: asyncio.Task[None] | None = None
        self._numbers = asyncio.Event()
        self._first_part = asyncio.Event()
        self._polled_at = -math.inf
        self._next_discovery_at = -math.inf
        self._next_slow_at = -math.inf
        self._slow_ids: frozenset[str] = frozenset()
        self._next_rare_at = -math.inf
        self._rare_ids: frozenset[str] = frozenset()
        self._down: str | None = None
        self._polls = 0
        self._busy_seconds = 0.0
        self._steady_seconds = 0.0
        self.cadence_seconds = refresh_seconds

    @property
    def busy(self) -> bool:
        """Tell whether a poll is under way."""
        return self._task is not None and not self._task.done()

    def start(self, now: float) -> bool:
        """Begin a poll unless one is under way or none is due; tell whether one began."""
        # The clock of the loop jitters by milliseconds; without slack every other tick is missed.
        slack_seconds = self._refresh_seconds * 0.1
        if self.busy or now < self._polled_at + self.cadence_seconds - slack_seconds:
            return False
        self._polled_at = now
        self._numbers.clear()
        self._first_part.clear()
        self._task = asyncio.create_task(self._guarded(now), name=f"poll {self.name}")
        return True

    def hasten(self) -> None:
        """Forget all rhythms: the next poll is due at once and asks everything."""
        self._polled_at = self._next_discovery_at = self._next_slow_at = -math.inf
        self._next_rare_at = -math.inf

    def ask_slow_soon(self) -> None:
        """Ask the slow questions in the next poll."""
        self._next_slow_at = -math.inf

    def set_refresh(self, refresh_seconds: float) -> None:
        """Take another refresh period, in seconds."""
        self._refresh_seconds = self.cadence_seconds = refresh_seconds

    async def numbers(self) -> None:
        """Wait until the questions of every tick are answered."""
        await self._numbers.wait()

    async def first_part(self) -> None:
        """Wait as `numbers` does; of the first poll, until it is finished."""
        await self._first_part.wait()

    async def finished(self) -> None:
        """Wait for the poll that is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """End the poll under way and let go of the source."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.source.aclose()

    def status(self, now: float) -> SourceStatus:
        """Return the source's own status, judged by how long it has been silent.

        ``server_seconds`` is what the cadence is judged by: see `_stretch`.
        """
        status = replace(
            self.source.status(),
            cadence_seconds=self.cadence_seconds,
            server_seconds=self._steady_seconds,
        )
        if self._down is not None and status.state in ("up", "starting"):
            state: SourceState = "down" if status.answered_at is None else "stale"
            status = replace(status, state=state, error=status.error or self._down)
        silent_seconds = 0.0 if status.answered_at is None else now - status.answered_at
        if status.state == "up" and silent_seconds > self._patience_seconds:
            status = replace(
                status,
                state="stale",
                error=status.error or f"no answer for {silent_seconds:.0f} s",
            )
        return status

    @property
    def _patience_seconds(self) -> float:
        return max(STALE_AFTER_CADENCES * self.cadence_seconds, LEAST_STALE_SECONDS)

    async def _guarded(self, now: float) -> None:
        try:
            await self._poll(now)
        except SourceDown as down:
            self._down = down.sentence
        except Exception as fault:
            log.exception("poll of source %s failed", visible(self.name))
            self._down = f"the console failed to read it: {visible(repr(fault))}"
            self._desk.problem(f"source {visible(self.name)}: {self._down}")
        finally:
            self._numbers.set()
            self._first_part.set()

    async def _poll(self, now: float) -> None:
        if now >= self._next_discovery_at:
            found = await self.source.discover(self._profiles(), now)
            self._next_discovery_at = now + DISCOVERY_SECONDS
            self._desk.discovered(self.name, found)
        queries = self._desk.questions(self.name, now)
        every_tick = [query for query in queries if query.cadence == "tick"]
        slow = [query for query in queries if query.cadence == "slow"]
        began_at = time.monotonic()
        # Without a question too: that is the source's heartbeat, or one without rows goes stale.
        self._desk.answered(self.name, await self.source.ask(every_tick, now))
        self._stretch(time.monotonic() - began_at)
        self._down = None
        first_poll = self._polls == 0
        self._polls += 1
        self._numbers.set()
        if not first_poll:
            self._first_part.set()
        slow_ids = frozenset(query.id for query in slow)
        if now >= self._next_slow_at or not slow_ids <= self._slow_ids:
            self._next_slow_at = now + SLOW_SECONDS
            await self._ask(slow, now)
            self._slow_ids = slow_ids
        rare = [query for query in queries if query.cadence == "rare"]
        rare_ids = frozenset(query.id for query in rare)
        if now >= self._next_rare_at or not rare_ids <= self._rare_ids:
            # Such a question counts days from midnight: after the next one it asks for others.
            self._next_rare_at = min(now + RARE_SECONDS, now - now % _DAY_SECONDS + _DAY_SECONDS)
            await self._ask(rare, now)
            self._rare_ids = rare_ids

    async def _ask(self, queries: Sequence[Query], now: float) -> None:
        if queries:
            self._desk.answered(self.name, await self.source.ask(queries, now))

    def _stretch(self, took_seconds: float) -> None:
        """Ask less often where the server needs more than a second of its time, twice in a row.

        Times are taken on this side, where requests wait for one another: a round cannot have
        cost the server more than its own length on each of its cores.
        """
        busy_seconds = min(self.source.status().server_seconds, ASSUMED_SERVER_CORES * took_seconds)
        self._steady_seconds = min(busy_seconds, self._busy_seconds)
        self._busy_seconds = busy_seconds
        factor = 1
        if self._steady_seconds > BUSY_SERVER_SECONDS:
            longer = 1 + math.ceil(self._steady_seconds / self._refresh_seconds)
            factor = min(LONGEST_STRETCH, longer)
        self.cadence_seconds = self._refresh_seconds * factor
