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

from console.domain.signals import USUAL_PAD_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

WEEK = 7
DAYS = 36
"""Days that are looked at: five of each weekday and one more."""

LEAST_DAYS = 7
"""With fewer known days there are no weekdays to compare, and the run rate is all there is."""

LEAST_RANGE_DAYS = 14
"""With fewer known days their spread about the weekdays' medians says nothing: no range."""

LEAST_ELAPSED_DAYS = 0.25
"""A run rate out of less than a quarter of a day is noise."""

LEAST_PROFILE_DAYS = 14
"""With fewer known days nobody knows at which hours a model spends: its budget is spread flat."""

P80_SIGMAS, P90_SIGMAS = 0.8416 * 1.15, 1.2816
"""Normal quantiles; that of an alarm a seventh wider: a trend or shift that is read into
noise moves P50 as well, and made 13% of months within 95% of their budget alarm."""

TREND_ERRORS, SHIFT_ERRORS = 2.5, 4.5
"""Standard errors from which a trend, and a level shift (the best of many splits), is named."""

LEAST_SHIFT = 0.1
LEAST_SHIFT_DAYS = 3
MOST_CORRELATION = 0.85
LEAST_OF_A_DAY, MOST_OF_A_DAY = 0.5, 2.0
"""No day to come costs less than half the cheapest known day, or more than twice the dearest."""
LEAST_USUAL_SHARE = 0.2
"""Weekdays under this share of a usual one do not say what the level is."""

DAY_SECONDS, HOURS_IN_A_WEEK = 86400.0, 168.0
MOST_RESETS_A_DAY = 12.0
"""A counter that goes back more often than its server may restart is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What the known days say of each row.

    ``weekday_share[p]`` is the usual share of the weekday p days from today in a mean day (7 x
    rows, mean 1), ``level_usd`` a mean day at day ``centre`` (days from today, 0 without a trend),
    ``slope_usd`` its change a day (0 where none is sure), ``spread_usd`` the root mean square of
    what a day differs from the rest's forecast, ``correlation`` of one day's difference with the
    next, ``level_days`` the days behind the level, ``time_spread`` the sum of squared distances of
    the days in time, ``shift_days`` how many days ago the level changed (NaN it did not),
    ``known`` how many days there are, ``least_usd`` and ``most_usd`` the cheapest and the dearest.
    """

    days: Floats
    weekday_share: Floats
    level_usd: Floats
    centre: Floats
    slope_usd: Floats
    spread_usd: Floats
    correlation: Floats
    level_days: Floats
    time_spread: Floats
    shift_days: Floats
    known: Counts
    least_usd: Floats
    most_usd: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """The month's end of each row in USD; NaN unknown.

    ``error_usd`` is one standard error of P50 and ``p80_margin_usd`` what P50 must be over a
    budget by for 80% probability. ``crosses_in`` is in how many days P50 reaches the budget (0
    today or before, NaN never this month), ``by_run_rate`` where fewer than seven days are known,
    ``slope_usd`` by how much a day changes where a trend is sure, else 0.
    """

    p50_usd: Floats
    p10_usd: Floats
    p90_usd: Floats
    error_usd: Floats
    p80_margin_usd: Floats
    crosses_in: Floats
    by_run_rate: NDArray[np.bool_]
    known_days: Counts
    shift_days: Floats
    slope_usd: Floats


def habits(days: Floats) -> Habits:
    """Read habits out of the known days (days x rows, yesterday first).

    Weekday shares are medians of day / mean of its seven days, so that a level that moves leaves
    them alone. On what remains, a trend is kept where its slope is over 2.5 standard errors and a
    level shift over 4.5, each widened by the days' own correlation; of both the better fit.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _habits(days)


def _habits(days: Floats) -> Habits:
    oldest_first = days[::-1]
    count = len(days)
    share = _weekday_shares(oldest_first)
    expected = np.stack([share[(at - count) % WEEK] for at in range(count)])
    level = _without_wild_days(
        np.where(expected > LEAST_USUAL_SHARE, oldest_first / expected, np.nan)
    )
    there = np.isfinite(level)
    u, w = np.where(there, level, 0.0), there.astype(np.float64)
    n, total = w.sum(axis=0), u.sum(axis=0)
    mean = total / n
    square = ((u - mean) ** 2 * w).sum(axis=0)
    ago = np.arange(count, dtype=np.float64)[:, None] - count
    middle = (ago * w).sum(axis=0) / n
    apart = (ago - middle) * w
    time_spread = (apart**2).sum(axis=0)
    slope = (apart * u).sum(axis=0) / time_spread
    trend_rest = (u - mean - slope * (ago - middle)) * w
    begun, before, after, days_before, days_after = _best_split(u, w)
    shift_rest = np.where(ago < begun, u - before, u - after) * w
    free = np.maximum(n - WEEK - 1.0, 1.0)
    trend_error = np.sqrt(_variance(trend_rest, w, free) / time_spread)
    shift_error = np.sqrt(_variance(shift_rest, w, free) * (1.0 / days_before + 1.0 / days_after))
    enough = n >= LEAST_RANGE_DAYS
    tiny = 1e-9 * np.abs(mean)
    moves = enough & (np.abs(slope) > TREND_ERRORS * trend_error) & (np.abs(slope) * n > tiny)
    shifts = enough & (np.abs(after - before) > SHIFT_ERRORS * shift_error)
    shifts &= np.abs(after - before) > LEAST_SHIFT * np.abs(mean)
    shifts &= ~moves | ((shift_rest**2).sum(axis=0) < 0.95 * (trend_rest**2).sum(axis=0))
    moves &= ~shifts
    rest = np.where(shifts, shift_rest, np.where(moves, trend_rest, (u - mean) * w))
    used = np.where(moves | shifts, 1.0, 0.0)
    spread = np.sqrt((rest**2).sum(axis=0) / np.maximum(free - used, 1.0))
    return Habits(
        days=days,
        weekday_share=share,
        level_usd=np.where(shifts, after, mean),
        centre=np.where(moves, middle, 0.0),
        slope_usd=np.where(moves, slope, 0.0),
        spread_usd=np.where(square > 0, spread, 0.0),
        correlation=_correlation(rest, w),
        level_days=np.where(shifts, days_after, n),
        time_spread=time_spread,
        shift_days=np.where(shifts, -begun, np.nan),
        known=np.isfinite(days).sum(axis=0),
        least_usd=np.fmin.reduce(days, axis=0),
        most_usd=np.fmax.reduce(days, axis=0),
    )


def forecast(
    found: Habits, month_usd: Floats, budget_usd: Floats, gone: Floats, now: float
) -> Forecast:
    """Return the month's end: spend so far, and for each day left its weekday's usual at its level.

    ``gone`` is the share (0-1) of today's spend that is usually spent by ``now`` (Unix seconds).
    The range is the spread of backtest errors scaled to the horizon: the days left, their
    correlation, and the error of level and trend. Source: design judgement, section 6.
    """
    left_full, elapsed = _month(now)
    today_left = 1.0 - (now % DAY_SECONDS) / DAY_SECONDS
    by_run_rate = found.known < LEAST_DAYS
    # Days before are the better run rate, and of a young model the only one: its month is short.
    first_day = LEAST_ELAPSED_DAYS <= elapsed < 1.0
    run_rate = np.where(
        found.known > 0, _mean(found.days), month_usd / elapsed if first_day else np.nan
    )
    total = month_usd.copy()
    crosses = np.where(month_usd >= budget_usd, 0.0, np.nan)
    for ahead in range(left_full + 1):
        level = found.level_usd + found.slope_usd * (ahead - found.centre)
        usual = np.clip(
            found.weekday_share[ahead % WEEK] * level,
            LEAST_OF_A_DAY * found.least_usd,
            MOST_OF_A_DAY * found.most_usd,
        )
        share = (1.0 - gone) if ahead == 0 else 1.0
        flat = run_rate * (today_left if ahead == 0 else 1.0)
        total = total + np.where(by_run_rate, flat, usual * share)
        crosses = np.where(np.isnan(crosses) & (total >= budget_usd), float(ahead), crosses)
    error = _error(found, left_full, 1.0 - gone)
    known = found.known >= LEAST_RANGE_DAYS
    free = np.maximum(found.known - WEEK - 2.0, 1.0)
    p90 = _student(P90_SIGMAS, free) * error
    return Forecast(
        p50_usd=total,
        p10_usd=np.where(known, np.maximum(total - p90, month_usd), np.nan),
        p90_usd=np.where(known, total + p90, np.nan),
        error_usd=np.where(known, error, np.nan),
        p80_margin_usd=np.where(known, _student(P80_SIGMAS, free) * error, np.nan),
        crosses_in=crosses,
        by_run_rate=by_run_rate,
        known_days=found.known,
        shift_days=found.shift_days,
        slope_usd=np.where(by_run_rate, 0.0, found.slope_usd),
    )


def _error(found: Habits, left_full: int, left_today: Floats) -> Floats:
    """Return the standard error of what is still to be spent, in USD."""
    left = np.maximum(left_full + left_today, 0.25)
    whole = left * _inflation(found.correlation, np.maximum(left, 1.0))
    level = left**2 * _inflation(found.correlation, found.level_days) / found.level_days
    # The weekdays' shares cancel over whole weeks; of what is over, medians of few days err.
    weekday = (left % WEEK) * 1.45 * WEEK / np.maximum(found.known, 1)
    ahead = left * (left_full / 2.0 - found.centre)
    trend = ahead**2 * _inflation(found.correlation, found.level_days) / found.time_spread
    parts = whole + level + weekday + np.where(found.slope_usd != 0.0, trend, 0.0)
    return np.where(found.spread_usd > 0, found.spread_usd * np.sqrt(parts), 0.0)


def _weekday_shares(days: Floats) -> Floats:
    """Return each weekday's median share of its own seven days (7 x rows, mean 1)."""
    count, rows = days.shape
    known = np.isfinite(days)
    zero = np.zeros((1, rows))
    sums = np.vstack([zero, np.cumsum(np.where(known, days, 0.0), axis=0)])
    many = np.vstack([zero, np.cumsum(known, axis=0)])
    first = np.clip(np.arange(count) - WEEK // 2, 0, count - WEEK)
    mean = (sums[first + WEEK] - sums[first]) / (many[first + WEEK] - many[first])
    ratio = days / np.where(mean > 0, mean, np.nan)
    shares = np.stack([_median(ratio[(count + p) % WEEK :: WEEK]) for p in range(WEEK)])
    shares = np.where(np.isfinite(shares), shares, 1.0)
    middle = shares.mean(axis=0)
    return np.where(middle > 0, shares / middle, 1.0)


def _without_wild_days(level: Floats) -> Floats:
    """Return levels in which no single day lies over four deviations from its neighbours."""
    count = len(level)
    near = np.stack([_median(level[max(0, at - 3) : at + 4]) for at in range(count)])
    deviation = 4.0 * 1.7 * _median(np.abs(level - near))
    return np.clip(level, near - deviation, near + deviation)


def _best_split(u: Floats, w: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return when the level best splits (days from today), both means, and the days behind each."""
    count, rows = u.shape
    ends = np.arange(WEEK - 1, count - LEAST_SHIFT_DAYS + 1)
    sums, many = np.cumsum(u, axis=0), np.cumsum(w, axis=0)
    before_n, before_sum = many[ends], sums[ends]
    after_n, after_sum = many[-1] - before_n, sums[-1] - before_sum
    gained = np.where(
        (before_n > 0) & (after_n > 0), before_sum**2 / before_n + after_sum**2 / after_n, -np.inf
    )
    best = gained.argmax(axis=0)
    column = np.arange(rows)
    days_before, days_after = before_n[best, column], after_n[best, column]
    return (
        (ends[best] + 1.0) - count,
        before_sum[best, column] / days_before,
        after_sum[best, column] / days_after,
        days_before,
        days_after,
    )


def _correlation(rest: Floats, w: Floats) -> Floats:
    """Return the correlation of one day's rest with the next, its bias of few days taken off."""
    n = w.sum(axis=0)
    square = (rest**2).sum(axis=0)
    raw = (rest[1:] * rest[:-1]).sum(axis=0) / np.where(square > 0, square, 1.0)
    found: Floats = np.clip(1.1 * (raw * n + 1.0) / np.maximum(n - 4.0, 1.0), 0.0, MOST_CORRELATION)
    return found


def _variance(rest: Floats, w: Floats, free: Floats) -> Floats:
    """Return the variance of a day about a fit, widened by the correlation of neighbours."""
    tied = _correlation(rest, w)
    found: Floats = (rest**2).sum(axis=0) / free * (1.0 + tied) / (1.0 - tied)
    return found


def _inflation(tied: Floats, days: Floats) -> Floats:
    """Return by what the variance of a sum of correlated days exceeds that of independent ones."""
    most = (1.0 + tied) / (1.0 - tied)
    found: Floats = most - 2.0 * tied * (1.0 - tied**days) / (days * (1.0 - tied) ** 2)
    return found


def _student(sigmas: float, free: Floats) -> Floats:
    """Return a normal quantile widened for ``free`` degrees (first Cornish-Fisher term)."""
    return sigmas + (sigmas**3 + sigmas) / (4.0 * free)


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


def usual_budget(
    budget_hour_usd: Floats, hours: float, same_hours: Floats, found: Habits
) -> Floats:
    """Return what a window of ``hours`` may cost each row, in USD, by the hours it usually spends.

    The larger of the flat budget and the weekly budget x the usual share of these hours of the
    week, once 14 days and two such weeks are known; flat before. ``same_hours`` (weeks x rows in
    USD; their median counts) are a quarter of an hour longer on either side, and are taken for as
    much less. Source: design judgement, section 6.
    """
    flat = budget_hour_usd * hours
    week = WEEK * _mean(found.days)
    known = (found.known >= LEAST_PROFILE_DAYS) & (np.isfinite(same_hours).sum(axis=0) >= 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual_usd = _median(same_hours) * (hours / (hours + 2.0 * USUAL_PAD_SECONDS / 3600.0))
        share = np.clip(usual_usd / np.where(week > 0, week, np.nan), 0.0, 1.0)
    usual = budget_hour_usd * HOURS_IN_A_WEEK * share
    return np.where(known & np.isfinite(usual), np.fmax(flat, usual), flat)


def times_budget(spent_usd: Floats, budget_usd: Floats) -> Floats:
    """Return spend over its budget; any spend on a budget of 0 is infinitely over it, none is 0."""
    nothing = budget_usd == 0
    over = spent_usd / np.where(nothing, np.nan, budget_usd)
    zero = np.where(spent_usd > 0, np.inf, np.where(spent_usd == 0, 0.0, np.nan))
    return np.where(nothing, zero, over)


def _mean(days: Floats) -> Floats:
    """Return the mean of the known days of each row, NaN without any."""
    known = np.isfinite(days)
    counted = known.sum(axis=0)
    total = np.where(known, days, 0.0).sum(axis=0)
    return np.where(counted > 0, total / np.maximum(counted, 1), np.nan)


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
