"""Curves of one model for charts and strips: its signals over the last stretch of time."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite, nan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.domain.samples import Series
    from console.domain.snapshot import Snapshot
    from console.engine.client import SeriesSet

RANGES: dict[str, float] = {"15m": 900.0, "1h": 3600.0, "6h": 21600.0, "24h": 86400.0}
"""Time ranges by name, in seconds."""

DEFAULT_RANGE = "1h"

MAX_POINTS = 4000


def next_range(name: str, step: int) -> str:
    """Return the range ``step`` places longer; the longest and shortest stay."""
    names = tuple(RANGES)
    return names[max(0, min(len(names) - 1, names.index(name) + step))]


class Curves:
    """The curves of one model: what the source gave for the range, with each tick added.

    Times are Unix seconds, values NaN where there is none.
    """

    def __init__(self, model: str = "") -> None:
        self.model = model
        self.seconds = 0.0
        self.errors: dict[str, str] = {}
        self._points: dict[str, tuple[list[float], list[float]]] = {}

    def __contains__(self, signal: str) -> bool:
        return signal in self._points

    def load(self, answer: SeriesSet) -> None:
        """Take a range query's answer in place of what was there for its signals."""
        self.seconds = max(self.seconds, answer.end - answer.start)
        for series in answer.series:
            self._take(series)

    def seed(self, series: Series) -> None:
        """Take a ring of ticks for a signal nothing is known about yet."""
        if series.signal not in self._points:
            self._take(series)

    def _take(self, series: Series) -> None:
        if series.error is not None:
            self.errors[series.signal] = series.error
            self._points.setdefault(series.signal, ([], []))
            return
        self.errors.pop(series.signal, None)
        times, values = series.times.tolist(), series.values.tolist()
        old_times, old_values = self._points.get(series.signal, ([], []))
        last = times[-1] if times else float("-inf")
        for at, value in zip(old_times, old_values, strict=True):
            if at > last:
                times.append(at)
                values.append(value)
        self._points[series.signal] = (times, values)

    def add_tick(self, snapshot: Snapshot, row: int, signals: Iterable[str]) -> None:
        """Append what this tick saw; a reading without a value is a gap."""
        for signal in signals:
            reading = snapshot.reading(signal, row)
            times, values = self._points.setdefault(signal, ([], []))
            if times and snapshot.taken_at <= times[-1]:
                continue
            times.append(snapshot.taken_at)
            values.append(reading.value if reading.known and reading.value is not None else nan)
            if len(times) > MAX_POINTS:
                del times[: MAX_POINTS // 4], values[: MAX_POINTS // 4]

    def on_grid(self, signal: str, end: float, seconds: float, cells: int) -> list[float]:
        """Return ``cells`` equally spaced values up to ``end``, NaN for a gap.

        A cell holds the highest value of its time; a value is carried on until the next one as
        long as that comes at the pace of the others.
        """
        times, values = self._points.get(signal, ([], []))
        return onto_grid(times, values, end - seconds, end, cells)

    def has_values(self, signal: str) -> bool:
        """Tell whether anything can be drawn for a signal."""
        return any(isfinite(value) for value in self._points.get(signal, ([], []))[1])


def onto_grid(
    times: Sequence[float], values: Sequence[float], start: float, end: float, cells: int
) -> list[float]:
    """Return values at unequal ``times`` as ``cells`` equal pieces of ``start`` to ``end``."""
    grid = [nan] * max(0, cells)
    if end <= start or not times or not grid:
        return grid
    width = (end - start) / cells
    reach = max(3.0 * width, 2.5 * _usual_gap(times))
    count = len(times)
    for place, (at, value) in enumerate(zip(times, values, strict=True)):
        if at > end or not isfinite(value):
            continue
        until = times[place + 1] if place + 1 < count else at + width
        if until - at > reach:
            until = at + width
        if until <= start:
            continue
        first = min(cells - 1, max(0, int((at - start) / width)))
        last = max(first, min(cells - 1, int((until - start) / width - 1e-9)))
        for cell in range(first, last + 1):
            held = grid[cell]
            if held != held or value > held:
                grid[cell] = value
    return grid


def _usual_gap(times: Sequence[float]) -> float:
    gaps = sorted(after - before for before, after in pairwise(times))
    return gaps[len(gaps) // 2] if gaps else 0.0
