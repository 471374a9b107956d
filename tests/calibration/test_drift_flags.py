"""The short form of drift, with a fixed seed: noise flags nobody, a shift of .3 sigma is seen."""

import numpy as np

from tests.calibration.drift import flagged


def test_a_low_traffic_model_without_drift_is_not_flagged() -> None:
    flags = flagged(np.random.default_rng(1), 220, 2000, 0.0, models=40, hours=6)
    assert [each for each in flags if each] == []


def test_a_small_shift_of_many_rows_is_named_within_two_windows() -> None:
    flags = flagged(np.random.default_rng(1), 2004, 2000, 0.3, models=40, hours=2)
    assert np.mean(["drift_shift" in each or "drift_watch" in each for each in flags]) >= 0.9
