"""The incident screen's parts: head, timeline, earlier incidents like it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.incident import BLOCKS
from console.domain.text import visible
from console.reports.incident_text import (
    alike_words,
    detail_words,
    end_words,
    nothing_words,
    reach_words,
)
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
from widgets.text_width import harmless, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.incident import Earlier, IncidentView, SameBefore, TimelineEvent
    from console.screens.tables.incidents import Listed
    from themes.glyphs import Glyphs

HEAD_WIDTH = 18
"""``02:43:45 detect   ``: the time, the kind, and a gap."""

SOURCE_FROM_COLUMNS = 70
MOST_LINES = 3
_KIND_ROLES = {
    "change": "title", "signal": "s3", "impact": "s2", "detect": "s1", "auto": "s2", "alert": "s3",
    "ack": "ok", "action": "title", "note": "text", "page": "s3", "decision": "title",
    "state": "dim",
}  # fmt: skip


def timeline_lines(events: Sequence[TimelineEvent], width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return the events in lines of ``width`` cells; where the day changes it is said."""
    lines: list[RunLine] = []
    day = ""
    for event in events:
        if (today := _day(event.at)) != day:
            lines.append([Run(f"{glyphs.rule * 2} {today} UTC", "dim")])
            day = today
        lines += _event(event, width, glyphs)
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)


def _day(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
    except (OverflowError, ValueError, OSError):
        return "a time that cannot be read"


def _event(event: TimelineEvent, width: int, glyphs: Glyphs) -> list[RunLine]:
    role = _KIND_ROLES.get(event.kind, "text")
    by = f"{visible(event.by, 24)} " if event.by else ""
    source = f" {visible(event.source, 16)}" if event.source else ""
    if width < SOURCE_FROM_COLUMNS:
        source = ""
    room = max(16, width - HEAD_WIDTH - len(source))
    # The name stands before the text, so that wrapping has to know both.
    pieces = wrap(harmless(f"{by}{visible(event.text, 600)}"), room, MOST_LINES) or [""]
    text = "text" if event.kind in ("note", "action", "ack", "state") else role
    text = "text" if event.kind == "change" else text
    lines: list[RunLine] = []
    for number, each in enumerate(pieces):
        head: RunLine = [
            Run(f"{clock_text(event.at)} ", "dim"),
            Run(f"{visible(event.kind, 8):<9}", role),
        ]
        line = head if number == 0 else [Run(" " * HEAD_WIDTH)]
        line.append(Run(each.ljust(room) if source and number == 0 else each, text))
        if number == 0 and source:
            line.append(Run(source, "dim"))
        lines.append(line)
    if event.before or event.after:
        change = f"{visible(event.before, 120) or '?'} {glyphs.arrow} {visible(event.after, 120)}"
        lines += _under("before", change.removesuffix(f" {glyphs.arrow} "), width)
    if event.effect:
        lines += _under("effect", visible(event.effect, 300), width)
    return lines


def _under(label: str, text: str, width: int) -> list[RunLine]:
    pieces = wrap(harmless(text), max(16, width - HEAD_WIDTH), MOST_LINES)
    return [
        [
            Run(f"{'':9}{label if number == 0 else '':<9}", "dim"),
            Run(each, "text" if label == "before" else "ok"),
        ]
        for number, each in enumerate(pieces)
    ]


TITLE = "SAME BEFORE (24 blocks = days, newest last)"
LABEL_WIDTH = 9
MOST_PIECES = 2
_GAP = "   "
_INDENT = " " * (BLOCKS + len(_GAP))
_HEIGHTS = "·▂▄▆█"
_MANY = len(_HEIGHTS) - 1


def strip_runs(before: SameBefore, now: float, glyphs: Glyphs) -> RunLine:
    """Return a block a day: a dot for none, the taller the more, ``?`` where no record tells.

    Without block characters it is the number itself.
    """
    made = [_block(count, glyphs) for count in before.blocks(now)]
    return [
        Run("".join(run.text for run in runs), role)
        for role, runs in groupby(made, key=lambda run: run.role)
    ]


def _block(count: int | None, glyphs: Glyphs) -> Run:
    if count is None:
        return Run("?", "unknown")
    if glyphs.name == "ascii":
        return Run(str(min(9, count)) if count else ".", "title" if count else "dim")
    return Run(_HEIGHTS[min(_MANY, count)], "title" if count else "dim")


def legend(glyphs: Glyphs) -> str:
    """Return what a block's height means."""
    return "digit: how many that day" if glyphs.name == "ascii" else "▂ 1 ▄ 2 ▆ 3 █ 4 or more"


def before_lines(
    before: SameBefore, width: int, most: int, glyphs: Glyphs, now: float
) -> list[RunLine]:
    """Return the strip with the earlier ones beside and under it, in at most ``most`` lines."""
    nothing = nothing_words(before)
    if before.unknown:
        lines: list[RunLine] = [[Run(nothing, "unknown")]]
    else:
        strip = [*strip_runs(before, now, glyphs), Run(_GAP)]
        told = [line for one in before.earlier for line in _in_two(one, glyphs, now)][:most]
        first, rest = told[:1] or [[Run(nothing, "text")]], told[1:]
        lines = [[*strip, *first[0]], *([Run(_INDENT), *line] for line in rest)]
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)


def _in_two(one: Earlier, glyphs: Glyphs, now: float) -> list[RunLine]:
    ends = Run(f", {end_words(one, short=True)}", "text")
    lines = [[*_head(one, glyphs, now, short=True), ends]]
    details: RunLine = []
    for label, text in detail_words(one):
        gap = f" {glyphs.dot} " if details else ""
        details += [Run(f"{gap}{label} ", "dim"), Run(text, _role(label))]
    return [*lines, details] if details else lines


def _head(one: Earlier, glyphs: Glyphs, now: float, *, short: bool = False) -> RunLine:
    mark, role = level_mark(one.level, glyphs)
    return [
        Run(f"{one.id} ", "title"),
        Run(f"{age_text(now - one.since)} ago ", "text"),
        Run(f"{mark} ", role),
        Run(alike_words(one, short=short), "text"),
    ]


def _role(label: str) -> str:
    return "s3" if label == "to do" else "text"


def before_page(
    before: SameBefore, width: int, height: int, glyphs: Glyphs, now: float
) -> list[RunLine]:
    """Return it as the whole of a small screen, its title not counted: as many as have room."""
    nothing = nothing_words(before)
    if before.unknown:
        return _wrapped("", nothing, width, "unknown")
    lines: list[RunLine] = [
        [*strip_runs(before, now, glyphs), Run(f"{_GAP}{legend(glyphs)}", "dim")],
        [Run(nothing or reach_words(before), "text" if nothing else "dim")],
    ]
    if before.doubt and nothing:
        lines.append([Run(before.doubt, "s3")])
    left = len(before.earlier)
    for one in before.earlier:
        told = [[], *_whole(one, width, glyphs, now)]
        if len(lines) + len(told) + (left > 1) > height and left < len(before.earlier):
            break
        lines += told
        left -= 1
    if left and before.earlier:
        lines.append([Run(f"and {left} more: midwatch incidents show tells all", "dim")])
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines[:height]], glyphs)


def _whole(one: Earlier, width: int, glyphs: Glyphs, now: float) -> list[RunLine]:
    lines = [_head(one, glyphs, now), *_wrapped("ended", end_words(one), width, "text")]
    for label, text in detail_words(one):
        lines += _wrapped(label, text, width, _role(label))
    return lines


def _wrapped(label: str, text: str, width: int, role: str) -> list[RunLine]:
    indent = LABEL_WIDTH if label else 0
    room = max(16, width - indent)
    pieces = wrap(harmless(text), room, MOST_PIECES + 1)
    if len(pieces) > MOST_PIECES:
        pieces = [*pieces[: MOST_PIECES - 1], " ".join(pieces[MOST_PIECES - 1 :])]
    return [
        fitted(
            [Run((label if place == 0 else "").ljust(indent), "dim"), Run(each, role)], width, "…"
        )
        for place, each in enumerate(pieces)
    ]


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
