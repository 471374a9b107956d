"""Answers range questions about one model: asked of the source or computed from the history."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Series
from console.domain.signals import BURN_WINDOWS, DAY_COLUMNS, SIGNALS
from console.domain.text import visible
from console.engine.client import SeriesSet
from console.engine.distributions import PSI, psi_series
from console.metrics.labels import Matcher
from console.metrics.queries import SCORES
from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.distribution import DriftReference
    from console.domain.model import ModelRow
    from console.engine.history import History
    from console.engine.query_planner import Desk
    from console.engine.row_assignment import Seat
    from console.metrics.queries import Query
    from console.sources.base import Source

    Floats = NDArray[np.float64]

HOURS_A_MONTH = 720.0
DAYS_A_MONTH = 30.0
DAY_SECONDS = 86400.0
LEAST_DAY_SHARE = 1.0 / 96.0

BASES: Mapping[str, tuple[str, ...]] = {
    **{f"burn_{name}": (f"error_ratio@{name}", f"slow_ratio@{name}") for name in BURN_WINDOWS},
    "budget_left": ("error_ratio@30d", "slow_ratio@30d"),
    "review_rho": ("review_rate", "review_capacity"),
    "cost_today": ("cost_today", "cost_per_hour"),
    "cost_month": ("cost_month", "cost_per_hour"),
    "cost_month_p50": ("cost_month", *DAY_COLUMNS[:1]),
    "cost_month_p90": ("cost_month", *DAY_COLUMNS[:1]),
    "cost_pace": ("cost_today", "cost_per_hour"),
    "spend_burn": ("cost_per_hour",),
    "cost_per_1k": ("cost_increase@1h", "cost_per_hour", "requests_count@1h"),
}
"""The columns each derived signal is computed from."""


def derive(signal: str, row: ModelRow, times: Floats, bases: Mapping[str, Floats]) -> Floats:
    """Return a derived signal at ``times`` (Unix seconds) from its bases; NaN is not known.

    Burn = bad ratio / (1 - SLO), the worse of availability and latency; pace = spent today /
    (daily budget x share of the day gone), flat over the day; spend burn = hourly spend /
    (budget / 720); review load = arrivals / capacity; per 1k = 1000 x spend / requests.
    """
    nothing = np.full(len(times), np.nan)

    def base(name: str) -> Floats:
        return bases.get(name, nothing)

    if signal.startswith("burn_") or signal == "budget_left":
        name = "30d" if signal == "budget_left" else signal.removeprefix("burn_")
        burn = _burn(row, base(f"error_ratio@{name}"), base(f"slow_ratio@{name}"))
        return 1.0 - burn if signal == "budget_left" else burn
    if signal == "review_rho":
        capacity = row.review_capacity_per_second
        return _ratio(
            base("review_rate"), base("review_capacity") if capacity is None else capacity
        )
    if signal == "cost_per_1k":
        spent = base("cost_increase@1h")
        spent = np.where(np.isfinite(spent), spent, base("cost_per_hour"))
        return 1000.0 * _ratio(spent, base("requests_count@1h"))
    if signal == "cost_today":
        return _spent_today(times, base("cost_today"), base("cost_per_hour"))
    if signal == "cost_month":
        return _spent_since(times, base("cost_month"), base("cost_per_hour"), _first_of_month)
    budget = row.budget_month_usd
    if not budget or signal.startswith("cost_month_"):
        # A forecast is of now: what would have been forecast an hour ago is nobody's question.
        return nothing
    if signal == "spend_burn":
        return base("cost_per_hour") / (budget / HOURS_A_MONTH)
    share = np.maximum((times % DAY_SECONDS) / DAY_SECONDS, LEAST_DAY_SHARE)
    today = _spent_today(times, base("cost_today"), base("cost_per_hour"))
    return today / (budget / DAYS_A_MONTH * share)


def _spent_today(times: Floats, today: Floats, hourly: Floats) -> Floats:
    return _spent_since(times, today, hourly, _midnight)


def _spent_since(
    times: Floats, amount: Floats, hourly: Floats, began: Callable[[float], float]
) -> Floats:
    """Return USD since the period began, walking back from the newest ``amount``.

    The question has the length of today (or of the month), so that an hour ago it would reach
    into yesterday; what was spent since then is taken off instead. Where nobody says what was
    spent in an hour only the newest is known.
    """
    spent = np.full(len(times), np.nan)
    known = np.flatnonzero(~np.isnan(amount))
    if not len(known):
        return spent
    last = known[-1]
    if not np.isnan(hourly[: last + 1]).all():
        steps = np.diff(times[: last + 1]) / 3600.0
        rate = np.nan_to_num((hourly[1 : last + 1] + hourly[:last]) / 2.0)
        since = np.concatenate([np.cumsum((rate * steps)[::-1])[::-1], [0.0]])
        spent[: last + 1] = np.maximum(amount[last] - since, 0.0)
        spent[times < began(float(times[last]))] = np.nan
    spent[last:] = amount[last]
    return spent


def _midnight(at: float) -> float:
    return at - at % DAY_SECONDS


def _first_of_month(at: float) -> float:
    first = datetime.fromtimestamp(at, UTC).replace(day=1)
    return _midnight(first.timestamp())


def _burn(row: ModelRow, error_ratio: Floats, slow_ratio: Floats) -> Floats:
    goals = row.objectives
    availability = error_ratio / max(1e-9, 1.0 - goals.availability_ratio)
    if goals.latency_share_ratio is None:
        return availability
    return np.fmax(availability, slow_ratio / max(1e-9, 1.0 - goals.latency_share_ratio))


def _ratio(numerator: Floats, denominator: Floats | float) -> Floats:
    bottom = np.broadcast_to(np.asarray(denominator, dtype=np.float64), numerator.shape)
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, bottom, out=result, where=bottom > 0)
    return result


COLUMN = "breaker_state"


async def breaker_series(
    source: Source,
    query: Query,
    series_value: str,
    dependencies: Iterable[str],
    start: float,
    end: float,
    step: float,
) -> dict[str, Series]:
    """Return the breaker gauge of each dependency, "" the model's own; none that nobody exports.

    Breakers live per process: the largest code of the replicas is taken, so that an open one
    beside one that is half-open shows as half-open.
    """
    found: dict[str, Series] = {}
    if query.expression is None or len(query.by) < 2:
        return found
    model_label, dependency_label = query.by[0], query.by[1]
    for dependency in ("", *dependencies):
        narrowed = replace(
            query,
            by=(model_label,),
            matchers=(*query.matchers, Matcher(dependency_label, "=", dependency)),
        )
        try:
            series = await source.series(narrowed, series_value, start, end, step)
        except SourceDown:
            return found  # the other signals of this source say so, each with its sentence
        if np.isfinite(series.values).any():
            found[dependency] = series
    return found


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
        asked = self._desk.board.asked(seat, COLUMN)
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
