"""Runs the engine in a thread of its own, so that no poll holds up a key."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, TypeVar

from console.domain.action import ActionRefused
from console.domain.samples import Series
from console.domain.signals import SIGNALS, ReadingState
from console.domain.text import visible
from console.engine.client import Explanation, Refused, ReloadOutcome, SeriesSet, WriteState
from console.engine.gc_tuning import settling, yield_often
from console.journal.chain import JournalError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from console.actions.availability import Outlook
    from console.actions.decision_record import DecisionWish, PreparedDecision
    from console.domain.action import ActionRequest, Confirmation, Outcome, PreparedAction
    from console.domain.decision import DecisionRecord
    from console.domain.distribution import Distribution
    from console.domain.entry import Entry, RecordPage, Verification
    from console.domain.incident import CareWish, IncidentView
    from console.domain.proof import ModelReadiness
    from console.domain.snapshot import Snapshot
    from console.engine.service import Engine
    from console.engine.write_service import Acting
    from console.evaluation.spend import SpendFacts
    from console.handover.handover_document import HandoverDocument
    from console.handover.record import HandoverWish
    from console.settings.schema import Settings

Answer = TypeVar("Answer")


class HandsOverAside:
    """What `EngineThread` does about what is handed on; callbacks come from its thread."""

    _engine: Engine | None

    @property
    def latest(self) -> Snapshot | None:
        """Return the newest Snapshot."""
        raise NotImplementedError

    def _spawn_acting(
        self,
        make: Callable[[Acting], Awaitable[Answer]],
        deliver: Callable[[Answer | Refused], None],
        waits_for: str = "",
    ) -> None:
        raise NotImplementedError

    def request_handover(
        self, since: float, to: str, deliver: Callable[[HandoverDocument | Refused], None]
    ) -> None:
        """Gather what the shift since ``since`` (Unix seconds) leaves to ``to``, empty: anybody."""

        async def make(acting: Acting) -> HandoverDocument:
            engine = self._engine
            if engine is None:
                raise ActionRefused.forbidden("handover", "nothing was read yet")
            return acting.handover(await engine.shift_facts(since), since, to)

        self._spawn_acting(make, deliver)

    def request_readiness(
        self, model: str, deliver: Callable[[ModelReadiness | Refused], None]
    ) -> None:
        """Judge the 30 checks of one model."""

        async def make(acting: Acting) -> ModelReadiness:
            engine = self._engine
            found = () if engine is None else await engine.readiness((model,))
            if not found:
                said = "nothing was read yet" if engine is None else "no row has that name now"
                raise ActionRefused.forbidden("readiness", said)
            return found[0]

        self._spawn_acting(make, deliver)

    def request_postmortem(self, incident: str, deliver: Callable[[str | Refused], None]) -> None:
        """Tell one incident after the fact, as Markdown."""

        async def make(acting: Acting) -> str:
            engine = self._engine
            found = None if engine is None else await engine.postmortem_facts(incident)
            if found is None or isinstance(found, Refused):
                said = "nothing was read yet" if found is None else "; ".join(found.sentences)
                raise ActionRefused.forbidden("postmortem", said)
            return await asyncio.to_thread(acting.postmortem, found)

        self._spawn_acting(make, deliver)

    def write_handover(
        self, wish: HandoverWish, deliver: Callable[[Entry | Refused], None]
    ) -> None:
        """Write a handover into the journal."""
        self._spawn_acting(lambda acting: acting.hand_over(wish), deliver)

    def accept_handover(
        self, deliver: Callable[[tuple[Entry, tuple[str, ...]] | Refused], None]
    ) -> None:
        """Accept the newest handover that somebody else wrote, and take over what they held."""
        self._spawn_acting(lambda acting: acting.accept(self.latest), deliver)


log = logging.getLogger(__name__)


_STARTING = "the write side is still starting"
_FAULT = "a fault inside the console: {}; if it was sent, it is verified at the next start: look"
STOP_SECONDS = 3.0


class EngineThread(HandsOverAside):
    """Runs an `Engine` beside the console; satisfies `EngineHandle`.

    ``make`` is called in the engine's own thread, because what it imports and reads is slow;
    ``settings`` are in force until then. ``make_acting`` makes the write side in the same place;
    without it the console only looks. ``keep`` is given
    every Snapshot once it is shown. Callbacks are called from the engine's thread.
    """

    def __init__(
        self,
        make: Callable[[], Engine],
        settings: Settings,
        make_acting: Callable[[], Acting] | None = None,
        keep: Callable[[Snapshot], None] | None = None,
    ) -> None:
        self._make = make
        self._keep = keep
        self._make_acting = make_acting
        self._acting: Acting | None = None
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._first_settings = settings
        self._engine: Engine | None = None
        self._stopping = False
        self._on_problem: Callable[[str], None] = _log_problem
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._first_shown = asyncio.Event()

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

    def request_distribution(self, model: str, deliver: Callable[[Distribution], None]) -> None:
        """Ask how a model's scores are distributed now; ``deliver`` gets the answer."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.distribution(model))

        self._spawn(ask)

    def explain(self, model: str, signal: str) -> Explanation:
        """Say where the number of this model comes from."""
        engine = self._engine
        return _not_started(model, signal) if engine is None else engine.explain(model, signal)

    def request_reload(self, deliver: Callable[[ReloadOutcome], None]) -> None:
        """Read the configuration again; ``deliver`` gets how it went."""

        async def ask(engine: Engine) -> None:
            outcome = await engine.reload()
            if outcome.applied and self._acting is not None:
                await self._acting.adopt(engine.settings)
            deliver(outcome)

        self._spawn(ask)

    def request_refresh(self) -> None:
        """Poll as soon as no poll is under way."""
        self._call(lambda engine: engine.refresh())

    def request_journal_page(self, before_seq: int, deliver: Callable[[RecordPage], None]) -> None:
        """Read the journal's entries before a number; ``deliver`` gets them, newest first."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.journal_page(before_seq))

        self._spawn(ask)

    def request_spend(self, month: str, deliver: Callable[[SpendFacts | str], None]) -> None:
        """Ask what every model spent in a month; a sentence says why that is not known."""
        from console.engine.spending import UnknownMonthError

        async def ask(engine: Engine) -> None:
            try:
                found = await engine.spend(month)
            except UnknownMonthError as fault:
                deliver(f"{month} {fault}")
                return
            deliver(found or "nothing was read yet")

        self._spawn(ask)

    def request_verification(self, deliver: Callable[[Verification | str], None]) -> None:
        """Read the journal's whole chain; a sentence says why it could not be read."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.verify_journal())

        self._spawn(ask)

    def request_incident_view(
        self, incident_id: str, deliver: Callable[[IncidentView | Refused], None]
    ) -> None:
        """Gather one incident as a whole; ``deliver`` is told in any case."""

        async def ask(engine: Engine) -> None:
            deliver(await engine.incident_view(incident_id))

        if self._loop is None:
            deliver(Refused(("nothing was read yet",)))
        self._spawn(ask)

    # Changing the world

    @property
    def writing(self) -> WriteState:
        """Return what this console may do to the world now, and as whom."""
        acting = self._acting
        return WriteState(unarmable=_STARTING) if acting is None else acting.state

    def switch_arming(self) -> None:
        """Arm for 30 min, or disarm."""
        if self._acting is not None:
            self._acting.switch_arming()

    def prepare_action(
        self,
        request: ActionRequest,
        deliver: Callable[[PreparedAction | Refused], None],
        together: int = 1,
    ) -> None:
        """Read the world and weigh what ``request`` would do."""

        async def prepare(acting: Acting) -> PreparedAction:
            return await acting.prepare(request, self.latest, together)

        self._spawn_acting(prepare, deliver)

    def perform_action(
        self,
        prepared: PreparedAction,
        confirmation: Confirmation,
        progress: Callable[[str, str], None],
        deliver: Callable[[Outcome | Refused], None],
    ) -> None:
        """Do what was prepared."""

        async def perform(acting: Acting) -> Outcome:
            return await acting.perform(prepared, confirmation, progress)

        self._spawn_acting(perform, deliver)

    def request_approval(
        self, actions: Sequence[PreparedAction], deliver: Callable[[str | Refused], None]
    ) -> None:
        """Ask for a second person and wait for the answer."""
        self._spawn_acting(
            lambda acting: acting.second_person(actions), deliver, waits_for=actions[0].op_id
        )

    def forget_approval(self, op_id: str) -> None:
        """Wait no longer for the second person of an operation."""

        def forget(_engine: Engine) -> None:
            task = self._waiting.pop(op_id, None)
            if task is not None:
                task.cancel()

        self._call(forget)

    def prepare_decision(
        self,
        wish: DecisionWish,
        deliver: Callable[[PreparedDecision | Refused], None],
        sinks: Sequence[str] | None = None,
    ) -> None:
        """Freeze the evidence and weigh a decision."""
        self._spawn_acting(
            lambda acting: acting.prepare_decision(wish, sinks, self.latest), deliver
        )

    def write_decision(
        self, prepared: PreparedDecision, deliver: Callable[[DecisionRecord | Refused], None]
    ) -> None:
        """Write a decision that a person confirmed."""
        self._spawn_acting(lambda acting: acting.write_decision(prepared), deliver)

    def perform_care(self, wish: CareWish, deliver: Callable[[Outcome | Refused], None]) -> None:
        """Do something about an incident at once."""
        self._spawn_acting(lambda acting: acting.care(wish, self.latest), deliver)

    def request_outlooks(
        self, model: str, deliver: Callable[[str, tuple[Outlook, ...]], None]
    ) -> None:
        """Say what could be done to a model, and what objects."""

        async def ask(_engine: Engine) -> None:
            if self._acting is not None:
                deliver(model, self._acting.outlooks(model, self.latest))

        self._spawn(ask)

    def _spawn_acting(
        self,
        make: Callable[[Acting], Awaitable[Answer]],
        deliver: Callable[[Answer | Refused], None],
        waits_for: str = "",
    ) -> None:
        """Run something of the write side; whatever happens, ``deliver`` is told."""

        async def run(_engine: Engine) -> None:
            from console.engine.write_service import told_refusal

            acting = self._acting
            if acting is None:
                deliver(Refused((_STARTING,)))
                return
            task = asyncio.current_task()
            if waits_for and task is not None:
                self._waiting[waits_for] = task
            try:
                answer = await make(acting)
            except (ActionRefused, JournalError) as fault:
                deliver(told_refusal(fault))
            except Exception as fault:
                log.exception("an action failed inside the console")
                deliver(Refused((_FAULT.format(visible(repr(fault), 300)),), "fault"))
            else:
                deliver(answer)

        if self._loop is None:
            deliver(Refused((_STARTING,)))
        else:
            self._spawn(run)

    async def _start_acting(self) -> None:
        # What it loads is as much again as the engine; numbers come first.
        await self._first_shown.wait()
        if self._make_acting is None:
            return
        from console.engine.write_service import keep_holds

        self._acting = self._make_acting()
        try:
            await self._acting.start()
        except JournalError as fault:
            self._on_problem(f"nothing can be acted on: {fault.sentence}")
        await keep_holds(self._acting, lambda: self.latest, self._on_problem)

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
                self._spawn(lambda _engine: self._start_acting())
                publish = settling(on_snapshot)

                def show(snapshot: Snapshot) -> None:
                    publish(snapshot)
                    self._first_shown.set()
                    if self._keep is not None:
                        self._keep(snapshot)

                await engine.run(show, early=show)
        finally:
            self._loop = None
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.close()
            if self._acting is not None:
                await self._acting.close()

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
