"""An engine without sources: tells the Snapshots it is given, and answers from them."""

from collections.abc import Callable, Sequence

import numpy as np

from console.actions.availability import Outlook
from console.actions.decision_record import DecisionWish, PreparedDecision
from console.actions.write_gate import Arming
from console.domain.action import ActionRequest, Confirmation, Outcome, PreparedAction
from console.domain.decision import DecisionRecord
from console.domain.distribution import Distribution
from console.domain.incident import CareWish, IncidentView
from console.domain.samples import Series
from console.domain.signals import SIGNALS, ReadingState
from console.domain.snapshot import Snapshot
from console.engine.client import Explanation, Refused, ReloadOutcome, SeriesSet, WriteState
from console.settings.schema import Settings
from tests.support.incident_views import sample_incident_view

SAMPLE_DISTRIBUTION = Distribution(
    model="fraud-scorer",
    edges=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    now_shares=(0.14, 0.10, 0.06, 0.08, 0.10, 0.13, 0.09, 0.08, 0.07, 0.15),
    now_n=5812.0,
    reference_shares=(0.24, 0.14, 0.08, 0.06, 0.04, 0.04, 0.04, 0.02, 0.02, 0.32),
    reference_n=41_212.0,
    reference_name="refs/fraud-2026-10.json",
    taken_at=1_790_553_600.0,
    psi=0.27,
    window_seconds=3600.0,
)
"""What every model's scores are."""


class StubEngine:
    """Satisfies `EngineHandle`; everything happens at once, in the caller's thread."""

    def __init__(self, *snapshots: Snapshot, settings: Settings | None = None) -> None:
        self._snapshots = list(snapshots)
        self._settings = settings or Settings()
        self.asked: list[tuple[str, tuple[str, ...], float]] = []
        self.refreshes = 0
        self.distributions_asked: list[str] = []
        self.distribution = SAMPLE_DISTRIBUTION
        self.stopped = False
        self.reload_outcome = ReloadOutcome(True, "reloaded: nothing differs")
        self.tell: Callable[[Snapshot], None] = lambda snapshot: None
        self.tell_problem: Callable[[str], None] = lambda sentence: None
        self.clock: Callable[[], float] = lambda: 0.0
        self.arming = Arming(self._settings.writes)
        self.shared_journal = False
        self.prepares: list[tuple[ActionRequest, int]] = []
        self.performed: list[tuple[PreparedAction, Confirmation]] = []
        self.forgotten: list[str] = []
        self.approvals: list[tuple[PreparedAction, ...]] = []
        self.answer_prepare: Callable[[ActionRequest, int], PreparedAction | Refused | None] = (
            lambda request, together: Refused(("the stub prepares nothing",))
        )
        self.answer_perform: Callable[[PreparedAction], Outcome | Refused | None] = lambda one: None
        self.cared: list[CareWish] = []
        self.answer_postmortem: Callable[[str], str | Refused] = lambda incident: (
            f"# Postmortem of {incident}\n"
        )
        self.answer_care: Callable[[CareWish], Outcome | Refused | None] = lambda wish: Outcome(
            f"01CARE{len(self.cared):020d}", "applied", f"{wish.verb} {wish.incident}"
        )
        self.decisions_asked: list[tuple[DecisionWish, Sequence[str] | None]] = []
        self.decisions_written: list[PreparedDecision] = []
        self.answer_decision: Callable[
            [DecisionWish, Sequence[str] | None], PreparedDecision | Refused | None
        ] = lambda wish, sinks: Refused(("the stub decides nothing",))
        self.answer_write: Callable[[PreparedDecision], DecisionRecord | Refused] = lambda one: (
            DecisionRecord(decision=one.decision, digest=one.digest, account="ana@ops-1")
        )
        self.found: tuple[Outlook, ...] = ()
        self.views_asked: list[str] = []
        self.answer_view: Callable[[str], IncidentView | Refused] = self._sample_view
        self.approve: Callable[[str | Refused], None] = lambda answer: None
        self.finish: Callable[[Outcome | Refused], None] = lambda answer: None

    @property
    def latest(self) -> Snapshot | None:
        return self._snapshots[-1] if self._snapshots else None

    @property
    def settings(self) -> Settings:
        return self._settings

    def start(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        self.tell, self.tell_problem = on_snapshot, on_problem
        for snapshot in self._snapshots:
            on_snapshot(snapshot)

    def stop(self) -> None:
        self.stopped = True

    def history(self, model: str, signal: str, seconds: float) -> Series:
        return Series(signal, np.empty(0), np.empty(0))

    def request_series(
        self,
        model: str,
        signals: Sequence[str],
        seconds: float,
        cells: int,
        deliver: Callable[[SeriesSet], None],
    ) -> None:
        self.asked.append((model, tuple(signals), seconds))
        latest = self.latest
        if latest is None:
            return
        end = latest.taken_at
        series = tuple(self._curve(latest, model, one, end, seconds, cells) for one in signals)
        deliver(SeriesSet(model, end - seconds, end, series))

    def _curve(
        self, latest: Snapshot, model: str, signal: str, end: float, seconds: float, cells: int
    ) -> Series:
        row = latest.index.get(model)
        value = None if row is None else latest.reading(signal, row).value
        if value is None:
            return Series(signal, np.empty(0), np.empty(0))
        base = None if row is None else latest.baseline(signal, row)
        start = value * 0.45 if base is None else base * 0.92
        times = np.linspace(end - seconds, end, cells)
        # Calm for two thirds, then on its way to what is seen now; the same at every run.
        share = np.clip((np.arange(cells) / cells - 0.66) / 0.3, 0.0, 1.0) ** 1.5
        ripple = 1 + 0.06 * np.sin(np.arange(cells) / 7.0) * (1 - share)
        values = (start + (value - start) * share) * ripple
        values[cells // 3 : cells // 3 + max(2, cells // 60)] = np.nan
        return Series(signal, times, values)

    def request_distribution(self, model: str, deliver: Callable[[Distribution], None]) -> None:
        self.distributions_asked.append(model)
        deliver(self.distribution)

    def explain(self, model: str, signal: str) -> Explanation:
        fact = SIGNALS[signal]
        latest = self.latest
        row = None if latest is None else latest.index.get(model)
        if latest is None or row is None:
            return Explanation(
                model, signal, fact.title, fact.unit, fact.formula, "", "", "",
                ReadingState.NO_DATA, "", None, None, None, None, "", "name a model that is there",
            )  # fmt: skip
        reading = latest.reading(signal, row)
        model_row = latest.rows[row]
        text = "" if reading.value is None else f"{reading.value:g}"
        age = None if reading.at is None else latest.taken_at - reading.at
        return Explanation(
            model, signal, fact.title, fact.unit, fact.formula,
            f'sum by (model) ({signal}{{model="{model}"}})', model_row.source, model_row.profile,
            reading.state, text, reading.at, age, reading.window_seconds, reading.n,
            reading.method, f"a metric for {signal} would fill it",
        )  # fmt: skip

    def request_reload(self, deliver: Callable[[ReloadOutcome], None]) -> None:
        deliver(self.reload_outcome)

    def request_refresh(self) -> None:
        self.refreshes += 1

    @property
    def writing(self) -> WriteState:
        now = self.clock()
        return WriteState(
            self.arming.mode(now),
            self.arming.left_seconds(now),
            self.arming.fixed,
            "ana",
            "ana",
            shared_journal=self.shared_journal,
        )

    def switch_arming(self) -> None:
        self.arming = self.arming.switched(self.clock())

    def prepare_action(
        self,
        request: ActionRequest,
        deliver: Callable[[PreparedAction | Refused], None],
        together: int = 1,
    ) -> None:
        self.prepares.append((request, together))
        answer = self.answer_prepare(request, together)
        if answer is not None:
            deliver(answer)

    def perform_action(
        self,
        prepared: PreparedAction,
        confirmation: Confirmation,
        progress: Callable[[str, str], None],
        deliver: Callable[[Outcome | Refused], None],
    ) -> None:
        self.performed.append((prepared, confirmation))
        progress("intent", "written down")
        progress("sent", "http://fraud-0 answered 200")
        self.finish = deliver
        answer = self.answer_perform(prepared)
        if answer is not None:
            deliver(answer)

    def prepare_decision(
        self,
        wish: DecisionWish,
        deliver: Callable[[PreparedDecision | Refused], None],
        sinks: Sequence[str] | None = None,
    ) -> None:
        self.decisions_asked.append((wish, sinks))
        answer = self.answer_decision(wish, sinks)
        if answer is not None:
            deliver(answer)

    def write_decision(
        self, prepared: PreparedDecision, deliver: Callable[[DecisionRecord | Refused], None]
    ) -> None:
        self.decisions_written.append(prepared)
        deliver(self.answer_write(prepared))

    def request_approval(
        self, actions: Sequence[PreparedAction], deliver: Callable[[str | Refused], None]
    ) -> None:
        self.approvals.append(tuple(actions))
        self.approve = deliver

    def forget_approval(self, op_id: str) -> None:
        self.forgotten.append(op_id)

    def perform_care(self, wish: CareWish, deliver: Callable[[Outcome | Refused], None]) -> None:
        self.cared.append(wish)
        answer = self.answer_care(wish)
        if answer is not None:
            deliver(answer)

    def request_outlooks(
        self, model: str, deliver: Callable[[str, tuple[Outlook, ...]], None]
    ) -> None:
        deliver(model, self.found)

    def request_postmortem(self, incident: str, deliver: Callable[[str | Refused], None]) -> None:
        deliver(self.answer_postmortem(incident))

    def request_incident_view(
        self, incident_id: str, deliver: Callable[[IncidentView | Refused], None]
    ) -> None:
        self.views_asked.append(incident_id)
        deliver(self.answer_view(incident_id))

    def _sample_view(self, incident_id: str) -> IncidentView | Refused:
        """The sample incident, whatever is asked for; ``answer_view`` replaces it."""
        return sample_incident_view(0.0 if self.latest is None else self.latest.taken_at)
