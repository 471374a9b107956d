"""The decisions screen: what was decided of which model, what is due, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from console.screens.list_screen import RecordList, place
from console.screens.tables.decisions import (
    STATE_ROLES,
    STATES,
    DecisionRows,
    by_due,
    decision_columns,
    decision_details,
)
from widgets.grid_rows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.spec import Place
    from console.domain.decision import DecisionRecord
    from console.domain.snapshot import Snapshot
    from console.screens.spans import RunLine
    from widgets.grid_rows import Column, Rows


class DecisionsScreen(RecordList, inherit_bindings=False):
    """Every decision, the overdue first; Enter opens the model it is about."""

    PLACE: ClassVar[Place] = place("decisions")
    HEADING: ClassVar[str] = "DECISIONS"
    NO_MODEL: ClassVar[str] = "this model is not in the newest answer"
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

    def count_runs(self, snapshot: Snapshot, now: float) -> RunLine:
        """Return how many are open, and how many of them are due."""
        states = [each.state(now) for each in by_due(snapshot.decisions, now)]
        standing = sum(state != "closed" for state in states)
        line: RunLine = [Run(f"{standing} open", "text")]
        for state in STATES[:3]:
            if count := states.count(state):
                line.append(Run(f"  {state} {count}", STATE_ROLES[state]))
        return line

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
    def chosen_target(self) -> str:
        """The model that was decided about."""
        chosen = self.chosen
        return "" if chosen is None else chosen.decision.model
