"""The one loop and the one clock: polls sources, evaluates, publishes Snapshots."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from console.domain.text import visible
from console.engine.client import reload
from console.engine.distributions import PSI, distribution
from console.engine.explain import explain
from console.engine.gc_tuning import release_collector
from console.engine.history import History
from console.engine.incident_view import IncidentViews, cared, with_care_after
from console.engine.journal_tail import Records
from console.engine.look_back import LookBack
from console.engine.outside_feeds import AlertDesk, ChangeDesk, Registries, rule_events
from console.engine.polling import Poller
from console.engine.query_planner import Desk
from console.engine.ranges import BASES, Ranges
from console.engine.standby_order import AWAY, Returns, standbys
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.evaluation.override_rows import bind_overrides
from console.incidents.event_log import IncidentLog
from console.metrics.profile import profiles
from console.readiness.ending import proof_facts
from console.sources.factory import made_or_broken, plain_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from console.domain.distribution import Distribution
    from console.domain.entry import Entry, RecordPage, Verification
    from console.domain.incident import IncidentView
    from console.domain.proof import ModelReadiness
    from console.domain.samples import Series, SourceStatus
    from console.domain.snapshot import Snapshot
    from console.engine.client import Explanation, Refused, ReloadOutcome, SeriesSet
    from console.engine.journal_tail import ReadWitness
    from console.engine.outside_feeds import MakeReader, MakeRegistry, MakeTeller
    from console.engine.row_assignment import Seat
    from console.evaluation.spend import SpendFacts
    from console.handover.handover_document import ShiftFacts
    from console.journal import Journal
    from console.metrics.queries import Query
    from console.reports.postmortem import PostmortemFacts
    from console.settings.load import Loaded
    from console.settings.schema import Settings, SourceSettings
    from console.sources.base import Source


log = logging.getLogger(__name__)

GRACE_SECONDS = 2.0
"""How long a tick waits for sources before it shows what is there."""

RECORD_GRACE_SECONDS = 0.5
RECORD_LIMIT_SECONDS = 6.0
"""How long a tick, and a single look, wait for the journal."""

PROBLEM_SECONDS = 60.0


class Engine:
    """Polls sources and turns what they say into Snapshots, one a tick.

    ``load_again`` reads the configuration anew for `reload`; ``clock`` gives Unix seconds.
    ``open_record`` opens, for reading, the journal that settings name; None reads none.
    ``read_witness`` reads the heads that its anchor holds; None proves no end.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        sources: Sequence[Source] | None = None,
        clock: Callable[[], float] = time.time,
        load_again: Callable[[], Loaded] | None = None,
        make_source: Callable[[SourceSettings], Source] | None = None,
        make_reader: MakeReader | None = None,
        make_teller: MakeTeller | None = None,
        make_registry: MakeRegistry | None = None,
        open_record: Callable[[Settings], Journal] | None = None,
        read_witness: ReadWitness | None = None,
    ) -> None:
        self.settings = loaded.settings
        self.latest: Snapshot | None = None
        self.on_problem: Callable[[str], None] = _log_problem
        self._clock = clock
        self._ago_seconds = 0.0
        self._told: dict[str, float] = {}
        self._load_again = load_again
        self._make_source = make_source
        self._started: list[Poller] = []
        self._desk = Desk(loaded.settings, self._problem)
        self._alerts = AlertDesk(loaded.settings, make_reader)
        self._told_changes = ChangeDesk(loaded.settings, make_teller)
        self._registries = Registries(loaded.settings, make_registry)
        self._alert_polls: list[asyncio.Task[None]] = []
        self._history = History()
        self._records = Records(open_record, loaded.settings, clock, read_witness)
        self._memory = Memory()
        self._returns = Returns()
        self._tick = 0
        self._wake = asyncio.Event()
        self._stopping = False
        offered = sources if sources is not None else self._made(loaded.settings.sources)
        self._pollers = {source.name: self._poller(source) for source in offered}
        self._ranges = Ranges(self._desk, self.source, self._history, clock)
        self._look_back = LookBack()
        self._noted = IncidentLog()
        self._views = IncidentViews(self._desk, self.source, self._records, self._noted, clock)

    async def run(
        self,
        publish: Callable[[Snapshot], None],
        early: Callable[[Snapshot], None] | None = None,
    ) -> None:
        """Tick until `stop`; a fault inside a tick is told to the operator and the loop goes on.

        ``early`` is given the first numbers before the first tick is whole: see `tick`.
        Only a `BrokenPipeError` from ``publish`` ends it: nobody reads any more.
        """
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began_at = loop.time()
            try:
                publish(await self.tick(None if self._tick else early))
            except BrokenPipeError:
                raise
            except Exception as fault:
                log.exception("a tick failed")
                self._problem(f"this tick failed inside the console: {visible(repr(fault))}")
            await self._rest(began_at + self.settings.refresh_seconds - loop.time())

    def stop(self) -> None:
        """End `run` after the tick under way."""
        self._stopping = True
        self._wake.set()

    def refresh(self) -> None:
        """Tick at once and ask everything again."""
        for poller in self._pollers.values():
            poller.hasten()
        self._alerts.hasten()
        self._told_changes.hasten()
        self._wake.set()

    async def tick(self, early: Callable[[Snapshot], None] | None = None) -> Snapshot:
        """Poll what is due, wait a moment for it, and judge what is there.

        ``early`` is given what the questions of every tick answered, as soon as they did, while
        the slow ones are under way; it is a look without a past, and none to later ones.
        """
        self._records.start()
        self._start_polls()
        if early is not None:
            await self._wait(GRACE_SECONDS, Poller.numbers)
            await self._records.settle(RECORD_GRACE_SECONDS)
            if self._desk.board.seating.rows and any(p.busy for p in self._pollers.values()):
                memory = self._memory
                early(self._judge(remembers=False))
                self._memory = memory
                release_collector()
        await self._wait(GRACE_SECONDS, Poller.first_part)
        await self._records.settle(RECORD_GRACE_SECONDS)
        self._memory = self._look_back.told(self._memory)
        try:
            return self._judge(remembers=True)
        finally:
            release_collector()
            self._look_back.begin(self._memory, self._ranges, self._clock())

    async def look_twice(self, limit_seconds: float = 60.0) -> Snapshot:
        """Return the fleet after two looks, one refresh apart: a rule is called when both agree.

        Servers with a past are asked as of then and as of now, so that nobody waits.
        """
        kinds = {source.kind for source in self.settings.sources}
        pause_seconds = self.settings.refresh_seconds
        if kinds <= {"prometheus"}:
            await self.once(limit_seconds=limit_seconds, ago_seconds=pause_seconds)
            return await self.once(limit_seconds=limit_seconds)
        await self.once(limit_seconds=limit_seconds)
        if "scrape" in kinds:
            # Of the first scrape there are no rates yet: it is no look that could count.
            await asyncio.sleep(pause_seconds)
            await self.once(limit_seconds=limit_seconds)
        await asyncio.sleep(pause_seconds)
        return await self.once(limit_seconds=limit_seconds)

    async def once(
        self, *, remembers: bool = True, limit_seconds: float = 60.0, ago_seconds: float = 0.0
    ) -> Snapshot:
        """Poll every source to its end, slow questions included, and judge what came back.

        With ``ago_seconds`` all is asked and judged as of then.
        """
        self._ago_seconds = ago_seconds
        self._records.start()
        self._start_polls()
        await self._wait(limit_seconds, Poller.finished)
        # Which version serves is only known now; a registry is asked about that one.
        rows = self._desk.board.seating.rows
        if late := self._registries.start(rows, self._now()):
            await asyncio.wait(late, timeout=limit_seconds)
        await self._records.settle(RECORD_LIMIT_SECONDS)
        try:
            snapshot = self._judge(remembers=remembers)
            before = self._memory
            self._memory = await self._look_back.joined(before, self._ranges, self._clock())
            again = not remembers and self._memory is not before
            return self._judge(remembers=False) if again else snapshot
        finally:
            release_collector()

    async def close(self) -> None:
        """Let go of all sources."""
        self._look_back.stop()
        for poller in self._pollers.values():
            await poller.close()
        beside = (self._alerts.close(), self._told_changes.close(), self._registries.close())
        await asyncio.gather(*beside, self._records.close())

    async def journal_page(self, before_seq: int) -> RecordPage:
        """Return the journal's entries before a number, newest first."""
        return await self._records.page(before_seq)

    async def verify_journal(self) -> Verification | str:
        """Read the journal's whole chain against its anchor; a sentence says why that failed."""
        return await self._records.verify()

    def source(self, name: str) -> Source | None:
        """Return the source of this name."""
        poller = self._pollers.get(name)
        return None if poller is None else poller.source

    def history(self, model: str, signal: str, seconds: float) -> Series:
        """Return what the ticks of the last ``seconds`` saw; safe from any thread."""
        return self._history.series(model, signal, seconds)

    async def series(
        self, model: str, signals: Sequence[str], seconds: float, cells: int
    ) -> SeriesSet:
        """Return the last ``seconds`` of several signals in about ``cells`` points each."""
        return await self._ranges.series(model, signals, seconds, cells)

    async def series_between(
        self, model: str, signals: Sequence[str], start: float, end: float, cells: int
    ) -> SeriesSet:
        """Return several signals over a span of the past (Unix seconds)."""
        return await self._ranges.between(model, signals, start, end, cells)

    async def breakers_between(
        self, model: str, start: float, end: float, cells: int
    ) -> dict[str, Series]:
        """Return how a model's breakers were over a span, by dependency, "" its own."""
        return await self._ranges.breakers_between(model, start, end, cells)

    def explain(self, model: str, signal: str) -> Explanation:
        """Say where one number comes from; safe from any thread."""
        drift = self._memory.score_drift
        return explain(self._desk, self.latest, model, signal, self._clock(), drift)

    async def distribution(self, model: str) -> Distribution:
        """Return how a model's scores are distributed now, beside its reference if in force."""
        drift = self._memory.score_drift
        board, now = self._desk.board, self._clock()
        return await distribution(board, self.source, drift, model, now)

    async def spend(self, month: str = "") -> SpendFacts | None:
        """Return what every model spent in a month (``2026-11``; empty: this one).

        None before the first tick. Raises `UnknownMonthError`.
        """
        from console.engine.spending import spend_facts

        if self.latest is None:
            return None
        return await spend_facts(self._desk, self.source, self.latest, self._clock(), month)

    async def incident_view(
        self,
        incident_id: str,
        entries: Sequence[Entry] | None = None,
        now: float | None = None,
    ) -> IncidentView | Refused:
        """Return one incident as a whole, or why nothing is known of it.

        ``entries`` (oldest first) and ``now`` (Unix seconds) stand in for journal and clock.
        """
        return await self._views.view(incident_id, self.latest, entries, now)

    async def shift_facts(self, since: float) -> ShiftFacts:
        """Return what is known of the shift that began at ``since`` (Unix seconds)."""
        from console.engine.report_facts import shift_facts

        environment = self.settings.environment
        return await shift_facts(self.latest, environment, self._records, self.incident_view, since)

    async def postmortem_facts(self, incident_id: str) -> PostmortemFacts | Refused:
        """Return what a postmortem is made from, or why nothing is known of the incident."""
        from console.engine.report_facts import postmortem_facts

        return await postmortem_facts(self, self._records, incident_id, self._clock())

    async def readiness(self, models: Sequence[str] = ()) -> tuple[ModelReadiness, ...]:
        """Judge the 30 checks of these models, of every one where none is named.

        Reads the journal's whole chain and the last days of what the checks need. A name that no
        row has is left out; nothing is known before the first tick.
        """
        from console.engine.report_facts import readiness_of

        return await readiness_of(self, self._records, models, self._clock())

    def seat(self, model: str) -> Seat | None:
        """Return who speaks for a model; None where nobody does."""
        seating = self._desk.board.seating
        pairs = zip(seating.rows, seating.seats, strict=True)
        return next((seat for row, seat in pairs if row.model == model and seat.source), None)

    def question(self, model: str, signal: str) -> tuple[Query, Seat] | None:
        """Return the query that fills a measured signal of a model, and whom it is asked about.

        None for what the console computes itself, drift against a declared reference included.
        """
        seating = self._desk.board.seating
        for row, seat in zip(seating.rows, seating.seats, strict=True):
            asked = self._desk.board.asked(seat, signal) if row.model == model else ()
            computed = signal in BASES or (signal == PSI and row.reference is not None)
            if asked and (asked[-1].query.exclusive or not computed):
                return asked[-1].query, seat
        return None

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again; a faulty one leaves everything as it is."""

        return await reload(self)

    def load_again(self) -> Loaded | None:
        """Return the configuration read anew, or None where it came from no file or flag."""
        return None if self._load_again is None else self._load_again()

    async def adopt(self, settings: Settings) -> None:
        """Put new settings in force; sources whose settings did not change keep what they hold."""
        before = {source.name: source for source in self.settings.sources}
        after = {source.name: source for source in settings.sources}
        kept = {name for name in after if name in before and after[name] == before[name]}
        changed = [source for source in settings.sources if source.name not in kept]
        made = {source.name: source for source in self._made(changed)}
        gone = [poller for name, poller in self._pollers.items() if name not in kept]
        self.settings = settings
        pollers: dict[str, Poller] = {}
        for name in after:
            if name in kept and name in self._pollers:
                pollers[name] = self._pollers[name]
                pollers[name].set_refresh(settings.refresh_seconds)
            elif name in made:
                pollers[name] = self._poller(made[name])
        self._pollers = pollers
        self._desk.configure(settings)
        await self._alerts.configure(settings)
        await self._told_changes.configure(settings)
        await self._registries.configure(settings)
        if self._records.configure(settings):
            # What another journal said is no news by its absence from this one.
            self._memory = replace(self._memory, held=None)
        for poller in gone:
            await poller.close()
        self.refresh()

    def _made(self, wanted: Sequence[SourceSettings]) -> list[Source]:
        make = self._make_source or plain_factory()
        declared = {source.name for source in self.settings.sources}
        # A fallback that is a source of its own steps in here; the word `direct` is its maker's.
        return [
            made_or_broken(
                make,
                msgspec.structs.replace(each, fallback=None) if each.fallback in declared else each,
            )
            for each in wanted
        ]

    def _poller(self, source: Source) -> Poller:
        return Poller(source, self._desk, profiles, self.settings.refresh_seconds)

    def _start_polls(self) -> None:
        now = self._now()
        self._started = [poller for poller in self._pollers.values() if poller.start(now)]
        rows = self._desk.board.seating.rows
        self._alert_polls = [
            *self._alerts.start(now),
            *self._told_changes.start(now),
            *self._registries.start(rows, now),
        ]

    async def _wait(
        self, limit_seconds: float, until: Callable[[Poller], Coroutine[None, None, None]]
    ) -> None:
        waits = [asyncio.ensure_future(until(poller)) for poller in self._started]
        # A wait that is late is cancelled, and a poll of alerts must live on.
        waits += [asyncio.ensure_future(_ended(poll)) for poll in self._alert_polls]
        if not waits:
            return
        _, late = await asyncio.wait(waits, timeout=limit_seconds)
        for wait in late:
            wait.cancel()

    def _judge(self, *, remembers: bool) -> Snapshot:
        now = self._now()
        statuses = self._statuses(now)
        self._desk.away([status.name for status in statuses if status.state in AWAY])
        self._desk.speak(self._returns.speakers(statuses, standbys(self.settings.sources), now))
        statuses = tuple(map(self._with_standby, statuses))
        rows = self._desk.board.seating.rows
        self._tick += 1
        dependencies = () if self.latest is None else self.latest.dependencies
        known = self._records.known(now)
        observed = self._told_changes.observe(self._desk.observe(), now)
        observed = self._alerts.observe(observed, rows, dependencies, now)
        observed, care = cared(observed, known.care, self.latest, now)
        snapshot, self._memory = evaluate(
            rows,
            observed,
            statuses,
            self._memory,
            now,
            environment=self.settings.environment,
            tick=self._tick,
            settings=self.settings,
            remembers=remembers,
            overrides=bind_overrides(known.overrides, rows),
            record=known.record,
            care=care,
            decisions=known.decisions,
            proofs=proof_facts(self.latest, known.proofs, self.settings, rows, now),
        )
        snapshot = with_care_after(self._alerts.gather(snapshot, remembers=remembers))
        snapshot = replace(snapshot, registry=self._registries.known, proofs=known.proofs)
        if remembers:
            self._noted.take(snapshot, rule_events(snapshot, self.latest))
        self._history.seat([row.model for row in rows])
        self._history.add(snapshot.columns, now)
        self.latest = snapshot
        return snapshot

    def _now(self) -> float:
        return self._clock() - self._ago_seconds

    def _statuses(self, now: float) -> tuple[SourceStatus, ...]:
        return tuple(self._status(poller, now) for poller in self._pollers.values())

    def _status(self, poller: Poller, now: float) -> SourceStatus:
        status = poller.status(now)
        found = self._desk.warnings.get(poller.name, ())
        return replace(status, warnings=tuple(dict.fromkeys((*status.warnings, *found))))

    def _with_standby(self, status: SourceStatus) -> SourceStatus:
        """Say who speaks for a source's rows while it is away or only just back."""
        speaker = self._desk.speakers.get(status.name, "")
        return replace(status, standby=speaker) if speaker and not status.standby else status

    def _problem(self, sentence: str) -> None:
        """Tell a problem, and a lasting one once a minute instead of at every tick."""
        now = self._clock()
        told = self._told.get(sentence)
        if told is not None and 0 <= now - told < PROBLEM_SECONDS:
            return
        self._told = {text: at for text, at in self._told.items() if now - at < PROBLEM_SECONDS}
        self._told[sentence] = now
        self.on_problem(sentence)

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        if self._stopping:
            return
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            return


async def _ended(poll: asyncio.Task[None]) -> None:
    await asyncio.wait([poll])


def _log_problem(sentence: str) -> None:
    log.warning("%s", sentence)
