"""One tick of the whole fleet, frozen: what every screen and report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from console.domain.entry import NO_RECORD, Record
from console.domain.proof import NO_PROOFS, Proofs
from console.domain.severity import (
    UNKNOWN_BREAKER,
    UNKNOWN_ROUTE,
    Breaker,
    Finding,
    Route,
    Severity,
)
from console.domain.signals import NO_DATA, Reading, ReadingState

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.alert import Incident
    from console.domain.decision import DecisionRecord
    from console.domain.incident import Care
    from console.domain.model import ModelRow, Registered
    from console.domain.samples import SourceStatus

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class SignalColumn:
    """One signal of all rows; every array has one entry a row of the Snapshot.

    ``values`` is NaN where there is no value, ``states`` holds `ReadingState` codes, ``at``
    Unix seconds (NaN unknown), ``n`` samples (NaN unknown), ``window_seconds`` NaN for gauges,
    ``method_index`` points into ``methods``. ``history_seconds`` (None: nowhere) has a number
    where an entry is no_data only because the history is shorter than the window.
    """

    values: Floats
    states: Codes
    at: Floats
    n: Floats
    window_seconds: Floats
    method_index: Codes
    methods: tuple[str, ...] = ("",)
    history_seconds: Floats | None = None

    def reading(self, row: int) -> Reading:
        """Return one row's entry as a Reading."""
        state = ReadingState(int(self.states[row]))
        has_value = state in (ReadingState.OK, ReadingState.STALE)
        return Reading(
            state=state,
            value=float(self.values[row]) if has_value else None,
            at=_known(self.at[row]),
            window_seconds=_known(self.window_seconds[row]),
            n=_known(self.n[row]),
            method=self.methods[int(self.method_index[row])],
            history_seconds=None
            if self.history_seconds is None
            else _known(self.history_seconds[row]),
        )


def _known(value: np.float64) -> float | None:
    number = float(value)
    return None if number != number else number


@dataclass(frozen=True, slots=True)
class Dependency:
    """A shared thing models call; ``state`` is ok, degraded, down or unknown.

    ``culprit`` marks the dependency named above the symptoms of the models it serves.
    """

    name: str
    state: str = "unknown"
    error_ratio: Reading = NO_DATA
    attempts_per_request: Reading = NO_DATA
    latency_p95: Reading = NO_DATA
    breaker: Breaker = UNKNOWN_BREAKER
    models: tuple[str, ...] = ()
    owner: str = ""
    culprit: bool = False
    text: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica of a model by pod or instance, with its signals over the last two minutes.

    ``odd`` is how it stands out of its siblings: failing, slow, queueing; empty where it does not.
    """

    place: str
    values: Mapping[str, float]
    odd: str = ""


CauseConfidence = Literal["likely", "possible", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Cause:
    """What brought a model's trouble about, as far as counts and times tell.

    ``name`` is a dependency's, or the model's own for a change of its own (``kind`` "change");
    empty where nothing is named: "none" was looked for and not found, "unknown" could not be
    judged. ``evidence`` are the reasons, ``also`` what is possible beside it, ``since`` when it
    began (Unix seconds, None before the first look). ``over`` tells that users are no longer hurt.
    ``most_bad`` is the largest share (0-1) of its calls that failed.
    """

    name: str = ""
    kind: Literal["dependency", "change", ""] = ""
    confidence: CauseConfidence = "none"
    evidence: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    since: float | None = None
    over: bool = False
    most_bad: float = 0.0

    @property
    def text(self) -> str:
        """Return the sentence: how sure, what, why, and what else it may be."""
        if not self.name:
            return "; ".join(("no shared cause seen", *self.evidence, *self._others()))
        word = f"was {self.confidence}" if self.over else self.confidence
        why = ", ".join(self.evidence[:2])
        return "; ".join((f"{word}: {why}", *self.evidence[2:], *self._others()))

    def _others(self) -> tuple[str, ...]:
        return (f"also possible: {', '.join(self.also)}",) if self.also else ()


ChangeKind = Literal[
    "world",  # a deploy, a version, a configuration: somebody's doing
    "written",  # the same, as somebody wrote it into the journal
    "breaker",
    "route",
    "dependency",  # one turned bad or well
    "source",
    "override",
    "level",  # a row's severity
]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed in the world, as one sentence at a time (Unix seconds)."""

    at: float
    subject: str
    text: str
    kind: ChangeKind = "world"


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One tick of the fleet.

    ``rows`` are in name order and ``order`` (int64) lists row indices by rank, worst first.
    ``severities`` holds `Severity` codes. ``findings`` has an entry only for rows with any.
    ``planned`` marks rows whose trouble an owned, unexpired override explains, ``recovering``
    those whose level comes from rules that are over for users.
    ``pending`` names rules that one evaluation could not decide (a run without memory).
    ``incidents`` are the most urgent first, ``alert_sources`` the places that tell of them;
    ``changes`` are the newest first, ``change_sources`` the places beside metrics that tell them.
    ``overrides`` are in force as ``record``, the journal, tells them, the oldest first; ``care``
    is what people did about each incident, by its id, and ``decisions`` are all that still count.
    ``registry`` is what model registries said last, by model, for those that declare one.
    ``proofs`` are what the journal says of readiness: attestations, drills, sign-offs.
    ``causes`` names what hurts a row, for rows that fail or are slow. ``replicas`` are those of
    rows that have several.
    """

    environment: str
    taken_at: float
    tick: int
    rows: tuple[ModelRow, ...]
    columns: Mapping[str, SignalColumn]
    severities: Codes
    order: NDArray[np.int64]
    findings: Mapping[int, tuple[Finding, ...]] = field(default_factory=dict)
    planned: frozenset[int] = frozenset()
    recovering: frozenset[int] = frozenset()
    breakers: Mapping[int, Breaker] = field(default_factory=dict)
    routes: Mapping[int, Route] = field(default_factory=dict)
    baselines: Mapping[str, Floats] = field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()
    sources: tuple[SourceStatus, ...] = ()
    changes: tuple[Change, ...] = ()
    pending: Mapping[int, tuple[Finding, ...]] = field(default_factory=dict)
    index: Mapping[str, int] = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()
    alert_sources: tuple[SourceStatus, ...] = ()
    change_sources: tuple[SourceStatus, ...] = ()
    overrides: tuple[Override, ...] = ()
    record: Record = NO_RECORD
    care: Mapping[str, Care] = field(default_factory=dict)
    decisions: tuple[DecisionRecord, ...] = ()
    registry: Mapping[str, Registered] = field(default_factory=dict)
    proofs: Proofs = NO_PROOFS
    causes: Mapping[int, Cause] = field(default_factory=dict)
    replicas: Mapping[int, tuple[Replica, ...]] = field(default_factory=dict)

    def reading(self, signal: str, row: int) -> Reading:
        """Return a row's reading of a signal; no_data where nobody measures it."""
        column = self.columns.get(signal)
        return NO_DATA if column is None else column.reading(row)

    def severity(self, row: int) -> Severity:
        """Return a row's level."""
        return Severity(int(self.severities[row]))

    def breaker(self, row: int) -> Breaker:
        """Return a row's own breaker."""
        return self.breakers.get(row, UNKNOWN_BREAKER)

    def route(self, row: int) -> Route:
        """Return where a row's traffic goes."""
        return self.routes.get(row, UNKNOWN_ROUTE)

    @property
    def places(self) -> tuple[SourceStatus, ...]:
        """Return everything that is read beside the sources: for alerts, and for changes."""
        return (*self.alert_places, *self.change_sources)

    @property
    def alert_places(self) -> tuple[SourceStatus, ...]:
        """Return the places for alerts that are declared and read.

        Where none is declared the sources' own servers are asked; those stand among the sources.
        """
        names = {source.name for source in self.sources}
        return tuple(one for one in self.alert_sources if one.name not in names and not one.infos)

    def baseline(self, signal: str, row: int) -> float | None:
        """Return what is normal for this row (declared, or its own median of the last hours)."""
        column = self.baselines.get(signal)
        return None if column is None else _known(column[row])
