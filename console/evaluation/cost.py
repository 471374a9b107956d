"""Forecasts a month's cost from the days so far and their weekdays.

Arrays are days x rows in USD; day k is the one k days before today (UTC), NaN where nobody knows.
"""

from __future__ import annotations

import calendar
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

WEEK, WEEKS = 7, 4
DAYS = WEEK * WEEKS
"""Days that are looked at: the last four of each weekday."""

LEAST_DAYS = 7
"""With fewer known days there are no weekdays to compare, and the run rate is all there is."""

LEAST_ELAPSED_DAYS = 0.25
"""A run rate out of less than a quarter of a day is noise."""

P90_SIGMAS = 1.2816
SIGMAS_A_MAD = 1.4826
LEAST_TREND, MOST_TREND = 0.5, 2.0
DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What the last four weeks say of each row.

    ``weekday_usd[p]`` is the usual spend of the weekday p days from today (7 x rows), ``slope_usd``
    its Theil-Sen slope in USD a day, ``level_usd`` the median day, ``spread_usd`` the median
    absolute deviation of a day from its weekday's trend, ``known`` how many days there are.
    """

    days: Floats
    weekday_usd: Floats
    slope_usd: Floats
    level_usd: Floats
    spread_usd: Floats
    known: Counts


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """The month's end of each row in USD; NaN unknown.

    ``crosses_in`` is in how many days P50 reaches the budget (0 today or before, NaN never this
    month), ``by_run_rate`` where fewer than seven days are known.
    """

    p50_usd: Floats
    p90_usd: Floats
    crosses_in: Floats
    by_run_rate: NDArray[np.bool_]
    known_days: Counts


def habits(days: Floats) -> Habits:
    """Read habits out of the last 28 days (28 x rows, yesterday first)."""
    weekday = np.stack([_median(days[WEEK - p - 1 :: WEEK]) for p in range(WEEK)])
    level = _median(days)
    weekday = np.where(np.isfinite(weekday), weekday, level)
    slope = _slope(days)
    usual = [weekday[-k % WEEK] + slope * (_centre(-k % WEEK) - k) for k in range(1, DAYS + 1)]
    spread = _median(np.abs(days - np.stack(usual)))
    return Habits(days, weekday, slope, level, spread, np.isfinite(days).sum(axis=0))


def forecast(
    found: Habits, month_usd: Floats, budget_usd: Floats, gone: Floats, now: float
) -> Forecast:
    """Return the month's end: spend so far, and for each day left its weekday's usual x trend.

    ``gone`` is the share (0-1) of today's spend that is usually spent by ``now`` (Unix seconds).
    P90 = P50 + 1.2816 x 1.4826 x MAD x sqrt(days left). Source: design formulas, Cost.
    """
    left_full, elapsed = _month(now)
    today_left = 1.0 - (now % DAY_SECONDS) / DAY_SECONDS
    by_run_rate = found.known < LEAST_DAYS
    run_rate = month_usd / elapsed if elapsed >= LEAST_ELAPSED_DAYS else month_usd * np.nan
    total = month_usd.copy()
    crosses = np.where(month_usd >= budget_usd, 0.0, np.nan)
    for ahead in range(left_full + 1):
        usual = found.weekday_usd[ahead % WEEK] * _trend(found, ahead)
        share = (1.0 - gone) if ahead == 0 else 1.0
        flat = run_rate * (today_left if ahead == 0 else 1.0)
        total = total + np.where(by_run_rate, flat, usual * share)
        crosses = np.where(np.isnan(crosses) & (total >= budget_usd), float(ahead), crosses)
    left_days = left_full + today_left
    margin = P90_SIGMAS * SIGMAS_A_MAD * found.spread_usd * np.sqrt(left_days)
    return Forecast(
        p50_usd=total,
        p90_usd=np.where(by_run_rate, np.nan, total + margin),
        crosses_in=crosses,
        by_run_rate=by_run_rate,
        known_days=found.known,
    )


def due_share(spent_by_now: Floats, whole_days: Floats) -> Floats:
    """Return the share of a day's spend usual by this hour: the median of the same weekdays.

    Both are weeks x rows in USD; NaN where no such day is known or nothing was spent.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = spent_by_now / np.where(whole_days > 0, whole_days, np.nan)
    return np.clip(_median(shares), 0.0, 1.0)


def day_text(now: float, days: float) -> str:
    """Return the date so many days from ``now`` (Unix seconds), as people write it: 24 Nov."""
    return (datetime.fromtimestamp(now, UTC) + timedelta(days=days)).strftime("%-d %b")


def _trend(found: Habits, ahead: int) -> Floats:
    """Return by what a weekday's usual spend has moved on, from the middle of its four weeks."""
    phase = ahead % WEEK
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = 1.0 + found.slope_usd * (ahead + _centre(phase)) / found.level_usd
    return np.clip(np.where(np.isfinite(moved), moved, 1.0), LEAST_TREND, MOST_TREND)


def _centre(phase: int) -> float:
    """Return how many days ago the middle of a weekday's last four days was."""
    return WEEK * (WEEKS + 1) / 2.0 - phase


def _slope(days: Floats) -> Floats:
    """Return the Theil-Sen slope in USD a day, from pairs of the same weekday only."""
    slopes = [(days[: DAYS - apart] - days[apart:]) / apart for apart in range(WEEK, DAYS, WEEK)]
    found = _median(np.concatenate(slopes))
    return np.where(np.isfinite(found), found, 0.0)


def _median(values: Floats) -> Floats:
    with warnings.catch_warnings():
        # A row of which nothing is known has no median, and that is what NaN says.
        warnings.simplefilter("ignore", RuntimeWarning)
        found: Floats = np.nanmedian(values, axis=0)
    return found


def _month(now: float) -> tuple[int, float]:
    """Return the whole days after today in this month, and the days gone of it (UTC)."""
    moment = datetime.fromtimestamp(now, UTC)
    length = calendar.monthrange(moment.year, moment.month)[1]
    return length - moment.day, moment.day - 1 + (now % DAY_SECONDS) / DAY_SECONDS
