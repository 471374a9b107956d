"""Asks the sources how the last two hours went for rows that burn when a run begins.

So a command that looks twice, or once, tells what a console tells that has watched all along:
since when users are hurt, and whether they still are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from console.evaluation.evaluate import burning_rows
from console.evaluation.memory import Memory, Past, with_past
from console.evaluation.phases import began_at, replayed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.domain.samples import Series
    from console.engine.ranges import Ranges
    from console.evaluation.observations import Statics

    Floats = NDArray[np.float64]

SPAN_SECONDS = 7200.0
STEP_SECONDS = 15.0
MOST_ROWS = 20
"""Further rows of a fleet that burns as a whole are told as hurting."""

LOOKS = 3
"""Later than so many looks the console itself has seen how it began."""

LIMIT_SECONDS = 8.0
_SIGNALS = ("requests_rate", "bad_rate")


class LookBack:
    """Looks back once for each row that burns at one of the first looks."""

    def __init__(self) -> None:
        self._looks = 0
        self._known: set[str] = set()
        self._under_way: asyncio.Task[Past | None] | None = None

    async def joined(self, memory: Memory, ranges: Ranges, now: float) -> Memory:
        """Return the memory with the past of rows that burn; the same where there is none."""
        past = await self.taken(memory, ranges, now)
        return memory if past is None else with_past(memory, past)

    def begin(self, memory: Memory, ranges: Ranges, now: float) -> None:
        """Begin to look back while there is something that the console has not seen itself."""
        if self._under_way is None and self._looks < LOOKS:
            self._under_way = asyncio.create_task(self.taken(memory, ranges, now))

    def told(self, memory: Memory) -> Memory:
        """Return the memory with what a look back has found since."""
        if self._under_way is None or not self._under_way.done():
            return memory
        past, self._under_way = self._under_way.result(), None
        return memory if past is None else with_past(memory, past)

    def stop(self) -> None:
        """End what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()

    async def taken(self, memory: Memory, ranges: Ranges, now: float) -> Past | None:
        """Return the past of rows that burn, None where there is none to be told."""
        self._looks += 1
        if self._looks > LOOKS or memory.statics is None:
            return None
        models = memory.statics.rows
        rows = [row for row in burning_rows(memory) if models[row].model not in self._known]
        rows = rows[:MOST_ROWS]
        if not rows:
            return None
        self._known |= {models[row].model for row in rows}
        cells = int(SPAN_SECONDS / STEP_SECONDS)
        start = now - SPAN_SECONDS
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                found = await asyncio.gather(
                    *(
                        ranges.between(models[row].model, _SIGNALS, start, now, cells)
                        for row in rows
                    )
                )
        except TimeoutError:
            return None
        told = [
            (row, one.series)
            for row, one in zip(rows, found, strict=True)
            if all(each.error is None and _says_something(each) for each in one.series)
        ]
        return _joined(memory.statics, told, start, now) if told else None


def _says_something(series: Series) -> bool:
    return len(series.times) > 1 and bool(np.isfinite(series.values).any())


def _joined(
    statics: Statics, told: list[tuple[int, tuple[Series, ...]]], start: float, now: float
) -> Past:
    """Replay the rates of each row on one grid, and tell where that leads."""
    times = np.arange(start, now + 1.0, STEP_SECONDS)
    rows = [row for row, _ in told]
    rate, bad = (
        np.stack([_on(times, series[place]) for _, series in told], axis=1) for place in (0, 1)
    )
    allowance = statics.error_allowance[rows]
    began = np.array(
        [
            began_at(times, rate[:, place], bad[:, place], float(allowance[place]))
            for place in range(len(rows))
        ]
    )
    models = tuple(statics.rows[row].model for row in rows)
    return Past(models, replayed(times, rate, bad, allowance), began)


def _on(times: Floats, series: Series) -> Floats:
    """Return a series at ``times``: the value of the point at or up to a step before each."""
    known = np.isfinite(series.values)
    at, values = series.times[known], series.values[known]
    place = np.searchsorted(at, times + 0.5, side="right") - 1
    found = np.where(place >= 0, values[np.maximum(place, 0)], np.nan)
    age = times - np.where(place >= 0, at[np.maximum(place, 0)], -np.inf)
    return np.where(age <= 2 * STEP_SECONDS, found, np.nan)
