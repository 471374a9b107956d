"""What the incident screen draws from one view: a small view, the side, and the part below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console.facts.text import visible
from console.reports.same_before import reach_words
from console.screens.incidentblocks import (
    can_in_two,
    check_lines,
    checks_done,
    force_lines,
    rule_line,
    side_blocks,
    update_word,
)
from console.screens.runs import RunLine, fitted, twins
from console.screens.samebefore import TITLE, before_lines, before_page, legend
from console.screens.values import age_text, clock_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.facts.incident_view import IncidentView
    from themes.glyphs import Glyphs

FORCE_LINES = 3
SMALL_FORCE_LINES = 4
STALE_SECONDS = 30.0
ROOMY_TITLE = 140
"""From so many columns a title has room for what the heights of its blocks mean."""


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
        return [*self._held(width, most), *self._checks(width, columns)]

    def _held(self, width: int, most: int) -> list[RunLine]:
        overrides = () if self.view is None else self.view.overrides
        lines = [
            rule_line("IN FORCE BECAUSE OF THIS INCIDENT", width, self.glyphs),
            *force_lines(overrides, most, width, self.glyphs, self.now),
        ]
        return twins(lines, self.glyphs)

    def _checks(self, width: int, columns: int) -> list[RunLine]:
        if self.view is None:
            return []
        lines = [
            rule_line("CLOSE CHECKLIST", width, self.glyphs, checks_done(self.view)),
            *check_lines(self.view, columns, width, self.glyphs),
        ]
        return twins(lines, self.glyphs)

    def before(self, width: int, height: int) -> list[RunLine]:
        """Return what came before and is like it, as a small view of its own."""
        if self.view is None:
            return [self.why_empty]
        page = before_page(self.view.before, width, height - 1, self.glyphs, self.now)
        return [*twins([rule_line(TITLE, width, self.glyphs)], self.glyphs), *page]

    def _before_part(self, width: int, most: int) -> list[RunLine]:
        """Return the same under a timeline: at most ``most`` lines, where it is one no title."""
        if self.view is None:
            return []
        before, glyphs = self.view.before, self.glyphs
        if most == 1:
            label = [Run("BEFORE ", "title")]
            lines = before_lines(before, width - len(label[0].text), 1, glyphs, self.now)
            return [[*label, *lines[0]]]
        title = f"{TITLE} {legend(glyphs)}" if width >= ROOMY_TITLE else TITLE
        rule = rule_line(title, width, glyphs, reach_words(before))
        return [*twins([rule], glyphs), *before_lines(before, width, most - 1, glyphs, self.now)]

    def below(self, width: int, columns: int, before: int) -> list[RunLine]:
        """Return what stands under the timeline; on a small screen (no columns) CAN in two.

        ``before`` is how many lines what came before it may take.
        """
        if self.view is None:
            return [[Run(self.glyphs.rule * width, "dim")]]
        if columns:
            held = self._held(width, FORCE_LINES)
            past = self._before_part(width, before)
            return [*held, *past, *self._checks(width, columns)]
        return can_in_two(self.view, width, self.glyphs)

    def below_count(self, columns: int, before: int) -> int:
        """Return how many lines that takes."""
        if not columns:
            return 2
        checks = 8 if self.view is None else max(1, len(self.view.checks))
        held = 1 if self.view is None else max(1, min(FORCE_LINES, len(self.view.overrides)))
        past = len(self._before_part(ROOMY_TITLE, before))
        return 1 + held + past + 1 + -(-checks // columns)

    @property
    def overdue(self) -> str:
        """That those who wait for word are to be told, where that is past."""
        if self.view is None or self.view.update.overdue_seconds(self.now) is None:
            return ""
        return update_word(self.view.update, self.now)[0]

    @property
    def last_words(self) -> str:
        """The newest event as one sentence."""
        if self.view is None or not self.view.events:
            return "nothing was done from this console"
        last = self.view.events[-1]
        by = f"{last.by}: " if last.by else ""
        return visible(f"{clock_text(last.at)}Z {by}{last.text}", 300)
