"""Protocol of stored samples, and quantiles of classic histograms as Prometheus 2.42 computes
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.metrics.labels import Keys, Matcher

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Places = NDArray[np.intp]

Labels = tuple[tuple[str, str], ...]
LOOKBACK_SECONDS = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Samples of S series within a span, both ends included, staleness marks left out.

    ``labels`` has S entries sorted by label name, without the metric name; a store hands out the
    identical tuple again while its series do not change. ``times`` (Unix seconds, whole
    milliseconds) and ``values`` are S x T; row i has ``counts[i]`` samples, oldest first, in
    its first places, and what stands behind them is not read. Rows may be empty.
    """

    labels: tuple[Labels, ...]
    times: Floats
    values: Floats
    counts: Counts

    def last_times(self) -> Floats:
        """Return when each series had its last sample (S entries); minus infinity without one."""
        if not self.times.size:
            return np.full(len(self.counts), -np.inf)
        last = self.times[np.arange(len(self.counts)), np.maximum(self.counts - 1, 0)]
        return np.where(self.counts > 0, last, -np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """The last values of S series at a moment; series that are stale are left out.

    ``labels`` as in `Window`; ``values`` has S entries.
    """

    labels: tuple[Labels, ...]
    values: Floats


class SampleStore(Protocol):
    """Where samples are kept; ``matchers`` are conditions on labels, all of which must hold."""

    def window(
        self, metric: str, matchers: tuple[Matcher, ...], start: float, end: float
    ) -> Window:
        """Return the samples of all matching series from ``start`` to ``end``, Unix seconds."""
        ...

    def latest(self, metric: str, matchers: tuple[Matcher, ...], at: float) -> Latest:
        """Return each matching series' last value at ``at``.

        A series is absent when a later scrape no longer had it, or its last sample is older
        than `LOOKBACK_SECONDS`.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class BucketLayout:
    """How S bucket series form H histograms of at most B buckets.

    ``edges`` is H x B, ascending, NaN behind ``widths[h]`` buckets; series ``used[i]`` goes to
    place ``place[i]`` of the flattened H x B counts. Series whose ``le`` is no number are
    left out.
    """

    keys: Keys
    edges: Floats
    widths: Places
    used: Places
    place: Places

    def counts(self, values: Floats) -> Floats:
        """Return H x B cumulative counts from one value a series; equal edges are summed."""
        weights = values[self.used]
        flat = np.bincount(self.place, weights, self.edges.size).astype(np.float64, copy=False)
        return flat.reshape(self.edges.shape)


def bucket_layout(labels: tuple[Labels, ...], by: tuple[str, ...]) -> BucketLayout:
    """Work out the histograms that bucket series with these labels form, grouped by ``by``."""
    histograms: dict[tuple[str, ...], dict[float, list[int]]] = {}
    for index, series in enumerate(labels):
        values = dict(series)
        edge = _edge(values.get("le", ""))
        if edge is not None:
            key = tuple(values.get(label, "") for label in by)
            histograms.setdefault(key, {}).setdefault(edge, []).append(index)
    widest = max((len(buckets) for buckets in histograms.values()), default=0)
    edges = np.full((len(histograms), widest), np.nan)
    widths = np.zeros(len(histograms), dtype=np.intp)
    used: list[int] = []
    place: list[int] = []
    for row, buckets in enumerate(histograms.values()):
        widths[row] = len(buckets)
        for column, edge in enumerate(sorted(buckets)):
            edges[row, column] = edge
            used += buckets[edge]
            place += [row * widest + column] * len(buckets[edge])
    return BucketLayout(
        tuple(histograms),
        edges,
        widths,
        np.array(used, dtype=np.intp),
        np.array(place, dtype=np.intp),
    )


def _edge(text: str) -> float | None:
    try:
        edge = float(text)
    except ValueError:
        return None
    return None if edge != edge else edge


def quantiles(q: float, layout: BucketLayout, counts: Floats) -> Floats:
    """Return each histogram's quantile ``q`` (0-1), H entries.

    NaN without a ``+Inf`` bucket, with fewer than two buckets, or without observations. In the
    top bucket it is that bucket's lower edge, a lower bound. Counts that fall are raised to
    the largest before them. Source: ``bucketQuantile`` of Prometheus 2.42.
    """
    edges, widths = layout.edges, layout.widths
    result = np.full(len(widths), np.nan)
    if not edges.size:
        return result
    rows = np.arange(len(widths))
    usable = (widths >= 2) & np.isposinf(edges[rows, np.maximum(widths - 1, 0)])
    odd = np.isnan(counts).any(axis=1)
    rising = np.maximum.accumulate(counts, axis=1)
    top = np.maximum(widths - 1, 0)
    total = rising[rows, top]
    rank = q * total
    usable &= total != 0
    # The +Inf bucket is not searched: what none of the others holds is in it.
    searched = np.arange(edges.shape[1]) < top[:, None]
    holds = searched & (rising >= rank[:, None])
    found = np.where(holds.any(axis=1), holds.argmax(axis=1), top)
    below = np.maximum(found - 1, 0)
    first = found == 0
    start = np.where(first, 0.0, edges[rows, below])
    under = np.where(first, 0.0, rising[rows, below])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (rank - under) / (rising[rows, found] - under)
        inside = start + (edges[rows, found] - start) * share
    value = np.where(first & (edges[rows, 0] <= 0), edges[rows, 0], inside)
    value = np.where(found == top, edges[rows, np.maximum(top - 1, 0)], value)
    result[usable] = value[usable]
    for row in np.flatnonzero(odd & (widths >= 2)):
        width = widths[row]
        result[row] = _with_unknown_counts(q, edges[row, :width], counts[row, :width])
    return result


def _with_unknown_counts(q: float, edges: Floats, counts: Floats) -> float:
    """Return a quantile of one histogram with NaN counts, searched in halves as a server does."""
    if not np.isposinf(edges[-1]):
        return float("nan")
    counts = counts.copy()
    largest = counts[0]
    for place in range(1, len(counts)):
        if counts[place] > largest:
            largest = counts[place]
        elif counts[place] < largest:
            counts[place] = largest
    if counts[-1] == 0:
        return float("nan")
    rank = q * counts[-1]
    found, end = 0, len(counts) - 1
    while found < end:
        middle = (found + end) // 2
        if counts[middle] >= rank:
            end = middle
        else:
            found = middle + 1
    if found == len(counts) - 1:
        return float(edges[-2])
    if found == 0:
        return float(edges[0] if edges[0] <= 0 else edges[0] * (rank / counts[0]))
    share = (rank - counts[found - 1]) / (counts[found] - counts[found - 1])
    return float(edges[found - 1] + (edges[found] - edges[found - 1]) * share)
