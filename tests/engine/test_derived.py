"""Derived signals over time, by hand-made numbers."""

import numpy as np
import pytest

from console.domain.model import ModelRow, Objectives
from console.domain.signals import SIGNALS
from console.engine.ranges import BASES, derive

MIDNIGHT = 1_790_035_200.0
ROW = ModelRow(
    "alpha",
    objectives=Objectives(0.999, 0.4, 0.99, declared=True),
    budget_month_usd=720.0,
    review_capacity_per_second=0.5,
)


def values(signal: str, times: list[float], **bases: list[float]) -> list[float]:
    named = {name.replace("__", "@"): np.array(each) for name, each in bases.items()}
    return [float(each) for each in derive(signal, ROW, np.array(times), named)]


def test_midnight_is_midnight() -> None:
    assert MIDNIGHT % 86400 == 0


def test_every_derived_signal_has_its_bases() -> None:
    derived = {name for name, fact in SIGNALS.items() if fact.derived}
    assert derived <= set(BASES)


def test_burn_is_the_worse_of_availability_and_latency() -> None:
    found = values("burn_1h", [0, 1, 2], error_ratio__1h=[0.001, 0.01, np.nan],
                   slow_ratio__1h=[0.05, 0.0, 0.02])  # fmt: skip
    assert found == pytest.approx([5.0, 10.0, 2.0])


def test_budget_left_is_what_thirty_days_have_not_burnt() -> None:
    found = values("budget_left", [0], error_ratio__30d=[0.0004], slow_ratio__30d=[0.0])
    assert found == pytest.approx([0.6])


def test_review_load_and_cost_per_1k_never_divide_by_nothing() -> None:
    assert values("review_rho", [0], review_rate=[0.25]) == pytest.approx([0.5])
    found = values("cost_per_1k", [0, 1], cost_per_hour=[2.0, 2.0], requests_count__1h=[500, 0])
    assert found[0] == pytest.approx(4.0)
    assert np.isnan(found[1])


def test_spend_today_walks_back_from_now_and_not_into_yesterday() -> None:
    times = [MIDNIGHT - 1800, MIDNIGHT + 1800, MIDNIGHT + 3600, MIDNIGHT + 7200]
    found = values("cost_today", times, cost_today=[99, 99, 99, 6.0], cost_per_hour=[3.0] * 4)
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([1.5, 3.0, 6.0])
    pace = values("cost_pace", times, cost_today=[99, 99, 99, 6.0], cost_per_hour=[3.0] * 4)
    assert pace[1:] == pytest.approx([3.0, 3.0, 3.0])


def test_spend_of_the_month_does_not_reach_into_the_last_one() -> None:
    first = 1_790_812_800.0  # 2026-10-01
    times = [first - 3600, first + 3600, first + 2 * 86400, first + 3 * 86400]
    found = values("cost_month", times, cost_month=[99, 99, 99, 720.0], cost_per_hour=[10.0] * 4)
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([10.0, 480.0, 720.0])


def test_without_hourly_spend_only_the_newest_amount_is_known() -> None:
    found = values("cost_today", [MIDNIGHT + 60, MIDNIGHT + 7200], cost_today=[5.0, 6.0])
    assert np.isnan(found[0])
    assert found[1] == 6.0


def test_without_a_budget_there_is_no_pace() -> None:
    found = derive("cost_pace", ModelRow("a"), np.array([MIDNIGHT + 9000.0]), {})
    assert np.isnan(found).all()
