"""Draws series into dots and dots into characters; one-line sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

DrawGlyphs = Literal["braille", "block", "ascii"]

DOTS: dict[DrawGlyphs, tuple[int, int]] = {"braille": (2, 4), "block": (2, 2), "ascii": (1, 2)}
"""Dots in one character: across, down."""

LIMIT = 1e150
"""Values are clipped here: the difference of two larger ones overflows a float."""

_BRAILLE_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_QUARTERS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟▓"
_ASCII_HALVES = " '.:"
_DENSE: dict[DrawGlyphs, str] = {"braille": "⣿", "block": "█", "ascii": "#"}
"""Draws what lies beyond a threshold, so that it is seen without colour."""
_DASHES: dict[DrawGlyphs, str] = {"braille": "┄", "block": "┄", "ascii": "- "}


@dataclass(frozen=True, slots=True)
class Track:
    """One series to draw: its values, oldest first (NaN is a gap), and its role."""

    values: Sequence[float] | Floats
    role: str
    limits: tuple[tuple[float, bool, str], ...] = ()
    """Thresholds that concern it: value, whether above it is the alarm, role of the alarm."""


@dataclass(frozen=True, slots=True)
class Level:
    """A dashed horizontal line at ``value``."""

    value: float
    role: str


def as_floats(values: Sequence[float] | Floats) -> Floats:
    """Return the values as floats, with everything not finite turned into NaN."""
    import numpy as np

    floats = np.array(values, dtype=np.float64).ravel()
    floats[~np.isfinite(floats)] = np.nan
    return np.clip(floats, -LIMIT, LIMIT)


def resample(values: Floats, columns: int) -> tuple[Floats, Floats]:
    """Return the lowest and highest value of each of ``columns`` equal pieces of time.

    NaN stays a gap. Fewer values than columns are joined by straight lines, a lone value
    between two gaps keeps its own column.
    """
    import numpy as np

    count = len(values)
    if not count or columns <= 0:
        empty = np.full(max(0, columns), np.nan)
        return empty, empty
    if count >= columns:
        starts = np.arange(columns) * count // columns
        return np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    if count == 1:
        single = np.full(columns, np.nan)
        single[-1] = values[0]
        return single, single
    places = np.linspace(0, count - 1, columns)
    left = np.minimum(places.astype(np.int64), count - 2)
    share = places - left
    # Written so that two equal values are joined by exactly that value.
    joined = values[left] + (values[left + 1] - values[left]) * share
    own = np.round(np.arange(count) * (columns - 1) / (count - 1)).astype(np.int64)
    known = ~np.isnan(values)
    joined[own[known]] = values[known]
    return joined, joined


@dataclass(frozen=True, slots=True)
class Canvas:
    """An area of ``width`` by ``height`` characters for values from ``low`` to ``high``."""

    width: int
    height: int
    low: float
    high: float
    glyphs: DrawGlyphs

    def row_of(self, value: float) -> int:
        """Return the character row, counted from the top, that shows ``value``."""
        _, down = DOTS[self.glyphs]
        share = (self.high - value) / (self.high - self.low)
        dots = self.height * down
        return max(0, min(dots - 1, round(share * (dots - 1)))) // down

    def draw(
        self, tracks: Sequence[Track], levels: Sequence[Level] = ()
    ) -> list[list[tuple[str, str]]]:
        """Return ``height`` lines of runs, each line exactly ``width`` characters.

        Earlier tracks lie over later ones, alarms over all of them, levels under them.
        """
        import numpy as np

        across, down = DOTS[self.glyphs]
        roles = ["", *(level.role for level in levels)]
        codes = np.full((self.height, self.width), ord(" "), dtype=np.int64)
        owner = np.zeros((self.height, self.width), dtype=np.int64)
        dashes = _DASHES[self.glyphs]
        line = [ord(dashes[x % len(dashes)]) for x in range(self.width)]
        for place, level in enumerate(levels, start=1):
            row = self.row_of(level.value)
            codes[row] = line
            owner[row] = place

        dots = np.zeros((self.height * down, self.width * across), dtype=np.bool_)
        dense = np.zeros((self.height, self.width), dtype=np.bool_)
        alarms: list[tuple[Bools, str]] = []
        for track in reversed(tracks):
            mine, beyond = self._dots(track, across, down)
            np.logical_or(dots, mine, out=dots)
            owner[self._cells(mine, across, down)] = len(roles)
            roles.append(track.role)
            alarms.extend(beyond)
        for alarm, role in alarms:
            cells = self._cells(alarm, across, down)
            np.logical_or(dense, cells, out=dense)
            owner[cells] = len(roles)
            roles.append(role)
        drawn = self._cells(dots, across, down)
        codes[drawn] = self._codes(dots, across, down)[drawn]
        codes[dense] = ord(_DENSE[self.glyphs])
        return [_runs(codes[y], owner[y], roles) for y in range(self.height)]

    def _dots(self, track: Track, across: int, down: int) -> tuple[Bools, list[tuple[Bools, str]]]:
        import numpy as np

        lowest, highest = resample(as_floats(track.values), self.width * across)
        last = self.height * down - 1
        known = ~np.isnan(highest)
        span = self.high - self.low

        def rows(values: Floats) -> Ints:
            share = np.where(known, (self.high - values) / span, 0.0)
            places: Ints = np.clip(np.rint(share * last), 0, last).astype(np.int64)
            return places

        top, bottom = rows(highest), rows(lowest)
        joined = known[1:] & known[:-1]
        joined_top, joined_bottom = top.copy(), bottom.copy()
        joined_top[1:][joined] = np.minimum(top[1:], bottom[:-1] + 1)[joined]
        joined_bottom[1:][joined] = np.maximum(bottom[1:], top[:-1] - 1)[joined]
        y = np.arange(last + 1)[:, None]
        mine: Bools = np.asarray((y >= joined_top) & (y <= joined_bottom) & known)
        alarms: list[tuple[Bools, str]] = []
        for value, above, role in track.limits:
            limit = min(last, max(0, round((self.high - value) / span * last)))
            if above:
                beyond: Bools = (y < limit) | ((y == limit) & (highest > value))
            else:
                beyond = (y > limit) | ((y == limit) & (lowest < value))
            alarm: Bools = np.asarray(mine & beyond)
            alarms.append((alarm, role))
        return mine, alarms

    def _cells(self, dots: Bools, across: int, down: int) -> Bools:
        import numpy as np

        return np.asarray(dots.reshape(self.height, down, self.width, across).any(axis=(1, 3)))

    def _codes(self, dots: Bools, across: int, down: int) -> Ints:
        import numpy as np

        cells = dots.reshape(self.height, down, self.width, across)
        if self.glyphs == "braille":
            bits = np.array(_BRAILLE_BITS, dtype=np.int64)
            table = None
        else:
            bits = (1 << np.arange(down * across, dtype=np.int64)).reshape(down, across)
            table = _QUARTERS if self.glyphs == "block" else _ASCII_HALVES
        sums: Ints = np.einsum("hdwa,da->hw", cells, bits)
        if table is None:
            return sums + 0x2800
        codes: Ints = np.array([ord(c) for c in table], dtype=np.int64)[sums]
        return codes


def _runs(codes: Ints, owner: Ints, roles: Sequence[str]) -> list[tuple[str, str]]:
    """Return one row as runs; neighbours of one role share a run."""
    import numpy as np

    text = codes.astype("<u4").tobytes().decode("utf-32-le")
    edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(text)]
    owners = owner[edges[:-1]].tolist() if len(text) else []
    runs: list[tuple[str, str]] = []
    for start, end, who in zip(edges, edges[1:], owners, strict=False):
        role = roles[who]
        if runs and runs[-1][1] == role:
            runs[-1] = (runs[-1][0] + text[start:end], role)
        else:
            runs.append((text[start:end], role))
    return runs


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
