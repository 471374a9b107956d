"""The overrides screen: everything held by hand, who, why, until when, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from console.evaluation.overrides import count
from console.screens.list_screen import RecordList, place
from console.screens.spans import RunLine, twins
from console.screens.tables.overrides import (
    DETAIL_LINES,
    LABEL_WIDTH,
    HeldRows,
    held_columns,
    held_details,
)
from widgets.grid_rows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.spec import Place
    from console.domain.action import Override
    from console.domain.snapshot import Snapshot
    from widgets.grid_rows import Column, Rows


class OverridesScreen(RecordList, inherit_bindings=False):
    """Overrides, the overdue first, then the next to end; their keys end, renew and undo them."""

    PLACE: ClassVar[Place] = place("overrides")
    HEADING: ClassVar[str] = "OVERRIDES"
    NO_MODEL: ClassVar[str] = "only models have a screen of their own"
    DETAILS: ClassVar[int] = DETAIL_LINES + 1
    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("e", "act.end", "end now"),
        ("r", "act.renew", "renew"),
        ("u", "act.undo", "undo"),
    )
    ALSO: ClassVar[tuple[str, ...]] = ("journal",)

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the columns that fit."""
        return held_columns(width)

    def list_rows(self) -> Rows:
        """Return what is in force now."""
        snapshot = self.session.snapshot
        if snapshot is None:
            return NoRows()
        return HeldRows(snapshot.overrides, self.session.clock(), self.session.glyphs)

    def count_runs(self, snapshot: Snapshot, now: float) -> RunLine:
        """Return how many there are, when the next one ends, and whether a keeper runs."""
        text, loud = count(snapshot, now)
        line: RunLine = [Run(text or "in force 0", "s2" if loud else "text")]
        keeper = snapshot.record.keeper
        if keeper is not None:
            bar = Run(f" {self.session.glyphs.bar} ", "dim")
            line += [bar, Run("keeper runs", "dim") if keeper else Run("no keeper runs", "s2")]
        return line

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the override under the cursor."""
        session, glyphs, now = self.session, self.session.glyphs, self.session.clock()
        lines = held_details(self.chosen, session.snapshot, now, width, glyphs)
        sent = session.sent.line(now, width - LABEL_WIDTH, glyphs, session.idle_words)
        return [*lines, *twins([[Run("SENT".ljust(LABEL_WIDTH), "title"), *sent]], glyphs)]

    def show_sent(self) -> None:
        """Show how far what was sent from here is."""
        if self.ready and not self.too_small:
            self.show_details()
            self.show_footer()

    @property
    def chosen(self) -> Override | None:
        """The override under the cursor."""
        rows = self.grid.rows
        return rows.override(self.grid.cursor_key) if isinstance(rows, HeldRows) else None

    @property
    def chosen_target(self) -> str:
        """What is held; a dependency is no model."""
        chosen = self.chosen
        return "" if chosen is None else chosen.target

    def local(self, does: str) -> None:
        """End, renew or undo what is under the cursor."""
        chosen = self.chosen
        if chosen is None:
            self.say("nothing is held by hand", "s3")
        else:
            self.ask_for(does, chosen.op_id)
