"""Gathers what one evaluation judges by: answers and memory in, evidence out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.domain.incident import holds_of
from console.evaluation import changes
from console.evaluation import dependencies as culprit
from console.evaluation.dependencies import breaker_facts, shared_breakers
from console.evaluation.derive import Asked, derive, spending, without_falling_cost
from console.evaluation.evidence import (
    NOTHING_PROVEN,
    Evidence,
    ProofFacts,
    rows_in_doubt,
    rows_with_data,
)
from console.evaluation.memory import (
    Folds,
    Memory,
    RowsBefore,
    Streaks,
    follow,
)
from console.evaluation.observations import Statics, statics_of
from console.evaluation.override_rows import held_facts
from console.evaluation.replicas import replica_facts, replica_labels
from console.evaluation.row_labels import (
    attempts,
    call_places,
    firing_by_row,
    fold,
    holds_by_row,
    identities,
    route_facts,
    several_versions,
)
from console.evaluation.rules.holds import (
    NOTHING_DECIDED,
    DecidedFacts,
    overdue_rows,
)
from console.evaluation.score_drift import ScoreDrift, measure, with_score_drift

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.incident import Care
    from console.domain.model import ModelRow
    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Change
    from console.evaluation.cost import Habits
    from console.evaluation.observations import Observed
    from console.evaluation.row_labels import Identity
    from console.settings.schema import Settings

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The evidence of one evaluation, with the past it is judged against."""

    evidence: Evidence
    observed: Observed
    memory: Memory
    folds: Folds
    streaks: Streaks
    before: RowsBefore
    identities: Mapping[str, Identity]
    identity_changes: tuple[Change, ...]
    score_drift: ScoreDrift | None = None
    days: Habits | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What people hold, did about incidents, decided and proved, as the record tells it."""

    overrides: Sequence[Override] = ()
    care: Mapping[str, Care] = field(default_factory=dict)
    decided: DecidedFacts = NOTHING_DECIDED
    proofs: ProofFacts = NOTHING_PROVEN


def look(
    rows: tuple[ModelRow, ...],
    observed: Observed,
    sources: Sequence[SourceStatus],
    memory: Memory,
    now: float,
    settings: Settings,
    rules: int,
    said: Said,
) -> Seen:
    """Gather what ``rules`` rules may judge by."""
    statics = _statics(rows, memory.statics)
    score_drift = measure(statics.references, observed, memory.score_drift)
    observed = with_score_drift(observed, score_drift, len(rows))
    observed = without_falling_cost(observed, len(rows))
    streaks, before = follow(memory, statics, rules)
    folds = _folds(observed, statics, memory.folds)
    known, news, changed_models = _identities(folds, statics, memory, now)
    asked = Asked(observed, len(rows))
    has_data = rows_with_data(asked, len(rows))
    days = spending(asked, memory.days if statics is memory.statics else None, now, len(rows))
    changed_at = before.changed_at.copy()
    changed_at[[statics.index[model] for model in changed_models]] = now
    renamed = culprit.aliases(settings)
    shared = culprit.renamed_breakers(folds.shared_breakers.result, renamed)
    breakers, routes = folds.breakers.result, folds.routes.result
    evidence = Evidence(
        now=now,
        statics=statics,
        asked=asked,
        derived=derive(asked, statics, now, days),
        breakers=breakers,
        routes=routes,
        held=held_facts(said.overrides, statics, breakers, shared, routes, now),
        versions=folds.versions.result,
        replicas=folds.replicas.result,
        attempts=attempts(
            observed.labelled.get("dependency_attempts", ()), folds.calls.result, len(rows)
        ),
        dependency_breakers=shared,
        has_data=has_data,
        doubtful=rows_in_doubt(asked, len(rows)),
        absent_since=np.where(has_data, np.nan, np.fmin(before.absent_since, now)),
        changed_at=changed_at,
        source_states={source.name: source.state for source in sources},
        alerts=firing_by_row(observed.incidents, statics),
        alerts_whole=observed.alerts_whole,
        holds=holds_by_row(holds_of(said.care), statics),
        overdue=overdue_rows(said.decided.records, statics.index, now),
        proofs=said.proofs,
        record_read=said.decided.read,
    )
    return Seen(evidence, observed, memory, folds, streaks, before, known, news, score_drift, days)


def _statics(rows: tuple[ModelRow, ...], kept: Statics | None) -> Statics:
    if kept is not None and (kept.rows is rows or kept.rows == rows):
        return kept
    return statics_of(rows)


def _folds(observed: Observed, statics: Statics, kept: Folds | None) -> Folds:
    labelled = observed.labelled
    return Folds(
        breakers=fold(
            labelled.get("breaker_state", ()),
            statics,
            kept.breakers if kept else None,
            breaker_facts,
        ),
        shared_breakers=fold(
            labelled.get("dependency_breaker", ()),
            statics,
            kept.shared_breakers if kept else None,
            shared_breakers,
        ),
        routes=fold(labelled.get("route", ()), statics, kept.routes if kept else None, route_facts),
        versions=fold(
            labelled.get("versions", ()),
            statics,
            kept.versions if kept else None,
            several_versions,
            reads="presence",
        ),
        identities=fold(
            labelled.get("info", ()),
            statics,
            kept.identities if kept else None,
            identities,
            reads="nothing",
        ),
        calls=fold(
            labelled.get("dependency_attempts", ()),
            statics,
            kept.calls if kept else None,
            call_places,
            reads="nothing",
        ),
        replicas=fold(
            tuple(replica_labels(labelled)),
            statics,
            kept.replicas if kept else None,
            replica_facts,
        ),
    )


def _identities(
    folds: Folds, statics: Statics, memory: Memory, now: float
) -> tuple[Mapping[str, Identity], tuple[Change, ...], frozenset[str]]:
    """Return the identity last known of each model, and what changed of them."""
    if memory.folds is not None and memory.folds.identities is folds.identities:
        return memory.identities, (), frozenset()
    present = {statics.rows[row].model: pair for row, pair in folds.identities.result.items()}
    news, models = changes.identity_changes(present, memory.identities, now)
    return {**memory.identities, **present}, tuple(news), models
