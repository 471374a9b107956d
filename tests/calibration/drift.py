"""Measures drift flags over simulated hours of scores, against the goals for drift."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from console.domain.distribution import DriftReference
from console.domain.model import ModelRow
from console.domain.samples import SourceStatus
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.evaluation.observations import BUCKETS, PREVIOUS_BUCKETS, Buckets, Observed
from console.settings.schema import Settings
from tests.calibration.months import FIRST, HOUR, Measure
from tests.support.columns import column

EDGES = tuple((np.arange(1, 11) / 10).tolist())
DRIFT_RULES = ("drift_watch", "drift_alone", "drift_with_second", "drift_shift")
STEPS = 6
"""Windows slide: they are looked at every ten minutes, each an hour long."""


def scores(random: Generator, rows: int, models: int, sigma: float) -> np.ndarray:
    """Return counts a bin (models x 10) of ``rows`` scores, normal and squeezed into 0 to 1."""
    drawn = 0.5 + 0.15 * (random.standard_normal((models, rows)) + sigma)
    places = np.clip((drawn * 10).astype(np.intp), 0, 9)
    counts = np.zeros((models, 10))
    np.add.at(counts, (np.arange(models)[:, None], places), 1.0)
    return counts


def _buckets(counts: np.ndarray, at: float) -> tuple[Buckets, ...]:
    models, bins = counts.shape
    below = np.cumsum(counts, axis=1)
    edges = np.array([*EDGES[:-1], np.inf])
    nobody = np.empty(0, dtype=np.intp)
    return (
        Buckets(
            rows=np.repeat(np.arange(models), bins),
            edges=np.tile(edges, models),
            values=below.reshape(-1),
            at=at,
            window_seconds=HOUR,
            stale=False,
            failed=nobody,
        ),
    )


def flagged(
    random: Generator, rows_an_hour: int, reference_rows: int, sigma: float, models: int, hours: int
) -> list[frozenset[str]]:
    """Return which drift rules each model called within ``hours`` of a shift of ``sigma``."""
    base = scores(random, reference_rows, models, 0.0)
    rows = tuple(
        ModelRow(
            f"m{place:04d}",
            configured=True,
            reference=DriftReference(
                name="r.json", model=f"m{place:04d}", what="score", taken_at=FIRST, edges=EDGES,
                shares=tuple((counts / counts.sum()).tolist()), n=float(reference_rows),
            ),
        )
        for place, counts in enumerate(base)
    )  # fmt: skip
    part = rows_an_hour // STEPS
    slices = [scores(random, part, models, 0.0) for _ in range(2 * STEPS)]
    called: list[set[str]] = [set() for _ in rows]
    memory = Memory()
    for step in range(hours * STEPS):
        slices = [*slices[1:], scores(random, part, models, sigma)]
        now = FIRST + step * HOUR / STEPS
        buckets = {
            BUCKETS: _buckets(np.sum(slices[STEPS:], axis=0), now),
            PREVIOUS_BUCKETS: _buckets(np.sum(slices[:STEPS], axis=0), now),
        }
        columns = {"requests_rate": column([1.0] * models, now)}
        snapshot, memory = evaluate(
            rows, Observed(columns, buckets=buckets), (SourceStatus("p", "prometheus", "up"),),
            memory, now, environment="prod", tick=step, settings=Settings(),
        )  # fmt: skip
        for row, findings in snapshot.findings.items():
            called[row] |= {each.rule for each in findings if each.rule in DRIFT_RULES}
    return [frozenset(each) for each in called]


def table(seed: int, *, small: bool) -> Iterator[Measure]:
    """Measure every line; ``small`` looks at fewer models."""
    quiet, moved = (300, 60) if small else (1000, 300)
    streams = np.random.default_rng(seed).spawn(4)
    for random, rows, reference in ((streams[0], 220, 2000), (streams[1], 3000, 40_000)):
        flags = flagged(random, rows, reference, 0.0, quiet, 24)
        share = float(np.mean([bool(each) for each in flags]))
        yield Measure(f"models flagged a day without drift, {rows} rows an hour", share, 0, 0.01)
    shifted = flagged(streams[2], 2004, 2000, 0.3, moved, 2)
    share = float(np.mean(["drift_shift" in each or "drift_watch" in each for each in shifted]))
    yield Measure("a shift of .3 sigma of 2,000 rows raised within two windows", share, 0.9)
