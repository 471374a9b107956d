"""Everything a rule may look at, for all rows at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.facts.reading import ReadingState
from console.facts.severity import UNKNOWN_ROUTE, BreakerState, ReplicaShare, Route
from console.facts.signals import BURN_WINDOWS, SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from console.facts.alert import Alert
    from console.facts.care import Hold
    from console.facts.severity import Finding
    from console.fleet.breakers import BreakerFacts, Judged
    from console.fleet.derive import Asked, Derived
    from console.fleet.held import HeldFacts
    from console.fleet.labels import Attempts
    from console.fleet.routes import RouteFacts
    from console.fleet.statics import Statics
    from console.fleet.truth import Truth

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

TICK_SIGNALS = tuple(name for name, fact in SIGNALS.items() if not fact.slow and not fact.derived)
"""Signals of every tick: one of them answering is what "there is data" means.

Slow signals do not count, because windows of hours keep answering for a model that is gone.
"""

ESSENTIAL = ("requests_rate", "error_ratio", "error_ratio@5m", "error_ratio@1h")
"""Without a current answer to these a row that looks quiet is not known to be well."""

_PRESENT = (ReadingState.OK, ReadingState.NO_TRAFFIC, ReadingState.TOO_FEW)
_DOUBTFUL = (ReadingState.STALE, ReadingState.ERROR)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known at ``now`` (Unix seconds) and, of the time before, what memory kept.

    ``absent_since`` is when a row was first seen without data (NaN while it has some),
    ``changed_at`` when version, code or data last changed (NaN not seen). ``alerts`` has the alerts
    that fire for a row, worst first; only with ``alerts_whole`` does an absent one mean none.
    ``holds`` are the incidents of a row that somebody holds, the oldest first.
    ``overdue`` is what decisions nobody reviewed in time say of a row; only with ``record_read``
    does an absent one mean none.
    """

    now: float
    statics: Statics
    asked: Asked
    derived: Derived
    breakers: BreakerFacts
    routes: RouteFacts
    held: HeldFacts
    versions: Mapping[int, tuple[str, ...]]
    attempts: Attempts
    dependency_breakers: Mapping[str, Judged]
    has_data: Mask
    doubtful: Mask
    absent_since: Floats
    changed_at: Floats
    source_states: Mapping[str, str] = field(default_factory=dict)
    alerts: Mapping[int, tuple[Alert, ...]] = field(default_factory=dict)
    alerts_whole: bool = False
    holds: Mapping[int, tuple[Hold, ...]] = field(default_factory=dict)
    overdue: Mapping[int, Finding] = field(default_factory=dict)
    record_read: bool = True
    _values: dict[str, Floats] = field(default_factory=dict)
    _truths: dict[str, Truth] = field(default_factory=dict)

    def values(self, name: str) -> Floats:
        """Return current values of an asked column, NaN where there is none."""
        found = self._values.get(name)
        if found is None:
            found = self._values[name] = self.asked.values(name)
        return found

    def value(self, name: str, row: int) -> float:
        """Return one current value, NaN where there is none."""
        return float(self.values(name)[row])

    def lately(self, name: str) -> Floats:
        """Return requests_rate or bad_rate of the last 5 minutes, NaN unknown.

        The signals themselves look at a minute or less, so that what a key did is seen in
        ticks; of a model with a request now and then a rule would then say two things in turn.
        """
        requests = self.values("requests_count@5m") / BURN_WINDOWS["5m"]
        found = requests if name == "requests_rate" else requests * self.values("error_ratio@5m")
        return np.where(np.isfinite(found), found, self.values(name))

    def once(self, key: str, judge: Callable[[Evidence], Truth]) -> Truth:
        """Return a judgement that several rules share, made only once."""
        found = self._truths.get(key)
        if found is None:
            found = self._truths[key] = judge(self)
        return found

    def rho(self) -> Floats:
        """Return the review load of each row, NaN unknown."""
        return self.derived.columns["review_rho"].values

    def route(self, row: int) -> Route:
        """Return where a row's traffic goes."""
        return self.routes.by_row.get(row, UNKNOWN_ROUTE)

    def breaker(self, row: int) -> BreakerState:
        """Return the state of a row's own breaker."""
        return BreakerState(int(self.breakers.states[row]))

    def breaker_share(self, row: int) -> ReplicaShare:
        """Return how many replicas of a row's own breaker are in its state."""
        return self.breakers.shares.get(row, ReplicaShare())

    def mask(self, rows: Iterable[int]) -> Mask:
        """Return a mask that is true for ``rows``."""
        found = np.zeros(len(self.statics), dtype=np.bool_)
        found[list(rows)] = True
        return found


def rows_with_data(asked: Asked, rows: int) -> Mask:
    """Return the rows of which any signal of the tick has a current answer."""
    found = np.zeros(rows, dtype=np.bool_)
    for name in TICK_SIGNALS:
        states = asked.column(name).states
        for present in _PRESENT:
            found |= states == int(present)
    return found


def rows_in_doubt(asked: Asked, rows: int) -> Mask:
    """Return the rows whose essential signals are stale or failed."""
    found = np.zeros(rows, dtype=np.bool_)
    for name in ESSENTIAL:
        states = asked.column(name).states
        for doubt in _DOUBTFUL:
            found |= states == int(doubt)
    return found
