"""Collects the evidence frozen into a decision and the objections to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from console.domain.action import Guard
from console.domain.decision import (
    LEAVES_THE_MODEL_AS_IT_IS,
    DependencyEvidence,
    Evidence,
    FindingEvidence,
    ReferenceEvidence,
    SignalEvidence,
)
from console.domain.signals import SIGNALS
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from console.actions.fleet_view import FleetView
    from console.domain.decision import Decision, DecisionRecord
    from console.domain.entry import Who
    from console.domain.model import ModelRow
    from console.domain.severity import Finding
    from console.domain.signals import Reading
    from console.domain.snapshot import Dependency, Snapshot


def evidence_of(model: str, sight: FleetView) -> Evidence:
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


INPUT_NULLS_LIMIT = 0.05
"""Share of missing input values (0-1) above which what was logged is no data to train on."""

BRIEF_SECONDS = 300.0
"""A look at the inputs shorter than this says little about the data that was logged."""

_BLIND = ("stale", "error")


def guards_of_decision(
    decision: Decision, who: Who, standing: Sequence[DecisionRecord], now: float
) -> tuple[Guard, ...]:
    """Return every objection; ``refuse`` needs a written reason, ``forbid`` nothing overrules."""
    return (
        *_second_person(decision, who),
        *(_inputs(decision.evidence) if decision.kind == "RETRAIN" else ()),
        *_evidence(decision),
        *_written(decision),
        *_standing(decision, standing, now),
    )


def _second_person(decision: Decision, who: Who) -> Iterator[Guard]:
    if decision.approver and decision.approver in (who.name, who.person):
        yield Guard(
            "self_approval",
            "forbid",
            f"{visible(decision.approver, 60)} decides it; the approver is another person",
        )


def _inputs(evidence: Evidence) -> Iterator[Guard]:
    """Yield what makes recent inputs unfit to train on; not knowing is an objection as well."""
    if evidence.taken_at is None:
        yield Guard(
            "inputs_unknown",
            "refuse",
            "the quality of the inputs is not known, because no source was asked; RETRAIN waits",
        )
        return
    nulls = evidence.signal("null_ratio")
    if nulls is None or nulls.state in _BLIND:
        why = "not asked for" if nulls is None else nulls.state
        yield Guard(
            "inputs_unknown", "refuse", f"the share of missing inputs is {why}; RETRAIN waits"
        )
    elif nulls.value is None:
        yield Guard("inputs_unmeasured", "warn", f"missing inputs: {nulls.state}; nobody knows")
    elif nulls.value > INPUT_NULLS_LIMIT:
        yield Guard(
            "input_nulls",
            "refuse",
            f"{nulls.value:.1%} of input values are missing (limit {INPUT_NULLS_LIMIT:.0%}); "
            "training on them would teach the fault",
        )
    elif nulls.window_seconds is not None and nulls.window_seconds < BRIEF_SECONDS:
        yield Guard(
            "inputs_brief",
            "warn",
            f"missing inputs were looked at for {nulls.window_seconds:.0f} s only",
        )
    for each in evidence.dependencies:
        if each.culprit or each.state == "down":
            told = f": {visible(each.text, 200)}" if each.text else ""
            yield Guard(
                "dependency_failing",
                "refuse",
                f"{visible(each.name, 80)} is failing{told}; what the model was given is not "
                "what it would be given",
            )
        elif each.state == "degraded":
            yield Guard("dependency_degraded", "warn", f"{visible(each.name, 80)} is degraded")


def _evidence(decision: Decision) -> Iterator[Guard]:
    evidence = decision.evidence
    if evidence.taken_at is None:
        yield Guard("no_evidence", "warn", "no numbers could be frozen: no source was asked")
        return
    if evidence.doubt:
        yield Guard("doubtful_evidence", "warn", visible(evidence.doubt, 200))
    if not any(each.state == "ok" for each in evidence.signals):
        yield Guard("no_evidence", "warn", "no signal of this model has a current value")
    drift = evidence.signal("drift_psi")
    if drift is not None and drift.state == "too_few":
        n = "n not known" if drift.n is None else f"n = {drift.n:.0f}"
        yield Guard("drift_too_few", "warn", f"drift rests on too few samples to judge by ({n})")


def _written(decision: Decision) -> Iterator[Guard]:
    if decision.kind not in LEAVES_THE_MODEL_AS_IT_IS:
        if not decision.reverse_if:
            yield Guard("no_reversal", "warn", "nothing says when to reverse it: --reverse-if TEXT")
        if not decision.expected:
            yield Guard("no_expectation", "warn", "no expected effect is written: --expect TEXT")
    if decision.lineage.gaps:
        yield Guard(
            "lineage_gaps", "warn", f"lineage does not know {', '.join(decision.lineage.gaps)}"
        )
    for conflict in decision.lineage.conflicts:
        yield Guard("lineage_conflict", "warn", f"lineage contradicts itself: {conflict}")


def _standing(
    decision: Decision, standing: Sequence[DecisionRecord], now: float
) -> Iterator[Guard]:
    for record in standing:
        other = record.decision
        if other.model == decision.model and record.closed_at is None:
            state = record.state(now).replace("_", " ")
            yield Guard(
                "other_decision",
                "warn",
                f"{other.kind} by {visible(other.author, 60)} is still open "
                f"({state}, {visible(other.id, 40)}); close it with its outcome",
            )
