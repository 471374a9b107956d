"""One place that is read whole, in its own rhythm: alerts of one server, changes of another."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from console.facts.samples import SourceStatus
from console.facts.text import visible
from console.incidents.reading import AlertsUnreadable
from console.wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

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
