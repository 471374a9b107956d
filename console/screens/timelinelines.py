"""The timeline of an incident as lines: oldest first, an action with before, after and effect."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.runs import RunLine, fitted, twins
from console.screens.values import clock_text
from widgets.cutting import harmless, wrap
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.incident_view import TimelineEvent
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
