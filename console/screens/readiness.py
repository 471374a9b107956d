"""The readiness screen: the 30 checks of one model, what is missing first, and who signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from textual.message import Message

from console.actions.registry import BY_ID
from console.domain.text import visible
from console.engine.client import Refused
from console.reports.readiness_text import signed_words
from console.screens.list_screen import ListScreen, place
from console.screens.spans import RunLine, clock_text, fitted
from console.screens.tables.check_rows import CheckRows, check_columns, check_details
from widgets.grid_rows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.spec import ActionSpec, Place
    from console.domain.proof import ModelReadiness
    from console.screens.session import Session
    from widgets.grid_rows import Column, Rows


@runtime_checkable
class JudgesReadiness(Protocol):
    """An engine that judges readiness; callbacks come from its thread."""

    def request_readiness(
        self, model: str, deliver: Callable[[ModelReadiness | Refused], None]
    ) -> None:
        """Judge the 30 checks of one model, with the journal's chain and the last days."""
        ...


def judging(engine: object) -> JudgesReadiness | None:
    """Return the engine where it judges readiness."""
    return engine if isinstance(engine, JudgesReadiness) else None


class ReadinessCame(Message):
    """The readiness of a model was judged, or could not be."""

    def __init__(self, model: str, found: ModelReadiness | Refused) -> None:
        self.model = model
        self.found = found
        super().__init__()


class ReadinessScreen(ListScreen, inherit_bindings=False):
    """Thirty rows, gaps first; ``n`` judges them anew, Enter opens the model."""

    PLACE: ClassVar[Place] = place("readiness")
    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = (("n", "judge", "judge anew"),)
    DETAILS: ClassVar[int] = 9

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = ""
        self._found: ModelReadiness | None = None
        self._rows: CheckRows | None = None
        self._drawn_for = ""
        self._said_of_it = ("judging 30 checks", "dim")

    def on_mount(self) -> None:
        """Show what is there and judge the model."""
        super().on_mount()
        self.local("judge")

    def local(self, does: str) -> None:
        """Judge it anew."""
        engine = judging(self.session.engine)
        if engine is None:
            self._said_of_it = (f"it can be had by: midwatch readiness {self.model}", "s3")
            self.show_all()
            return
        self._said_of_it = ("judging 30 checks", "dim")
        self.show_all()
        model = self.model
        engine.request_readiness(model, lambda found: self._deliver(model, found))

    def _deliver(self, model: str, found: ModelReadiness | Refused) -> None:
        self.post_message(ReadinessCame(model, found))

    def on_readiness_came(self, message: ReadinessCame) -> None:
        """Show the checks."""
        message.stop()
        if message.model != self.model:
            return
        if isinstance(message.found, Refused):
            self._said_of_it = (visible("; ".join(message.found.sentences), 300), "s2")
        else:
            self._found, self._rows = message.found, None
            self._said_of_it = (f"as of {clock_text(message.found.at)}Z", "dim")
        self.show_all()

    # What is shown

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the columns that fit."""
        return check_columns(width)

    def list_rows(self) -> Rows:
        """Return the checks as they were judged."""
        if self._found is None:
            return NoRows()
        glyphs = self.session.glyphs
        if self._rows is None or self._drawn_for != glyphs.name:
            self._rows, self._drawn_for = CheckRows(self._found, glyphs), glyphs.name
        return self._rows

    def title_runs(self) -> RunLine:
        """Return the lowest group, the gates, the gaps and the sign-off."""
        glyphs = self.session.glyphs
        bar = Run(f" {glyphs.bar} ", "dim")
        line: RunLine = [Run("READINESS ", "title"), Run(visible(self.model, 40), "title")]
        found = self._found
        if found is not None:
            line += [Run(f" tier {found.tier}  ", "dim"), Run(found.headline, "text")]
            if found.gates:
                closed = len(found.closed_gates)
                said = f"{closed} of {len(found.gates)} gates closed" if closed else "gates open"
                line += [bar, Run(said, "s2" if closed else "ok")]
            gaps = len(found.gaps)
            line += [bar, Run(f"{gaps} gaps", "s3" if gaps else "ok")]
            line += [bar, Run(signed_words(found), "s3" if found.changed else "dim")]
        line += [bar, Run(*self._said_of_it)]
        return fitted(line, self.size.width, glyphs.ellipsis)

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the check under the cursor."""
        rows = self.grid.rows
        chosen = rows.check(self.grid.cursor_key) if isinstance(rows, CheckRows) else None
        return check_details(chosen, self._found, width, self.DETAILS, self.session.glyphs)

    @property
    def chosen_model(self) -> str:
        """The model that is judged, empty where the newest answer has none of that name."""
        snapshot = self.session.snapshot
        return self.model if snapshot is not None and self.model in snapshot.index else ""

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Open the model, or close the screen."""
        if spec.id == "readiness" and argument in ("", self.model):
            self.go_back()
        elif spec.id == "readiness":
            self.model, self._found, self._rows = argument, None, None
            self.local("judge")
        elif spec.id == "model.open" and not argument:
            self.ask(BY_ID["model.open"], self.chosen_model)
        else:
            return False
        return True
