"""Turns incidents and their owners into documents and lines for ``midwatch incidents``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

from msgspec import Struct

from console.domain.text import visible
from console.domain.timestamps import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.alert import Alert, Incident
    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Snapshot

SCHEMA: Final = "midwatch.incidents/1"

StateName = Literal["firing", "pending", "suppressed", "resolved"]
LevelName = Literal["S1", "S2", "S3", "S4", "unknown", "ok"]
PlaceState = Literal["starting", "up", "stale", "down"]


class AlertReport(Struct, frozen=True, kw_only=True):
    """One alert of an incident; label values stand as they came, and are data."""

    name: str
    state: StateName
    severity: LevelName
    severity_label: str
    model: str
    dependency: str
    since: str
    ends: str | None
    summary: str
    acknowledged_by: str | None
    source: str
    fingerprint: str
    labels: dict[str, str]


class IncidentReport(Struct, frozen=True, kw_only=True):
    """One incident; ``acknowledged_by`` is null while nobody has it, ``stale_seconds`` unless old.

    ``starts_per_hour`` is how often its alerts began within the last hour.
    """

    id: str
    title: str
    state: StateName
    severity: LevelName
    since: str
    ends: str | None
    model: str | None
    dependency: str | None
    models: tuple[str, ...]
    summary: str
    runbook: str | None
    acknowledged_by: str | None
    acknowledged_until: str | None
    suppressed_by: tuple[str, ...]
    labels: dict[str, str]
    sources: tuple[str, ...]
    starts_per_hour: float
    flapping: bool
    flood: bool
    stale_seconds: float | None
    alerts: tuple[AlertReport, ...]


class PlaceReport(Struct, frozen=True, kw_only=True):
    """One place alerts come from; ``age_seconds`` since it last answered, null if it never did."""

    name: str
    kind: str
    state: PlaceState
    age_seconds: float | None
    error: str | None
    notes: tuple[str, ...]


class IncidentsDocument(Struct, frozen=True, kw_only=True):
    """All incidents of one moment."""

    schema: Literal["midwatch.incidents/1"]
    environment: str
    taken_at: str
    sources: tuple[PlaceReport, ...]
    incidents: tuple[IncidentReport, ...]


def incidents_document(snapshot: Snapshot) -> IncidentsDocument:
    """Return the document of a Snapshot."""
    return IncidentsDocument(
        schema=SCHEMA,
        environment=snapshot.environment,
        taken_at=timestamp(snapshot.taken_at),
        sources=tuple(_place(one, snapshot.taken_at) for one in snapshot.alert_sources),
        incidents=incident_reports(snapshot),
    )


def incident_reports(snapshot: Snapshot) -> tuple[IncidentReport, ...]:
    """Return all incidents of a Snapshot, the most urgent first."""
    return tuple(map(incident_report, snapshot.incidents))


def incidents_of(snapshot: Snapshot, model: str) -> tuple[str, ...]:
    """Return the ids of the incidents that touch a model and are not over."""
    return tuple(
        one.id for one in snapshot.incidents if one.state != "resolved" and model in one.models
    )


def incident_report(known: Incident) -> IncidentReport:
    """Return one incident as scripts read it."""
    return IncidentReport(
        id=known.id,
        title=known.title,
        state=known.state,
        severity=cast("LevelName", known.severity.label),
        since=timestamp(known.since),
        ends=_when(known.ends),
        model=known.model or None,
        dependency=known.dependency or None,
        models=known.models,
        summary=known.summary,
        runbook=known.runbook or None,
        acknowledged_by=known.acked_by or None,
        acknowledged_until=_when(known.acked_until),
        suppressed_by=known.suppressed_by,
        labels=dict(known.labels),
        sources=known.sources,
        starts_per_hour=known.starts_per_hour,
        flapping=known.flapping,
        flood=known.flood,
        stale_seconds=None if known.stale_seconds is None else round(known.stale_seconds, 1),
        alerts=tuple(map(_alert, known.alerts)),
    )


def _alert(known: Alert) -> AlertReport:
    held = known.acknowledgement
    return AlertReport(
        name=known.name,
        state=known.state,
        severity=cast("LevelName", known.severity.label),
        severity_label=known.severity_text,
        model=known.model,
        dependency=known.dependency,
        since=timestamp(known.since),
        ends=_when(known.ends),
        summary=known.summary,
        acknowledged_by=(held.by or "somebody") if held is not None else None,
        source=known.source,
        fingerprint=visible(known.fingerprint, 80),
        labels=dict(known.labels),
    )


def _place(status: SourceStatus, now: float) -> PlaceReport:
    age = None if status.answered_at is None else round(max(0.0, now - status.answered_at), 1)
    return PlaceReport(
        name=status.name,
        kind=status.kind,
        state=status.state,
        age_seconds=age,
        error=status.error,
        notes=(*status.warnings, *status.infos),
    )


def _when(at: float | None) -> str | None:
    return None if at is None else timestamp(at)


def unwell(places: Sequence[SourceStatus]) -> tuple[SourceStatus, ...]:
    """Return the places that did not just answer in full; what is not read is not waited for."""
    return tuple(one for one in read_places(places) if one.state != "up" or one.warnings)


def listeners(snapshot: Snapshot) -> tuple[SourceStatus, ...]:
    """Return everything that incidents come from: sources for the rules, and places for alerts.

    A server that is asked for both is one of them.
    """
    places = {one.name: one for one in read_places(snapshot.alert_sources)}
    sources = {one.name: one for one in snapshot.sources}
    return tuple((sources | places).values())


def deaf(snapshot: Snapshot) -> tuple[SourceStatus, ...]:
    """Return what did not just answer, so that an incident may be missing."""
    away = [one for one in snapshot.sources if one.state != "up"]
    named = {one.name for one in away}
    return (*away, *(one for one in unwell(snapshot.alert_sources) if one.name not in named))


def read_places(places: Sequence[SourceStatus]) -> tuple[SourceStatus, ...]:
    """Return the places that are read and offer alerts."""
    return tuple(one for one in places if not one.infos)
