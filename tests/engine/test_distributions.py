"""Score buckets on their way: from answers to columns, distributions, explanations, curves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.domain.distribution import DriftReference
from console.domain.samples import Answer
from console.domain.signals import ReadingState
from console.engine.answer_table import BucketTable, edges_of
from console.engine.distributions import psi_over_time
from console.engine.service import Engine
from console.metrics.queries import Query
from console.settings.schema import DriftSettings, ModelSettings
from console.sources.base import SourceDown
from tests.engine.fakes import NOW, FakeSource, loaded, query, seen, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

EDGES = (0.25, 0.5, 0.75, 1.0)
CALM = (500.0, 200.0, 200.0, 100.0)
MOVED = (200.0, 200.0, 200.0, 400.0)
HELD = DriftReference("refs/a.json", "a", "score", NOW, EDGES, (0.5, 0.2, 0.2, 0.1), 20_000.0)


@dataclass
class Scorer(FakeSource):
    """A source whose models have score histograms: counts a bin by model and column."""

    counts: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    refuses: bool = False

    def _answer(self, asked: Query, now: float) -> Answer:
        if not asked.is_buckets:
            return super()._answer(asked, now)
        if self.refuses:
            return Answer(asked.id, (), np.empty(0), now, error="out of memory")
        keys, values = [], []
        for model, counts in self.counts.get(asked.column, {}).items():
            below = np.cumsum(counts).tolist()
            for le, value in zip([*map(str, EDGES), "+Inf"], [*below, below[-1]], strict=True):
                keys.append((model, le))
                values.append(value)
        return Answer(asked.id, tuple(keys), np.array(values), now)


def engine_on(source: FakeSource, *, referenced: bool = True) -> Engine:
    drift = DriftSettings(HELD) if referenced else None
    settings = settings_of("one", models={"a": ModelSettings(drift=drift)})
    return Engine(loaded(settings), sources=[source], clock=lambda: NOW)


def scorer(now: tuple[float, ...] = MOVED, before: tuple[float, ...] = MOVED) -> Scorer:
    counts = {"score_buckets": {"a": now, "b": CALM}, "score_buckets@prev": {"a": before}}
    return Scorer(models=seen("a", "b"), values={"requests_rate": 1.0}, counts=counts)


async def test_drift_is_computed_and_told_with_everything_behind_it() -> None:
    engine = engine_on(scorer())
    snapshot = await engine.once(remembers=False)
    reading = snapshot.reading("drift_psi", snapshot.index["a"])
    expected = sum(
        (q - p) * math.log(q / p) for p, q in zip(HELD.shares, (0.2, 0.2, 0.2, 0.4), strict=True)
    )
    assert reading.value == pytest.approx(expected)
    assert reading.n == 1000
    assert "drift_alone" in {f.rule for f in snapshot.findings[snapshot.index["a"]]}
    told = engine.explain("a", "drift_psi")
    assert "increase(model_prediction_score_bucket" in told.promql
    assert told.method.startswith("PSI of scores against refs/a.json (n=20000, ")
    assert "Hellinger" in told.method
    assert "σ" in told.method
    assert engine.question("a", "drift_psi") is None


async def test_the_distribution_of_a_model_with_and_without_a_reference() -> None:
    engine = engine_on(scorer())
    await engine.once(remembers=False)
    mine, other = await engine.distribution("a"), await engine.distribution("b")
    assert mine.now_shares == pytest.approx((0.2, 0.2, 0.2, 0.4))
    assert mine.reference_shares == HELD.shares
    assert (mine.reference_name, mine.reference_n, mine.taken_at) == ("refs/a.json", 20_000, NOW)
    assert mine.psi is not None
    assert other.edges == EDGES
    assert other.reference_shares is None
    assert other.psi is None
    assert sum(other.now_shares) == pytest.approx(1.0)


async def test_a_distribution_that_cannot_be_had_says_why() -> None:
    source = scorer()
    engine = engine_on(source, referenced=False)
    await engine.once(remembers=False)
    assert "no model is named zz" in (await engine.distribution("zz")).note
    source.counts = {}
    assert "no model_prediction_score" in (await engine.distribution("a")).note
    source.refuses = True
    assert "out of memory" in (await engine.distribution("a")).note
    source.down = "connection refused"
    assert "connection refused" in (await engine.distribution("a")).note


@pytest.mark.parametrize(
    ("now", "state", "note"),
    [
        ((0.0, 0.0, 0.0, 0.0), ReadingState.NO_TRAFFIC, "nothing was asked"),
        ((50.0, 50.0, 50.0, 49.0), ReadingState.TOO_FEW, "n=199 < 200"),
    ],
)
async def test_traffic_zero_and_too_few_are_no_drift(
    now: tuple[float, ...], state: ReadingState, note: str
) -> None:
    engine = engine_on(scorer(now))
    snapshot = await engine.once(remembers=False)
    reading = snapshot.reading("drift_psi", snapshot.index["a"])
    assert (reading.state, reading.value) == (state, None)
    found = await engine.distribution("a")
    assert found.psi is None
    assert note in found.note


async def test_a_refused_question_is_an_error_and_never_a_calm_number() -> None:
    source = scorer()
    source.refuses = True
    engine = engine_on(source)
    snapshot = await engine.once(remembers=False)
    assert snapshot.reading("drift_psi", snapshot.index["a"]).state is ReadingState.ERROR
    assert "out of memory" in engine.explain("a", "drift_psi").hint


async def test_a_histogram_with_other_edges_asks_for_a_new_reference() -> None:
    source = scorer()
    odd = DriftReference("refs/a.json", "a", "score", NOW, (0.3, 1.0), (0.5, 0.5), 20_000.0)
    settings = settings_of("one", models={"a": ModelSettings(drift=DriftSettings(odd))})
    engine = Engine(loaded(settings), sources=[source], clock=lambda: NOW)
    snapshot = await engine.once(remembers=False)
    reading = snapshot.reading("drift_psi", snapshot.index["a"])
    assert reading.state is ReadingState.NO_DATA
    told = engine.explain("a", "drift_psi")
    assert "other bucket edges" in told.method
    assert "`midwatch reference` takes a new one" in told.hint
    assert "drift.reference" in engine.explain("b", "drift_psi").hint


async def test_a_source_that_goes_away_leaves_a_stale_drift() -> None:
    source = scorer()
    moment = [NOW]
    settings = settings_of("one", models={"a": ModelSettings(drift=DriftSettings(HELD))})
    engine = Engine(loaded(settings), sources=[source], clock=lambda: moment[0])
    await engine.once()
    source.down = "connection refused"
    moment[0] += 30.0
    snapshot = await engine.once()
    reading = snapshot.reading("drift_psi", snapshot.index["a"])
    assert reading.state is ReadingState.STALE
    assert reading.value is not None


def test_hostile_labels_of_buckets_are_passed_over() -> None:
    keys = (("a", "0.5"), ("a", "\x1b[2J"), ("a", ""), ("zz", "+Inf"), ("a", "1e999"), ("a", "nan"))
    assert np.isnan(edges_of(keys)).tolist() == [False, True, True, False, False, True]
    table = BucketTable()
    asked = query("score_buckets", by=("model", "le"), models=frozenset({"a"}))
    said = Answer(asked.id, keys, np.arange(6.0), NOW)
    first = table.of("one", asked, said, {"a": (3,), "b": (4,)}, stale=False)
    assert first.rows.tolist() == [3] * 5
    assert table.of("one", asked, said, {"a": (3,), "b": (4,)}, stale=False) is first
    assert table.of("one", asked, said, {"a": (3,)}, stale=True) is not first


async def test_the_curve_is_the_same_measure_as_the_number() -> None:
    rows = [np.cumsum(counts) for counts in (CALM, MOVED, (1.0, 1.0, 1.0, 1.0))]
    rows.append(np.full(4, np.nan))
    below = [np.array([row[place] for row in rows]) for place in range(4)]
    values = psi_over_time(HELD, below)
    assert values[0] == pytest.approx(0.0, abs=1e-12)
    assert values[1] == pytest.approx(0.691, abs=0.001)
    assert np.isnan(values[2:]).all()


async def test_a_curve_of_a_source_that_is_away_says_so() -> None:
    source = scorer()
    engine = engine_on(source)
    await engine.once(remembers=False)
    source.down = "connection refused"
    with pytest.raises(SourceDown):
        await source.series(query("x"), "a", 0.0, 1.0, 1.0)
    (series,) = (await engine.series("a", ("drift_psi",), 3600, 60)).series
    assert series.error == "connection refused"
