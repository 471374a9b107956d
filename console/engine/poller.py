"""Polls one source: never twice at once, and slower when the server has to work hard."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from console.facts.text import visible
from console.sources.protocol import SourceDown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.facts.samples import Answer, SourceState, SourceStatus
    from console.signals.profile import Profile
    from console.signals.query import Query
    from console.sources.protocol import Discovery, Source

log = logging.getLogger(__name__)

SLOW_SECONDS = 60.0
RARE_SECONDS = 900.0
"""Days that are over do not change; a model that is new, or a source that was away, may."""

DISCOVERY_SECONDS = 60.0
BUSY_SERVER_SECONDS = 1.0
ASSUMED_SERVER_CORES = 2.0
LONGEST_STRETCH = 12
_DAY_SECONDS = 86400.0
STALE_AFTER_CADENCES = 3.0
LEAST_STALE_SECONDS = 12.0


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
        self, source: Source, desk: Desk, profiles: Mapping[str, Profile], refresh_seconds: float
    ) -> None:
        self.source = source
        self.name = source.name
        self._desk = desk
        self._profiles = profiles
        self._refresh_seconds = refresh_seconds
        self._task: asyncio.Task[None] | None = None
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

    async def first_part(self) -> None:
        """Wait until the questions of every tick are answered."""
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
            self._first_part.set()

    async def _poll(self, now: float) -> None:
        if now >= self._next_discovery_at:
            found = await self.source.discover(self._profiles, now)
            self._next_discovery_at = now + DISCOVERY_SECONDS
            self._desk.discovered(self.name, found)
        queries = self._desk.questions(self.name, now)
        every_tick = [query for query in queries if query.cadence == "tick"]
        slow = [query for query in queries if query.cadence == "slow"]
        began_at = time.monotonic()
        await self._ask(every_tick, now)
        self._stretch(time.monotonic() - began_at)
        self._down = None
        first_poll = self._polls == 0
        self._polls += 1
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
