"""Derived signals: their arithmetic, and the honest state where it cannot be done."""

from collections.abc import Mapping

import numpy as np
import pytest

from console.domain.model import ModelRow, Objectives
from console.domain.signals import Reading, ReadingState
from console.evaluation.derive import Asked, derive
from console.evaluation.observations import Observed, statics_of
from tests.evaluation.scenes import observe
from tests.support.columns import ERROR, NO_TRAFFIC, Entry, column, stale, too_short
from tests.support.snapshots import SAMPLE_NOW

ROW = ModelRow(
    "m",
    objectives=Objectives(0.999, 0.4, 0.99, declared=True),
    review_capacity_per_second=0.13,
    budget_month_usd=720.0,
    confidence_base_ratio=0.016,
)
NOON = SAMPLE_NOW - SAMPLE_NOW % 86400.0 + 43200.0


def _reading(
    signal: str, entries: Mapping[str, Entry], row: ModelRow = ROW, now: float = NOON
) -> Reading:
    asked = Asked(observe((row,), {"m": entries}, now=now), 1)
    with np.errstate(all="ignore"):
        return derive(asked, statics_of((row,)), now).columns[signal].reading(0)


def test_burn_is_the_worse_of_both_objectives() -> None:
    only_errors = _reading("burn_5m", {"error_ratio@5m": 0.05})
    assert only_errors.value == pytest.approx(50.0)
    both = _reading("burn_5m", {"error_ratio@5m": 0.001, "slow_ratio@5m": 0.2})
    assert both.value == pytest.approx(20.0)
    assert both.window_seconds == 300.0
    assert both.method.startswith("slow ratio")
    assert only_errors.method.endswith("the latency objective is not measured")


def test_zero_errors_are_a_burn_of_zero_and_no_errors_known_is_no_data() -> None:
    zero = _reading("burn_5m", {"error_ratio@5m": 0.0})
    assert (zero.state, zero.value) == (ReadingState.OK, 0.0)
    assert _reading("burn_5m", {}).state is ReadingState.NO_DATA


def test_a_number_over_a_window_that_the_history_does_not_fill_says_how_far_it_reaches() -> None:
    short: dict[str, Entry] = {
        "error_ratio@3d": too_short(2400.0),
        "error_ratio@30d": too_short(2400.0),
        "cost_today": too_short(1200.0),
        "requests_count@1h": too_short(2400.0),
        "cost_per_hour": 4.0,
    }
    for signal, history_seconds in (
        ("burn_3d", 2400.0),
        ("budget_left", 2400.0),
        ("cost_pace", 1200.0),
        ("cost_per_1k", 2400.0),
    ):
        found = _reading(signal, short)
        assert found.state is ReadingState.NO_DATA, signal
        assert (found.value, found.history_seconds) == (None, history_seconds), signal
    # What the objective can be judged by without is judged.
    half = _reading("burn_3d", {"error_ratio@3d": 0.01, "slow_ratio@3d": too_short(2400.0)})
    assert half.value == pytest.approx(10.0)
    assert half.history_seconds is None


def test_pace_goes_by_what_this_weekday_usually_spends_by_now() -> None:
    # A quarter of the day's spend falls in its first half: 12 of 24 USD by noon is twice that.
    habit: dict[str, Entry] = {
        **{f"cost_day@{day}d": 24.0 for day in (7, 14, 21, 28)},
        **{f"cost_by_now@{day}d": 6.0 for day in (7, 14, 21, 28)},
        "cost_today": 12.0,
    }
    own = _reading("cost_pace", habit)
    assert own.value == pytest.approx(2.0)
    assert own.method.endswith("as this weekday's last four days spent theirs")
    flat = _reading("cost_pace", {"cost_today": 12.0})
    assert flat.value == pytest.approx(1.0)
    assert flat.method.endswith("no weekday history")


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (NO_TRAFFIC, ReadingState.NO_TRAFFIC),
        (ERROR, ReadingState.ERROR),
        (stale(0.1), ReadingState.STALE),
        (float("inf"), ReadingState.NO_DATA),
    ],
)
def test_a_burn_that_cannot_be_computed_says_why(entry: Entry, state: ReadingState) -> None:
    assert _reading("burn_5m", {"error_ratio@5m": entry}).state is state


def test_a_long_burn_needs_events() -> None:
    few = {"error_ratio@1h": 0.05, "requests_count@1h": 99.0}
    assert _reading("burn_1h", few).state is ReadingState.TOO_FEW
    assert _reading("burn_1h", few).n == 99.0
    enough_bad = {"error_ratio@1h": 0.2, "requests_count@1h": 60.0}
    assert _reading("burn_1h", enough_bad).value == pytest.approx(200.0)
    enough = {"error_ratio@1h": 0.0, "requests_count@1h": 100.0}
    assert _reading("burn_1h", enough).value == 0.0


def test_a_perfect_objective_does_not_divide_by_zero() -> None:
    strict = ModelRow("m", objectives=Objectives(1.0, declared=True))
    value = _reading("burn_5m", {"error_ratio@5m": 0.01}, strict).value
    assert value is not None
    assert value > 1e6


def test_budget_left_over_thirty_days() -> None:
    left = _reading("budget_left", {"error_ratio@30d": 0.00039, "requests_count@30d": 1e6})
    assert left.value == pytest.approx(0.61)
    overspent = _reading("budget_left", {"error_ratio@30d": 0.002})
    assert overspent.value == pytest.approx(-1.0)


def test_review_load_prefers_the_declared_capacity() -> None:
    assert _reading("review_rho", {"review_rate": 0.26}).value == pytest.approx(2.0)
    exported = {"review_rate": 0.26, "review_capacity": 0.26}
    assert _reading("review_rho", exported).value == pytest.approx(2.0)
    assert _reading("review_rho", exported, ModelRow("m")).value == pytest.approx(1.0)
    assert (
        _reading("review_rho", {"review_rate": 0.26}, ModelRow("m")).state is ReadingState.NO_DATA
    )
    nobody = {"review_rate": 0.26, "review_capacity": 0.0}
    assert _reading("review_rho", nobody, ModelRow("m")).value is None


def test_pace_of_a_budget_over_the_day() -> None:
    assert _reading("cost_pace", {"cost_today": 24.0}).value == pytest.approx(2.0)
    just_begun = NOON - 43200.0 + 60.0
    early = _reading("cost_pace", {"cost_today": 1.0}, now=just_begun)
    assert early.state is ReadingState.TOO_FEW
    assert _reading("cost_pace", {"cost_today": 1.0}, ModelRow("m")).state is ReadingState.NO_DATA
    assert _reading("cost_pace", {"cost_today": 0.0}).value == 0.0


def test_spend_burn_against_the_hourly_budget() -> None:
    assert _reading("spend_burn", {"cost_per_hour": 3.2}).value == pytest.approx(3.2)
    free = ModelRow("m", budget_month_usd=0.0)
    assert _reading("spend_burn", {"cost_per_hour": 3.2}, free).state is ReadingState.NO_DATA


def test_cost_per_thousand_requests() -> None:
    measured = {"cost_per_hour": 2.0, "requests_count@1h": 4000.0}
    assert _reading("cost_per_1k", measured).value == pytest.approx(0.5)
    idle = {"cost_increase@1h": 2.0, "cost_per_hour": 2.0, "requests_count@1h": 0.0}
    assert _reading("cost_per_1k", idle).state is ReadingState.NO_TRAFFIC
    assert _reading("cost_per_1k", {}).state is ReadingState.NO_DATA


def test_cost_per_thousand_divides_spend_and_requests_of_one_window() -> None:
    # Traffic has just grown tenfold: the rate of 5 minutes speaks of ten times the spend.
    grown = {"cost_per_hour": 20.0, "cost_increase@1h": 2.9, "requests_count@1h": 5800.0}
    assert _reading("cost_per_1k", grown).value == pytest.approx(0.5)
    told = column([20.0], NOON, window_seconds=300.0)
    columns = {
        "cost_per_hour": told,
        "requests_count@1h": column([5800.0], NOON),
        "requests_count@5m": column([3333.0], NOON),
    }
    found = derive(Asked(Observed(columns), 1), statics_of((ModelRow("m"),)), NOON)
    reading = found.columns["cost_per_1k"].reading(0)
    assert reading.value == pytest.approx(0.5, rel=0.02)
    assert reading.window_seconds == 300.0


def test_a_declared_price_stands_in_for_a_missing_cost_metric() -> None:
    priced = ModelRow("m", cost_per_1k_usd=0.09)
    entries: dict[str, Entry] = {"requests_count@1h": 10_000.0}
    hourly = _reading("cost_per_hour", entries, priced)
    assert hourly.value == pytest.approx(0.9)
    assert hourly.method.startswith("declared price")
    assert _reading("cost_per_1k", entries, priced).value == pytest.approx(0.09)
    measured = _reading("cost_per_hour", {**entries, "cost_per_hour": 2.0}, priced)
    assert measured.value == 2.0
    failed = _reading("cost_per_hour", {**entries, "cost_per_hour": ERROR}, priced)
    assert failed.state is ReadingState.ERROR


def test_normal_is_as_declared_or_as_it_was() -> None:
    other = ModelRow("n")
    entries: dict[str, dict[str, Entry]] = {
        "m": {"low_confidence_ratio@1d": 0.05, "latency_p95@6h": 0.4},
        "n": {"low_confidence_ratio@1d": 0.05, "cost_increase@6h": 12.0},
    }
    rows = (ROW, other)
    bases = derive(Asked(observe(rows, entries), 2), statics_of(rows), NOON).baselines
    np.testing.assert_allclose(bases["low_confidence_ratio"], [0.016, 0.05])
    np.testing.assert_allclose(bases["latency_p95"], [0.4, np.nan])
    np.testing.assert_allclose(bases["cost_per_hour"], [1.0, 2.0])
