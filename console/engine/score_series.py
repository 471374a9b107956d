"""PSI over time, from one range question a bucket edge of the reference."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from console.facts.samples import Series
from console.fleet.drift import MIN_ROWS_FOR_PSI
from console.fleet.references import psi_by_row, shares_by_row
from console.signals.scores import under_edge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.facts.drift import DriftReference
    from console.signals.query import Query
    from console.sources.protocol import Source

    Floats = NDArray[np.float64]

PSI = "drift_psi"
LEAST_STEP_SECONDS = 60.0
"""An hour's distribution hardly moves within a minute, and every point costs a bucket each."""


async def psi_series(
    source: Source,
    query: Query,
    reference: DriftReference,
    series_value: str,
    start: float,
    end: float,
    step: float,
) -> Series | None:
    """Return the PSI of a model's scores from ``start`` to ``end`` (Unix seconds).

    ``query`` is the one that asks for its score buckets. A point with fewer than 200 predictions
    is a gap. None where the buckets are not a plain counter. Raises `SourceDown`.
    """
    step = max(step, LEAST_STEP_SECONDS)
    asked = [under_edge(query, edge) for edge in (*reference.edges[:-1], float("inf"))]
    known = [each for each in asked if each is not None]
    if len(known) != len(asked):
        return None
    found = await asyncio.gather(
        *(source.series(each, series_value, start, end, step) for each in known)
    )
    failure = next((each.error for each in found if each.error is not None), None)
    return Series(PSI, found[0].times, psi_over_time(reference, [s.values for s in found]), failure)


def psi_over_time(reference: DriftReference, below: Sequence[Floats]) -> Floats:
    """Return the PSI at T times from B rows of T cumulative growths, NaN where it is not known."""
    levels = np.stack(below, axis=1)
    counts = np.maximum(np.diff(levels, axis=1, prepend=0.0), 0.0)
    used = np.ones(counts.shape, dtype=np.bool_)
    p, _ = shares_by_row(np.asarray([reference.shares]), used[:1])
    q, _ = shares_by_row(counts, used)
    enough = levels[:, -1] >= MIN_ROWS_FOR_PSI
    known = enough & np.isfinite(levels).all(axis=1)
    return np.where(known, psi_by_row(p, q, used), np.nan)
