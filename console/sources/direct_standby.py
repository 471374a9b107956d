"""A server whose last targets are read directly while it is away: degradation in named steps.

First the last values stay, stale. After `STALE_FIRST_SECONDS` the targets that the server scraped
last are read by the console itself, and the source says so. It goes back only after the server
has answered for `BACK_SECONDS` without a miss, so that one that flaps does not drag the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.domain.samples import Answer, Series, SourceStatus
    from console.metrics.profile import Profile
    from console.metrics.queries import Query
    from console.sources.base import Discovery, Source
    from console.sources.prometheus import PrometheusSource
    from console.sources.target_list import TargetList

STALE_FIRST_SECONDS = 15.0
"""So long the last values stay before anything else is read."""

BACK_SECONDS, BACK_BEATS = 15.0, 3
"""A server counts as back after so long, and so many answers, without a miss."""

DIRECT = "direct"
"""The word for `fallback` that chooses this."""


class DirectStandby:
    """One server and, while it is away, its last targets; times are Unix seconds.

    ``make`` returns the source that reads targets. Without known targets the server is simply down.
    """

    kind = "prometheus"

    def __init__(self, server: PrometheusSource, make: Callable[[TargetList], Source]) -> None:
        self.name = server.name
        self._server = server
        self._make = make
        self._targets: TargetList | str = "its targets were not seen before it went away"
        self._found: Discovery | None = None
        self._away_since: float | None = None
        self._reason = ""
        self._direct: Source | None = None
        self._beat: asyncio.Task[None] | None = None
        self._in_force = False
        self._beats = 0
        self._back_since = 0.0

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find the models of the server; of its targets, while these are read. See `Source`."""
        if not await self._reads_targets(now):
            try:
                found = await self._server.discover(profiles, now)
            except SourceDown as down:
                await self._step_in(down, now)
            else:
                await self._server_answered()
                self._found = found
                told = await self._server.targets(now)
                if not isinstance(told, str) or isinstance(self._targets, str):
                    self._targets = told
                return found
        assert self._direct is not None
        told_directly = await self._direct.discover(profiles, now)
        if self._found is None:
            return told_directly
        return replace(self._found, warnings=told_directly.warnings)

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Answer from the server, or from its targets while it is away. See `Source`."""
        if not await self._reads_targets(now):
            try:
                answers = await self._server.ask(queries, now)
            except SourceDown as down:
                await self._step_in(down, now)
            else:
                await self._server_answered()
                return answers
        assert self._direct is not None
        try:
            return await self._direct.ask(queries, now)
        except SourceDown as down:
            raise SourceDown(
                f"{self._reason}; its targets do not answer either: {down.sentence}"
            ) from down

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Ask whoever answers at present. See `Source`."""
        return await self._speaker().ask_aside(query, now)

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Ask whoever answers at present. See `Source`."""
        return await self._speaker().series(query, series_value, start, end, step)

    def _speaker(self) -> Source:
        direct = self._direct
        return direct if self._in_force and direct is not None else self._server

    def status(self) -> SourceStatus:
        """Say which step is in force: the server, its last values, or its targets."""
        server = self._server.status()
        if self._direct is None or not self._in_force:
            return server
        direct = self._direct.status()
        count = 0 if isinstance(self._targets, str) else len(self._targets.labels)
        targets = "1 target is" if count == 1 else f"{count} targets are"
        if direct.state != "up":
            return replace(server, state="down", error=direct.error or server.error)
        told = f"{self._reason}: {targets} read directly"
        return replace(
            direct,
            name=self.name,
            kind=self.kind,
            standby=DIRECT,
            unread=server.unread,
            warnings=(told, *self._not_read(), *direct.warnings),
        )

    async def aclose(self) -> None:
        """Let go of server and targets."""
        await self._leave()
        await self._server.aclose()

    def _not_read(self) -> tuple[str, ...]:
        left_out = 0 if isinstance(self._targets, str) else self._targets.left_out
        return (f"{left_out} more of its targets are not read",) if left_out else ()

    async def _step_in(self, down: SourceDown, now: float) -> None:
        """Read targets from now on; raises ``down`` while the last values are to stay.

        Its targets are read from the first moment, so that there are two samples when they count.
        """
        if self._away_since is None:
            self._away_since = now
        self._reason = down.sentence.partition("; next try")[0]
        targets = self._targets
        if isinstance(targets, str) or not targets.labels:
            raise down
        if self._direct is None:
            self._direct = self._make(targets)
        if now - self._away_since >= STALE_FIRST_SECONDS:
            self._in_force, self._beats = True, 0
            return
        with contextlib.suppress(SourceDown):
            await self._direct.ask([], now)
        raise down

    async def _server_answered(self) -> None:
        self._away_since = None
        await self._leave()

    async def _reads_targets(self, now: float) -> bool:
        """Tell whether targets are read; leave them where the server is back for good."""
        if not self._in_force:
            return False
        if self._beat is not None and not self._beat.done():
            return True
        if self._beats >= BACK_BEATS and now - self._back_since >= BACK_SECONDS:
            await self._server_answered()
            return False
        # Beside the round: a server that hangs must not hold up what its targets say.
        self._beat = asyncio.create_task(self._feel(now), name=f"heartbeat of {self.name}")
        return True

    async def _feel(self, now: float) -> None:
        """Ask the server whether it is there, and count how often in a row it was."""
        try:
            await self._server.ask([], now)
        except SourceDown as down:
            self._beats = 0
            self._reason = down.sentence.partition("; next try")[0]
            return
        if self._beats == 0:
            self._back_since = now
        self._beats += 1

    async def _leave(self) -> None:
        """Stop reading targets."""
        beat, direct = self._beat, self._direct
        self._beat = self._direct = None
        self._in_force = False
        if beat is not None:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
        if direct is not None:
            await direct.aclose()
