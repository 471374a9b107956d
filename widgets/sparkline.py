"""One line of history, a character for each piece of time."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Literal

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_STEPS = "_.-=+*#"


def spark(
    values: Sequence[float],
    width: int,
    glyphs: Literal["unicode", "braille", "block", "ascii"] = "unicode",
    low: float | None = None,
    high: float | None = None,
) -> str:
    """Return ``values``, oldest first, as exactly ``width`` characters.

    More values than room: each character shows the highest of its piece, so a spike stays.
    Fewer: they stand at the right edge. A piece without a finite value is a space. ``low`` and
    ``high`` fix the scale; without them it is the values' own range.
    """
    if width <= 0:
        return ""
    steps = ASCII_STEPS if glyphs == "ascii" else BLOCKS
    pieces = _highest_of_pieces(values, width)
    known = [value for value in pieces if value is not None]
    if not known:
        return " " * width
    bottom = min(known) if low is None or not isfinite(low) else low
    top = max(known) if high is None or not isfinite(high) else high
    span = top - bottom
    last = len(steps) - 1
    characters = []
    for value in pieces:
        if value is None:
            characters.append(" ")
        elif span <= 0:
            characters.append(steps[last if value > top else 0])
        else:
            # Halves first: the difference of two huge values may not fit into a float.
            share = (value / 2 - bottom / 2) / (top / 2 - bottom / 2)
            characters.append(steps[max(0, min(last, round(share * last)))])
    return "".join(characters).rjust(width)


def _highest_of_pieces(values: Sequence[float], width: int) -> list[float | None]:
    count = len(values)
    if count <= width:
        return [float(value) if isfinite(value) else None for value in values]
    pieces: list[float | None] = []
    for place in range(width):
        piece = values[place * count // width : (place + 1) * count // width]
        known = [float(value) for value in piece if isfinite(value)]
        pieces.append(max(known) if known else None)
    return pieces
