"""The engine in a thread of its own, so that no poll ever holds up a key."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from console.engine.handle import ReloadOutcome, SeriesSet
from console.facts.samples import Series
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from console.engine.handle import Explanation
    from console.engine.service import Engine
    from console.facts.snapshot import Snapshot
    from console.settings.schema import Settings

log = logging.getLogger(__name__)

STOP_SECONDS = 3.0


class EngineThread:
    """Runs an `Engine` beside the console; satisfies `EngineHandle`.

    Callbacks are called from the engine's thread.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def latest(self) -> Snapshot | None:
        """Return the newest Snapshot, or None before the first tick."""
        return self._engine.latest

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""
        return self._engine.settings

    def start(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        """Begin to poll in a new thread; a second start does nothing."""
        if self._thread is not None:
            return
        self._engine.on_problem = on_problem
        # A daemon thread: a source that hangs in a system call must not keep the process alive.
        self._thread = threading.Thread(
            target=self._run, args=(on_snapshot, on_problem), name="midwatch engine", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End polling and wait at most three seconds for the thread."""
        thread = self._thread
        if thread is None:
            return
        self._call(self._engine.stop)
        thread.join(STOP_SECONDS)
        if thread.is_alive():
            log.warning("the engine's thread still waits for a source; leaving it")

    def history(self, model: str, signal: str, seconds: float) -> Series:
        """Return what the ticks of the last ``seconds`` saw, at once."""
        return self._engine.history(model, signal, seconds)

    def request_series(
        self,
        model: str,
        signals: Sequence[str],
        seconds: float,
        cells: int,
        deliver: Callable[[SeriesSet], None],
    ) -> None:
        """Ask for the last ``seconds`` in about ``cells`` points; ``deliver`` gets the answer."""

        async def ask() -> None:
            deliver(await self._engine.series(model, tuple(signals), seconds, cells))

        self._spawn(ask)

    def explain(self, model: str, signal: str) -> Explanation:
        """Say where the number of this model comes from."""
        return self._engine.explain(model, signal)

    def request_reload(self, deliver: Callable[[ReloadOutcome], None]) -> None:
        """Read the configuration again; ``deliver`` gets how it went."""

        async def ask() -> None:
            deliver(await self._engine.reload())

        self._spawn(ask)

    def request_refresh(self) -> None:
        """Poll as soon as no poll is under way."""
        self._call(self._engine.refresh)

    def _run(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        try:
            asyncio.run(self._serve(on_snapshot))
        except Exception as fault:
            log.exception("the engine ended")
            on_problem(f"the engine ended, numbers stand still: {visible(repr(fault))}")

    async def _serve(self, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._engine.run(on_snapshot)
        finally:
            self._loop = None
            for task in self._tasks:
                task.cancel()
            await self._engine.close()

    def _call(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(call)
        else:
            call()

    def _spawn(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def begin() -> None:
            if self._loop is None:
                return
            task = asyncio.create_task(self._told(make))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._call(begin)

    async def _told(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await make()
        except Exception as fault:
            log.exception("a request of the console failed")
            self._engine.on_problem(f"a request failed inside the console: {visible(repr(fault))}")
