"""The cost screen: spend by model, team, component or use, against budgets, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from textual.message import Message

from console.actions.registry import BY_ID
from console.domain.text import visible
from console.evaluation.spend import GROUPINGS, SpendFacts
from console.reports.cost_document import cost_document
from console.screens.list_screen import ListScreen, place
from console.screens.spans import clock_text, fitted
from console.screens.tables.cost_lines import DETAIL_LINES, CostRows, cost_columns, cost_details
from widgets.grid_rows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.spec import ActionSpec, Place
    from console.evaluation.spend import Grouping
    from console.reports.cost_document import CostDocument, LineReport
    from console.screens.session import Session
    from console.screens.spans import RunLine
    from widgets.grid_rows import Column, Rows

FIRST_SECONDS, FRESH_SECONDS = 5.0, 60.0
"""Sums of a month hardly move within a minute, and a server has to read the month for them."""


@runtime_checkable
class AsksSpend(Protocol):
    """An engine that asks what was spent; callbacks come from its thread."""

    def request_spend(self, month: str, deliver: Callable[[SpendFacts | str], None]) -> None:
        """Ask for a month (``2026-11``; empty: this one); a sentence says why it is not known."""
        ...


def asker(engine: object) -> AsksSpend | None:
    """Return the engine where it can say what was spent."""
    return engine if isinstance(engine, AsksSpend) else None


class SpendArrived(Message):
    """What was spent came, or why it is not known."""

    def __init__(self, month: str, found: SpendFacts | str) -> None:
        self.month, self.found = month, found
        super().__init__()


def month_before(month: str) -> str:
    """Return the month before one written as 2026-11."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02d}"


def month_after(month: str) -> str:
    """Return the month after one written as 2026-11."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1}-01" if number == 12 else f"{year}-{number + 1:02d}"


class MoneyScreen(ListScreen, inherit_bindings=False):
    """What was spent; ``b`` adds it up by something else, ``,`` and ``.`` go by months."""

    PLACE: ClassVar[Place] = place("money")
    DETAILS: ClassVar[int] = DETAIL_LINES
    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("b", "by", "by"),
        (",", "before", "month before"),
        (".", "after", "after"),
    )

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._by: Grouping = "model"
        self._month = ""
        self._facts: SpendFacts | None = None
        self._document: CostDocument | None = None
        self._problem = ""
        self._asked_at: float | None = None

    def on_mount(self) -> None:
        """Ask at once, and show what is there."""
        super().on_mount()
        self._ask()

    def show_snapshot(self) -> None:
        """Show the newest, and ask again once what is shown is a minute old."""
        self._ask()
        super().show_snapshot()

    def _ask(self) -> None:
        engine, now = self.session.engine, self.session.clock()
        if self._asked_at is not None and 0 <= now - self._asked_at < self._fresh_seconds:
            return
        asked = asker(engine)
        if asked is None:
            self._problem = "spend is told by: midwatch cost"
            return
        if self.session.snapshot is None:
            return
        month = self._month
        self._asked_at = now
        asked.request_spend(month, lambda found: self._post(SpendArrived(month, found)))

    @property
    def _fresh_seconds(self) -> float:
        """How long an answer stands; shorter while the days before are still being read."""
        total = None if self._document is None else self._document.total
        ends = total is not None and (total.forecast_p50_usd is not None or bool(self._month))
        return FRESH_SECONDS if ends else FIRST_SECONDS

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def on_spend_arrived(self, message: SpendArrived) -> None:
        """Take what was asked for; an answer for a month that was left is dropped."""
        message.stop()
        if message.month != self._month:
            return
        if isinstance(message.found, str):
            self._problem = message.found
        else:
            self._problem = ""
            self._facts = message.found
            self._lay_lines()
        self.show_all()

    def _lay_lines(self) -> None:
        facts = self._facts
        if facts is not None:
            rows = range(len(facts.rows))
            self._document = cost_document(facts, self._by, rows, self.session.environment)

    # What is shown

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the columns that fit."""
        return cost_columns(width, self._by)

    def list_rows(self) -> Rows:
        """Return a line each."""
        if self._document is None:
            return NoRows()
        return CostRows(self._document, self.size.width, self.session.glyphs)

    def title_runs(self) -> RunLine:
        """Return the month, what it is added up by, how old it is, and what is not known."""
        glyphs = self.session.glyphs
        line: RunLine = [Run("COST  ", "title")]
        bar = Run(f" {glyphs.bar} ", "dim")
        document, facts = self._document, self._facts
        if document is None or facts is None:
            said = self._problem or "adding up the month"
            return fitted(
                [*line, Run(said, "s2" if self._problem else "dim")],
                self.size.width,
                glyphs.ellipsis,
            )
        line += [Run(f"{document.month} by {document.by}", "text"), bar]
        line.append(Run(f"at {clock_text(facts.at)}Z", "dim"))
        unknown = len(facts.unknown)
        if unknown:
            line += [bar, Run(f"{unknown} of {len(facts.rows)} models not known", "s3")]
        if self._problem:
            line += [bar, Run(visible(self._problem, 200), "s2")]
        return fitted(line, self.size.width, glyphs.ellipsis)

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the line under the cursor, and what changed."""
        if self._document is None:
            return [[] for _ in range(DETAIL_LINES)]
        return cost_details(self.chosen, self._document, width, self.session.glyphs)

    @property
    def chosen(self) -> LineReport | None:
        """The line under the cursor."""
        rows = self.grid.rows
        return rows.line(self.grid.cursor_key) if isinstance(rows, CostRows) else None

    @property
    def chosen_model(self) -> str:
        """The model under the cursor, empty for a team, a component or a use."""
        line, snapshot = self.chosen, self.session.snapshot
        if line is None or self._by != "model" or snapshot is None:
            return ""
        return line.name if line.name in snapshot.index else ""

    # What happens

    def local(self, does: str) -> None:
        """Add up by something else, or go by a month."""
        if does == "by":
            self._by = GROUPINGS[(GROUPINGS.index(self._by) + 1) % len(GROUPINGS)]
            self._lay_lines()
            self._lay_out()
            self.show_all()
            return
        shown = self._document.month if self._document is not None else ""
        if not shown:
            self.say("the month is being added up", "dim")
            return
        this = self._this_month()
        wanted = month_before(shown) if does == "before" else month_after(shown)
        if wanted > this:
            self.say(f"{shown} is the month that runs", "s3")
            return
        self._month = "" if wanted == this else wanted
        self._asked_at, self._document, self._facts = None, None, None
        self._ask()
        self.show_all()

    def _this_month(self) -> str:
        from datetime import UTC, datetime

        return datetime.fromtimestamp(self.session.clock(), UTC).strftime("%Y-%m")

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Open the model under the cursor, or close the screen."""
        if spec.id == self.PLACE:
            self.go_back()
        elif spec.id == "model.open" and not argument:
            if model := self.chosen_model:
                self.ask(BY_ID["model.open"], model)
            else:
                self.say("only models have a screen of their own", "s3")
        else:
            return False
        return True
