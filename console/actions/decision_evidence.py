"""What is frozen into a decision: readings, findings, dependencies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.facts.decision import (
    DependencyEvidence,
    Evidence,
    FindingEvidence,
    ReferenceEvidence,
    SignalEvidence,
)
from console.facts.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.actions.sight import Sight
    from console.facts.model import ModelRow
    from console.facts.reading import Reading
    from console.facts.severity import Finding
    from console.facts.snapshot import Dependency, Snapshot


def evidence_of(model: str, sight: Sight) -> Evidence:
    """Return everything a Snapshot knows of ``model``; without one, that nothing is known."""
    row = sight.rows[model]
    reference = row.reference
    frozen = None
    if reference is not None:
        frozen = ReferenceEvidence(
            name=reference.name,
            what=reference.what,
            n=reference.n,
            taken_at=reference.taken_at,
            sha256=reference.sha256,
        )
    snapshot = sight.snapshot
    number = _place(model, snapshot)
    if snapshot is None or number is None:
        return Evidence(
            reference=frozen, reference_name=row.drift_reference, doubt=sight.away(model)
        )
    route = snapshot.route(number)
    return Evidence(
        taken_at=snapshot.taken_at,
        severity=snapshot.severity(number).label,
        signals=tuple(
            _signal(
                name,
                fact.unit,
                snapshot.reading(name, number),
                _finite(snapshot.baseline(name, number)),
            )
            for name, fact in SIGNALS.items()
        ),
        findings=_findings(snapshot.findings.get(number, ())),
        pending=_findings(snapshot.pending.get(number, ())),
        dependencies=tuple(
            _dependency(each) for each in snapshot.dependencies if _calls(row, each)
        ),
        reference=frozen,
        reference_name=row.drift_reference,
        breaker=snapshot.breaker(number).state.name,
        route=" ".join(part for part in (route.target, route.level, route.region) if part),
        doubt=sight.away(model),
    )


def _place(model: str, snapshot: Snapshot | None) -> int | None:
    rows = () if snapshot is None else snapshot.rows
    return next((number for number, row in enumerate(rows) if row.model == model), None)


def _signal(name: str, unit: str, reading: Reading, normal: float | None) -> SignalEvidence:
    value, remark = _finite(reading.value), ""
    if reading.value is not None and value is None:
        remark = f"not a finite number: {reading.value}"
    return SignalEvidence(
        signal=name,
        state=reading.state.label,
        unit=unit,
        value=value,
        n=_finite(reading.n),
        window_seconds=_finite(reading.window_seconds),
        method=reading.method,
        at=_finite(reading.at),
        normal=normal,
        remark=remark,
    )


def _findings(found: Iterable[Finding]) -> tuple[FindingEvidence, ...]:
    return tuple(
        FindingEvidence(rule=each.rule, level=each.level.label, text=each.text, since=each.since)
        for each in found
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _calls(row: ModelRow, dependency: Dependency) -> bool:
    return dependency.name in row.dependencies or row.model in dependency.models


def _dependency(dependency: Dependency) -> DependencyEvidence:
    return DependencyEvidence(
        name=dependency.name,
        state=dependency.state,
        error_ratio=_finite(dependency.error_ratio.value),
        culprit=dependency.culprit,
        text=dependency.text,
    )


def trigger_of(evidence: Evidence) -> str:
    """Return what speaks for deciding now: the worst rule that held, else one not yet proven."""
    if evidence.taken_at is None:
        return "not measured: no source was asked"
    if evidence.findings:
        worst = evidence.findings[0]
        return f"{worst.rule} ({worst.level}): {worst.text}"
    if evidence.pending:
        worst = evidence.pending[0]
        return f"{worst.rule} ({worst.level}, not proven by one look): {worst.text}"
    return "this look raised no rule; asked for by a person"
