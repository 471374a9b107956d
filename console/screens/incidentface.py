"""What the incident screen draws from one view: a small view, the side, and the part below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console.facts.text import visible
from console.screens.incidentblocks import (
    can_in_two,
    check_lines,
    checks_done,
    force_lines,
    rule_line,
    side_blocks,
)
from console.screens.runs import RunLine, fitted, twins
from console.screens.values import age_text, clock_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.facts.incident_view import IncidentView
    from themes.glyphs import Glyphs

FORCE_LINES = 3
SMALL_FORCE_LINES = 4
STALE_SECONDS = 30.0


class Face(Struct, frozen=True):
    """What is drawn from: the view (None: not there yet), and the sentence on why it is not newer.

    ``now`` is Unix seconds.
    """

    view: IncidentView | None
    refused: str
    now: float
    glyphs: Glyphs

    @property
    def age(self) -> str:
        """How old the view is, where that is worth saying."""
        if self.view is None:
            return ""
        age = self.now - self.view.at
        return f"as of {age_text(age)} ago" if age > STALE_SECONDS or self.refused else ""

    @property
    def why_empty(self) -> RunLine:
        """Why there is nothing to show."""
        if self.refused:
            return [Run(self.refused, "s3")]
        if self.view is None:
            return [Run("gathering what happened", "dim")]
        return [Run("nothing is known to have happened", "dim")]

    def facts(self, width: int, height: int) -> list[RunLine]:
        """Return CAN, impact, people and clock, in ``height`` lines if it can be."""
        if self.view is None:
            return [self.why_empty]
        return side_blocks(self.view, width, height, self.glyphs, self.now)

    def side(self, width: int, height: int) -> list[RunLine]:
        """Return the same beside the timeline, each line beginning with the bar between them."""
        lines = self.facts(width - 2, height)
        lines += [[] for _ in range(height - len(lines))]
        bar = Run(f"{self.glyphs.bar} ", "dim")
        side = [[bar, *fitted(one, width - 2, self.glyphs.ellipsis)] for one in lines[:height]]
        return twins(side, self.glyphs)

    def held_and_checks(self, width: int, most: int, columns: int) -> list[RunLine]:
        """Return what is in force because of it, and the close checklist."""
        if self.view is None:
            return [self.why_empty]
        lines = [
            rule_line("IN FORCE BECAUSE OF THIS INCIDENT", width, self.glyphs),
            *force_lines(self.view.overrides, most, width, self.glyphs, self.now),
            rule_line("CLOSE CHECKLIST", width, self.glyphs, checks_done(self.view)),
            *check_lines(self.view, columns, width, self.glyphs),
        ]
        return twins(lines, self.glyphs)

    def below(self, width: int, columns: int) -> list[RunLine]:
        """Return what stands under the timeline; on a small screen (no columns) CAN in two."""
        if self.view is None:
            return [[Run(self.glyphs.rule * width, "dim")]]
        if columns:
            return self.held_and_checks(width, FORCE_LINES, columns)
        return can_in_two(self.view, width, self.glyphs)

    def below_count(self, columns: int) -> int:
        """Return how many lines that takes."""
        if not columns:
            return 2
        checks = 8 if self.view is None else max(1, len(self.view.checks))
        held = 1 if self.view is None else max(1, min(FORCE_LINES, len(self.view.overrides)))
        return 1 + held + 1 + -(-checks // columns)

    @property
    def last_words(self) -> str:
        """The newest event as one sentence."""
        if self.view is None or not self.view.events:
            return "nothing was done from this console"
        last = self.view.events[-1]
        by = f"{last.by}: " if last.by else ""
        return visible(f"{clock_text(last.at)}Z {by}{last.text}", 300)
