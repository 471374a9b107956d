"""What became of several operations sent together: one line for all, and each on its own row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.runs import Piece, piece
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.screens.actinglog import Sent
    from console.screens.helptext import BoxLine
    from themes.glyphs import Glyphs

_GOOD = ("applied", "no_op")
_TARGET_WIDTH = 24
_KIND_WIDTH = 12


def all_well(members: Sequence[Sent]) -> bool:
    """Tell whether each is as it was wanted."""
    return all(one.kind in _GOOD for one in members)


def title_of(members: Sequence[Sent]) -> str:
    """Return what was sent together in a few words: "fallback 3 models"."""
    return f"{members[0].verb} {len(members)} models"


def set_pieces(members: Sequence[Sent], glyphs: Glyphs) -> list[Piece]:
    """Return how many are in force, on their way and not done, and the first that is not."""
    good = sum(1 for one in members if one.kind in _GOOD)
    waiting = sum(1 for one in members if one.in_flight)
    bad = [one for one in members if not one.in_flight and one.kind not in _GOOD]
    role = "ok" if good == len(members) else "text"
    pieces = [piece(f"{good} of {len(members)} applied", role, 0)]
    if waiting:
        pieces.append(piece(f"{waiting} on the way{glyphs.ellipsis}", "s3", 1))
    for one in bad[:1]:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        said = f"{glyphs.cross} {visible(one.target, 60)} {one.kind.upper()}{more}"
        pieces.append(piece(said, "s2", 0))
    return pieces


def set_lines(members: Sequence[Sent], glyphs: Glyphs) -> list[BoxLine]:
    """Return one row a target: what became of it, and why."""
    lines: list[BoxLine] = []
    for one in members:
        good = one.kind in _GOOD
        role = "s3" if one.in_flight else "ok" if good else "s2"
        kind = "on the way" if one.in_flight else one.kind if good else one.kind.upper()
        mark = " " if good or one.in_flight else glyphs.cross
        lines.append(
            [
                Run(f"{mark} {visible(one.target, 200)[:_TARGET_WIDTH]:<{_TARGET_WIDTH}} ", "text"),
                Run(f"{kind:<{_KIND_WIDTH}} ", role),
                Run(visible(one.sentence, 300), "dim" if good else "text"),
            ]
        )
    undo = [one for one in members if one.changed and not one.undone]
    lines.append([])
    lines += [[Run(f":undo {one.op_id}  {visible(one.target, 60)}", "key")] for one in undo]
    return lines
