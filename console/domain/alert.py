"""What other systems call: one alert, and the incident that several of them make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from console.domain.severity import Severity

AlertState = Literal["firing", "pending", "suppressed", "resolved"]

OWN_SOURCE = "midwatch"
"""The source of the alerts that Midwatch's own rules raise."""

Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name, as they came: data that nobody may obey."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that covers an alert; texts are harmless to show, ``ends`` is Unix seconds.

    ``acknowledges`` follows karma's convention: the comment starts with ``ACK!``. ``known`` is
    False where only the id is known, because the silences could not be read.
    """

    id: str
    by: str = ""
    comment: str = ""
    ends: float | None = None
    acknowledges: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as one source told it; times are Unix seconds.

    ``labels`` are raw; ``name``, ``summary`` and ``runbook`` are harmless to show. ``model``,
    ``dependency`` and ``service`` are raw label values. ``severity`` is UNKNOWN where the label
    is missing or says what nobody agreed on. An alert that is only acknowledged still fires.
    ``stale`` marks the last word of a source that is away.
    """

    fingerprint: str
    source: str
    name: str
    state: AlertState
    severity: Severity
    since: float
    labels: Labels = ()
    ends: float | None = None
    summary: str = ""
    runbook: str = ""
    model: str = ""
    dependency: str = ""
    service: str = ""
    severity_text: str = ""
    silences: tuple[Silence, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()
    stale: bool = False

    @property
    def acknowledgement(self) -> Silence | None:
        """Return the acknowledgement that lasts longest, if there is one."""
        found = [silence for silence in self.silences if silence.acknowledges]
        return max(found, key=lambda one: (one.ends or 0.0, one.id), default=None)


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts that belong together; ``id`` stays the same while the group does.

    ``model`` or ``dependency`` says what it is about (raw names, both may be empty), ``models``
    who is touched. ``severity`` is that of the worst firing alert, or of the worst one where none
    fires. ``labels`` are those that all alerts share, made harmless. ``ends`` is when the last
    alert was first missed. ``suppressed_by`` says in words what holds alerts back.
    ``starts_per_hour`` counts how often its alerts began in the last hour. ``stale_seconds`` is
    the age of what is known where a source is away. ``flood`` marks what flood mode put together.
    """

    id: str
    title: str
    state: AlertState
    severity: Severity
    since: float
    model: str = ""
    dependency: str = ""
    models: tuple[str, ...] = ()
    ends: float | None = None
    labels: Labels = ()
    summary: str = ""
    runbook: str = ""
    sources: tuple[str, ...] = ()
    acked_by: str = ""
    acked_until: float | None = None
    suppressed_by: tuple[str, ...] = ()
    alerts: tuple[Alert, ...] = ()
    starts_per_hour: float = 0.0
    flapping: bool = False
    stale_seconds: float | None = None
    flood: bool = False

    @property
    def open(self) -> bool:
        """Tell whether it fires; suppressed, pending and resolved ones do not."""
        return self.state == "firing"

    def firing(self, model: str) -> tuple[Alert, ...]:
        """Return the firing alerts that name this model, worst first."""
        found = [alert for alert in self.alerts if alert.state == "firing" and alert.model == model]
        return tuple(sorted(found, key=lambda one: (int(one.severity), one.since, one.name)))
