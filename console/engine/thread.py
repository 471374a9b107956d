"""The engine in a thread of its own, so that no poll ever holds up a key."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from console.engine.handle import Explanation, ReloadOutcome, SeriesSet
from console.engine.pauses import settling, yield_often
from console.facts.reading import ReadingState
from console.facts.samples import Series
from console.facts.signals import SIGNALS
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from console.engine.service import Engine
    from console.facts.snapshot import Snapshot
    from console.settings.schema import Settings

log = logging.getLogger(__name__)
    from console.facts.action import ActionRequest, Confirmation, Outcome, PreparedAction
    from console.facts.drift import Distribution

STOP_SECONDS = 3.0


class EngineThread:
    """Runs an `Engine` beside the console; satisfies `EngineHandle`.

    ``make`` is called in the engine's own thread, because what it imports and reads is slow;
    ``settings`` are in force until then. Callbacks are called from the engine's thread.
    """

    def __init__(self, make: Callable[[], Engine], settings: Settings) -> None:
        self._make = make
        self._first_settings = settings
        self._engine: Engine | None = None
        self._stopping = False
        self._on_problem: Callable[[str], None] = _log_problem
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def latest(self) -> Snapshot | None:
        """Return the newest Snapshot, or None before the first tick."""
        engine = self._engine
        return None if engine is None else engine.latest

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""
        engine = self._engine
        return self._first_settings if engine is None else engine.settings

    def start(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        """Begin to poll in a new thread; a second start does nothing."""
        if self._thread is not None:
            return
        self._on_problem = on_problem
        yield_often()
        # A daemon thread: a source that hangs in a system call must not keep the process alive.
        self._thread = threading.Thread(
            target=self._run, args=(on_snapshot,), name="midwatch engine", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End polling and wait at most three seconds for the thread."""
        thread = self._thread
        if thread is None:
            return
        self._stopping = True
        self._call(lambda engine: engine.stop())
        thread.join(STOP_SECONDS)
        if thread.is_alive():
            log.warning("the engine's thread still waits for a source; leaving it")

    def history(self, model: str, signal: str, seconds: float) -> Series:
        """Return what the ticks of the last ``seconds`` saw, at once."""
        engine = self._engine
        if engine is None:
            import numpy as np

            return Series(signal, np.empty(0), np.empty(0))
        return engine.history(model, signal, seconds)

    def request_series(
        self,
        model: str,
        signals: Sequence[str],
        seconds: float,
        cells: int,
        deliver: Callable[[SeriesSet], None],
    ) -> None:
        """Ask for the last ``seconds`` in about ``cells`` points; ``deliver`` gets the answer."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.series(model, tuple(signals), seconds, cells))

        self._spawn(ask)

    def explain(self, model: str, signal: str) -> Explanation:
        """Say where the number of this model comes from."""
        engine = self._engine
        return _not_started(model, signal) if engine is None else engine.explain(model, signal)

    def request_reload(self, deliver: Callable[[ReloadOutcome], None]) -> None:
        """Read the configuration again; ``deliver`` gets how it went."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.reload())

        self._spawn(ask)

    def request_refresh(self) -> None:
        """Poll as soon as no poll is under way."""
        self._call(lambda engine: engine.refresh())

    def request_distribution(self, model: str, deliver: Callable[[Distribution], None]) -> None:
        """Ask how a model's scores are distributed now; ``deliver`` gets the answer."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.distribution(model))

        self._spawn(ask)

    def _run(self, on_snapshot: Callable[[Snapshot], None]) -> None:
        try:
            engine = self._make()
            engine.on_problem = self._on_problem
            asyncio.run(self._serve(engine, on_snapshot))
        except Exception as fault:
            log.exception("the engine ended")
            self._on_problem(f"the engine ended, numbers stand still: {visible(repr(fault))}")

    async def _serve(self, engine: Engine, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        try:
            if not self._stopping:
                await engine.run(settling(on_snapshot))
        finally:
            self._loop = None
            for task in self._tasks:
                task.cancel()
            await engine.close()

    def _call(self, call: Callable[[Engine], None]) -> None:
        loop, engine = self._loop, self._engine
        if loop is not None and engine is not None:
            loop.call_soon_threadsafe(call, engine)

    def _spawn(self, make: Callable[[Engine], Coroutine[None, None, None]]) -> None:
        def begin(engine: Engine) -> None:
            task = asyncio.create_task(self._told(make(engine)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._call(begin)

    async def _told(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as fault:
            log.exception("a request of the console failed")
            self._on_problem(f"a request failed inside the console: {visible(repr(fault))}")


def _log_problem(sentence: str) -> None:
    log.warning("%s", sentence)


def _not_started(model: str, signal: str) -> Explanation:
    fact = SIGNALS.get(signal)
    return Explanation(
        model=model,
        signal=signal,
        title=fact.title if fact is not None else signal,
        unit=fact.unit if fact is not None else "",
        formula=fact.formula if fact is not None else "",
        promql="",
        source="",
        profile="",
        state=ReadingState.NO_DATA,
        value_text="?",
        at=None,
        age_seconds=None,
        window_seconds=None,
        n=None,
        method="",
        hint="nothing was read yet",
    )
