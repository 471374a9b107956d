"""A simulated service's circuit breaker, review queue and drift gauge."""

from collections import deque
from enum import IntEnum
from functools import cache
from statistics import NormalDist

import numpy as np

from console.demo.midwatch_series import SCORE_EDGES
from console.demo.requests import logit
from console.demo.scenario import BreakerRules, ModelSpec
from console.demo.server_metrics import Floats

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


class BreakerState(IntEnum):
    """The states in Resilience4j's gauge order."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    DISABLED = 3
    FORCED_OPEN = 4
    METRICS_ONLY = 5


_OVERRIDES = frozenset({BreakerState.DISABLED, BreakerState.FORCED_OPEN, BreakerState.METRICS_ONLY})


AUTOMATIC = "automatic"


class Breaker:
    """One breaker; ``now`` is Unix seconds, ``until`` the end of a state set by hand.

    ``opened_on`` are the calls and failures it last opened on by itself.
    """

    def __init__(self, rules: BreakerRules, now: float) -> None:
        self.rules = rules
        self.state = BreakerState.CLOSED
        self.since = now
        self.by = AUTOMATIC
        self.reason = ""
        self.until: float | None = None
        self.revision = 1
        self.opened_on = (0, 0)
        self._window: deque[tuple[float, int, int]] = deque()
        self._calls = 0
        self._failures = 0
        self._probes_left = 0

    @property
    def refusing(self) -> bool:
        """True while no call may pass."""
        return self.state in (BreakerState.OPEN, BreakerState.FORCED_OPEN)

    @property
    def window(self) -> tuple[int, int]:
        """Calls and failures in the window that the next decision rests on."""
        return self._calls, self._failures

    def tick(self, now: float) -> None:
        """Let time act: end a forced state when it is due, and probe after the wait."""
        if self.until is not None and now >= self.until:
            ended_forced_open = self.state is BreakerState.FORCED_OPEN
            self._enter(BreakerState.HALF_OPEN if ended_forced_open else BreakerState.CLOSED, now)
        elif self.state is BreakerState.OPEN and now - self.since >= self.rules.wait_seconds:
            self._enter(BreakerState.HALF_OPEN, now)

    def admit(self, wanted: int) -> int:
        """Return how many of ``wanted`` calls may pass."""
        if self.refusing:
            return 0
        if self.state is BreakerState.HALF_OPEN:
            passing = min(wanted, self._probes_left)
            self._probes_left -= passing
            return passing
        return wanted

    def record(self, now: float, calls: int, failures: int) -> None:
        """Count finished calls and decide whether to open or to close."""
        if calls == 0 or self.state is BreakerState.DISABLED:
            return
        self._window.append((now, calls, failures))
        self._calls += calls
        self._failures += failures
        while self._window and now - self._window[0][0] >= self.rules.window_seconds:
            _, old_calls, old_failures = self._window.popleft()
            self._calls -= old_calls
            self._failures -= old_failures
        failing = self._failures >= self.rules.failure_ratio * self._calls
        if self.state is BreakerState.HALF_OPEN:
            if self._probes_left == 0 and self._calls >= self.rules.probes:
                self._enter(BreakerState.OPEN if failing else BreakerState.CLOSED, now)
        elif (
            self.state is BreakerState.CLOSED
            and self._calls >= self.rules.minimum_calls
            and failing
        ):
            self._enter(BreakerState.OPEN, now)

    def force(
        self,
        state: BreakerState,
        now: float,
        ttl_seconds: float | None,
        by: str = "operator",
        reason: str = "",
    ) -> None:
        """Set a state by hand; the end counts only for states that a hand can hold."""
        self._enter(state, now)
        self.by = by
        self.reason = reason
        if ttl_seconds is not None and state in _OVERRIDES:
            self.until = now + ttl_seconds

    def _enter(self, state: BreakerState, now: float) -> None:
        self.state = state
        self.since = now
        self.by = AUTOMATIC
        self.reason = ""
        self.until = None
        self.revision += 1
        if state is BreakerState.OPEN:
            self.opened_on = (self._calls, self._failures)
        self._window.clear()
        self._calls = 0
        self._failures = 0
        self._probes_left = self.rules.probes if state is BreakerState.HALF_OPEN else 0


REVIEW_SHARES = (0.86, 0.10, 0.04)
QUEUE_LIMIT = 50_000


class ReviewQueue:
    """Answers waiting for a person; ages are kept per simulated second, not per answer."""

    def __init__(self, capacity_per_second: float) -> None:
        self.capacity_per_second = capacity_per_second
        self.depth = 0
        self._waiting: deque[tuple[float, int]] = deque()

    def arrive(self, now: float, count: int) -> int:
        """Put answers into the queue and return how many found room."""
        taken = min(count, QUEUE_LIMIT - self.depth)
        if taken > 0:
            self._waiting.append((now, taken))
            self.depth += taken
        return max(0, taken)

    def clear(self, rng: np.random.Generator, seconds: float) -> int:
        """Let the reviewers work for ``seconds`` and return how many answers they cleared."""
        done = min(self.depth, int(rng.poisson(self.capacity_per_second * seconds)))
        left = done
        while left:
            at, count = self._waiting[0]
            if count > left:
                self._waiting[0] = (at, count - left)
                break
            left -= count
            self._waiting.popleft()
        self.depth -= done
        return done

    def oldest_seconds(self, now: float) -> float:
        """Return the age of the oldest waiting answer, 0 when none waits."""
        return max(0.0, now - self._waiting[0][0]) if self._waiting else 0.0

    def restore(self, now: float, depth: int, oldest_seconds: float) -> None:
        """Fill the queue as history left it, ages spread evenly up to the oldest."""
        self._waiting.clear()
        self.depth = depth
        for place in range(depth):
            age = oldest_seconds * (1.0 - place / depth)
            self._waiting.append((now - age, 1))
