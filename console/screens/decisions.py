"""The decisions screen: what was decided of which model, what is due, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from console.actions.registry import BY_ID
from console.screens.decisionlines import (
    STATE_ROLES,
    STATES,
    DecisionRows,
    by_due,
    decision_columns,
    decision_details,
)
from console.screens.listscreen import ListScreen, place
from console.screens.runs import RunLine, fitted
from widgets.gridrows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.spec import ActionSpec, Place
    from console.facts.decision import DecisionRecord
    from widgets.gridrows import Column, Rows


class DecisionsScreen(ListScreen, inherit_bindings=False):
    """Every decision, the overdue first; Enter opens the model it is about."""

    PLACE: ClassVar[Place] = place("decisions")
    DETAILS: ClassVar[int] = 14
    ALSO: ClassVar[tuple[str, ...]] = ("journal",)

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the columns that fit."""
        return decision_columns(width)

    def list_rows(self) -> Rows:
        """Return what is decided now."""
        snapshot = self.session.snapshot
        if snapshot is None:
            return NoRows()
        return DecisionRows(snapshot.decisions, self.session.clock(), self.session.glyphs)

    def title_runs(self) -> RunLine:
        """Return how many there are, how many are due, and how the record is."""
        snapshot, now = self.session.snapshot, self.session.clock()
        line: RunLine = [Run("DECISIONS  ", "title")]
        if snapshot is None:
            return [*line, Run("waiting for the first answer", "dim")]
        states = [each.state(now) for each in by_due(snapshot.decisions, now)]
        standing = sum(state != "closed" for state in states)
        line.append(Run(f"{standing} open", "text"))
        for state in STATES[:3]:
            if count := states.count(state):
                line.append(Run(f"  {state} {count}", STATE_ROLES[state]))
        said, well = snapshot.record.summary(now)
        line += [Run(f" {self.session.glyphs.bar} ", "dim"), Run(said, "dim" if well else "s2")]
        return fitted(line, self.size.width, self.session.glyphs.ellipsis)

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the decision under the cursor."""
        now = self.session.clock()
        return decision_details(self.chosen, now, width, self.DETAILS, self.session.glyphs)

    @property
    def chosen(self) -> DecisionRecord | None:
        """The decision under the cursor."""
        rows = self.grid.rows
        return rows.record(self.grid.cursor_key) if isinstance(rows, DecisionRows) else None

    @property
    def chosen_model(self) -> str:
        """The model under the cursor, empty where it has gone."""
        chosen, snapshot = self.chosen, self.session.snapshot
        if chosen is None or snapshot is None or chosen.decision.model not in snapshot.index:
            return ""
        return chosen.decision.model

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Open the model that was decided about."""
        if spec.id == "decisions":
            self.go_back()
            return True
        if spec.id == "model.open" and not argument:
            model = self.chosen_model
            if model:
                self.ask(BY_ID["model.open"], model)
            else:
                self.say("this model is not in the newest answer", "s3")
            return True
        return False
