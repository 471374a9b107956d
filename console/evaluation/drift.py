"""Distances between a reference distribution and a current one, for one model or all; pure.

Every function takes bin shares ``p`` (reference) and ``q`` (current): one-dimensional, same
length, not negative, each with a sum of 1; `shares` makes them from counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from console.domain.distribution import Distribution, DriftMeasures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.distribution import DriftReference
    from console.domain.model import ModelRow
    from console.evaluation.score_drift import ScoreDrift

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]
    Mask = NDArray[np.bool_]

EMPTY_SHARE = 1e-4
"""An empty bin is given this share, because a logarithm of 0 says nothing."""

CHI2_95_BY_DEGREES = {
    1: 3.841, 2: 5.991, 3: 7.815, 4: 9.488, 5: 11.070, 6: 12.592, 7: 14.067, 8: 15.507,
    9: 16.919, 10: 18.307, 11: 19.675, 12: 21.026, 13: 22.362, 14: 23.685, 15: 24.996,
    16: 26.296, 17: 27.587, 18: 28.869, 19: 30.144,
}  # fmt: skip
"""95% points of the chi-squared distribution."""

PSI_LITTLE = 0.10
MIN_ROWS_FOR_PSI = 200
MIN_ROWS_FOR_KS = 2000
"""With so many rows in the reference and in a window a shift of .3 sigma is told from noise."""

KS_CRITICAL_5_PERCENT = 1.36

EquivalentMeasure = Literal["psi", "js", "ks"]

_SIGMA = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
_BY_SIGMA: dict[EquivalentMeasure, tuple[float, ...]] = {
    "psi": (0.0, 0.010, 0.038, 0.086, 0.153, 0.238, 0.341),
    "js": (0.0, 0.035, 0.069, 0.103, 0.137, 0.170, 0.203),
    "ks": (0.0, 0.040, 0.080, 0.119, 0.159, 0.197, 0.236),
}


def shares(counts: Sequence[float] | Floats) -> tuple[Floats, int]:
    """Return shares that sum to 1 with empty bins floored at 1e-4, and how many were floored.

    Raises ValueError when there is nothing to share or a count is negative or not finite.
    """
    numbers = np.asarray(counts, dtype=np.float64)
    if numbers.ndim != 1 or not numbers.size or not np.isfinite(numbers).all():
        raise ValueError("bin counts must be a row of finite numbers")
    if (numbers < 0).any() or numbers.sum() <= 0:
        raise ValueError("bin counts must not be negative, and one of them must be above 0")
    # The largest count first, so that counts near the top of a float do not overflow the sum.
    scaled = numbers / numbers.max()
    part = scaled / scaled.sum()
    empty = part < EMPTY_SHARE
    floored = np.where(empty, EMPTY_SHARE, part)
    return floored / floored.sum(), int(empty.sum())


def psi(p: Floats, q: Floats) -> float:
    """Return the population stability index: sum of (q - p) ln(q / p)."""
    return float(np.sum((q - p) * np.log(q / p)))


def psi_floor(reference_rows: float, current_rows: float, bins: int = 10) -> float:
    """Return the PSI under which nothing is flagged: max(0.10, (1/n + 1/m) chi2_0.95(B - 1)).

    Raises ValueError for row counts that are not above 0 or bins outside 2 to 20.
    """
    if reference_rows <= 0 or current_rows <= 0:
        raise ValueError("both windows need rows")
    if bins - 1 not in CHI2_95_BY_DEGREES:
        raise ValueError(f"PSI floor is known for 2 to 20 bins, not {bins}")
    noise = (1.0 / reference_rows + 1.0 / current_rows) * CHI2_95_BY_DEGREES[bins - 1]
    return max(PSI_LITTLE, noise)


def kl_divergence(p: Floats, q: Floats) -> float:
    """Return the Kullback-Leibler divergence of p from q in nats; bins empty in p add nothing."""
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / q[used])))


def jensen_shannon(p: Floats, q: Floats) -> float:
    """Return the Jensen-Shannon distance, natural logarithm, 0 to sqrt(ln 2)."""
    middle = (p + q) / 2.0
    divergence = (kl_divergence(p, middle) + kl_divergence(q, middle)) / 2.0
    return float(np.sqrt(max(divergence, 0.0)))


def kolmogorov_smirnov(p: Floats, q: Floats) -> float:
    """Return D, the largest difference of the cumulative shares at bin edges, 0 to 1."""
    return float(np.max(np.abs(np.cumsum(p) - np.cumsum(q))))


def ks_critical(reference_rows: float, current_rows: float) -> float:
    """Return the 5% critical D, about 1.36 sqrt((n + m) / (n m)); at large n everything drifts."""
    if reference_rows <= 0 or current_rows <= 0:
        raise ValueError("both windows need rows")
    return KS_CRITICAL_5_PERCENT * float(np.sqrt(1.0 / reference_rows + 1.0 / current_rows))


def wasserstein(p: Floats, q: Floats, centres: Floats) -> float:
    """Return the area between the cumulative shares / the reference's deviation (unit: sigma).

    ``centres`` are the ascending positions of the bins. Raises ValueError when the reference
    stands in one place, since it then has no deviation to measure by.
    """
    mean = float(np.sum(p * centres))
    deviation = float(np.sqrt(np.sum(p * (centres - mean) ** 2)))
    if not deviation > 0:
        raise ValueError("the reference has no spread: the distance has no unit")
    gaps = np.diff(centres)
    area = float(np.sum(np.abs(np.cumsum(p) - np.cumsum(q))[:-1] * gaps))
    return area / deviation


def hellinger(p: Floats, q: Floats) -> float:
    """Return the Hellinger distance sqrt(1/2 sum (sqrt p - sqrt q)^2), 0 to 1."""
    return float(np.sqrt(0.5 * np.sum((np.sqrt(p) - np.sqrt(q)) ** 2)))


def equivalent_sigma(value: float, measure: EquivalentMeasure = "psi") -> tuple[float, bool]:
    """Return the mean shift of a normal (deciles) that gives this value, and if it is a bound.

    The unit is standard deviations. Beyond 0.6 sigma the answer is (0.6, True): at least that.
    """
    table = _BY_SIGMA[measure]
    if value >= table[-1]:
        return _SIGMA[-1], value > table[-1]
    # Distances grow with the shift, divergences with its square: PSI is read on its root.
    if measure == "psi":
        roots = np.sqrt(np.asarray(table))
        return float(np.interp(np.sqrt(max(value, 0.0)), roots, _SIGMA)), False
    return float(np.interp(value, table, _SIGMA)), False


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The references of R rows, padded to the W bins of the widest.

    ``rows`` are row numbers, ``place`` the place among the R of every row (-1 without one),
    ``place_of`` the same by model name.
    ``inner`` (R x W) are upper edges that a histogram must have: all but the last bin's, NaN
    elsewhere. ``used`` (R x W) marks bins, ``shares`` (R x W) are floored and sum to 1 over them.
    ``chi2`` (R) is the 99.8% point that noise is judged by: two windows an hour apart, looked at
    all day long, are to flag less than one model in a hundred. ``group`` (R x W) joins bins under
    1% with a neighbour, ``merged`` (R x W) are the shares of the groups, 0 beyond the last.
    """

    rows: Indices
    place: Indices
    place_of: Mapping[str, int]
    listed: tuple[DriftReference, ...]
    inner: Floats
    used: Mask
    shares: Floats
    floored: NDArray[np.int64]
    last: Indices
    n: Floats
    chi2: Floats
    titles: tuple[str, ...]
    group: Indices
    merged: Floats

    def __len__(self) -> int:
        return len(self.listed)


def references_of(rows: Sequence[ModelRow]) -> References:
    """Lay out the references of the rows that have one."""
    found = [(number, row.reference) for number, row in enumerate(rows) if row.reference]
    listed = tuple(reference for _, reference in found)
    width = max((len(reference.edges) for reference in listed), default=2)
    shape = (len(listed), width)
    inner, shares, used = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    place = np.full(len(rows), -1, dtype=np.intp)
    for at, (number, reference) in enumerate(found):
        bins = len(reference.edges)
        place[number] = at
        inner[at, : bins - 1] = reference.edges[:-1]
        shares[at, :bins] = reference.shares
        used[at, :bins] = True
    bins_of = used.sum(axis=1)
    lifted, floored = shares_by_row(shares, used)
    group = bin_groups(lifted, used)
    return References(
        rows=np.array([number for number, _ in found], dtype=np.intp),
        place=place,
        place_of={rows[number].model: at for at, (number, _) in enumerate(found)},
        listed=listed,
        inner=inner,
        used=used,
        shares=lifted,
        floored=floored,
        last=(bins_of - 1).astype(np.intp),
        n=np.array([reference.n for reference in listed], dtype=np.float64),
        chi2=chi2_998(np.maximum(group.max(axis=1, initial=0), 1)),
        titles=tuple(map(title, listed)),
        group=group,
        merged=merged_shares(lifted, group),
    )


LEAST_BIN_SHARE = 0.01
"""PSI of smaller bins is noise: a few rows in one of them are a large distance."""


def bin_groups(reference_shares: Floats, used: Mask) -> Indices:
    """Return which group each bin (R x W) belongs to, ascending: none of them is under 1%.

    A bin is joined with the ones before it until they hold 1%; what is left at the end joins the
    group before. Unused bins are in the last group, to which they add nothing.
    """
    group = np.zeros(reference_shares.shape, dtype=np.intp)
    held, current = np.zeros(len(group)), np.zeros(len(group), dtype=np.intp)
    rest = np.where(used, reference_shares, 0.0)[:, ::-1].cumsum(axis=1)[:, ::-1]
    for column in range(reference_shares.shape[-1]):
        begins = (held >= LEAST_BIN_SHARE) & (rest[:, column] >= LEAST_BIN_SHARE) & used[:, column]
        current = current + begins
        held = np.where(begins, 0.0, held) + np.where(
            used[:, column], reference_shares[:, column], 0
        )
        group[:, column] = current
    return group


def merged_shares(shares_of_bins: Floats, group: Indices) -> Floats:
    """Return the shares (R x W) of each group of bins, 0 beyond the last group."""
    found = np.zeros(group.shape)
    rows = np.broadcast_to(np.arange(len(group))[:, None], group.shape)
    np.add.at(found, (rows, group), shares_of_bins)
    return found


def chi2_998(degrees: Indices) -> Floats:
    """Return the 99.8% point of chi-squared (Wilson and Hilferty 1931, within 1%)."""
    part = 2.0 / (9.0 * degrees)
    return np.asarray(degrees * (1.0 - part + 2.8782 * np.sqrt(part)) ** 3)


def ks_by_row(p: Floats, q: Floats) -> Floats:
    """Return D of each row: the largest difference of the cumulative shares (… x W)."""
    return np.asarray(np.abs(np.cumsum(p - q, axis=-1)).max(axis=-1, initial=0.0))


def title(reference: DriftReference) -> str:
    """Return how a method names a reference: file, rows, day, bins."""
    day = datetime.fromtimestamp(reference.taken_at, UTC).strftime("%Y-%m-%d")
    return f"{reference.name} (n={reference.n:.0f}, {day}), {len(reference.edges)} bins"


def shares_by_row(counts: Floats, used: Mask) -> tuple[Floats, NDArray[np.int64]]:
    """Return shares that sum to 1 over each row's used bins, and how many were lifted to 1e-4.

    The same as `console.evaluation.drift.shares` for each row of ``counts`` (… x W). Rows without
    counts are NaN; unused bins are 0.
    """
    totals = counts.sum(axis=-1, keepdims=True, where=used)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(used, counts / np.where(totals > 0, totals, np.nan), 0.0)
    empty = used & (part < EMPTY_SHARE)
    lifted = np.where(empty, EMPTY_SHARE, part)
    return lifted / lifted.sum(axis=-1, keepdims=True), empty.sum(axis=-1)


def psi_by_row(p: Floats, q: Floats, used: Mask) -> Floats:
    """Return the population stability index of each row: sum of (q - p) ln(q / p) over its bins."""
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(used, (q - p) * np.log(q / p), 0.0)
    total: Floats = parts.sum(axis=-1)
    return total


NO_TRAFFIC = "nothing was asked of the model in this window"


def measures(reference: DriftReference, counts: Sequence[float] | Floats) -> DriftMeasures:
    """Return how far ``counts`` (predictions, one a bin of the reference) are from it.

    Raises ValueError where nothing was counted.
    """
    q, empty_now = shares(counts)
    p, empty_before = shares(reference.shares)
    m = float(np.sum(np.asarray(counts, dtype=np.float64)))
    group = bin_groups(p[None], np.ones((1, len(p)), dtype=np.bool_))
    groups = int(group.max()) + 1
    distance = psi(
        merged_shares(p[None], group)[0, :groups], merged_shares(q[None], group)[0, :groups]
    )
    noise = (1.0 / reference.n + 1.0 / m) * float(chi2_998(np.array([max(1, groups - 1)]))[0])
    sigma, is_bound = equivalent_sigma(distance)
    try:
        moved: float | None = wasserstein(p, q, centres(reference.edges))
    except ValueError:
        moved = None
    return DriftMeasures(
        psi=distance,
        floor=max(PSI_LITTLE, noise),
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
