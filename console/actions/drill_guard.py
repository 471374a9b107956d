"""Decides whether a drill may begin, watches what it does, and tells when it does harm."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from console.domain.action import Guard
from console.domain.severity import BreakerState, Severity
from console.domain.shift import in_hours, zone_named
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.snapshot import Snapshot
    from console.settings.schema import Settings

HARM_BUDGET_SHARE = 0.01
"""Share of the error budget of 30 days that a drill may spend before it is ended."""

LEAST_HARM = 10.0
"""Bad requests that no drill is ended for, however little traffic there is."""

BLIND_TICKS = 2
"""Ticks in a row without the model's numbers after which nobody watches any more."""

_MONTH_SECONDS = 30 * 86400.0


def drill_guards(
    settings: Settings, snapshot: Snapshot | None, model: str, now: float
) -> tuple[Guard, ...]:
    """Return what speaks against a drill now (Unix seconds); ``refuse`` needs break-glass."""
    return (*_hours(settings, now), *_state(settings, snapshot, model))


def _hours(settings: Settings, now: float) -> Iterator[Guard]:
    hours = settings.readiness.drill_hours
    if hours and not in_hours(now, hours, zone_named(settings.shift.zone)):
        yield Guard(
            "drill_hours",
            "refuse",
            f"drills run from {hours[0]} to {hours[-1]} (readiness.drill_hours)",
        )


def _state(settings: Settings, snapshot: Snapshot | None, model: str) -> Iterator[Guard]:
    row = None if snapshot is None else snapshot.index.get(model)
    if snapshot is None or row is None:
        yield Guard("drill_blind", "warn", "no numbers of the model: harm would not be seen")
        return
    level = snapshot.severity(row)
    if level in (Severity.S1, Severity.S2):
        yield Guard("drill_hurting", "refuse", f"{visible(model, 60)} is {level.label} now")
    elif level is Severity.UNKNOWN:
        yield Guard("drill_unknown", "refuse", f"nobody knows how {visible(model, 60)} is now")
    for incident in snapshot.incidents:
        if incident.open and (model in incident.models or incident.severity is Severity.S1):
            title = visible(incident.title, 80)
            yield Guard("drill_incident", "refuse", f"an incident is open: {title}")
            break
    left = snapshot.reading("budget_left", row)
    if not left.known or left.value is None:
        yield Guard("drill_budget", "warn", "how much error budget is left is not known")
    elif left.value < settings.readiness.drill_budget:
        yield Guard(
            "drill_budget",
            "refuse",
            f"{left.value:.0%} of the error budget is left, a drill asks for "
            f"{settings.readiness.drill_budget:.0%}",
        )


class DrillWatch:
    """What the console itself sees of a drill, tick by tick.

    Times are monotonic seconds. ``began`` marks when the change was sent, ``returned`` when it was
    taken back.
    """

    def __init__(self, model: str, what: str, before: Snapshot | None) -> None:
        self.model = model
        self.what = what
        self.began: float | None = None
        self.returned: float | None = None
        self.detected: float | None = None
        self.recovered: float | None = None
        self.bad_requests = 0.0
        self.abort = ""
        self._before = None if before is None else _state_of(before, model)
        self._limit = _harm_limit(before, model)
        self._last_at: float | None = None
        self._had_data = False
        self._blind_ticks = 0

    @property
    def sees(self) -> bool:
        """Tell whether there are numbers to watch by at all."""
        return self._before is not None

    @property
    def ready(self) -> bool:
        """Tell whether the console that watches has seen the model, or has nothing to watch by."""
        return self._had_data or not self.sees

    @property
    def detect_seconds(self) -> float | None:
        """Seconds from the change to the first look that showed it."""
        return _between(self.began, self.detected)

    @property
    def recover_seconds(self) -> float | None:
        """Seconds from the way back to the first look that was as before."""
        return _between(self.returned, self.recovered)

    def take(self, snapshot: Snapshot) -> None:
        """Take one tick of the console."""
        now = time.monotonic()
        state = _state_of(snapshot, self.model)
        seen = _has_data(snapshot, self.model)
        self._had_data = self._had_data or seen
        if self.began is None or state is None or self._before is None:
            return
        changed = seen and in_effect(self.what, state, self._before)
        if self.returned is None and self.detected is None and changed:
            self.detected = now
        if self.returned is not None and self.recovered is None and state == self._before:
            self.recovered = now
        self._count_harm(snapshot)

    def _count_harm(self, snapshot: Snapshot) -> None:
        if self.abort:
            return
        row = snapshot.index[self.model]
        blind = self._had_data and not _has_data(snapshot, self.model)
        self._blind_ticks = self._blind_ticks + 1 if blind else 0
        if self._blind_ticks >= BLIND_TICKS:
            self.abort = "its numbers are gone: harm could not be seen any more"
            return
        bad = snapshot.reading("bad_rate", row)
        since, self._last_at = self._last_at, snapshot.taken_at
        if bad.known and bad.value is not None and since is not None:
            self.bad_requests += bad.value * max(0.0, snapshot.taken_at - since)
        if self.bad_requests > self._limit:
            self.abort = (
                f"about {self.bad_requests:.0f} bad requests, more than {HARM_BUDGET_SHARE:.0%} of "
                "the month's error budget"
            )


def _harm_limit(snapshot: Snapshot | None, model: str) -> float:
    """Return how many bad requests end a drill: a share of the month's error budget.

    0.01 x (1 - SLO) x requests a second x 30 days, and never under `LEAST_HARM`.
    """
    row = None if snapshot is None else snapshot.index.get(model)
    if snapshot is None or row is None:
        return math.inf
    rate = snapshot.reading("requests_rate", row).value or 0.0
    allowance = 1.0 - snapshot.rows[row].objectives.availability_ratio
    return max(LEAST_HARM, HARM_BUDGET_SHARE * allowance * rate * _MONTH_SECONDS)


def _has_data(snapshot: Snapshot, model: str) -> bool:
    row = snapshot.index.get(model)
    return row is not None and snapshot.severity(row) is not Severity.UNKNOWN


def _state_of(snapshot: Snapshot, model: str) -> tuple[BreakerState, str, str] | None:
    """Return breaker, route and version of a row, None where it is not there."""
    row = snapshot.index.get(model)
    if row is None:
        return None
    return snapshot.breaker(row).state, snapshot.route(row).target, snapshot.rows[row].version


def in_effect(
    what: str, state: tuple[BreakerState, str, str], before: tuple[BreakerState, str, str]
) -> bool:
    """Tell whether what the console shows has changed as this kind of drill should change it."""
    place = {"breaker": 0, "fallback": 1, "human": 1}.get(what)
    return state != before if place is None else state[place] != before[place]


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)
