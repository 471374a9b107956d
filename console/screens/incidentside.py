"""The INCIDENTS block of the side column: the worst first, with whose each is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.reports.incident_document import deaf
from console.screens.incidentwords import counts, level_mark, listed_incidents
from console.screens.runs import fitted, width_of
from console.screens.values import age_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.facts.snapshot import Snapshot
    from console.screens.incidentwords import Listed
    from console.screens.runs import RunLine
    from themes.glyphs import Glyphs


def incident_block(
    snapshot: Snapshot, now: float, width: int, most: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return at most ``most`` lines; "none" only where every place has just answered in full."""
    found = [one for one in listed_incidents(snapshot) if one.group < 2 and one.incident]
    found.sort(key=lambda one: (int(one.severity), one.held))
    nobodys, held, _ = counts(found)
    doubt = "?" if deaf(snapshot) else ""
    lines: list[RunLine] = [[Run(f"INCIDENTS {nobodys + held}{doubt} open", "title")]]
    if not found:
        lines.append([Run(*(("not known", "s3") if doubt else ("none", "dim")))])
        return lines
    # One line each, and a second with what it is while there is room for that.
    two = 2 * len(found) + 1 <= most
    shown = found if two or len(found) <= most - 1 else found[: most - 2]
    for one in shown:
        lines.append(_head(one, now, width, glyphs))
        if two and one.incident is not None and one.incident.summary:
            text = f"   {visible(one.incident.summary, 120)}"
            lines.append(fitted([Run(text, "dim")], width, glyphs.ellipsis))
    if len(shown) < len(found):
        lines.append([Run(f"and {len(found) - len(shown)} more: I", "dim")])
    return lines


def _head(one: Listed, now: float, width: int, glyphs: Glyphs) -> RunLine:
    mark, role = level_mark(one.severity, glyphs)
    age = "?" if one.since is None else age_text(now - one.since)
    who = one.who[:6] or "--"
    line: RunLine = [
        Run(f"{mark} ", role),
        Run(f"{visible(one.id, 8)} {age:>3} ", "dim"),
        Run(f"{who:<6} ", "text" if one.held else role),
    ]
    about = visible(one.about, 60) or one.title
    return [*line, *fitted([Run(about, "text")], width - width_of(line), glyphs.ellipsis)]
