"""Drift computed from score buckets: figures of the field, honest states, and what wins."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.signals import ReadingState
from console.domain.snapshot import Snapshot
from console.evaluation.drift import (
    buckets_to_bins,
    centres,
    measures,
    of_model,
    psi_by_row,
    references_of,
    sentence,
    shares,
    shares_by_row,
)
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.evaluation.observations import BUCKETS, PREVIOUS_BUCKETS, Buckets, Observed
from console.evaluation.score_drift import OTHER_EDGES, TORN, ScoreDrift, measure, window
from console.settings.schema import Settings
from tests.evaluation.references import FLAT, NOW, TENTHS, grown, reference, row
from tests.evaluation.scenes import CALM, observe, rules_of
from tests.support.columns import Entry

DECILES = tuple(NormalDist().inv_cdf(step / 10) for step in range(1, 10))
COUNTS = st.lists(st.integers(0, 10**6), min_size=10, max_size=10)


def shifted(sigma: float, rows: float = 1e6) -> list[float]:
    """Counts of a normal's deciles when its mean moved by sigma."""
    below = [0.0, *(NormalDist(sigma).cdf(edge) for edge in DECILES), 1.0]
    counts: list[float] = (rows * np.diff(below)).tolist()
    return counts


@pytest.mark.parametrize(
    ("sigma", "expected_psi", "expected_js", "expected_ks"),
    [
        (0.1, 0.010, 0.035, 0.040),
        (0.2, 0.038, 0.069, 0.080),
        (0.3, 0.086, 0.103, 0.119),
        (0.4, 0.153, 0.137, 0.159),
        (0.5, 0.238, 0.170, 0.197),
        (0.6, 0.341, 0.203, 0.236),
    ],
)
def test_the_table_of_shifts_is_met(
    sigma: float, expected_psi: float, expected_js: float, expected_ks: float
) -> None:
    held = reference(edges=(*DECILES, 4.0))
    seen = window(references_of((row(held=held),)), (grown({0: shifted(sigma)}, edges=held.edges),))
    assert seen.psi[0] == pytest.approx(expected_psi, abs=6e-4)
    found = measures(held, seen.counts[0])
    assert found.psi == pytest.approx(seen.psi[0], rel=1e-9)
    assert found.jensen_shannon == pytest.approx(expected_js, abs=6e-4)
    assert found.kolmogorov_smirnov == pytest.approx(expected_ks, abs=1e-3)
    assert found.equivalent_sigma == pytest.approx(sigma, abs=0.01)
    assert found.wasserstein_sigma == pytest.approx(sigma, rel=0.25)
    assert "σ" in sentence(found)


def _false_alarms(m: int) -> float:
    """Share of windows of m rows without any drift whose PSI is above 0.1, seed fixed."""
    random = np.random.default_rng(20_260_928)
    held = references_of(tuple(row(f"m{number}", reference(n=1e9)) for number in range(20_000)))
    counts = random.multinomial(m, FLAT, size=20_000).astype(np.float64)
    q, _ = shares_by_row(counts, held.used)
    return float(np.mean(psi_by_row(held.shares, q, held.used) > 0.1))


def test_without_drift_a_hundred_rows_cry_wolf_and_two_hundred_and_twenty_do_not() -> None:
    assert _false_alarms(100) == pytest.approx(0.39, abs=0.015)
    assert _false_alarms(220) == pytest.approx(0.015, abs=0.005)


def test_the_floor_keeps_a_small_reference_quiet() -> None:
    """With n=300 and m=220 plain 0.1 is passed by noise alone; the floor of 5% holds it back."""
    random = np.random.default_rng(5)
    quiet = reference(n=300)
    refs = references_of(tuple(row(f"m{number}", quiet) for number in range(4000)))
    p, _ = shares_by_row(random.multinomial(300, FLAT, size=4000).astype(float), refs.used)
    q, _ = shares_by_row(random.multinomial(220, FLAT, size=4000).astype(float), refs.used)
    distance = psi_by_row(p, q, refs.used)
    floor = (1 / 300 + 1 / 220) * 16.919
    seen = window(refs, (grown({0: [22.0] * 10}),))
    # A rule looks twice an hour apart and all day long: it is judged by 99.8%.
    assert seen.floor[0] == pytest.approx((1 / 300 + 1 / 220) * 26.056, rel=0.01)
    assert np.mean(distance > 0.10) > 0.15
    assert np.mean(distance > floor) == pytest.approx(0.05, abs=0.02)


@given(COUNTS, COUNTS)
def test_rows_at_once_agree_with_one_at_a_time(one: list[int], other: list[int]) -> None:
    refs = references_of((row("a", reference([c + 1 for c in one])), row("b", reference())))
    seen = window(refs, (grown({0: one, 1: other}),))
    for place, counts in enumerate((one, other)):
        if not sum(counts):
            assert np.isnan(seen.psi[place])
            continue
        _, floored = shares(counts)
        alone = measures(refs.listed[place], counts)
        assert seen.psi[place] == pytest.approx(alone.psi, rel=1e-9, abs=1e-12)
        assert seen.floor[place] == pytest.approx(alone.floor, rel=1e-9)
        assert seen.ks[place] == pytest.approx(alone.kolmogorov_smirnov, nan_ok=True) or np.isnan(
            seen.ks[place]
        )
        assert seen.floored[place] == floored


def test_a_coarser_reference_and_other_spellings_of_edges_fit() -> None:
    held = reference((3.0, 2.0, 5.0), edges=(0.3, 0.5, 1.0))
    twice = grown({0: [10.0] * 10})
    both = Buckets(
        np.tile(twice.rows, 2), np.tile(twice.edges, 2), np.tile(twice.values, 2),
        NOW, 3600.0, stale=False, failed=twice.failed,
    )  # fmt: skip
    seen = window(references_of((row(held=held),)), (both,))
    assert seen.counts[0].tolist() == [60.0, 40.0, 100.0]
    assert seen.n[0] == 200
    assert seen.psi[0] == pytest.approx(0.0, abs=1e-12)


def test_edges_that_the_histogram_lacks_and_torn_buckets_are_no_drift() -> None:
    refs = references_of((row(held=reference((1.0, 1.0), edges=(0.35, 1.0))),))
    assert window(refs, (grown({0: [50.0] * 10}),)).fault == (OTHER_EDGES,)
    torn = grown({0: [50.0] * 10})
    torn.values[4] = 10.0
    seen = window(references_of((row(held=reference()),)), (torn,))
    assert seen.fault == (TORN,)
    assert np.isnan(seen.psi[0])


def judged(
    now: Buckets | None,
    before: Buckets | None,
    columns: dict[str, Entry] | None = None,
    *,
    n: float = 41_000,
    memory: Memory | None = None,
) -> tuple[Snapshot, Memory]:
    rows = (row("m", reference(n=n)), row("other"))
    entries = {"m": {**CALM, **(columns or {})}, "other": {**CALM, **(columns or {})}}
    seen = observe(rows, entries, now=NOW)
    buckets = {}
    if now is not None:
        buckets[BUCKETS] = (now,)
    if before is not None:
        buckets[PREVIOUS_BUCKETS] = (before,)
    return evaluate(
        rows, Observed(seen.columns, seen.labelled, buckets), (), memory or Memory(), NOW,
        environment="t", tick=1, settings=Settings(), remembers=memory is not None,
    )  # fmt: skip


def test_a_reference_in_force_wins_over_the_exporters_gauge_and_says_so() -> None:
    counts = shifted(0.5, 5812)
    gauge: dict[str, Entry] = {"drift_psi": 0.01, "drift_psi@prev": 0.01, "drift_samples": 900.0}
    snapshot, _ = judged(grown({0: counts}), grown({0: counts}), gauge)
    mine, other = snapshot.reading("drift_psi", 0), snapshot.reading("drift_psi", 1)
    assert mine.value == pytest.approx(0.238, abs=6e-4)
    assert mine.n == pytest.approx(5812)
    assert mine.window_seconds == 3600.0
    assert mine.method == "PSI of scores against refs/m.json (n=41000, 2026-09-28), 10 bins"
    assert (other.value, other.n) == (0.01, None)
    assert rules_of(snapshot, 0) == {"drift_alone"}
    assert not rules_of(snapshot, 1) & {"drift_alone", "drift_watch"}


@pytest.mark.parametrize(
    ("now", "before", "rules"),
    [
        (0.5, 0.5, {"drift_alone"}),
        (0.5, 0.0, set()),
        (0.0, 0.5, set()),
        (0.4, 0.5, {"drift_watch"}),
    ],
)
def test_two_windows_in_a_row_are_needed(now: float, before: float, rules: set[str]) -> None:
    snapshot, _ = judged(grown({0: shifted(now, 9000)}), grown({0: shifted(before, 9000)}))
    assert rules_of(snapshot, 0) == rules


def test_noise_of_few_rows_is_no_finding() -> None:
    """PSI .238 of m=210 is above the noise floor for n=250 (.148), under it for n=90 (.268)."""
    counts = shifted(0.5, 210)
    loud, _ = judged(grown({0: counts}), grown({0: counts}), n=250)
    assert rules_of(loud, 0) == {"drift_alone"}
    quiet, _ = judged(grown({0: counts}), grown({0: counts}), n=90)
    assert not rules_of(quiet, 0)
    assert quiet.reading("drift_psi", 0).state is ReadingState.OK


@pytest.mark.parametrize(
    ("buckets", "state"),
    [
        (grown({0: [0.0] * 10}), ReadingState.NO_TRAFFIC),
        (grown({0: [19.9] * 10}), ReadingState.TOO_FEW),
        (grown({0: [20.0] * 10}), ReadingState.OK),
        (grown({0: [20.0] * 10}, stale=True), ReadingState.STALE),
        (grown({}, failed=[0, 1]), ReadingState.ERROR),
        (grown({1: [20.0] * 10}), ReadingState.NO_DATA),
        (None, ReadingState.NO_DATA),
    ],
)
def test_what_is_not_known_is_said_and_never_judged(
    buckets: Buckets | None, state: ReadingState
) -> None:
    snapshot, _ = judged(buckets, buckets)
    reading = snapshot.reading("drift_psi", 0)
    assert reading.state is state
    assert (reading.value is None) == (state not in (ReadingState.OK, ReadingState.STALE))
    assert not rules_of(snapshot, 0) & {"drift_alone", "drift_watch"}


def test_without_a_histogram_the_gauge_stays_and_tells_why() -> None:
    gauge: dict[str, Entry] = {"drift_psi": 0.3, "drift_psi@prev": 0.3, "drift_samples": 900.0}
    snapshot, _ = judged(grown({1: [50.0] * 10}), None, gauge)
    reading = snapshot.reading("drift_psi", 0)
    assert reading.value == 0.3
    assert "refs/m.json is not in force" in reading.method
    assert rules_of(snapshot, 0) == {"drift_alone"}


def test_empty_shares_are_floored_and_counted() -> None:
    counts = [0.0, 0.0, *([500.0] * 8)]
    snapshot, _ = judged(grown({0: counts}), None)
    assert snapshot.reading("drift_psi", 0).method.endswith("2 empty shares floored at 1e-4")
    assert snapshot.reading("drift_psi", 0).value == pytest.approx(1.4, abs=0.1)


def test_nothing_is_measured_again_while_nothing_changes() -> None:
    now, before = grown({0: shifted(0.5, 900)}), grown({0: shifted(0.5, 900)})
    _, memory = judged(now, before, memory=Memory())
    first = memory.score_drift
    _, memory = judged(now, before, memory=memory)
    again = memory.score_drift
    assert isinstance(first, ScoreDrift)
    assert isinstance(again, ScoreDrift)
    assert again.now is first.now
    _, memory = judged(grown({0: shifted(0.1, 900)}), before, memory=memory)
    assert memory.score_drift is not None
    assert memory.score_drift.now is not first.now
    assert memory.score_drift.previous is first.previous


def test_a_fleet_without_references_measures_nothing() -> None:
    refs = references_of((row("a"), row("b")))
    assert measure(refs, Observed(buckets={BUCKETS: (grown({0: [1.0] * 10}),)}), None) is None


def test_the_distribution_of_a_row() -> None:
    counts = shifted(0.5, 5000)
    _, memory = judged(grown({0: counts}), None, memory=Memory())
    found = of_model(memory.score_drift, "m")
    assert found is not None
    assert found.now_shares == pytest.approx([count / 5000 for count in counts])
    assert found.reference_shares == pytest.approx(FLAT)
    assert found.measures is not None
    assert found.psi == found.measures.psi
    assert of_model(memory.score_drift, "other") is None


def test_bins_of_a_histogram_as_it_is() -> None:
    inf = float("inf")
    edges, counts = buckets_to_bins([(1.0, 30), (0.5, 10), (inf, 30), (1.0, 5), (inf, 5)], 20)
    assert (edges, counts) == ((0.5, 1.0), (10.0, 25.0))
    edges, counts = buckets_to_bins([(0.5, 10), (1.0, 25), (inf, 30)], 20)
    assert (edges, counts) == ((0.5, 1.0, inf), (10.0, 15.0, 5.0))
    with pytest.raises(ValueError, match="everything"):
        buckets_to_bins([(0.5, 10), (1.0, 25)], 20)


def test_many_buckets_become_ten_of_nearly_equal_mass() -> None:
    cumulative = [(step / 100, float(step**2)) for step in range(1, 101)]
    edges, counts = buckets_to_bins([*cumulative, (float("inf"), 10_000.0)], 20)
    assert len(edges) == 10
    assert sum(counts) == 10_000
    assert max(counts) < 1300


def test_centres_of_bins() -> None:
    assert centres((0.5, 1.0)).tolist() == [0.25, 0.75]
    assert centres((-1.0, 1.0, float("inf"))).tolist() == [-2.0, 0.0, 2.0]
    assert len(centres(TENTHS)) == 10
