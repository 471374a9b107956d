"""Finds the spans of time in which values on one grid fail a rule of severity S1 or S2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import BreakerState
from console.evaluation.dependencies import OPEN_STATES, breaker_state
from console.evaluation.derive import MIN_BAD_EVENTS, MIN_REQUESTS
from console.evaluation.memory import CLEAR_AFTER, RAISE_AFTER
from console.evaluation.rules.presence import ABSENT_SECONDS
from console.evaluation.rules.quality import BASE_FACTOR, BASE_STEP
from console.metrics.units import format_age, format_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from console.domain.model import ModelRow
    from console.domain.samples import Series

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


SIGNALS = (
    "requests_rate",
    "bad_rate",
    "error_ratio",
    "latency_p95",
    "low_confidence_ratio",
    "burn_5m",
    "burn_30m",
    "burn_1h",
    "burn_6h",
)
"""What has to be asked for, over the whole span."""

CONFIDENCE_SECONDS = 600.0
_BURN = (
    ("burn_page_fast", "S1", 14.4, "burn_1h", "burn_5m", 3600.0),
    ("burn_page_slow", "S1", 6.0, "burn_6h", "burn_30m", 21600.0),
    ("burn_degraded", "S2", 6.0, "burn_1h", "burn_5m", 3600.0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One rule over the grid: where it holds, where it does not; neither is not known.

    ``values`` are what ``worst`` is taken from, the largest; ``least`` is how many points in a row
    raise it. ``shown`` writes a value.
    """

    rule: str
    level: str
    what: str
    hit: Mask
    clean: Mask
    values: Floats
    shown: Callable[[float], str]
    least: int = 2


def judged(
    row: ModelRow, grid: Grid, values: Mapping[str, Floats], breakers: Mapping[str, Floats]
) -> Iterator[Judged]:
    """Yield every rule over the grid; ``breakers`` are gauges by dependency, "" the own one."""
    yield from _burning(row, grid, values)
    yield from _slow(row, values)
    yield _absent(row, grid, values)
    yield from _unsure(row, grid, values)
    for dependency, gauge in breakers.items():
        yield _open(row, dependency, gauge, values)


def level_in(row: ModelRow, level: str) -> str:
    """Return a level for this model: tier 3 lowers S1 to S2."""
    return "S2" if level == "S1" and row.tier == 3 else level


def _burning(row: ModelRow, grid: Grid, values: Mapping[str, Floats]) -> Iterator[Judged]:
    told: Mask = np.zeros(len(grid), dtype=np.bool_)
    for rule, level, limit, long, short, seconds in _BURN:
        both = np.minimum(values[long], values[short])
        enough = _enough(grid, values, seconds)
        # A worse rule that holds goes without saying here, as in the fleet.
        hit = (both >= limit) & enough & ~told
        told = told | hit
        yield Judged(
            rule,
            level_in(row, level),
            f"burn at {limit:g}x or more on {long[5:]} and {short[5:]}",
            hit,
            np.isfinite(both) & (both < limit),
            values[short],
            lambda value: format_signal("burn_5m", value),
        )


def _enough(grid: Grid, values: Mapping[str, Floats], seconds: float) -> Mask:
    """Return where the long window holds enough events; without counts nobody can say not."""
    requests = grid.mean(values["requests_rate"], seconds) * seconds
    bad = grid.mean(values["bad_rate"], seconds) * seconds
    enough: Mask = ~(requests < MIN_REQUESTS) | (bad >= MIN_BAD_EVENTS)
    return enough


def _slow(row: ModelRow, values: Mapping[str, Floats]) -> Iterator[Judged]:
    promised = row.objectives.latency_under_seconds
    if promised is None:
        return
    p95 = values["latency_p95"]
    yield Judged(
        "latency_slo",
        "S2",
        f"p95 above the promised {format_signal('latency_p95', promised)}",
        p95 > promised,
        p95 <= promised,
        p95,
        lambda value: format_signal("latency_p95", value),
    )


def _absent(row: ModelRow, grid: Grid, values: Mapping[str, Floats]) -> Judged:
    known = np.isfinite(values["requests_rate"]) | np.isfinite(values["error_ratio"])
    # Before the first value of the span nobody can tell an absence from a source that forgets.
    absent = ~known & (np.cumsum(known) > 0)
    silent: Floats = np.asarray(np.cumsum(absent) * grid.step, dtype=np.float64)
    return Judged(
        "no_data_tier1" if row.tier == 1 else "no_data",
        "S1" if row.tier == 1 else "unknown",
        "no data",
        absent,
        known,
        silent,
        lambda _value: "nothing known",
        least=max(2, int(ABSENT_SECONDS / grid.step) + 1),
    )


def _unsure(row: ModelRow, grid: Grid, values: Mapping[str, Floats]) -> Iterator[Judged]:
    share = values["low_confidence_ratio"]
    known = share[np.isfinite(share)]
    if not len(known):
        return
    declared = row.confidence_base_ratio
    base = float(np.median(known)) if declared is None else declared
    mean = grid.mean(share, CONFIDENCE_SECONDS)
    limit = max(base * BASE_FACTOR, base + BASE_STEP)
    own = " ~" if declared is None else ""
    yield Judged(
        "low_confidence",
        "S2",
        f"low-confidence share of 10m at twice its base of "
        f"{format_signal('low_confidence_ratio', base)}{own} or more",
        mean >= limit,
        mean < limit,
        mean,
        lambda value: format_signal("low_confidence_ratio", value),
    )


def _open(row: ModelRow, dependency: str, gauge: Floats, values: Mapping[str, Floats]) -> Judged:
    states = [breaker_state(value) if np.isfinite(value) else None for value in gauge.tolist()]
    hit = np.array([state in OPEN_STATES for state in states], dtype=np.bool_)
    known = np.isfinite(gauge)
    hurt = bool((hit & (values["bad_rate"] > 0)).any())
    level = "S1" if not dependency and hurt else "S2"
    return Judged(
        "dependency_breaker" if dependency else "breaker_no_answer" if hurt else "breaker_open",
        level_in(row, level),
        f"breaker of {dependency} open" if dependency else "own breaker open",
        hit,
        known & ~hit,
        np.where(hit, gauge, np.nan),
        lambda value: BreakerState(int(value)).name,
        least=1,
    )


def absence(seconds: float) -> str:
    """Return how long nothing was known, as a worst value."""
    return f"nothing known for {format_age(seconds)}"
