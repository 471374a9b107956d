"""Computes signals from signals: burn rates, error budget, review load, spend pace."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.signals import (
    BURN_WINDOWS,
    DAY_COLUMNS,
    SPENT_BY_NOW_COLUMNS,
    USUAL_SPEND_COLUMNS,
    ReadingState,
)
from console.domain.snapshot import SignalColumn
from console.evaluation.cost import (
    DAY_SECONDS,
    DAYS,
    LEAST_DAYS,
    MOST_RESETS_A_DAY,
    WEEK,
    Habits,
    due_share,
    forecast,
    habits,
    times_budget,
    usual_budget,
)
from console.evaluation.observations import HOURS_IN_BUDGET, empty_column, known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.evaluation.cost import Forecast
    from console.evaluation.observations import Observed, Statics

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Codes = NDArray[np.uint8]


def spending(asked: Asked, before: Habits | None, now: float, rows: int) -> Habits:
    """Return the habits of the last 36 days; the identical object while the days are the same.

    Days are asked for anew after midnight UTC: what was answered before speaks of other days.
    """
    days = np.stack([asked.values(name) for name in DAY_COLUMNS])
    answered = [asked.column(name).at for name in DAY_COLUMNS]
    other_day = np.floor(np.stack(answered) / DAY_SECONDS) != np.floor(now / DAY_SECONDS)
    if before is not None and before.days.shape == days.shape:
        of_yesterday = bool((other_day & np.isfinite(days)).any())
        if of_yesterday or np.array_equal(before.days, days, equal_nan=True):
            return before
    return habits(np.where(other_day, np.nan, days).reshape(len(DAY_COLUMNS), rows))


def share_by_now(asked: Asked, found: Habits) -> Floats:
    """Return the share of the day's spend that is usual by now on this weekday, NaN unknown."""
    by_now = np.stack([asked.values(name) for name in SPENT_BY_NOW_COLUMNS])
    return due_share(by_now, found.days[WEEK - 1 :: WEEK][: len(SPENT_BY_NOW_COLUMNS)])


BUDGET_WINDOW = "30d"
BUDGET_WINDOW_SECONDS = 30 * 86400.0
LONG_BURN_WINDOWS = ("1h", "6h", "1d", "3d")
MIN_BAD_EVENTS = 10.0
MIN_REQUESTS = 100.0
_LOG_CHANCE = math.log(1e-6)
FIRST_PACE_SECONDS = 900.0
"""Before a quarter of an hour of the day has gone, a pace is noise."""

_DAY_SECONDS = 86400.0
_COUNTER_COLUMNS = ("cost_resets", "cost_least")
_OK = int(ReadingState.OK)
_TROUBLE_ORDER = (
    ReadingState.ERROR,
    ReadingState.STALE,
    ReadingState.TOO_FEW,
    ReadingState.NO_TRAFFIC,
)


@dataclass(frozen=True, slots=True, eq=False)
class Burn:
    """Burn of one window: ``values`` in x (NaN unknown), and what its counts can show.

    ``proven`` is where the bad requests are too many to be chance within the objective,
    ``enough`` where there are requests enough to tell. ``bad_ratio`` is of all requests (0-1).
    ``history_seconds`` is how long a history there is where it is too short for the window.
    """

    values: Floats
    enough: Mask
    proven: Mask
    bad_ratio: Floats
    history_seconds: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """Derived columns by public signal name, burn and spend burn by window, baselines, month."""

    columns: Mapping[str, SignalColumn]
    burn: Mapping[str, Burn]
    spend: Mapping[str, Floats]
    baselines: Mapping[str, Floats]
    month: Forecast


class Asked:
    """The observed columns, with "nobody asked" read as no_data."""

    def __init__(self, observed: Observed, rows: int) -> None:
        self._columns = observed.columns
        self._empty = empty_column(rows)

    def column(self, name: str) -> SignalColumn:
        """Return a column, all no_data where nobody asked."""
        return self._columns.get(name, self._empty)

    def values(self, name: str) -> Floats:
        """Return values with NaN wherever there is no current one."""
        column = self._columns.get(name)
        if column is None:
            return self._empty.values
        return np.where(known(column), column.values, np.nan)


def derive(asked: Asked, statics: Statics, now: float, days: Habits | None = None) -> Derived:
    """Compute every derived signal at ``now`` (Unix seconds); ``days`` are the last 36 days'."""
    columns: dict[str, SignalColumn] = {}
    burn: dict[str, Burn] = {}
    for window, seconds in BURN_WINDOWS.items():
        burn[window], columns[f"burn_{window}"] = _burn(asked, statics, window, seconds)
    columns["budget_left"] = _budget_left(asked, statics)
    columns["review_rho"] = _review_rho(asked, statics)
    if days is None:
        days = spending(asked, None, now, len(statics))
    share = share_by_now(asked, days)
    spend = _spend(asked, statics, days)
    columns |= _cost(asked, statics, now, share, spend["1h"])
    gone = np.where(np.isfinite(share), share, now % _DAY_SECONDS / _DAY_SECONDS)
    budget = statics.budget_hour_usd * HOURS_IN_BUDGET
    month = forecast(days, asked.values("cost_month"), budget, gone, now)
    columns |= _month_end(asked, month)
    return Derived(columns, burn, spend, baselines(asked, statics), month)


def _burn(asked: Asked, statics: Statics, window: str, seconds: float) -> tuple[Burn, SignalColumn]:
    """Burn = bad ratio / (1 - SLO), the worse of availability and latency (Google SRE workbook)."""
    errors = asked.column(f"error_ratio@{window}")
    error_burn = asked.values(f"error_ratio@{window}") / statics.error_allowance
    slow_ratio = asked.values(f"slow_ratio@{window}")
    slow_burn = slow_ratio / statics.slow_allowance
    values = np.fmax(error_burn, slow_burn)
    requests = asked.values(f"requests_count@{window}")
    error_ratio = asked.values(f"error_ratio@{window}")
    proven = beyond_chance(error_ratio, requests, statics.error_allowance)
    proven |= beyond_chance(slow_ratio, requests, statics.slow_allowance)
    enough: Mask = ~(requests < MIN_REQUESTS) | proven
    slow = asked.column(f"slow_ratio@{window}")
    states = _states(np.isfinite(values), errors, slow)
    too_short = _too_short(states, errors, slow)
    if window in LONG_BURN_WINDOWS:
        states = np.where((states == _OK) & ~enough, np.uint8(ReadingState.TOO_FEW), states)
    by_latency = np.isfinite(slow_burn) & ~(error_burn >= slow_burn)
    half = np.isfinite(statics.slow_allowance) & ~np.isfinite(slow_burn)
    column = SignalColumn(
        values=np.where(states == _OK, values, np.nan),
        states=states,
        at=np.fmax(errors.at, slow.at),
        n=requests,
        window_seconds=np.full(len(statics), seconds),
        method_index=np.where(half, np.uint8(2), by_latency).astype(np.uint8),
        methods=(
            "error ratio / (1 - availability objective)",
            "slow ratio / (1 - latency objective's share)",
            "error ratio / (1 - availability objective); the latency objective is not measured",
        ),
        history_seconds=too_short,
    )
    history = np.full(len(statics), np.nan) if too_short is None else too_short
    return Burn(values, enough, proven, np.fmax(error_ratio, slow_ratio), history), column


def beyond_chance(bad_ratio: Floats, requests: Floats, allowance: Floats) -> Mask:
    """Tell where the bad requests of a window exceed what the allowance (0-1) explains.

    True with at least 10 bad requests, or 5 that are half of all, whose count has a Poisson tail
    under the allowance of at most 1e-6. Unknown counts prove nothing. The tail is bounded by its
    first term over 1 - m/(k+1), with Stirling's lower bound for k! (k bad, m expected, k > m).
    """
    bad = bad_ratio * requests
    several = (bad >= MIN_BAD_EVENTS) | ((bad >= MIN_BAD_EVENTS / 2) & (bad_ratio >= 0.5))
    found: Mask = several & (log_tail(bad, allowance * requests) <= _LOG_CHANCE)
    return found


def log_tail(count: Floats, expected: Floats) -> Floats:
    """Return the log of a bound on P(X >= count), X Poisson with a mean of ``expected``.

    Zero where there is no more than was expected, NaN where either is not known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_first = (
            count - expected - count * np.log(count / expected) - np.log(2 * np.pi * count) / 2
        )
        tail = log_first - np.log1p(-expected / (count + 1.0))
    known = np.isfinite(count) & np.isfinite(expected)
    return np.where(known, np.where(count > expected, np.minimum(tail, 0.0), 0.0), np.nan)


def _states(has_value: Mask, *inputs: SignalColumn) -> Codes:
    """Return OK where there is a value, else the worst reason any input gives."""
    states = np.zeros(len(has_value), dtype=np.uint8)
    for reason in reversed(_TROUBLE_ORDER):
        for column in inputs:
            states[column.states == int(reason)] = int(reason)
    states[has_value] = _OK
    return states


def _too_short(states: Codes, *inputs: SignalColumn) -> Floats | None:
    """Return the shortest history for which any input is withheld, where there is no data."""
    told = [column.history_seconds for column in inputs if column.history_seconds is not None]
    if not told:
        return None
    shortest = np.fmin.reduce(told)
    return np.where(states == int(ReadingState.NO_DATA), shortest, np.nan)


def _budget_left(asked: Asked, statics: Statics) -> SignalColumn:
    """Budget left = 1 - bad / ((1 - SLO) x all) over 30 days, the lesser of both objectives."""
    errors = asked.column(f"error_ratio@{BUDGET_WINDOW}")
    slow = asked.column(f"slow_ratio@{BUDGET_WINDOW}")
    spent = np.fmax(
        asked.values(f"error_ratio@{BUDGET_WINDOW}") / statics.error_allowance,
        asked.values(f"slow_ratio@{BUDGET_WINDOW}") / statics.slow_allowance,
    )
    has_value: Mask = np.isfinite(spent)
    states = _states(has_value, errors, slow)
    return SignalColumn(
        values=1.0 - spent,
        states=states,
        at=errors.at,
        n=asked.values(f"requests_count@{BUDGET_WINDOW}"),
        window_seconds=np.full(len(statics), BUDGET_WINDOW_SECONDS),
        method_index=np.zeros(len(statics), dtype=np.uint8),
        methods=("1 - bad / ((1 - SLO) x all)",),
        history_seconds=_too_short(states, errors, slow),
    )


def _review_rho(asked: Asked, statics: Statics) -> SignalColumn:
    """Review load = arrivals / capacity, the declared capacity before the exported one."""
    arrivals = asked.column("review_rate")
    capacity = np.where(
        np.isfinite(statics.review_capacity),
        statics.review_capacity,
        asked.values("review_capacity"),
    )
    values = asked.values("review_rate") / np.where(capacity > 0, capacity, np.nan)
    has_value = np.isfinite(values)
    states = np.where(np.isfinite(capacity), _states(has_value, arrivals), 0).astype(np.uint8)
    return replace(
        arrivals,
        values=np.where(has_value, values, np.nan),
        states=states,
        method_index=np.isfinite(statics.review_capacity).astype(np.uint8),
        methods=("arrivals / exported capacity", "arrivals / declared capacity"),
    )


def _spend(asked: Asked, statics: Statics, days: Habits) -> dict[str, Floats]:
    """Return spend over the budget of 5 minutes, an hour and six, by the usual profile."""
    allowed = {
        window: usual_budget(
            statics.budget_hour_usd,
            BURN_WINDOWS[window] / 3600.0,
            np.stack([asked.values(name) for name in names]),
            days,
        )
        for window, names in USUAL_SPEND_COLUMNS.items()
    }
    return {
        "5m": times_budget(asked.values("cost_increase@5m"), allowed["1h"] / 12.0),
        "1h": times_budget(asked.values("cost_increase@1h"), allowed["1h"]),
        "6h": times_budget(asked.values("cost_increase@6h"), allowed["6h"]),
    }


def without_falling_cost(observed: Observed, rows: int) -> Observed:
    """Return what was observed without the spend of rows whose counter of it is none.

    A counter that is negative, or goes back more than twelve times a day, is read as one that was
    reset again and again: its growth comes out many times too much.
    """
    asked = Asked(observed, rows)
    falling = falling_cost(asked)
    if not falling.any():
        return observed
    gone = {
        name: replace(
            column,
            values=np.where(falling, np.nan, column.values),
            states=np.where(falling, np.uint8(ReadingState.NO_DATA), column.states),
        )
        for name, column in observed.columns.items()
        if (name.startswith("cost_") and not name.startswith(_COUNTER_COLUMNS))
        or name == "waste_ratio"
    }
    return replace(observed, columns={**observed.columns, **gone})


def falling_cost(asked: Asked) -> Mask:
    """Tell whose counter of spend is negative or goes back more often than a server restarts."""
    found: Mask = (asked.values("cost_resets") > MOST_RESETS_A_DAY) | (
        asked.values("cost_least") < 0
    )
    return found


def _cost(
    asked: Asked, statics: Statics, now: float, share: Floats, burn: Floats
) -> dict[str, SignalColumn]:
    hourly = _cost_per_hour(asked, statics)
    return {
        "cost_per_hour": hourly,
        "cost_per_1k": _cost_per_1k(asked, statics, hourly),
        "cost_pace": _cost_pace(asked, statics, now, share),
        "spend_burn": _spend_burn(asked, statics, hourly, burn),
    }


def _cost_per_hour(asked: Asked, statics: Statics) -> SignalColumn:
    """Hourly spend as measured; without a cost metric, the declared price x requests of 1 h."""
    measured = asked.column("cost_per_hour")
    requests = asked.column("requests_count@1h")
    priced = statics.price_per_1k_usd * asked.values("requests_count@1h") / 1000.0
    use_price: Mask = (measured.states == int(ReadingState.NO_DATA)) & np.isfinite(priced)
    if not use_price.any():
        return measured
    return SignalColumn(
        values=np.where(use_price, priced, measured.values),
        states=np.where(use_price, np.uint8(_OK), measured.states),
        at=np.where(use_price, requests.at, measured.at),
        n=np.where(use_price, requests.values, measured.n),
        window_seconds=np.where(use_price, 3600.0, measured.window_seconds),
        method_index=np.where(
            use_price, np.uint8(len(measured.methods)), measured.method_index
        ).astype(np.uint8),
        methods=(*measured.methods, "declared price x requests of the last hour"),
    )


def _cost_per_1k(asked: Asked, statics: Statics, hourly: SignalColumn) -> SignalColumn:
    """Cost per 1,000 = 1000 x spend / requests of one window; where nothing is measured, declared.

    That is the last hour; where only the rate of 5 minutes is told, the requests of 5 minutes:
    a rate of 5 minutes over the requests of an hour was off by 9x after traffic changed.
    """
    spend = asked.values("cost_increase@1h")
    requests = asked.values("requests_count@1h")
    now = np.where(known(hourly), hourly.values, np.nan)
    short: Mask = ~np.isfinite(spend) & (hourly.window_seconds == BURN_WINDOWS["5m"])
    requests = np.where(short, asked.values("requests_count@5m"), requests)
    spend = np.where(np.isfinite(spend), spend, np.where(short, now / 12.0, now))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 1000.0 * spend / np.where(requests > 0, requests, np.nan)
    declared = np.isfinite(statics.price_per_1k_usd) & ~np.isfinite(values)
    values = np.where(declared, statics.price_per_1k_usd, values)
    states = _states(np.isfinite(values), hourly)
    idle = np.isfinite(spend) & (requests == 0) & ~declared
    states = np.where(idle, np.uint8(ReadingState.NO_TRAFFIC), states)
    return SignalColumn(
        values=values,
        states=states,
        at=hourly.at,
        n=requests,
        window_seconds=np.where(short, BURN_WINDOWS["5m"], 3600.0),
        method_index=declared.astype(np.uint8),
        methods=("1000 x spend / requests", "declared in the configuration"),
        history_seconds=_too_short(states, asked.column("requests_count@1h")),
    )


def _cost_pace(asked: Asked, statics: Statics, now: float, share: Floats) -> SignalColumn:
    """Pace = spent today / (daily budget x share due by now): the weekday's own, or flat."""
    today = asked.column("cost_today")
    gone_seconds = now % _DAY_SECONDS
    own: Mask = share > 0
    gone = np.where(own, share, gone_seconds / _DAY_SECONDS)
    due = statics.budget_hour_usd * 24.0 * gone
    values = asked.values("cost_today") / np.where(due > 0, due, np.nan)
    states = _states(np.isfinite(values), today)
    states[~np.isfinite(statics.budget_hour_usd)] = int(ReadingState.NO_DATA)
    if gone_seconds < FIRST_PACE_SECONDS:
        states[states == _OK] = int(ReadingState.TOO_FEW)
    return replace(
        today,
        values=np.where(states == _OK, values, np.nan),
        states=states,
        method_index=own.astype(np.uint8),
        methods=(
            "spent today / budget due by now, flat over the day: no weekday history",
            "spent today / budget due by now, as this weekday's last four days spent theirs",
        ),
    )


def _month_end(asked: Asked, month: Forecast) -> dict[str, SignalColumn]:
    """Lay the forecast out as columns; a run rate has no range, so no P90."""
    spent = asked.column("cost_month")
    few = np.isnan(month.p90_usd) & np.isfinite(month.p50_usd)
    found = {}
    for name, values in (("cost_month_p50", month.p50_usd), ("cost_month_p90", month.p90_usd)):
        states = _states(np.isfinite(values), spent)
        states[(states != _OK) & few] = int(ReadingState.TOO_FEW)
        # Spend without a forecast: the month is hours old.
        states[(states == int(ReadingState.NO_DATA)) & known(spent)] = int(ReadingState.TOO_FEW)
        found[name] = replace(
            spent,
            values=np.where(states == _OK, values, np.nan),
            states=states,
            n=month.known_days.astype(np.float64),
            window_seconds=np.full(len(values), DAYS * _DAY_SECONDS),
            method_index=month.by_run_rate.astype(np.uint8),
            methods=(
                "spent + each weekday's median share x level",
                f"spent + this month's run rate: fewer than {LEAST_DAYS} days of history",
            ),
            history_seconds=_too_short(states, spent),
        )
    return found


def _spend_burn(asked: Asked, statics: Statics, hourly: SignalColumn, burn: Floats) -> SignalColumn:
    """Spend burn of the last hour, the window its rule uses; before it is known, of the rate."""
    hour = asked.column("cost_increase@1h")
    by_rate = times_budget(np.where(known(hourly), hourly.values, np.nan), statics.budget_hour_usd)
    own: Mask = np.isfinite(burn)
    values = np.where(own, burn, by_rate)
    states = np.where(own, np.uint8(_OK), _states(np.isfinite(values), hourly)).astype(np.uint8)
    states[~(statics.budget_hour_usd > 0)] = int(ReadingState.NO_DATA)
    return replace(
        hourly,
        values=np.where(states == _OK, values, np.nan),
        states=states,
        at=np.where(own, hour.at, hourly.at),
        window_seconds=np.where(own, BURN_WINDOWS["1h"], hourly.window_seconds),
        method_index=np.where(own, np.uint8(1), np.uint8(0)),
        methods=(
            "hourly spend / (monthly budget / 720)",
            "spend of 1h / the larger of budget / 720 and weekly budget x usual share of this hour",
        ),
    )


def baselines(asked: Asked, statics: Statics) -> dict[str, Floats]:
    """Return what is normal for each row: declared first, else its own last hours; NaN unknown."""
    own = {
        name: asked.values(f"{name}@6h")
        for name in ("latency_p50", "latency_p95", "latency_p99", "latency_mean", "ttft_p95")
    }
    return own | {
        "low_confidence_ratio": _first(
            statics.confidence_base, asked.values("low_confidence_ratio@1d")
        ),
        "confidence_mean": asked.values("confidence_mean@1d"),
        "cost_per_hour": _first(statics.budget_hour_usd, asked.values("cost_increase@6h") / 6.0),
    }


def _first(declared: Floats, own: Floats) -> Floats:
    return np.where(np.isfinite(declared), declared, own)
