"""All declared references laid out in arrays, made once and kept while the rows stay the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from console.fleet.drift import CHI2_95_BY_DEGREES, EMPTY_SHARE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.facts.drift import DriftReference
    from console.facts.model import ModelRow

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The references of R rows, padded to the W bins of the widest.

    ``rows`` are row numbers, ``place`` the place among the R of every row (-1 without one),
    ``place_of`` the same by model name.
    ``inner`` (R x W) are upper edges that a histogram must have: all but the last bin's, NaN
    elsewhere. ``used`` (R x W) marks bins, ``shares`` (R x W) are floored and sum to 1 over them.
    ``chi2`` (R) is the 95% point that noise is judged by.
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
        chi2=np.array([CHI2_95_BY_DEGREES[int(bins) - 1] for bins in bins_of], dtype=np.float64),
        titles=tuple(map(title, listed)),
    )


def title(reference: DriftReference) -> str:
    """Return how a method names a reference: file, rows, day, bins."""
    day = datetime.fromtimestamp(reference.taken_at, UTC).strftime("%Y-%m-%d")
    return f"{reference.name} (n={reference.n:.0f}, {day}), {len(reference.edges)} bins"


def shares_by_row(counts: Floats, used: Mask) -> tuple[Floats, NDArray[np.int64]]:
    """Return shares that sum to 1 over each row's used bins, and how many were lifted to 1e-4.

    The same as `console.fleet.drift.shares` for each row of ``counts`` (… x W). Rows without
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
