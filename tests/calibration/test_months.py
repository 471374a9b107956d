"""The short form of the months, with a fixed seed: forecasts hold, in-budget models call nobody."""

import numpy as np
import pytest

from console.domain.signals import USUAL_SPEND_COLUMNS
from tests.calibration import months
from tests.calibration.months import KINDS, MISSED, Kind, forecasts, in_budget_months, trends


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_forecasts_hold_as_often_as_they_claim(kind: Kind) -> None:
    lines = list(forecasts(kind, np.random.default_rng(1), 1500))
    assert not [str(line) for line in lines if not line.holds and line.what not in MISSED]
    missed = [line for line in lines if line.what in MISSED]
    assert len(missed) in (0, len(MISSED))
    assert all(line.value > 0.4 for line in missed), "no worse than it was"


def test_a_trend_under_noise_is_named() -> None:
    assert trends(np.random.default_rng(1), 500).holds


def test_a_month_of_models_within_their_budgets_calls_nobody() -> None:
    assert in_budget_months(np.random.default_rng(1), 5, every_hours=5, days=8) == []


def test_with_flat_budgets_the_same_month_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months, "USUAL_SPEND_COLUMNS", {})
    assert USUAL_SPEND_COLUMNS
    alarms = in_budget_months(np.random.default_rng(1), 5, every_hours=5, days=8)
    assert {alarm.partition(":")[0] for alarm in alarms} >= {"nightly batch", "office hours"}
