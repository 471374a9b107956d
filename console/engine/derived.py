"""Derived signals over time: the same formulas as the fleet's, along one model's axis."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from console.facts.signals import BURN_WINDOWS, DAY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from console.facts.model import ModelRow

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
    "cost_per_1k": ("cost_per_hour", "requests_count@1h"),
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
        return 1000.0 * _ratio(base("cost_per_hour"), base("requests_count@1h"))
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
