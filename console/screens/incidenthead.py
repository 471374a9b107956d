"""The two lines at the top of the incident screen: which incident, whose, since when; and what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.incidentblocks import merged_words
from console.screens.incidentrows import level_mark_role, what_text
from console.screens.incidentwords import check_word, held_since, level_mark
from console.screens.runs import Piece, RunLine, fitted, join_that_fit, piece, twins
from console.screens.values import clock_text, when_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.facts.incident_view import IncidentView
    from console.screens.incidentwords import Listed
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
