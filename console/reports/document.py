"""The shape of ``midwatch status --json``: the promise that docs/status.schema.json writes down."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from console.reports.incident_document import IncidentReport

SCHEMA: Final = "midwatch.status/1"

LevelName = Literal["S1", "S2", "S3", "S4", "unknown", "ok"]
SignalState = Literal["ok", "no_data", "no_traffic", "too_few", "stale", "error"]
SourceStateName = Literal["starting", "up", "stale", "down"]
BreakerName = Literal[
    "CLOSED", "OPEN", "HALF_OPEN", "DISABLED", "FORCED_OPEN", "METRICS_ONLY", "UNKNOWN"
]
DependencyStateName = Literal["ok", "degraded", "down", "unknown"]
OverrideStateName = Literal["in force", "ends soon", "overdue", "no end"]
EnforcerName = Literal["", "service", "keeper", "nobody"]
RecordStateName = Literal["off", "starting", "open", "absent", "unreadable"]
Plain = str | float | bool | None


class SourceReport(Struct, frozen=True, kw_only=True):
    """One source; ``age_seconds`` since it last answered, null if it never did."""

    name: str
    kind: str
    state: SourceStateName
    age_seconds: float | None
    error: str | None
    warnings: tuple[str, ...] | UnsetType = UNSET


class RuleReport(Struct, frozen=True, kw_only=True):
    """A rule that holds for a model."""

    rule: str
    level: LevelName
    text: str
    since: str


class SignalReport(Struct, frozen=True, kw_only=True):
    """One reading; ``value`` is null in every state but ok and stale.

    ``reason`` says why there is no data where that is only the source's short history.
    """

    value: float | None
    unit: str
    state: SignalState
    at: str | UnsetType = UNSET
    window: str | UnsetType = UNSET
    n: float | UnsetType = UNSET
    method: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class BreakerReport(Struct, frozen=True, kw_only=True):
    """A model's own breaker, its worst replica; state UNKNOWN where nobody says.

    ``replicas_alike`` of ``replicas`` are in that state; open and forced open count as one.
    """

    state: BreakerName
    since: str | UnsetType = UNSET
    replicas_alike: int | UnsetType = UNSET
    replicas: int | UnsetType = UNSET


class RouteReport(Struct, frozen=True, kw_only=True):
    """Where a model's traffic goes; null where nobody says."""

    active: str | None
    level: str | None
    region: str | UnsetType = UNSET


class OverrideReport(Struct, frozen=True, kw_only=True):
    """Something held by hand.

    ``left_seconds`` is negative when overdue and null without an end, like ``ends_at``.
    ``ends_in`` is what follows, ``enforced_by`` who ends it. ``certain`` is false where reading
    back could not tell whether it took hold, ``lost`` the state it was found in instead.
    """

    op: str
    verb: str
    target: str
    wanted: str
    by: str
    reason: str
    incident: str | None
    began_at: str
    ends_at: str | None
    left_seconds: float | None
    state: OverrideStateName
    ends_in: str
    enforced_by: EnforcerName
    certain: bool
    lost: str | None
    drill: bool


class JournalReport(Struct, frozen=True, kw_only=True):
    """The record the overrides were read from; not ``open`` or ``absent``: they may be others.

    ``keeper`` is who ends overrides when they are due, null where nobody does or it is not known.
    """

    state: RecordStateName
    place: str
    read_at: str | None
    head_seq: int
    error: str | None
    broken: tuple[int, ...] = ()
    keeper: str | None = None


class ModelReport(Struct, frozen=True, kw_only=True):
    """One model; ``pending`` are rules that one run without memory could not decide.

    ``planned`` tells that an override explains its trouble; ``overrides`` are its own and those of
    what it depends on.
    """

    model: str
    source: str
    profile: str
    version: str
    tier: int
    region: str
    owner: str
    severity: LevelName
    rules: tuple[RuleReport, ...]
    pending: tuple[RuleReport, ...]
    signals: dict[str, SignalReport]
    breaker: BreakerReport
    route: RouteReport
    planned: bool = False
    incidents: tuple[str, ...] = ()
    overrides: tuple[OverrideReport, ...] = ()


class DependencyReport(Struct, frozen=True, kw_only=True):
    """Something models share; ``culprit`` where it explains its models' trouble."""

    name: str
    state: DependencyStateName
    error_ratio: float | None
    attempts_per_request: float | None
    breaker: BreakerName
    models: tuple[str, ...]
    owner: str
    culprit: bool
    text: str


class StatusDocument(Struct, frozen=True, kw_only=True):
    """Everything one evaluation found."""

    schema: Literal["midwatch.status/1"]
    environment: str
    taken_at: str
    sources: tuple[SourceReport, ...]
    models: tuple[ModelReport, ...]
    dependencies: tuple[DependencyReport, ...]
    incidents: tuple[IncidentReport, ...] = ()
    overrides: tuple[OverrideReport, ...] = ()
    journal: JournalReport | UnsetType = UNSET


def schema() -> dict[str, object]:
    """Return the JSON Schema of the document, as it stands in docs."""
    found = msgspec.json.schema(StatusDocument)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "midwatch status --json",
        **found,
    }


def _write_schema() -> None:
    import json
    import sys

    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")


if __name__ == "__main__":
    _write_schema()
