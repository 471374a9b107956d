"""Arrays of everything a rule may look at, and three-valued logic over them: yes, no, unknown.

A comparison with a missing value is neither yes nor no, and stays that way through ``&`` and
``|`` (Kleene's strong logic), so that an unknown can never turn into "fine" on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import UNKNOWN_ROUTE, BreakerState, ReplicaShare, Route
from console.domain.signals import BURN_WINDOWS, SIGNALS, ReadingState
from console.evaluation.replicas import ReplicaFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from console.domain.alert import Alert
    from console.domain.incident import Hold
    from console.domain.severity import Finding
    from console.evaluation.dependencies import BreakerFacts, Judged
    from console.evaluation.derive import Asked, Derived
    from console.evaluation.observations import Statics
    from console.evaluation.override_rows import HeldFacts
    from console.evaluation.row_labels import Attempts, RouteFacts

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative slack of a limit: 0.0144 / 0.001 must count as 14.4."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Masks of the rows where something holds and where it does not; neither means unknown."""

    yes: Mask
    no: Mask

    @property
    def unknown(self) -> Mask:
        """Return the rows that cannot be judged."""
        mask: Mask = ~(self.yes | self.no)
        return mask

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes)

    def given(self, known: Mask) -> Truth:
        """Return the same truth, unknown wherever ``known`` is false."""
        return Truth(self.yes & known, self.no & known)


def certain(mask: Mask) -> Truth:
    """Return a truth that is known for every row."""
    return Truth(mask, ~mask)


def at_least(values: Floats, limit: Floats | float) -> Truth:
    """Compare ``values >= limit``; NaN on either side is unknown."""
    slack = np.asarray(limit, dtype=np.float64) * (1.0 - ROUNDING)
    return Truth(values >= slack, values < slack)


def above(values: Floats, limit: Floats | float) -> Truth:
    """Compare ``values > limit``; NaN on either side is unknown."""
    return Truth(values > limit, values <= limit)


TICK_SIGNALS = tuple(name for name, fact in SIGNALS.items() if not fact.slow and not fact.derived)
"""Signals of every tick: one of them answering is what "there is data" means.

Slow signals do not count, because windows of hours keep answering for a model that is gone.
"""

ESSENTIAL = ("requests_rate", "error_ratio", "error_ratio@5m", "error_ratio@1h")
"""Without a current answer to these a row that looks quiet is not known to be well."""

_PRESENT = (ReadingState.OK, ReadingState.NO_TRAFFIC, ReadingState.TOO_FEW)
_DOUBTFUL = (ReadingState.STALE, ReadingState.ERROR)


@dataclass(frozen=True, slots=True)
class ProofFacts:
    """By row: a proof of readiness that ended or is about to, and a gate closed since a sign-off.

    ``unknown`` are the rows whose gates could not be looked at.
    """

    ending: Mapping[int, Finding] = field(default_factory=dict)
    closed: Mapping[int, Finding] = field(default_factory=dict)
    unknown: frozenset[int] = frozenset()


NOTHING_PROVEN = ProofFacts()


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known at ``now`` (Unix seconds) and, of the time before, what memory kept.

    ``absent_since`` is when a row was first seen without data (NaN while it has some),
    ``changed_at`` when version, code or data last changed (NaN not seen). ``alerts`` has the alerts
    that fire for a row, worst first; only with ``alerts_whole`` does an absent one mean none.
    ``holds`` are the incidents of a row that somebody holds, the oldest first.
    ``overdue`` is what decisions nobody reviewed in time say of a row; only with ``record_read``
    does an absent one mean none. ``proofs`` is what ends of readiness.
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
    proofs: ProofFacts = NOTHING_PROVEN
    record_read: bool = True
    replicas: ReplicaFacts = field(default_factory=ReplicaFacts)
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
