"""Drift as a service measures it: PSI of the last hour against a frozen reference."""

from collections import deque
from functools import cache
from statistics import NormalDist

import numpy as np

from console.demo.midwatch_series import SCORE_EDGES
from console.demo.requests import logit
from console.demo.scenario import ModelSpec
from console.demo.series_layout import Floats

BINS = 10
WINDOW_MINUTES = 60
EMPTY_SHARE = 1e-4
_FEATURE_LOADINGS = (1.1, 0.7, 0.35, 0.15, 0.05)


def normal_shares(edges: list[float], shift: float) -> Floats:
    """Return a normal's shares of B bins, moved by ``shift`` σ; ``edges`` are the inner ones."""
    below = [NormalDist(shift, 1.0).cdf(edge) for edge in edges]
    shares: Floats = np.diff(np.asarray([0.0, *below, 1.0]))
    return shares


@cache
def _decile_edges() -> tuple[float, ...]:
    return tuple(NormalDist().inv_cdf(step / BINS) for step in range(1, BINS))


@cache
def _score_edges(mean: float, spread: float) -> tuple[float, ...]:
    return tuple((logit(edge) - mean) / spread for edge in SCORE_EDGES[:-1])


def reference(model: ModelSpec) -> Floats:
    """Return the frozen reference, (1 + features, bins): the score, then each feature."""
    score = normal_shares(list(_score_edges(model.score_mean, model.score_spread)), 0.0)
    deciles = np.full((len(model.features), BINS), 1.0 / BINS)
    both: Floats = np.vstack((score[None, :], deciles))
    return both


def feature_shares(model: ModelSpec, shift: float) -> Floats:
    """Return the bin shares of each feature, (features, bins), when inputs moved by ``shift`` σ."""
    edges = list(_decile_edges())
    rows = [
        normal_shares(edges, shift * _FEATURE_LOADINGS[place % len(_FEATURE_LOADINGS)])
        for place in range(len(model.features))
    ]
    shares: Floats = np.asarray(rows).reshape(len(rows), BINS)
    return shares


def score_shares(model: ModelSpec, shift: float) -> Floats:
    """Return the bin shares of the score when inputs moved by ``shift`` σ."""
    return normal_shares(list(_score_edges(model.score_mean, model.score_spread)), shift)


def psi(counts: Floats, shares: Floats) -> Floats:
    """Return the population stability index over the last axis: Σ(q−p)·ln(q/p).

    ``counts`` (…, bins) are current, ``shares`` (…, bins) the reference; empty shares are floored
    at 1e-4. Without any sample the result is NaN.
    """
    totals = counts.sum(axis=-1, keepdims=True)
    q = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    q = np.maximum(q, EMPTY_SHARE)
    p = np.maximum(shares, EMPTY_SHARE)
    distance: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return distance


class DriftWindow:
    """Bin counts of the last hour, kept by minute: (1 + features, bins)."""

    def __init__(self, model: ModelSpec) -> None:
        self._reference = reference(model)
        self._minutes: deque[Floats] = deque()
        self._total: Floats = np.zeros_like(self._reference)
        self._open: Floats = np.zeros_like(self._reference)
        self._minute: int | None = None

    def add(self, now: float, counts: Floats) -> None:
        """Count one step's bins."""
        minute = int(now // 60)
        if self._minute is None:
            self._minute = minute
        if minute != self._minute:
            self._close()
            self._minute = minute
        self._open += counts
        self._total += counts

    def restore(self, minutes: list[Floats]) -> None:
        """Load closed minutes, oldest first, as history left them."""
        for counts in minutes[-WINDOW_MINUTES:]:
            self._minutes.append(counts)
            self._total += counts

    def measure(self) -> tuple[Floats, Floats]:
        """Return PSI and samples of the score and of each feature."""
        return psi(self._total, self._reference), self._total.sum(axis=-1)

    def _close(self) -> None:
        self._minutes.append(self._open)
        self._open = np.zeros_like(self._reference)
        while len(self._minutes) > WINDOW_MINUTES:
            self._total -= self._minutes.popleft()
