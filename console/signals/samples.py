"""What stored samples look like to the evaluation: the interface a store of scrapes offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.signals.matchers import Matcher

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

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
