"""One row of a Snapshot, read for display."""

from __future__ import annotations

from math import isclose, nan
from typing import TYPE_CHECKING

from console.domain.severity import Breaker, BreakerState, Finding, Route, Severity
from console.domain.signals import HIGHER_OF, NO_DATA, TOP_OF, Reading, ReadingState

if TYPE_CHECKING:
    from console.domain.incident import Hold
    from console.domain.model import ModelRow
    from console.domain.snapshot import Dependency, Snapshot

WITH_VALUE = (ReadingState.OK, ReadingState.STALE)
"""States in which a reading has a value."""

ROLE_OF: dict[Severity, str] = {
    Severity.S1: "s1",
    Severity.S2: "s2",
    Severity.S3: "s3",
    Severity.S4: "s4",
    Severity.UNKNOWN: "unknown",
    Severity.UNJUDGED: "unjudged",
    Severity.OK: "ok",
}

_SUBJECTS = (
    ("burn", "burn"), ("budget", "left"), ("breaker", "brk"), ("residency", "rg"),
    ("review", "review"), ("spend", "pace"), ("off_primary", "route"), ("canary", "route"),
    ("dependency", "att"), ("retry", "att"), ("low_confidence", "lowc"), ("drift", "drift"),
    ("latency", "lat"), ("no_owner", "who"), ("changed", "route"), ("ece", "lowc"),
)  # fmt: skip
"""Which column a rule is about, by how the rule's id begins."""


def subject_of(rule: str) -> str:
    """Return the column a rule is about, empty for none."""
    return next((column for start, column in _SUBJECTS if rule.startswith(start)), "")


class RowView:
    """A row with its findings at hand; made for visible rows only, dropped after the paint."""

    __slots__ = ("_levels", "_readings", "findings", "row", "snapshot")

    def __init__(self, snapshot: Snapshot, row: int) -> None:
        self.snapshot = snapshot
        self.row = row
        self.findings: tuple[Finding, ...] = snapshot.findings.get(row, ())
        self._levels: dict[str, Severity] = {}
        self._readings: dict[str, Reading] = {}
        for finding in self.findings:
            column = subject_of(finding.rule)
            level = finding.level if finding.recovering_since is None else Severity.S4
            self._levels[column] = min(level, self._levels.get(column, Severity.OK))

    @property
    def model(self) -> ModelRow:
        """The static side of the row."""
        return self.snapshot.rows[self.row]

    @property
    def severity(self) -> Severity:
        """The row's level."""
        return self.snapshot.severity(self.row)

    @property
    def role(self) -> str:
        """The role of the row's level."""
        return "planned" if self.planned else ROLE_OF[self.severity]

    @property
    def planned(self) -> bool:
        """Whether an owned override explains the trouble; an S1 is never hidden by it."""
        return self.row in self.snapshot.planned and self.severity is not Severity.S1

    @property
    def hold(self) -> Hold | None:
        """Who has an incident that touches the row, the longest."""
        if not self.snapshot.care:
            return None
        from console.domain.incident import hold_on  # not before the first frame

        return hold_on(self.snapshot.care, self.model.model)

    @property
    def recovering(self) -> bool:
        """Whether what gives the row its level is over for its users."""
        return self.row in self.snapshot.recovering

    @property
    def level_before(self) -> Severity:
        """The level of what is over for the row's users, as it was while it hurt."""
        over = (each.level for each in self.findings if each.recovering_since is not None)
        return min(over, default=self.severity)

    @property
    def unknown(self) -> bool:
        """Whether nobody can say how the row is doing."""
        return self.severity is Severity.UNKNOWN

    @property
    def breaker(self) -> Breaker:
        """The row's own breaker."""
        return self.snapshot.breaker(self.row)

    @property
    def route(self) -> Route:
        """Where its traffic goes."""
        return self.snapshot.route(self.row)

    @property
    def top(self) -> Finding | None:
        """The finding that gives the row its level: the worst, of these the oldest."""
        return min(self.findings, key=lambda found: (found.level, found.since), default=None)

    def role_of(self, column: str) -> str:
        """Return the role of a column's cell: a level's when a rule about it holds."""
        level = self._levels.get(column)
        return "ok" if level is None else ROLE_OF[level]

    def holds(self, column: str) -> bool:
        """Tell whether a rule about this column holds."""
        return column in self._levels

    def reading(self, signal: str) -> Reading:
        """Return the row's reading of a signal."""
        known = self._readings.get(signal)
        if known is None:
            known = self._readings[signal] = self.snapshot.reading(signal, self.row)
        return known

    def glance(self, signal: str) -> tuple[int, float]:
        """Return state code and value (NaN without one), without making a Reading.

        A table asks for a thousand of these a tick.
        """
        column = self.snapshot.columns.get(signal)
        if column is None:
            return ReadingState.NO_DATA, nan
        return int(column.states.item(self.row)), column.values.item(self.row)

    def value(self, signal: str) -> float | None:
        """Return the current or last known value of a signal, None without one."""
        state, value = self.glance(signal)
        return value if state in WITH_VALUE else None

    def is_bound(self, signal: str) -> bool:
        """Tell whether a percentile lies in its open top bucket: it is at least what it says.

        It then equals the last finite edge, which is asked for once a minute, and any higher
        percentile of the same tick. Without an edge it comes from no buckets.
        """
        top = TOP_OF.get(signal)
        value = None if top is None else self.value(signal)
        edge = None if top is None else self.value(top)
        if value is None or edge is None:
            return False
        higher = self.value(HIGHER_OF[signal]) if signal in HIGHER_OF else None
        return any(
            other is not None and isclose(value, other, rel_tol=1e-9) for other in (edge, higher)
        )

    def base(self, signal: str) -> float | None:
        """Return what is normal for a signal."""
        return self.snapshot.baseline(signal, self.row)

    def latency(self) -> tuple[str, Reading]:
        """Return the latency worth showing: TTFT for an LLM, p95, or the mean."""
        best = ("latency_p95", NO_DATA)
        for signal in ("ttft_p95", "latency_p95", "latency_mean"):
            reading = self.reading(signal)
            if reading.value is not None:
                return signal, reading
            if best[1].state is ReadingState.NO_DATA:
                best = (signal, reading)
        return best

    def dependencies(self) -> tuple[Dependency, ...]:
        """Return the dependencies this model is known to use, culprits first."""
        name = self.model.model
        used = [
            dependency
            for dependency in self.snapshot.dependencies
            if name in dependency.models or dependency.name in self.model.dependencies
        ]
        return tuple(sorted(used, key=lambda dependency: not dependency.culprit))


OPEN_STATES = (BreakerState.OPEN, BreakerState.FORCED_OPEN)


ON_PRIMARY = ("", "L0")
"""Levels at which the primary itself answers; empty is not known."""


def off_primary(route: Route) -> bool:
    """Tell whether traffic is known to go elsewhere than to the primary at level L0."""
    return route.known and route.level not in ON_PRIMARY
