"""Budgets by the usual profile, budgets of nothing, young models, counters that fall."""

from __future__ import annotations

import numpy as np
import pytest

from console.domain.model import ModelRow
from console.domain.signals import DAY_COLUMNS, ReadingState
from console.evaluation.cost import DAYS, forecast, habits, times_budget, usual_budget
from tests.evaluation.scenes import rules_of, settled, text_of
from tests.support.columns import Entry

BUDGET = 720.0
ROW = ModelRow("m", configured=True, budget_month_usd=BUDGET)
PAD = 1.5
"""An hour is asked for with a quarter of one on either side."""


def office(hour_usd: float) -> dict[str, Entry]:
    """Four weeks of ten hours a working day, of which this is one; three dollars an hour."""
    days = {name: (30.0 if back % 7 < 5 else 0.0) for back, name in enumerate(DAY_COLUMNS)}
    hours = {f"cost_usual_1h@{week}w": 3.0 * PAD for week in range(1, 5)}
    six = {f"cost_usual_6h@{week}w": 3.0 * 6.5 for week in range(1, 5)}
    now = {"cost_increase@1h": hour_usd, "cost_increase@6h": 6 * hour_usd, "cost_month": 300.0}
    return {**days, **hours, **six, **now, "cost_increase@5m": hour_usd / 12}


def test_an_office_hour_within_its_budget_is_no_burn() -> None:
    calm = settled(ROW, office(3.0))
    assert not {"spend_burn", "spend_burn_page"} & rules_of(calm)
    reading = calm.reading("spend_burn", 0)
    # A week's budget is 168; this hour is a fiftieth of the week: 3.36 may be spent in it.
    assert reading.value == pytest.approx(3.0 / (168.0 * 3.0 / (7 * 30.0 * 26 / 36)))
    assert reading.window_seconds == 3600.0


def test_what_is_ten_times_over_for_weeks_stays_over() -> None:
    entries = {
        name: entry * 12.0
        for name, entry in office(3.0).items()
        if isinstance(entry, float) and name != "cost_month"
    }
    assert "spend_burn_page" in rules_of(settled(ROW, {**entries, "cost_month": 300.0}))


def test_before_fourteen_days_the_budget_is_flat() -> None:
    known = dict.fromkeys(DAY_COLUMNS[:13], 30.0)
    entries = {n: e for n, e in office(3.0).items() if not n.startswith("cost_day")} | known
    assert "spend_burn" in rules_of(settled(ROW, entries))


def test_a_budget_of_nothing_is_a_budget() -> None:
    free = ModelRow("m", configured=True, budget_month_usd=0.0)
    snapshot = settled(free, {"cost_increase@1h": 2.0, "cost_increase@6h": 9.0, "cost_month": 30.0})
    assert "budget of 0" in text_of(snapshot, "spend_burn_page")
    assert snapshot.reading("spend_burn", 0).state is ReadingState.NO_DATA
    idle = settled(free, {"cost_increase@1h": 0.0, "cost_increase@6h": 0.0, "cost_month": 0.0})
    assert not {"spend_burn", "spend_burn_page"} & rules_of(idle)
    np.testing.assert_array_equal(
        times_budget(np.array([1.0, 0.0, np.nan, 3.0]), np.array([0.0, 0.0, 0.0, 2.0])),
        [np.inf, 0.0, np.nan, 1.5],
    )


def test_the_usual_share_never_lowers_the_flat_budget() -> None:
    found = habits(np.full((DAYS, 2), 24.0))
    usual = np.array([[0.0, 6.0]] * 4)
    np.testing.assert_allclose(
        usual_budget(np.array([1.0, 1.0]), 1.0, usual, found), [1.0, 168.0 * 4.0 / 168.0]
    )
    assert np.isnan(usual_budget(np.array([np.nan]), 1.0, usual[:, :1], habits(found.days[:, :1])))


@pytest.mark.parametrize("entries", [{"cost_resets": 48.0}, {"cost_least": -3.0}])
def test_a_counter_that_falls_is_named_and_judged_by_nothing(entries: dict[str, Entry]) -> None:
    counted = {"cost_resets": 0.0, "cost_least": 4.0, **entries}
    snapshot = settled(ROW, {**office(300.0), **counted, "waste_ratio": 0.5})
    assert "spend_burn_page" not in rules_of(snapshot)
    assert "cost counter" in text_of(snapshot, "cost_counter_falls")
    for signal in ("cost_month", "spend_burn", "cost_per_1k", "waste_ratio"):
        assert snapshot.reading(signal, 0).value is None, signal
    sound = settled(ROW, {**office(300.0), "cost_resets": 3.0, "cost_least": 4.0})
    assert "spend_burn_page" in rules_of(sound)
    assert "cost_counter_falls" not in rules_of(sound)


def test_a_young_model_goes_on_as_on_its_own_days() -> None:
    days = np.full((DAYS, 1), np.nan)
    days[:3] = 50.0
    noon = 1_795_003_200.0  # 18 November 2026, 12:00 UTC
    found = forecast(habits(days), np.array([175.0]), np.array([np.nan]), np.array([0.5]), noon)
    assert found.by_run_rate[0]
    # Half of today and twelve days more, at fifty; not the month's 175 spread over 17 days.
    assert found.p50_usd[0] == pytest.approx(175.0 + 12.5 * 50.0)
