"""Plays a recording as if it were the engine: the same Snapshots, at any pace, changing nothing."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from console.domain.distribution import Distribution
from console.domain.entry import RecordPage
from console.domain.samples import Series
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.engine.client import Explanation, Refused, ReloadOutcome, SeriesSet, WriteState
from console.engine.history import KEPT_SECONDS, History
from console.engine.incident_view import IncidentViews
from console.engine.journal_tail import Records
from console.engine.outside_feeds import rule_events
from console.engine.query_planner import Desk
from console.engine.recording_codec import BadRecording
from console.incidents.event_log import IncidentLog
from console.settings.schema import Settings, ShiftSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.availability import Outlook
    from console.domain.entry import Entry
    from console.domain.incident import IncidentView
    from console.domain.snapshot import Snapshot
    from console.engine.recording import Recording, _Place

log = logging.getLogger(__name__)

NOTHING: Final = "this is a replay: nothing is sent and nothing is written"
NOT_KEPT: Final = "a recording does not keep it; look at the service itself"
LONGEST_GAP_SECONDS: Final = 600.0
"""A gap of the recording is waited for no longer than so much recorded time."""

PAGE: Final = 200


def settings_of(recording: Recording) -> Settings:
    """Return the settings a recording tells of itself; what it does not know is the default."""
    told = recording.header
    base = Settings()
    ends, zone = told.get("shift_ends"), told.get("shift_zone")
    shift = ShiftSettings(
        ends=tuple(map(str, ends)) if isinstance(ends, list) and ends else base.shift.ends,
        zone=zone if isinstance(zone, str) else None,
    )
    panes = told.get("panes")
    refresh = told.get("refresh_seconds")
    return replace(
        base,
        environment=visible(str(told.get("environment") or "replay"), 60),
        writes="never",
        refresh_seconds=float(refresh) if isinstance(refresh, int | float) else 5.0,
        panes=tuple(panes) if isinstance(panes, list) else base.panes,
        shift=shift,
    )


class ReplayEngine:
    """A recording as an `EngineHandle`; its `clock` is the recorded time.

    It is paused with ``speed`` 0. Everything that would change the world is refused in words.
    """

    def __init__(
        self, recording: Recording, *, speed: float = 1.0, at: float | None = None
    ) -> None:
        self._recording = recording
        self._settings = settings_of(recording)
        self._first = 0 if at is None else recording.number_at(at)
        self._place: _Place | None = None
        self._history = History()
        self._noted = IncidentLog()
        self._entries: dict[int, Entry] = {}
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._wanted: int | None = self._first
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._snapshot: Snapshot | None = None
        self.speed = speed
        self.paused = speed <= 0.0
        self._shown_at = time.monotonic()
        desk = Desk(self._settings, log.warning)
        records = Records(None, self._settings, self.clock, None)
        self._views = IncidentViews(desk, lambda _name: None, records, self._noted, self.clock)

    # Time

    def clock(self) -> float:
        """Return the recorded time, Unix seconds; it stands still while paused or at the end."""
        snapshot, place = self._snapshot, self._place
        if snapshot is None or place is None:
            return self._recording.moments[self._first].at
        if self.paused or place.number + 1 >= len(self._recording.moments):
            return snapshot.taken_at
        gone = (time.monotonic() - self._shown_at) * self.speed
        following = self._recording.moments[place.number + 1].at
        return min(snapshot.taken_at + gone, max(following, snapshot.taken_at))

    @property
    def words(self) -> str:
        """Return what stands in the header: that this is a replay, its pace, and how far it is."""
        place = self._place
        number = self._first if place is None else place.number
        last = len(self._recording.moments) - 1
        pace = "paused" if self.paused else f"x{self.speed:g}"
        end = " end" if number == last else ""
        return f"REPLAY {pace} {number + 1}/{last + 1}{end}"

    def toggle(self) -> str:
        """Pause, or go on."""
        with self._wake:
            self.paused = not self.paused
            self.speed = self.speed or 1.0
            self._shown_at = time.monotonic()
            self._wake.notify()
        return "paused" if self.paused else f"goes on at {self.speed:g}x"

    def step(self, count: int) -> str:
        """Show the tick ``count`` places on, and pause."""
        with self._wake:
            now = self._first if self._place is None else self._place.number
            wanted = min(max(now + count, 0), len(self._recording.moments) - 1)
            if wanted == now:
                return "the recording ends here" if count > 0 else "the recording begins here"
            self._go(wanted)
        return ""

    def jump(self, direction: int) -> str:
        """Show the next (1) or the last (-1) tick at which a rule began or ceased, and pause."""
        moments = self._recording.moments
        with self._wake:
            now = self._first if self._place is None else self._place.number
            ahead = range(now + 1, len(moments)) if direction > 0 else range(now - 1, -1, -1)
            found = next((number for number in ahead if moments[number].event), None)
            if found is None:
                return "no rule begins or ceases " + ("after" if direction > 0 else "before")
            self._go(found)
        return ""

    def go_to(self, at: float) -> None:
        """Show the last tick not after ``at`` (Unix seconds), and pause."""
        with self._wake:
            self._go(self._recording.number_at(at))

    def _go(self, number: int) -> None:
        self.paused = True
        self._wanted = number
        self._wake.notify()

    # The engine

    @property
    def latest(self) -> Snapshot | None:
        """Return the tick that is shown."""
        return self._snapshot

    @property
    def settings(self) -> Settings:
        """Return what the recording says of its console."""
        return self._settings

    def start(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        """Begin to play in a thread of its own."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(
            target=self._run, args=(on_snapshot, on_problem), name="midwatch replay", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End playing."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(3.0)

    def _run(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        for sentence in self._recording.lost[:3]:
            on_problem(visible(sentence, 200))
        while (number := self._next()) is not None:
            try:
                on_snapshot(self.show(number))
            except (BadRecording, OSError) as fault:
                self.paused = True
                on_problem(visible(f"the recording cannot be read there: {fault}", 300))

    def _next(self) -> int | None:
        """Wait until a tick is due; return its number, None at the end of everything."""
        with self._wake:
            while not self._stopping:
                if self._wanted is not None:
                    number, self._wanted = self._wanted, None
                    return number
                place, moments = self._place, self._recording.moments
                if place is None or self.paused or place.number + 1 >= len(moments):
                    self._wake.wait()
                    continue
                gap = moments[place.number + 1].at - moments[place.number].at
                due = min(max(gap, 0.0), LONGEST_GAP_SECONDS) / self.speed
                left = due - (time.monotonic() - self._shown_at)
                if left <= 0.0:
                    return place.number + 1
                self._wake.wait(left)
        return None

    def show(self, number: int) -> Snapshot:
        """Make a tick the one that is shown; raises `BadRecording` and ``OSError``."""
        follows = self._place is not None and number == self._place.number + 1
        if not follows:
            self._look_back(number)
        place = self._recording.read(number, self._place)
        self._take(place)
        snapshot = place.snapshot
        assert snapshot is not None
        self._shown_at = time.monotonic()
        return snapshot

    def _look_back(self, number: int) -> None:
        """Read the hour before a tick, so that charts and timelines know it."""
        moments = self._recording.moments
        since = moments[number].at - KEPT_SECONDS
        first = next(each for each in range(number + 1) if moments[each].at >= since)
        self._history, self._noted = History(), IncidentLog()
        self._views.follow(self._noted)
        self._place, self._snapshot = None, None
        for each in range(first, number):
            self._place = self._recording.read(each, self._place)
            self._take(self._place)

    def _take(self, place: _Place) -> None:
        snapshot = place.snapshot
        assert snapshot is not None
        self._noted.take(snapshot, rule_events(snapshot, self._snapshot))
        self._history.seat([row.model for row in snapshot.rows])
        self._history.add(snapshot.columns, snapshot.taken_at)
        self._entries |= {entry.seq: entry for entry in snapshot.record.entries}
        self._place, self._snapshot = place, snapshot

    # What screens ask

    def history(self, model: str, signal: str, seconds: float) -> Series:
        """Return what the recorded ticks of the last ``seconds`` (at most an hour) saw."""
        return self._history.series(model, signal, seconds)

    def request_series(
        self,
        model: str,
        signals: Sequence[str],
        seconds: float,
        cells: int,
        deliver: Callable[[SeriesSet], None],
    ) -> None:
        """Return what was recorded; a source is not asked, and the span is an hour at most."""
        now = self.clock()
        found = tuple(self._history.series(model, each, seconds) for each in signals)
        deliver(SeriesSet(model, now - seconds, now, found))

    def request_distribution(self, model: str, deliver: Callable[[Distribution], None]) -> None:
        """Say that a recording keeps none."""
        nothing = Distribution(
            model, (), (), 0.0, None, 0.0, "", None, None, 0.0, self.clock(), note=NOT_KEPT
        )
        deliver(nothing)

    def explain(self, model: str, signal: str) -> Explanation:
        """Say what was recorded of a number; its query is not kept."""
        from console.domain.signals import NO_DATA

        fact, snapshot = SIGNALS.get(signal), self._snapshot
        row = None if snapshot is None else snapshot.index.get(model)
        reading = NO_DATA if snapshot is None or row is None else snapshot.reading(signal, row)
        unit = fact.unit if fact is not None else ""
        shown = "?" if reading.value is None else f"{reading.value:g} {unit}".strip()
        return Explanation(
            model=model,
            signal=signal,
            title=fact.title if fact is not None else signal,
            unit=unit,
            formula=fact.formula if fact is not None else "",
            promql="",
            source="a recording",
            profile="" if snapshot is None or row is None else snapshot.rows[row].profile,
            state=reading.state,
            value_text=shown,
            at=reading.at,
            age_seconds=None if reading.at is None else max(0.0, self.clock() - reading.at),
            window_seconds=reading.window_seconds,
            n=reading.n,
            method=reading.method,
            hint="recorded at 4 significant digits; the query is not kept",
        )

    def request_reload(self, deliver: Callable[[ReloadOutcome], None]) -> None:
        """Say that there is nothing to read again."""
        deliver(ReloadOutcome(applied=False, sentence="a replay has no configuration"))

    def request_refresh(self) -> None:
        """Do nothing: what was recorded does not change."""

    def request_journal_page(self, before_seq: int, deliver: Callable[[RecordPage], None]) -> None:
        """Return older entries, as far as the ticks read so far held them."""
        older = sorted((seq for seq in self._entries if seq < before_seq), reverse=True)[:PAGE]
        said = "" if older else "the recording holds no older entries"
        deliver(RecordPage(tuple(self._entries[seq] for seq in older), sentence=said))

    def request_verification(self, deliver: Callable[[str], None]) -> None:
        """Say that a recording's entries cannot be verified."""
        deliver("a recording holds a part of the record; verify the journal itself")

    def request_incident_view(
        self, incident_id: str, deliver: Callable[[IncidentView | Refused], None]
    ) -> None:
        """Put one incident together from what was recorded up to now."""
        entries = [self._entries[seq] for seq in sorted(self._entries)]
        now = self.clock()
        entries = [entry for entry in entries if entry.at <= now]

        def work() -> None:
            view = self._views.view(incident_id, self._snapshot, entries, now)
            deliver(asyncio.run(view))

        threading.Thread(target=work, name="midwatch view", daemon=True).start()

    @property
    def writing(self) -> WriteState:
        """Return that nothing can be written."""
        return WriteState(unarmable=NOTHING, problem=NOTHING)

    def switch_arming(self) -> None:
        """Do nothing: the mode says why."""

    def forget_approval(self, op_id: str) -> None:
        """Do nothing."""

    def request_outlooks(
        self, model: str, deliver: Callable[[str, tuple[Outlook, ...]], None]
    ) -> None:
        """Offer nothing."""
        deliver(model, ())

    def request_spend(self, month: str, deliver: Callable[[str], None]) -> None:
        """Say that a recording keeps no month."""
        deliver(f"a replay reads no server: {NOT_KEPT}")

    def _refuse(self, *arguments: Any, **_more: object) -> None:
        """Answer whatever would change something with why it does not."""
        deliver = next(each for each in reversed(arguments) if callable(each))
        deliver(Refused((NOTHING,), "not_allowed"))

    prepare_action = perform_action = request_approval = prepare_decision = _refuse
    write_decision = perform_care = request_handover = write_handover = _refuse
    accept_handover = request_postmortem = request_readiness = _refuse


def moment_of(text: str, recording: Recording) -> float | None:
    """Return the Unix seconds meant by HH:MM[:SS] UTC of the recording, or by ISO 8601.

    The first such time of day in the recording is meant. None where it is neither.
    """
    from datetime import UTC, datetime

    parts = text.strip().removesuffix("Z").split(":")
    if 2 <= len(parts) <= 3 and all(part.isdecimal() and len(part) == 2 for part in parts):
        hours, minutes, seconds = (*map(int, parts), 0)[:3]
        begin = recording.moments[0].at
        day = math.floor(begin / 86400.0) * 86400.0
        at = day + hours * 3600.0 + minutes * 60.0 + seconds
        return at if at + 60.0 > begin else at + 86400.0
    try:
        at_time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (at_time if at_time.tzinfo else at_time.replace(tzinfo=UTC)).timestamp()
