"""The shape of ``midwatch status --json``: the promise that docs/status.schema.json writes down."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

SCHEMA = "midwatch.status/1"


class SourceReport(Struct, frozen=True, kw_only=True):
    """One source; ``age_seconds`` since it last answered, null if it never did."""

    name: str
    kind: str
    state: str
    age_seconds: float | None
    error: str | None
    warnings: tuple[str, ...] | UnsetType = UNSET


class RuleReport(Struct, frozen=True, kw_only=True):
    """A rule that holds for a model."""

    rule: str
    level: str
    text: str
    since: str


class SignalReport(Struct, frozen=True, kw_only=True):
    """One reading; ``value`` is null in every state but ok and stale."""

    value: float | None
    unit: str
    state: str
    at: str | UnsetType = UNSET
    window: str | UnsetType = UNSET
    n: float | UnsetType = UNSET
    method: str | UnsetType = UNSET


class BreakerReport(Struct, frozen=True, kw_only=True):
    """A model's own breaker; state UNKNOWN where nobody says."""

    state: str
    since: str | UnsetType = UNSET


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
    severity: str
    rules: tuple[RuleReport, ...]
    pending: tuple[RuleReport, ...]
    signals: dict[str, SignalReport]
    breaker: BreakerReport
    route: RouteReport
    incidents: tuple[str, ...] = ()
    overrides: tuple[dict[str, object], ...] = ()


class DependencyReport(Struct, frozen=True, kw_only=True):
    """Something models share; ``culprit`` where it explains its models' trouble."""

    name: str
    state: str
    error_ratio: float | None
    attempts_per_request: float | None
    breaker: str
    models: tuple[str, ...]
    owner: str
    culprit: bool
    text: str


class StatusDocument(Struct, frozen=True, kw_only=True):
    """Everything one evaluation found."""

    schema: str
    environment: str
    taken_at: str
    sources: tuple[SourceReport, ...]
    models: tuple[ModelReport, ...]
    dependencies: tuple[DependencyReport, ...]
    incidents: tuple[dict[str, object], ...] = ()
    overrides: tuple[dict[str, object], ...] = ()


def schema() -> dict[str, object]:
    """Return the JSON Schema of the document, as it stands in docs."""
    found = msgspec.json.schema(StatusDocument)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "midwatch status --json",
        **found,
    }
