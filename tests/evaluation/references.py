"""References and bucket growths written by hand."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from console.domain.distribution import DriftReference
from console.domain.model import ModelRow
from console.evaluation.observations import Buckets

TENTHS = tuple(round(step / 10, 1) for step in range(1, 11))
FLAT = (0.1,) * 10
NOW = 1_790_000_000.0


def reference(
    shares: Sequence[float] = FLAT, *, n: float = 41_000, edges: Sequence[float] = TENTHS
) -> DriftReference:
    total = sum(shares)
    return DriftReference(
        name="refs/m.json",
        model="m",
        what="score",
        taken_at=1_790_553_600.0,
        edges=tuple(edges),
        shares=tuple(share / total for share in shares),
        n=n,
    )


def row(name: str = "m", held: DriftReference | None = None) -> ModelRow:
    return ModelRow(name, drift_reference=held.name if held else "", reference=held)


def grown(
    counts_by_row: Mapping[int, Sequence[float]],
    *,
    edges: Sequence[float] = TENTHS,
    stale: bool = False,
    failed: Sequence[int] = (),
) -> Buckets:
    """Return cumulative buckets, the one of everything included, for counts a bin."""
    rows, found_edges, values = [], [], []
    for number, counts in counts_by_row.items():
        below = np.cumsum(np.asarray(counts, dtype=np.float64)).tolist()
        rows += [number] * (len(below) + 1)
        found_edges += [*edges, math.inf]
        values += [*below, below[-1] if below else math.nan]
    return Buckets(
        rows=np.array(rows, dtype=np.intp),
        edges=np.array(found_edges),
        values=np.array(values),
        at=NOW,
        window_seconds=3600.0,
        stale=stale,
        failed=np.array(failed, dtype=np.intp),
    )
