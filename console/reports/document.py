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
    """One reading; ``value`` is null in every state but ok and stale."""

    value: float | None
    unit: str
    state: SignalState
    at: str | UnsetType = UNSET
    window: str | UnsetType = UNSET
    n: float | UnsetType = UNSET
    method: str | UnsetType = UNSET


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


class ModelReport(Struct, frozen=True, kw_only=True):
    """One model; ``pending`` are rules that one run without memory could not decide."""

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
    incidents: tuple[str, ...] = ()
    overrides: tuple[dict[str, Plain], ...] = ()


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
    overrides: tuple[dict[str, Plain], ...] = ()


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
