"""Runs of time in which something held, found in values on one grid; pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.fleet.memory import CLEAR_AFTER, RAISE_AFTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.facts.samples import Series

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["Grid", "Run", "runs"]


@dataclass(frozen=True, slots=True)
class Run:
    """Points ``first`` to ``last`` of a grid; ``open`` where it reaches the grid's end."""

    first: int
    last: int
    open: bool


class Grid:
    """Several signals at the same times (Unix seconds, even steps); NaN is not known."""

    def __init__(self, start: float, end: float, step: float) -> None:
        count = int((end - start) / step) + 1
        self.step = step
        self.times: Floats = np.asarray(start + step * np.arange(count), dtype=np.float64)

    def __len__(self) -> int:
        return len(self.times)

    def values(self, series: Series | None) -> Floats:
        """Return a series' values on this grid; each point goes to the nearest place."""
        found: Floats = np.full(len(self), np.nan)
        if series is None or not len(series.times):
            return found
        places = np.rint((series.times - self.times[0]) / self.step).astype(np.intp)
        good = (places >= 0) & (places < len(self)) & np.isfinite(series.values)
        found[places[good]] = series.values[good]
        return found

    def total(self, rate: Floats, first: int, last: int) -> float | None:
        """Return the sum of a rate (1/s) over points, None where it is known at none of them."""
        part = rate[first : last + 1]
        known = part[np.isfinite(part)]
        return float(known.sum() * self.step) if len(known) else None

    def mean(self, values: Floats, seconds: float) -> Floats:
        """Return the mean of the known values of the last ``seconds`` at every point."""
        width = max(1, round(seconds / self.step))
        known = np.isfinite(values)
        sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
        counts = np.concatenate([[0], np.cumsum(known)])
        upper = np.arange(1, len(values) + 1)
        lower = np.maximum(0, upper - width)
        result: Floats = np.full(len(values), np.nan)
        number = counts[upper] - counts[lower]
        np.divide(sums[upper] - sums[lower], number, out=result, where=number > 0)
        return result


def runs(hit: Mask, clean: Mask, *, least: int = RAISE_AFTER) -> tuple[Run, ...]:
    """Return the runs in which a rule would have been raised.

    As in the fleet it takes ``least`` hits in a row to begin and `CLEAR_AFTER` clean points in a
    row to end; a point that is neither hit nor clean breaks both counts. A run begins at its first
    hit and ends at its last.
    """
    found: list[Run] = []
    hits = cleans = first = last = 0
    raised = False
    for place in range(len(hit)):
        if hit[place]:
            if not raised and hits == 0:
                first = place
            hits, cleans, last = hits + 1, 0, place
            raised = raised or hits >= least
            continue
        hits = 0
        cleans = cleans + 1 if clean[place] else 0
        if raised and cleans >= CLEAR_AFTER:
            found.append(Run(first, last, open=False))
            raised = False
    if raised:
        found.append(Run(first, last, open=last >= len(hit) - CLEAR_AFTER))
    return tuple(found)


def aligned(grid: Grid, series: Mapping[str, Series]) -> dict[str, Floats]:
    """Return every series on the grid, by name."""
    return {name: grid.values(each) for name, each in series.items()}
