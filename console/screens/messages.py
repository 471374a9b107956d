"""What reaches the screens from elsewhere, each as one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from console.actions.decisions import PreparedDecision
    from console.actions.outlook import Outlook
    from console.actions.spec import ActionSpec
    from console.engine.handle import EngineHandle, Refused, ReloadOutcome, SeriesSet
    from console.facts.action import Outcome
    from console.facts.care import CareWish
    from console.facts.decision import DecisionRecord
    from console.facts.incident_view import IncidentView
    from console.facts.snapshot import Snapshot


class SnapshotArrived(Message):
    """The engine finished a tick; a newer one takes the place of one not yet looked at."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Tell that only the newest of several waiting ones matters."""
        return isinstance(message, SnapshotArrived)


class SeriesArrived(Message):
    """The source answered a range query for what is on screen."""

    def __init__(self, answer: SeriesSet) -> None:
        self.answer = answer
        super().__init__()


class StripsArrived(Message):
    """The source answered for the strips beside the signals."""

    def __init__(self, answer: SeriesSet) -> None:
        self.answer = answer
        super().__init__()


class PlotDrawn(Message):
    """A plot was drawn aside; ``made_for`` is what it was asked for."""

    def __init__(self, made_for: tuple[str, str, str, int, int], lines: list[str]) -> None:
        self.made_for = made_for
        self.lines = lines
        super().__init__()


class ProblemArrived(Message):
    """The engine tells a fault of its own, as a sentence."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__()


class EngineStarted(Message):
    """The engine was made and polls."""

    def __init__(self, engine: EngineHandle) -> None:
        self.engine = engine
        super().__init__()


class ReloadFinished(Message):
    """The configuration was read again, or refused."""

    def __init__(self, outcome: ReloadOutcome) -> None:
        self.outcome = outcome
        super().__init__()


class ActionAsked(Message):
    """A screen was asked for an action that is the app's to do."""

    def __init__(self, spec: ActionSpec, argument: str = "") -> None:
        self.spec = spec
        self.argument = argument
        super().__init__()


class ActionCame(Message):
    """An operation that was sent came one step on, or to its end.

    ``stage`` and ``sentence`` are the pipeline's words while ``answer`` is None.
    """

    def __init__(
        self, op_id: str, stage: str, sentence: str = "", answer: Outcome | Refused | None = None
    ) -> None:
        self.op_id = op_id
        self.stage = stage
        self.sentence = sentence
        self.answer = answer
        super().__init__()


class CareCame(Message):
    """The engine said what became of a wish about an incident; ``key`` names it in the log."""

    def __init__(self, key: str, wish: CareWish, answer: Outcome | Refused) -> None:
        self.key = key
        self.wish = wish
        self.answer = answer
        super().__init__()


class IncidentArrived(Message):
    """The engine gathered one incident as a whole, or said why it could not."""

    def __init__(self, incident: str, answer: IncidentView | Refused) -> None:
        self.incident = incident
        self.answer = answer
        super().__init__()


class CopyAsked(Message):
    """A screen wants a text on the clipboard; ``show`` also puts it in a box titled ``what``."""

    def __init__(self, text: str, what: str, *, show: bool = False) -> None:
        self.text = text
        self.what = what
        self.show = show
        super().__init__()


class OutlooksArrived(Message):
    """The engine said what could be done to a model."""

    def __init__(self, model: str, found: tuple[Outlook, ...]) -> None:
        self.model = model
        self.found = found
        super().__init__()


class DecisionCame(Message):
    """The engine wrote a decision, or did not."""

    def __init__(self, prepared: PreparedDecision, answer: DecisionRecord | Refused) -> None:
        self.prepared = prepared
        self.answer = answer
        super().__init__()
