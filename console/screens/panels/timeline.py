"""The timeline of an incident as lines: oldest first, an action with before, after and effect."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from console.domain.incident import BLOCKS
from console.domain.text import visible
from console.reports.incident_text import (
    alike_words,
    detail_words,
    end_words,
    nothing_words,
    reach_words,
)
from console.screens.spans import RunLine, age_text, clock_text, fitted, twins
from console.screens.tables.incidents import level_mark
from widgets.lines import Run
from widgets.text_width import harmless, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.incident import Earlier, SameBefore, TimelineEvent
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
