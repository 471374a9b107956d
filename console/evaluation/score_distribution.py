"""One model's scores beside its reference, with every measure of how far they are apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Distribution, DriftMeasures
from console.evaluation.drift import (
    MIN_ROWS_FOR_PSI,
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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.domain.samples import DriftReference
    from console.evaluation.score_drift import ScoreDrift

    Floats = NDArray[np.float64]

NO_TRAFFIC = "nothing was asked of the model in this window"


def measures(reference: DriftReference, counts: Sequence[float] | Floats) -> DriftMeasures:
    """Return how far ``counts`` (predictions, one a bin of the reference) are from it.

    Raises ValueError where nothing was counted.
    """
    q, empty_now = shares(counts)
    p, empty_before = shares(reference.shares)
    m = float(np.sum(np.asarray(counts, dtype=np.float64)))
    distance = psi(p, q)
    sigma, is_bound = equivalent_sigma(distance)
    try:
        moved: float | None = wasserstein(p, q, centres(reference.edges))
    except ValueError:
        moved = None
    return DriftMeasures(
        psi=distance,
        floor=psi_floor(reference.n, m, len(reference.edges)),
        jensen_shannon=jensen_shannon(p, q),
        kolmogorov_smirnov=kolmogorov_smirnov(p, q),
        ks_critical=ks_critical(reference.n, m),
        wasserstein_sigma=moved,
        hellinger=hellinger(p, q),
        equivalent_sigma=sigma,
        sigma_is_bound=is_bound,
        floored=empty_now + empty_before,
    )


def centres(edges: Sequence[float]) -> Floats:
    """Return the middles of bins with these upper edges.

    The first bin begins at 0 where its edge is above 0, else it is as wide as the second; a bin
    without end is as wide as the one before it.
    """
    finite = [edge for edge in edges if math.isfinite(edge)]
    width = finite[1] - finite[0] if len(finite) > 1 else 1.0
    first = 0.0 if finite[0] > 0 else finite[0] - width
    bounds = [first, *finite]
    if len(finite) < len(edges):
        bounds.append(bounds[-1] + (bounds[-1] - bounds[-2]))
    middles: Floats = (np.asarray(bounds[:-1]) + np.asarray(bounds[1:])) / 2.0
    return middles


def of_reference(
    model: str,
    reference: DriftReference,
    counts: Sequence[float] | Floats,
    *,
    window_seconds: float,
    at: float,
) -> Distribution:
    """Return what a window counted in the reference's own bins, beside the reference."""
    numbers = np.asarray(counts, dtype=np.float64)
    n = float(numbers.sum())
    measured = measures(reference, numbers) if n >= MIN_ROWS_FOR_PSI else None
    return Distribution(
        model=model,
        edges=reference.edges,
        now_shares=tuple((numbers / n).tolist()) if n > 0 else (0.0,) * len(numbers),
        now_n=n,
        reference_shares=reference.shares,
        reference_n=reference.n,
        reference_name=reference.name,
        taken_at=reference.taken_at,
        psi=None if measured is None else measured.psi,
        window_seconds=window_seconds,
        at=at,
        measures=measured,
        note="" if measured else _too_few(n),
    )


def alone(
    model: str,
    edges: Sequence[float],
    counts: Sequence[float],
    *,
    window_seconds: float,
    at: float | None,
    note: str = "",
) -> Distribution:
    """Return what a window counted, with no reference to hold it against."""
    n = math.fsum(counts)
    return Distribution(
        model=model,
        edges=tuple(edges),
        now_shares=tuple(count / n if n > 0 else 0.0 for count in counts),
        now_n=n,
        reference_shares=None,
        reference_n=0.0,
        reference_name="",
        taken_at=None,
        psi=None,
        window_seconds=window_seconds,
        at=at,
        note=note or ("" if n > 0 else NO_TRAFFIC),
    )


def of_model(drift: ScoreDrift | None, model: str) -> Distribution | None:
    """Return a model's newest window if its reference is in force and was answered, else None."""
    place = None if drift is None else drift.references.place_of.get(model)
    if (
        drift is None
        or place is None
        or drift.now.fault[place]
        or not np.isfinite(drift.now.n[place])
    ):
        return None
    reference = drift.references.listed[place]
    return of_reference(
        model,
        reference,
        drift.now.counts[place, : len(reference.edges)],
        window_seconds=float(drift.now.window_seconds[place]),
        at=float(drift.now.at[place]),
    )


def sentence(found: DriftMeasures) -> str:
    """Return all measures in one line, each with its unit and what it is judged by."""
    sigma = f"{'≥' if found.sigma_is_bound else '≈'}{found.equivalent_sigma:.2f}σ"
    moved = "?" if found.wasserstein_sigma is None else f"{found.wasserstein_sigma:.2f}σ"
    return (
        f"PSI {found.psi:.3f} {sigma} (noise up to {found.floor:.2f}), "
        f"JS {found.jensen_shannon:.3f} (base e), "
        f"KS {found.kolmogorov_smirnov:.3f} (5% critical {found.ks_critical:.3f}), "
        f"Wasserstein {moved}, Hellinger {found.hellinger:.3f}"
    )


def buckets_to_bins(
    cumulative: Sequence[tuple[float, float]], most: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return ascending upper edges and counts of (edge, predictions at or under it) pairs.

    The bin above the last finite edge is left out while it is empty. More than ``most`` bins
    become ten of nearly equal mass. Raises ValueError without the bucket of everything.
    """
    known: dict[float, float] = {}
    for edge, count in cumulative:
        if math.isfinite(count) and not math.isnan(edge):
            known[edge] = known.get(edge, 0.0) + count
    if math.inf not in known or len(known) < 2:
        raise ValueError("a histogram needs a finite bucket and the one of everything")
    edges = sorted(known)
    levels = np.maximum.accumulate([known[edge] for edge in edges])
    counts = np.diff(levels, prepend=0.0)
    if counts[-1] <= 0 and len(edges) > 2:
        edges, counts = edges[:-1], counts[:-1]
    if len(edges) > most:
        edges, counts = _merged(edges, counts, _MERGED_BINS)
    return tuple(edges), tuple(counts.tolist())


_MERGED_BINS = 10


def _merged(edges: list[float], counts: Floats, bins: int) -> tuple[list[float], Floats]:
    levels = np.cumsum(counts)
    if levels[-1] <= 0:
        return edges[-bins:], np.zeros(bins)
    goals = levels[-1] * np.arange(1, bins) / bins
    cuts = sorted({*np.searchsorted(levels, goals).tolist(), len(edges) - 1})
    return [edges[cut] for cut in cuts], np.diff(levels[cuts], prepend=0.0)


def _too_few(n: float) -> str:
    if n <= 0:
        return NO_TRAFFIC
    return f"n={n:.0f} < {MIN_ROWS_FOR_PSI}: too few to judge drift by"
