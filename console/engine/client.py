"""What screens may ask of the engine; nothing here starts, reads or imports anything heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from console.domain.timestamps import seconds_of
from console.handover.handover_text import part_counts
from console.handover.record import HandedHold, HandoverWish
from console.settings.problems import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.availability import Outlook
    from console.actions.decision_record import DecisionWish, PreparedDecision
    from console.domain.action import ActionRequest, Confirmation, Mode, Outcome, PreparedAction
    from console.domain.decision import DecisionRecord
    from console.domain.distribution import Distribution
    from console.domain.incident import CareWish, IncidentView
    from console.domain.samples import Series
    from console.domain.signals import ReadingState
    from console.domain.snapshot import Snapshot
    from console.engine.service import Engine
    from console.handover.handover_document import HandoverDocument
    from console.settings.schema import Settings


def wish_of(text: str, document: HandoverDocument) -> HandoverWish:
    """Return what is to be written: ``text``, which may have been edited, and what is held."""
    accounts = (document.account, document.account.partition("@")[0])
    return HandoverWish(
        text=text,
        since=seconds_of(document.since),
        to=document.to or "",
        holds=tuple(
            HandedHold(each.incident, each.title)
            for each in document.held
            if each.account in accounts
        ),
        state=document.state,
        counts=part_counts(document),
    )


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one number of one model comes from, or why there is none.

    ``promql`` is empty for a derived signal. ``at`` is Unix seconds of the measurement,
    ``age_seconds`` its age when it was asked, ``window_seconds`` None for a gauge, ``n`` the
    samples behind it. ``hint`` names the metric or setting that would fill an empty reading.
    Every text may hold words from outside: it is to be shown as plain text.
    """

    model: str
    signal: str
    title: str
    unit: str
    formula: str
    promql: str
    source: str
    profile: str
    state: ReadingState
    value_text: str
    at: float | None
    age_seconds: float | None
    window_seconds: float | None
    n: float | None
    method: str
    hint: str


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """How a reload of the configuration went.

    ``applied`` False keeps the settings that were in force; ``sentence`` says what happened
    and ``problems`` lists every fault of the refused file.
    """

    applied: bool
    sentence: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """Several signals of one model over the same span, oldest first, in the order asked for."""

    model: str
    start: float
    end: float
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class WriteState:
    """What this console may do to the world now, and as whom.

    ``armed_left_seconds`` is None where time does not end it, ``unarmable`` why no key can change
    the mode. ``who`` is the declared name, ``person`` the account behind it; ``shared_login`` says
    that several people use it. ``shared_journal`` tells that a second person can be asked.
    ``problem`` is a sentence on why nothing can be sent, empty where there is none. ``settled``
    says what became of operations that were cut off before this start.
    """

    mode: Mode = "read_only"
    armed_left_seconds: float | None = None
    unarmable: str = ""
    who: str = ""
    person: str = ""
    shared_login: bool = False
    shared_journal: bool = False
    problem: str = ""
    settled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something was not done; ``fault`` alone may have reached the world before it failed."""

    sentences: tuple[str, ...]
    kind: Literal["guard", "not_allowed", "journal", "fault"] = "guard"


class Player(Protocol):
    """What moves a replay; each returns a sentence to say, empty for none."""

    @property
    def words(self) -> str:
        """Return what stands in the header."""
        ...

    def clock(self) -> float:
        """Return the recorded time, Unix seconds."""
        ...

    def toggle(self) -> str:
        """Pause, or go on."""
        ...

    def step(self, count: int) -> str:
        """Go some ticks on or back, and pause."""
        ...

    def jump(self, direction: int) -> str:
        """Go to the next (1) or last (-1) tick at which a rule began or ceased, and pause."""
        ...


class EngineHandle(Protocol):
    """The engine as the console sees it.

    No method blocks or raises for a source that is away. Callbacks are called from the engine's
    own thread: a screen posts one message from them and returns.
    """

    @property
    def latest(self) -> Snapshot | None:
        """Return the newest Snapshot, or None before the first tick."""
        ...

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""
        ...

    def start(
        self, on_snapshot: Callable[[Snapshot], None], on_problem: Callable[[str], None]
    ) -> None:
        """Begin to poll; ``on_problem`` gets one sentence for a fault that is no source's."""
        ...

    def stop(self) -> None:
        """End polling and wait briefly for the engine's thread."""
        ...

    def history(self, model: str, signal: str, seconds: float) -> Series:
        """Return what the ticks of the last ``seconds`` (at most an hour) saw, at once."""
        ...

    def request_series(
        self,
        model: str,
        signals: Sequence[str],
        seconds: float,
        cells: int,
        deliver: Callable[[SeriesSet], None],
    ) -> None:
        """Ask the source for the last ``seconds`` in about ``cells`` points a signal."""
        ...

    def request_distribution(self, model: str, deliver: Callable[[Distribution], None]) -> None:
        """Ask how a model's scores are distributed now, beside its reference if it has one."""
        ...

    def explain(self, model: str, signal: str) -> Explanation:
        """Say where the number of this model comes from."""
        ...

    def request_reload(self, deliver: Callable[[ReloadOutcome], None]) -> None:
        """Read the configuration again; a faulty one leaves the old in force."""
        ...

    def request_refresh(self) -> None:
        """Poll as soon as no poll is under way instead of at the next tick."""
        ...

    @property
    def writing(self) -> WriteState:
        """Return what this console may do to the world now, and as whom."""
        ...

    def switch_arming(self) -> None:
        """Arm for 30 min, or disarm; does nothing where a setting fixes the mode."""
        ...

    def prepare_action(
        self,
        request: ActionRequest,
        deliver: Callable[[PreparedAction | Refused], None],
        together: int = 1,
    ) -> None:
        """Read the world and weigh what ``request`` would do; one of several together is C3.

        A request with a ``purpose`` ends, renews or undoes what ``ends_op`` names: an operation,
        for end and renew also the model whose override it is.
        """
        ...

    def perform_action(
        self,
        prepared: PreparedAction,
        confirmation: Confirmation,
        progress: Callable[[str, str], None],
        deliver: Callable[[Outcome | Refused], None],
    ) -> None:
        """Do what was prepared; ``progress`` gets each stage: intent, sent, observed."""
        ...

    def request_approval(
        self, actions: Sequence[PreparedAction], deliver: Callable[[str | Refused], None]
    ) -> None:
        """Ask for a second person and wait up to ten minutes; ``deliver`` gets the account.

        Several actions are approved as one set, under the first one's id.
        """
        ...

    def forget_approval(self, op_id: str) -> None:
        """Wait no longer for the second person of an operation."""
        ...

    def prepare_decision(
        self,
        wish: DecisionWish,
        deliver: Callable[[PreparedDecision | Refused], None],
        sinks: Sequence[str] | None = None,
    ) -> None:
        """Freeze the evidence and weigh a decision, with what would be sent of it.

        ``sinks`` None are all that are declared and make sense, an empty one none.
        """
        ...

    def write_decision(
        self, prepared: PreparedDecision, deliver: Callable[[DecisionRecord | Refused], None]
    ) -> None:
        """Write a decision that a person confirmed; what it sends is performed afterwards."""
        ...

    def perform_care(self, wish: CareWish, deliver: Callable[[Outcome | Refused], None]) -> None:
        """Do something about an incident at once; undoing names the outcome's ``op_id``."""
        ...

    def request_outlooks(
        self, model: str, deliver: Callable[[str, tuple[Outlook, ...]], None]
    ) -> None:
        """Say what could be done to a model, rung by rung and verb by verb, and what objects."""
        ...

    def request_incident_view(
        self, incident_id: str, deliver: Callable[[IncidentView | Refused], None]
    ) -> None:
        """Gather one incident as a whole; `Refused` says why it is not known (any more)."""
        ...


async def reload(engine: Engine) -> ReloadOutcome:
    """Load and adopt the configuration; a faulty one is refused and the old stays in force."""
    try:
        loaded = engine.load_again()
    except SettingsError as fault:
        count = len(fault.problems)
        found = "1 problem" if count == 1 else f"{count} problems"
        return ReloadOutcome(
            applied=False,
            sentence=f"configuration not reloaded, the old one stays: {found} in the new one",
            problems=tuple(problem.render() for problem in fault.problems),
        )
    if loaded is None:
        return ReloadOutcome(applied=False, sentence="there is no configuration to read again")
    if loaded.settings == engine.settings:
        return ReloadOutcome(applied=True, sentence="configuration read again: nothing changed")
    await engine.adopt(loaded.settings)
    return ReloadOutcome(
        applied=True, sentence="configuration reloaded", problems=tuple(loaded.warnings)
    )
