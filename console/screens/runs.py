"""Lines put together from pieces, cut to a width, in ASCII where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from themes.glyphs import to_ascii
from widgets.cutting import cells_of, cut, harmless
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from themes.glyphs import Glyphs

RunLine = list[Run]


class Piece(NamedTuple):
    """A part of a line that is shown whole or not at all; the lowest ``rank`` stays longest."""

    runs: tuple[Run, ...]
    rank: int = 0


def piece(text: str, role: str = "", rank: int = 0) -> Piece:
    """Return a piece of one run."""
    return Piece((Run(text, role),), rank)


def width_of(runs: Iterable[tuple[str, str]]) -> int:
    """Return the width of runs in terminal cells."""
    return sum(cells_of(harmless(text)) for text, _ in runs)


def join_that_fit(
    pieces: Sequence[Piece], width: int, separator: Run, *, fill_with: Run | None = None
) -> RunLine:
    """Return the pieces that fit into ``width`` cells in their order, least needed left out.

    With ``fill_with`` the rest of the line is filled by that one-cell run.
    """
    kept = list(pieces)
    gap = cells_of(separator.text)
    widths = {id(one): width_of(one.runs) for one in kept}

    def total() -> int:
        return sum(widths[id(one)] for one in kept) + gap * max(0, len(kept) - 1)

    while len(kept) > 1 and total() > width:
        kept.remove(max(reversed(kept), key=lambda one: one.rank))
    line: RunLine = []
    for place, one in enumerate(kept):
        if place:
            line.append(separator)
        line.extend(one.runs)
    if fill_with is not None:
        line.append(Run(fill_with.text * max(0, width - width_of(line)), fill_with.role))
    return line


def fitted(line: Sequence[tuple[str, str]], width: int, ellipsis: str) -> RunLine:
    """Return the runs cut to ``width`` cells, an ellipsis showing that something is missing."""
    if width_of(line) <= width:
        return [Run(*run) for run in line]
    room = max(0, width - cells_of(ellipsis))
    out: RunLine = []
    for text, role in line:
        part = cut(text, room)
        out.append(Run(part, role))
        room -= cells_of(part)
        if room <= 0 or part != harmless(text):
            break
    out.append(Run(cut(ellipsis, width), "dim"))
    return out


def twins(lines: Sequence[Sequence[tuple[str, str]]], glyphs: Glyphs) -> list[RunLine]:
    """Return the lines in the characters of this set: ASCII twins where only ASCII may be sent."""
    if glyphs.name != "ascii":
        return [[Run(*run) for run in line] for line in lines]
    return [[Run(_twin(text), role) for text, role in line] for line in lines]


def keys_that_fit(pieces: Sequence[Piece], width: int, glyphs: Glyphs) -> RunLine:
    """Return the pieces of a bottom line that fit, in the characters of this set.

    The twins come first: an arrow's ASCII twin is wider than the arrow.
    """
    drawn = [one._replace(runs=tuple(twins([one.runs], glyphs)[0])) for one in pieces]
    return join_that_fit(drawn, width, Run("  ", ""))


def _twin(text: str) -> str:
    """Return the ASCII twin; blanks that pad a text to a column give way to longer twins."""
    if text.isascii():
        return text
    content = text.rstrip(" ")
    padding = len(text) - len(content)
    twin = to_ascii(content)
    return twin.ljust(cells_of(text)) if padding > 1 else twin + " " * padding
