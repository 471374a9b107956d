"""Distances between distributions: identities, symmetry, bounds, and the tables of the field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.evaluation.drift import (
    equivalent_sigma,
    hellinger,
    jensen_shannon,
    kolmogorov_smirnov,
    ks_critical,
    psi,
    psi_floor,
    shares,
    wasserstein,
)

COUNTS = st.lists(st.floats(0, 1e12), min_size=10, max_size=10).filter(lambda c: sum(c) > 1e-6)


def _deciles_of_shift(shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Return reference and current decile shares of a unit normal whose mean moved."""
    random = np.random.default_rng(7)
    reference = random.normal(size=400_000)
    edges = np.quantile(reference, np.linspace(0, 1, 11))
    edges[0], edges[-1] = -np.inf, np.inf
    p, _ = shares(np.histogram(reference, edges)[0].astype(float))
    q, _ = shares(np.histogram(reference + shift, edges)[0].astype(float))
    return p, q


@given(COUNTS, COUNTS)
def test_distances_are_symmetric_not_negative_and_bounded(a: list[float], b: list[float]) -> None:
    (p, _), (q, _) = shares(a), shares(b)
    for distance, most in (
        (psi, np.inf),
        (jensen_shannon, np.sqrt(np.log(2)) + 1e-12),
        (kolmogorov_smirnov, 1 + 1e-12),
        (hellinger, 1 + 1e-12),
    ):
        assert -1e-12 <= distance(p, q) <= most
        assert distance(p, q) == pytest.approx(distance(q, p), abs=1e-12)
        assert distance(p, p) == pytest.approx(0.0, abs=1e-12)


@given(COUNTS, st.floats(1e-3, 1e6))
def test_shares_do_not_depend_on_the_scale_of_counts(counts: list[float], scale: float) -> None:
    p, floored = shares(counts)
    q, _ = shares([count * scale for count in counts])
    assert p.sum() == pytest.approx(1.0)
    assert (p > 0).all()
    assert floored <= 9
    np.testing.assert_allclose(p, q, atol=1e-6)


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [1, float("nan")], [float("inf"), 1]])
def test_counts_that_are_no_distribution_are_refused(counts: list[float]) -> None:
    with pytest.raises(ValueError, match="bin counts"):
        shares(counts)


def test_an_empty_bin_is_floored_and_counted() -> None:
    part, floored = shares([1000.0, 0.0])
    assert floored == 1
    assert part[1] == pytest.approx(1e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("sigma", "expected_psi", "expected_js", "expected_ks"),
    [(0.2, 0.038, 0.069, 0.080), (0.4, 0.153, 0.137, 0.159), (0.6, 0.341, 0.203, 0.236)],
)
def test_a_shifted_normal_gives_the_published_values(
    sigma: float, expected_psi: float, expected_js: float, expected_ks: float
) -> None:
    p, q = _deciles_of_shift(sigma)
    assert psi(p, q) == pytest.approx(expected_psi, rel=0.05)
    assert jensen_shannon(p, q) == pytest.approx(expected_js, rel=0.05)
    assert kolmogorov_smirnov(p, q) == pytest.approx(expected_ks, rel=0.05)


@given(st.floats(0.0, 0.34), st.floats(0.0, 0.34))
def test_more_drift_is_never_a_smaller_shift(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert equivalent_sigma(low)[0] <= equivalent_sigma(high)[0]


def test_equivalent_shift_of_the_tables_and_beyond_them() -> None:
    assert equivalent_sigma(0.086)[0] == pytest.approx(0.3)
    assert equivalent_sigma(0.203, "js") == (0.6, False)
    assert equivalent_sigma(0.9, "ks") == (0.6, True)
    assert equivalent_sigma(0.27)[0] == pytest.approx(0.53, abs=0.02)


def test_noise_of_few_rows_lifts_the_floor() -> None:
    assert psi_floor(1e6, 1e6) == 0.10
    assert psi_floor(1e9, 100) == pytest.approx(0.169, abs=0.001)
    with pytest.raises(ValueError, match="rows"):
        psi_floor(0, 10)
    with pytest.raises(ValueError, match="bins"):
        psi_floor(10, 10, bins=1)


def test_ks_critical_value() -> None:
    assert ks_critical(1000, 1000) == pytest.approx(1.36 * np.sqrt(2 / 1000))


def test_wasserstein_of_a_step_is_its_length_in_sigmas() -> None:
    centres = np.array([0.0, 1.0, 2.0])
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])
    assert wasserstein(p, q, centres) == pytest.approx(1.0 / 0.5)
    with pytest.raises(ValueError, match="spread"):
        wasserstein(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([0.0, 1.0]))
