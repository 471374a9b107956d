"""Turns a Snapshot into the document of ``midwatch status --json`` and its exit code."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec
from msgspec import UNSET, Struct, UnsetType

from console.domain.severity import Severity
from console.domain.signals import SIGNALS, Reading, ReadingState
from console.domain.timestamps import stamped, timestamp
from console.evaluation.overrides import by_urgency, overrides_of
from console.metrics.units import format_age
from console.reports.incident_document import IncidentReport, incident_reports, incidents_of
from console.reports.status_parts import CauseReport, ReplicaReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.domain.action import Override
    from console.domain.entry import Record
    from console.domain.samples import SourceStatus
    from console.domain.severity import Breaker, BreakerState, Finding
    from console.domain.snapshot import Cause, Dependency, Snapshot

SCHEMA: Final = "midwatch.status/1"

LevelName = Literal["S1", "S2", "S3", "S4", "unknown", "unjudged", "ok"]
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
    """One source; ``age_seconds`` since it last answered, null if it never did.

    ``unread`` says which kinds of server it holds that have no row, and why.
    ``standby`` names who speaks for its rows: another source, or ``direct`` for its targets.
    """

    name: str
    kind: str
    state: SourceStateName
    age_seconds: float | None
    error: str | None
    warnings: tuple[str, ...] | UnsetType = UNSET
    standby: str | UnsetType = UNSET
    unread: tuple[str, ...] | UnsetType = UNSET


class RuleReport(Struct, frozen=True, kw_only=True):
    """A rule that holds for a model; ``phase`` says whether its users are still hurt."""

    rule: str
    level: LevelName
    text: str
    since: str
    phase: Literal["hurting", "recovering"] = "hurting"
    recovering_since: str | None = None


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
    """One row; ``model`` is declared or its server's name for it, which namesakes share, ``name``
    the shortest that no other row bears and ``row`` the id that stays. ``pending`` are rules that
    one run without memory could not decide. ``planned`` tells that an override explains its
    trouble; ``overrides`` are its own and those of what it depends on.
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
    cause: CauseReport | None = None
    replicas: tuple[ReplicaReport, ...] = ()
    row: str = ""
    name: str = ""


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


EXIT_S1 = 2
EXIT_S2 = 1
EXIT_UNKNOWN = 3
EXIT_OK = 0

# A terminal may obey these even inside a JSON string: C1 controls, directions, separators.
_UNSAFE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def document(snapshot: Snapshot, rows: Sequence[int] | None = None) -> StatusDocument:
    """Return the document for all rows, or for ``rows`` alone, worst first."""
    chosen = list(in_order(snapshot, rows))
    return StatusDocument(
        schema=SCHEMA,
        environment=snapshot.environment,
        taken_at=timestamp(snapshot.taken_at),
        sources=tuple(
            _source(status, snapshot.taken_at) for status in (*snapshot.sources, *snapshot.places)
        ),
        models=tuple(_model(snapshot, row) for row in chosen),
        dependencies=tuple(map(_dependency, snapshot.dependencies)),
        incidents=incident_reports(snapshot),
        overrides=_overrides(snapshot.overrides, snapshot.taken_at),
        journal=_journal(snapshot.record),
    )


def as_json(found: msgspec.Struct, *, indent: int | None = 2) -> str:
    """Return the document as JSON text that no terminal obeys; ``indent`` None is one line."""
    encoded = msgspec.json.encode(found)
    if indent is not None:
        encoded = msgspec.json.format(encoded, indent=indent)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", encoded.decode())


def exit_code(snapshot: Snapshot, rows: Sequence[int] | None = None) -> int:
    """Return 2 for any S1, else 1 any S2, else 3 where something is not known, else 0.

    Not known is an unknown row, an absent source, no model at all or none that is judged, traffic
    nobody can judge, and a tier 1 model without its usual traffic; an idle model is none of these.
    """
    levels = {snapshot.severity(row) for row in in_order(snapshot, rows)}
    if Severity.S1 in levels:
        return EXIT_S1
    if Severity.S2 in levels:
        return EXIT_S2
    read = (*snapshot.sources, *snapshot.alert_places)
    away = any(status.state != "up" for status in read)
    # Of a fleet without any model nothing is known, and unknown is never well.
    if away or not levels or Severity.UNKNOWN in levels or levels == {Severity.UNJUDGED}:
        return EXIT_UNKNOWN
    blind = any(_is_blind(snapshot, row) for row in in_order(snapshot, rows))
    return EXIT_UNKNOWN if blind else EXIT_OK


def _is_blind(snapshot: Snapshot, row: int) -> bool:
    """Tell whether an unjudged row should have been judged: it has traffic, or tier 1 lost it."""
    if snapshot.severity(row) is not Severity.UNJUDGED:
        return False
    rules = {finding.rule for finding in snapshot.findings.get(row, ())}
    return "unjudged" in rules or (snapshot.rows[row].tier == 1 and "lost_traffic" in rules)


def in_order(snapshot: Snapshot, rows: Sequence[int] | None = None) -> Iterable[int]:
    """Yield row indices worst first, all or those in ``rows``."""
    wanted = None if rows is None else frozenset(rows)
    return (int(row) for row in snapshot.order if wanted is None or int(row) in wanted)


def duration(seconds: float) -> str:
    """Return a window as it is written in a query: 30s, 5m, 6h, 30d."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def _model(snapshot: Snapshot, row: int) -> ModelReport:
    known = snapshot.rows[row]
    breaker = snapshot.breaker(row)
    route = snapshot.route(row)
    return ModelReport(
        model=known.label or known.model,
        row=known.id,
        name=known.model,
        source=known.source,
        profile=known.profile,
        version=known.version,
        tier=known.tier,
        region=known.region,
        owner=known.owner,
        severity=_level(snapshot.severity(row)),
        rules=_rules(snapshot.findings.get(row, ())),
        pending=_rules(snapshot.pending.get(row, ())),
        signals={
            name: _signal(snapshot.reading(name, row), fact.unit) for name, fact in SIGNALS.items()
        },
        breaker=_own_breaker(breaker),
        route=RouteReport(
            active=route.target or None, level=route.level or None, region=route.region or UNSET
        ),
        incidents=incidents_of(snapshot, known.model),
        planned=row in snapshot.planned,
        overrides=_overrides(overrides_of(snapshot, row), snapshot.taken_at),
        cause=_cause(snapshot.causes.get(row)),
        replicas=tuple(
            ReplicaReport(place=each.place, signals=dict(each.values), odd=each.odd)
            for each in snapshot.replicas.get(row, ())
        ),
    )


def _cause(known: Cause | None) -> CauseReport | None:
    if known is None:
        return None
    return CauseReport(
        name=known.name,
        kind=known.kind,
        confidence=known.confidence,
        evidence=known.evidence,
        also=known.also,
        since=stamped(known.since),
        over=known.over,
        text=known.text,
    )


def _overrides(overrides: Iterable[Override], now: float) -> tuple[OverrideReport, ...]:
    return tuple(_override(each, now) for each in by_urgency(overrides, now))


def _override(override: Override, now: float) -> OverrideReport:
    left = override.left_seconds(now)
    return OverrideReport(
        op=override.op_id,
        verb=override.verb,
        target=override.target,
        wanted=override.wanted,
        by=override.by,
        reason=override.reason,
        incident=override.incident or None,
        began_at=timestamp(override.began_at),
        ends_at=None if override.ends_at is None else timestamp(override.ends_at),
        left_seconds=None if left is None else round(left, 1),
        state=override.state(now),
        ends_in=override.ends_in,
        enforced_by=override.enforcer(),
        certain=override.certain,
        lost=override.lost or None,
        drill=override.drill,
    )


def _journal(record: Record) -> JournalReport | UnsetType:
    if record.state == "off":
        return UNSET
    return JournalReport(
        state=record.state,
        place=record.place,
        read_at=None if record.read_at is None else timestamp(record.read_at),
        head_seq=record.head_seq,
        error=record.sentence or None,
        broken=tuple(each.seq for each in record.broken),
        keeper=record.keeper or None,
    )


def _level(severity: Severity) -> LevelName:
    return cast("LevelName", severity.label)


def _own_breaker(breaker: Breaker) -> BreakerReport:
    return BreakerReport(
        state=_breaker(breaker.state),
        since=_when(breaker.since),
        replicas_alike=breaker.share.alike or UNSET,
        replicas=breaker.share.replicas or UNSET,
    )


def _breaker(state: BreakerState) -> BreakerName:
    return cast("BreakerName", state.name)


def _rules(findings: Sequence[Finding]) -> tuple[RuleReport, ...]:
    return tuple(
        RuleReport(
            rule=finding.rule,
            level=_level(finding.level),
            text=finding.text,
            since=timestamp(finding.since),
            phase="hurting" if finding.recovering_since is None else "recovering",
            recovering_since=None
            if finding.recovering_since is None
            else timestamp(finding.recovering_since),
        )
        for finding in findings
    )


def _signal(reading: Reading, unit: str) -> SignalReport:
    value = reading.value
    state = reading.state
    if value is not None and not math.isfinite(value):
        # JSON has no infinity, and a value that cannot be written must not look like one.
        value, state = None, ReadingState.ERROR
    return SignalReport(
        value=value,
        unit=unit,
        state=cast("SignalState", state.label),
        at=_when(reading.at),
        window=UNSET if reading.window_seconds is None else duration(reading.window_seconds),
        n=_count(reading.n),
        method=reading.method or UNSET,
        reason=UNSET
        if reading.history_seconds is None
        else f"history {format_age(reading.history_seconds)}",
    )


def _count(n: float | None) -> float | UnsetType:
    if n is None or not math.isfinite(n):
        return UNSET
    return round(n, 1) if n % 1 else int(n)


def _when(at: float | None) -> str | UnsetType:
    return UNSET if at is None else timestamp(at)


def _source(status: SourceStatus, now: float) -> SourceReport:
    age = None if status.answered_at is None else round(max(0.0, now - status.answered_at), 1)
    return SourceReport(
        name=status.name,
        kind=status.kind,
        state=status.state,
        age_seconds=age,
        error=status.error,
        warnings=(*status.warnings, *status.infos) or UNSET,
        standby=status.standby or UNSET,
        unread=status.unread or UNSET,
    )


def _dependency(known: Dependency) -> DependencyReport:
    return DependencyReport(
        name=known.name,
        state=cast("DependencyStateName", known.state),
        error_ratio=_finite(known.error_ratio),
        attempts_per_request=_finite(known.attempts_per_request),
        breaker=_breaker(known.breaker.state),
        models=known.models,
        owner=known.owner,
        culprit=known.culprit,
        text=known.text,
    )


def _finite(reading: Reading) -> float | None:
    return reading.value if reading.value is not None and math.isfinite(reading.value) else None


if __name__ == "__main__":
    _write_schema()
