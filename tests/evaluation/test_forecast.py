"""The month's end: exact on what is regular, bounded on what is not, and honest about few days."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.evaluation.cost import DAYS, LEAST_RANGE_DAYS, day_text, due_share, forecast, habits

DAY = 86400.0
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp()
"""A Wednesday: twelve and a half of the month's thirty days are left."""

LEFT = 12.5
NO_BUDGET = np.array([np.nan])
HALF = np.array([0.5])

amounts = st.floats(0.01, 1e6)
weeks = st.lists(amounts, min_size=7, max_size=7)


def column(values: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """One row's days, yesterday first."""
    return np.array(values, dtype=np.float64).reshape(-1, 1)


@given(amounts, amounts)
def test_even_days_go_on_evenly_and_certainly(day: float, spent: float) -> None:
    found = forecast(habits(column([day] * DAYS)), np.array([spent]), NO_BUDGET, HALF, NOON)
    assert found.p50_usd[0] == pytest.approx(spent + LEFT * day)
    assert found.p90_usd[0] == pytest.approx(found.p50_usd[0])
    assert not found.by_run_rate[0]


@given(weeks)
def test_a_week_that_repeats_itself_is_repeated(week: list[float]) -> None:
    days = [week[(-k) % 7] for k in range(1, DAYS + 1)]
    found = forecast(habits(column(days)), np.zeros(1), NO_BUDGET, HALF, NOON)
    left = 0.5 * week[0] + sum(week[ahead % 7] for ahead in range(1, 13))
    assert found.p50_usd[0] == pytest.approx(left)
    assert found.p90_usd[0] == pytest.approx(left)


@given(st.lists(st.one_of(amounts, st.just(float("nan"))), min_size=DAYS, max_size=DAYS), amounts)
def test_whatever_the_days_were_the_month_lies_within_bounds(
    days: list[float], spent: float
) -> None:
    with np.errstate(all="ignore"):
        found = forecast(habits(column(days)), np.array([spent]), NO_BUDGET, HALF, NOON)
    known = [day for day in days if day == day]
    assert found.known_days[0] == len(known)
    assert found.p50_usd[0] >= spent
    if len(known) < 7:
        assert found.by_run_rate[0]
        assert np.isnan(found.p90_usd[0])
        assert found.p50_usd[0] == pytest.approx(spent + LEFT * spent / 17.5)
    else:
        # No weekday is dearer than its dearest day, and no trend more than twofold.
        assert found.p50_usd[0] <= (spent + LEFT * 2.0 * max(known)) * (1 + 1e-9)
        assert found.p50_usd[0] >= (spent + LEFT * 0.5 * min(known)) * (1 - 1e-9)
        assert np.isnan(found.p90_usd[0]) == (len(known) < LEAST_RANGE_DAYS)
        assert not found.p90_usd[0] < found.p50_usd[0]


def test_a_steady_growth_goes_on() -> None:
    days = [100.0 - k for k in range(1, DAYS + 1)]
    found = forecast(habits(column(days)), np.zeros(1), NO_BUDGET, HALF, NOON)
    # Today would be 100, tomorrow 101: the trend is of the median day, so it is near and not exact.
    left = 0.5 * 100 + sum(100.0 + ahead for ahead in range(1, 13))
    assert found.p50_usd[0] == pytest.approx(left, rel=0.02)
    assert habits(column(days)).spread_usd[0] < 0.5
    assert habits(column(days)).slope_usd[0] == pytest.approx(1.0, rel=0.05)


def test_no_day_to_come_costs_more_than_twice_the_dearest() -> None:
    rising = [1000.0 * 0.7**k for k in range(1, DAYS + 1)]
    end = forecast(habits(column(rising)), np.zeros(1), NO_BUDGET, HALF, NOON)
    assert end.p50_usd[0] <= LEFT * 2.0 * 700.0


def test_a_level_shift_is_named_and_forecast_from_there() -> None:
    days = [20.0 + 0.1 * (k % 3) if k <= 5 else 10.0 + 0.1 * (k % 3) for k in range(1, DAYS + 1)]
    found = habits(column(days))
    assert found.shift_days[0] == 5.0
    end = forecast(found, np.zeros(1), NO_BUDGET, HALF, NOON)
    assert end.p50_usd[0] == pytest.approx(LEFT * 20.1, rel=0.02)


@pytest.mark.parametrize("known", [7, 13])
def test_a_range_out_of_few_days_is_not_known(known: int) -> None:
    days = [10.0 + k % 3 for k in range(known)] + [float("nan")] * (DAYS - known)
    found = forecast(habits(column(days)), np.zeros(1), NO_BUDGET, HALF, NOON)
    assert np.isfinite(found.p50_usd[0])
    assert np.isnan(found.p90_usd[0])


def test_one_wild_day_moves_nothing() -> None:
    days = [10.0] * DAYS
    days[3] = 1e6
    found = forecast(habits(column(days)), np.zeros(1), NO_BUDGET, HALF, NOON)
    assert found.p50_usd[0] == pytest.approx(LEFT * 10.0)


MONTHS = 2000
FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
"""Noon of the first of a month of thirty days: what is hardest to forecast."""


def _months(
    kind: str, noise: float, seed: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Days x months in USD, oldest first: 36 known days and the month's thirty."""
    chance = np.random.default_rng(seed)
    z = chance.standard_normal((DAYS + 30, MONTHS))
    if kind == "correlated":
        for day in range(1, DAYS + 30):
            z[day] = 0.7 * z[day - 1] + np.sqrt(1 - 0.49) * z[day]
    weekend = (np.arange(DAYS + 30)[:, None] + chance.integers(0, 7, MONTHS)) % 7 < 2
    usual = np.where(weekend & (kind == "weekday"), 35.0, 100.0)
    return usual * np.maximum(1.0 + noise * z, 0.0)


@pytest.mark.parametrize(
    ("kind", "noise", "false_most"),
    [
        ("even", 0.1, 0.05),
        ("even", 0.25, 0.07),
        ("weekday", 0.1, 0.05),
        ("correlated", 0.1, 0.12),
    ],
)
def test_on_the_first_the_range_holds_as_often_as_it_claims(
    kind: str, noise: float, false_most: float
) -> None:
    days = _months(kind, noise, seed=10)
    today = days[DAYS]
    found = forecast(habits(days[:DAYS][::-1]), today / 2, today * np.nan, today * 0 + 0.5, FIRST)
    end = days[DAYS:].sum(axis=0)
    assert 0.80 <= (end <= found.p90_usd).mean() <= 0.95
    within = (end >= found.p10_usd) & (end <= found.p90_usd)
    assert 0.72 <= within.mean() <= 0.88
    surely_over = found.p50_usd - found.p80_margin_usd
    assert (surely_over > end / 0.95).mean() <= false_most
    assert (surely_over > end / 1.2).mean() >= 0.8


@pytest.mark.parametrize(
    ("budget", "days"), [(99.0, 0.0), (104.0, 0.0), (112.0, 1.0), (135.0, 3.0), (226.0, np.nan)]
)
def test_the_day_on_which_the_budget_is_reached(budget: float, days: float) -> None:
    even = habits(column([10.0] * DAYS))
    found = forecast(even, np.array([100.0]), np.array([budget]), HALF, NOON)
    assert found.crosses_in[0] == pytest.approx(days, nan_ok=True)


def test_a_month_of_hours_has_no_run_rate() -> None:
    early = datetime(2026, 11, 1, 3, tzinfo=UTC).timestamp()
    nothing = habits(np.full((DAYS, 1), np.nan))
    assert np.isnan(forecast(nothing, np.array([5.0]), NO_BUDGET, HALF, early).p50_usd[0])


def test_on_the_months_last_day_only_its_rest_is_left() -> None:
    last = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
    found = forecast(habits(column([10.0] * DAYS)), np.array([290.0]), NO_BUDGET, HALF, last)
    assert found.p50_usd[0] == pytest.approx(295.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4))
def test_the_share_due_is_the_median_of_the_same_weekdays(shares: list[float]) -> None:
    whole = np.full((4, 1), 80.0)
    found = due_share(whole * np.array(shares).reshape(-1, 1), whole)
    assert found[0] == pytest.approx(float(np.median(shares)), abs=1e-12)
    assert np.isnan(due_share(np.zeros((4, 1)), np.zeros((4, 1)))[0])


def test_days_have_dates() -> None:
    assert day_text(NOON, 0) == "18 Nov"
    assert day_text(NOON, 6.0) == "24 Nov"
