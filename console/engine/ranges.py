"""A signal over time: asked of the source for what is on screen, the rest from the ticks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from console.engine.breaker_ranges import COLUMN as BREAKERS
from console.engine.breaker_ranges import breaker_series
from console.engine.derived import BASES, derive
from console.engine.handle import SeriesSet
from console.engine.score_series import PSI, psi_series
from console.facts.samples import Series
from console.facts.signals import SIGNALS
from console.facts.text import visible
from console.signals.scores import SCORES
from console.sources.protocol import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from console.engine.desk import Desk
    from console.engine.history import History
    from console.engine.seats import Seat
    from console.facts.drift import DriftReference
    from console.facts.model import ModelRow
    from console.sources.protocol import Source

    Floats = NDArray[np.float64]

LEAST_STEP_SECONDS = 5.0
KEPT_ANSWERS = 64
LEAST_FRESH_SECONDS = 15.0
PSI_FRESH_SECONDS = 60.0
PACE_SECONDS = 300.0


class Ranges:
    """Range questions with a short memory, so that a redraw asks nothing twice."""

    def __init__(
        self,
        desk: Desk,
        source: Callable[[str], Source | None],
        history: History,
        clock: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._source = source
        self._history = history
        self._clock = clock
        self._kept: dict[tuple[str, str, float, int], tuple[float, Series]] = {}

    async def series(
        self, model: str, signals: Sequence[str], seconds: float, cells: int
    ) -> SeriesSet:
        """Return the last ``seconds`` of each signal, about ``cells`` points each.

        A signal that cannot be had keeps the ticks' own values and carries the reason in ``error``.
        """
        end = self._clock()
        step = max(LEAST_STEP_SECONDS, seconds / max(1, cells))
        # Whole steps keep a redraw a second later on the same points.
        end = np.floor(end / step) * step
        start = end - seconds
        found = await asyncio.gather(
            *(self._one(model, signal, start, float(end), step) for signal in signals)
        )
        return SeriesSet(model, float(start), float(end), tuple(found))

    async def between(
        self, model: str, signals: Sequence[str], start: float, end: float, cells: int
    ) -> SeriesSet:
        """Return signals over a span of the past (Unix seconds), in at most ``cells`` + 1 points.

        Where a source keeps nothing that old the ticks may; else ``error`` says why.
        """
        step = max(LEAST_STEP_SECONDS, (end - start) / max(1, cells))
        found = await asyncio.gather(
            *(self._asked(model, signal, start, end, step) for signal in signals)
        )
        seen = (self._with_ticks(model, series, start) for series in found)
        return SeriesSet(model, start, end, tuple(_until(series, end) for series in seen))

    async def breakers_between(
        self, model: str, start: float, end: float, cells: int
    ) -> dict[str, Series]:
        """Return the breakers of a model over a span, by dependency, "" its own."""
        seating = self._desk.board.seating
        row = next((at for at, each in enumerate(seating.rows) if each.model == model), None)
        if row is None:
            return {}
        seat = seating.seats[row]
        asked = self._desk.board.asked(seat, BREAKERS)
        source = self._source(seat.source) if seat.source else None
        if not asked or source is None:
            return {}
        step = max(LEAST_STEP_SECONDS, (end - start) / max(1, cells))
        uses = seating.rows[row].dependencies
        return await breaker_series(
            source, asked[0].query, seat.series_value, uses, start, end, step
        )

    async def _one(self, model: str, signal: str, start: float, end: float, step: float) -> Series:
        kept_as = (model, signal, end - start, round((end - start) / step))
        kept = self._kept.get(kept_as)
        fresh_seconds = PSI_FRESH_SECONDS if signal == PSI else LEAST_FRESH_SECONDS
        if kept is not None and end - kept[0] < max(step, fresh_seconds):
            return kept[1]
        fresh = self._with_ticks(model, await self._asked(model, signal, start, end, step), start)
        if fresh.error is None:
            while len(self._kept) >= KEPT_ANSWERS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[kept_as] = (end, fresh)
        return fresh

    async def _asked(
        self, model: str, signal: str, start: float, end: float, step: float
    ) -> Series:
        seating = self._desk.board.seating
        row = next((at for at, each in enumerate(seating.rows) if each.model == model), None)
        if row is None:
            return _empty(signal, f"no model is named {visible(model)} any more")
        bases = BASES.get(signal, (signal,))
        known, seat = seating.rows[row], seating.seats[row]
        if signal == PSI and known.reference is not None:
            computed = await self._scores(known.reference, seat, start, end, step)
            if computed is not None:
                return computed
        found = [await self._base(seat, column, start, end, step) for column in bases]
        if signal not in BASES:
            return Series(signal, found[0].times, found[0].values, found[0].error)
        series = _derived(signal, known, dict(zip(bases, found, strict=True)))
        return self._as_paced(model, series) if signal == "cost_pace" else series

    def _as_paced(self, model: str, series: Series) -> Series:
        """Let a pace over time end where the newest tick stands.

        The share of a day that is due follows the weekday's own days, of which only today's
        moment is asked for; before it the share is taken to have grown evenly.
        """
        seen = self._history.series(model, series.signal, PACE_SECONDS).values
        ticks, points = seen[~np.isnan(seen)], series.values[~np.isnan(series.values)]
        if not len(ticks) or not len(points) or points[-1] <= 0:
            return series
        scaled = series.values * (ticks[-1] / points[-1])
        return Series(series.signal, series.times, scaled, series.error)

    async def _scores(
        self, reference: DriftReference, seat: Seat, start: float, end: float, step: float
    ) -> Series | None:
        """Return PSI over time against a reference, None where only the exporter's gauge is left.

        Without a single point the gauge is shown, as it is in the table.
        """
        asked = self._desk.board.asked(seat, SCORES)
        source = self._source(seat.source) if seat.source else None
        if not asked or source is None:
            return None
        try:
            series = await psi_series(
                source, asked[0].query, reference, seat.series_value, start, end, step
            )
        except SourceDown as down:
            return _empty(PSI, down.sentence)
        nothing = series is None or (series.error is None and np.isnan(series.values).all())
        return None if nothing else series

    async def _base(self, seat: Seat, column: str, start: float, end: float, step: float) -> Series:
        asked = self._desk.board.asked(seat, column)
        if seat.source and not asked:
            title = SIGNALS[column].title if column in SIGNALS else column
            return _empty(column, f"nothing that is read here gives {title}")
        if not seat.source:
            return _empty(column, "no source offers this model")
        source = self._source(seat.source)
        if source is None:
            return _empty(column, f"source {visible(seat.source)} is gone")
        try:
            series = await source.series(asked[-1].query, seat.series_value, start, end, step)
        except SourceDown as down:
            return _empty(column, down.sentence)
        return Series(column, series.times, series.values, series.error)

    def _with_ticks(self, model: str, series: Series, start: float) -> Series:
        """Continue a series by the ticks after its last value; they are all there is on error."""
        seen = self._history.series(model, series.signal, self._clock() - start)
        known = ~np.isnan(series.values)
        last = series.times[known][-1] if known.any() else start
        later = (seen.times > last) & ~np.isnan(seen.values)
        if not later.any():
            return series
        before = series.times <= last
        return Series(
            series.signal,
            np.concatenate([series.times[before], seen.times[later]]),
            np.concatenate([series.values[before], seen.values[later]]),
            series.error,
        )


def _derived(signal: str, row: ModelRow, found: dict[str, Series]) -> Series:
    usable = {column: series for column, series in found.items() if len(series.times)}
    if not usable:
        first = next(iter(found.values()))
        return _empty(signal, first.error)
    times = np.unique(np.concatenate([series.times for series in usable.values()]))
    aligned = {column: _aligned(series, times) for column, series in usable.items()}
    values = derive(signal, row, times, aligned)
    errors = [series.error for series in found.values() if series.error]
    unknown = bool(np.isnan(values).all())
    return Series(signal, times, values, errors[0] if errors and unknown else None)


def _aligned(series: Series, times: Floats) -> Floats:
    """Return the series' values at ``times``, NaN where it has none."""
    values = np.full(len(times), np.nan)
    values[np.searchsorted(times, series.times)] = series.values
    return values


def _until(series: Series, end: float) -> Series:
    within = series.times <= end
    return Series(series.signal, series.times[within], series.values[within], series.error)


def _empty(signal: str, error: str | None) -> Series:
    return Series(signal, np.empty(0), np.empty(0), error)
