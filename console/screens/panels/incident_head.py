"""The two lines at the top of the incident screen: which incident, whose, since when; and what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.text import visible
from console.reports.incident_text import reach_words
from console.screens.panels.incident_blocks import (
    can_in_two,
    check_lines,
    checks_done,
    force_lines,
    merged_words,
    rule_line,
    side_blocks,
    update_word,
)
from console.screens.panels.timeline import TITLE, before_lines, before_page, legend
from console.screens.spans import (
    Piece,
    RunLine,
    age_text,
    clock_text,
    fitted,
    join_that_fit,
    piece,
    twins,
    when_text,
)
from console.screens.tables.incidents import (
    check_word,
    held_since,
    level_mark,
    level_mark_role,
    what_text,
)
from widgets.lines import Run

if TYPE_CHECKING:
    from console.domain.incident import IncidentView
    from console.screens.tables.incidents import Listed
    from themes.glyphs import Glyphs


def head_lines(
    listed: Listed | None,
    view: IncidentView | None,
    incident: str,
    now: float,
    width: int,
    glyphs: Glyphs,
) -> list[RunLine]:
    """Return both lines; an incident that nobody knows (any more) is said to be so."""
    if listed is None:
        gone = f"{visible(incident, 20)} is not known now: no source tells of it, nobody holds it"
        return twins([fitted([Run(gone, "unknown")], width, glyphs.ellipsis), []], glyphs)
    pieces = [
        Piece(tuple(_levels(listed, glyphs)), 0),
        piece(_state(listed, view), "text", 1),
        *_about(listed),
        *_times(listed, now),
        *_holder(listed, now),
    ]
    first = join_that_fit(pieces, width, Run("  ", ""))
    second: RunLine = [Run("WHAT   ", "title"), Run(what_text(listed, now), "text")]
    return twins([fitted(line, width, glyphs.ellipsis) for line in (first, second)], glyphs)


def _levels(listed: Listed, glyphs: Glyphs) -> RunLine:
    """Return id and level; where a person gave another one than the alerts', both and who."""
    mark, role = level_mark(listed.severity, glyphs)
    line: RunLine = [Run(f"{visible(listed.id, 20)} ", "title")]
    care = listed.care
    if care is not None and care.level is not None and listed.alerts_level != listed.severity:
        before, before_role = level_mark(listed.alerts_level, glyphs)
        line += [Run(before, before_role), Run(glyphs.arrow, "dim")]
        return [*line, Run(mark, role), Run(f" by {visible(care.level_by, 20)}", "dim")]
    return [*line, Run(mark, role)]


def _state(listed: Listed, view: IncidentView | None) -> str:
    mitigated = view is not None and view.clock.mitigated_at is not None
    if mitigated and listed.state in ("firing", "snoozed"):
        return "mitigated"
    merged = merged_words(listed)
    return f"{listed.state} {merged}".strip() if listed.state != "merged" else merged


def _about(listed: Listed) -> list[Piece]:
    about = visible(listed.about, 60) or visible(listed.title, 60)
    others = [visible(one, 40) for one in listed.models if one != listed.about]
    more = f" +{len(others) - 2}" if len(others) > 2 else ""
    touched = f"({', '.join(others[:2])}{more})"
    return [piece(about, "title", 2), *([piece(touched, "text", 6)] if others else [])]


def _times(listed: Listed, now: float) -> list[Piece]:
    if listed.since is None:
        return [piece("opened at a time not known", "dim", 4)]
    near = abs(now - listed.since) < 72_000
    opened = clock_text(listed.since) if near else when_text(listed.since, now)
    return [piece(f"opened {opened}Z", "dim", 4)]


def _holder(listed: Listed, now: float) -> list[Piece]:
    if not listed.held:
        if listed.group > 1:
            return []
        return [piece("nobody has it", level_mark_role(listed), 1)]
    since = held_since(listed, now)
    age = f" {since}" if since else ""
    check, role = check_word(listed, now)
    doubt = listed.hold is not None and not listed.hold.certain
    local = listed.hold is not None and not listed.hold.place
    return [
        piece(f"held by {listed.who}{age}", "text", 1),
        *([piece("UNVERIFIED", "s2", 2)] if doubt else []),
        *([piece("local", "dim", 5)] if local else []),
        *([piece(check, role, 1)] if check else []),
    ]


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
