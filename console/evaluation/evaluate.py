"""Judges one tick: observed answers and memory in, ranked Snapshot out."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from console.domain.entry import NO_RECORD, Record
from console.domain.severity import BreakerState, Severity
from console.domain.signals import SIGNALS, TOP_OF
from console.domain.snapshot import Snapshot
from console.evaluation import changes
from console.evaluation import dependencies as culprit
from console.evaluation.causes import HARM_RULES, Calls, causes, observe_calls
from console.evaluation.changes import written_changes
from console.evaluation.dependencies import times_of
from console.evaluation.evidence import NOTHING_PROVEN, Evidence, ProofFacts
from console.evaluation.inputs import Said, Seen, look
from console.evaluation.lazy_views import BreakerView, FindingsView, Raised
from console.evaluation.memory import (
    Memory,
    Pace,
    RowsBefore,
    Streaks,
    advance,
    at_once,
    phases_before,
)
from console.evaluation.phases import Phases, advance_phases, no_phases
from console.evaluation.row_labels import (
    acknowledged_rows,
)
from console.evaluation.rules.holds import UNREAD, DecidedFacts
from console.evaluation.rules.presence import absent_too_briefly
from console.evaluation.rules.rule_list import POSITION, RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.decision import DecisionRecord
    from console.domain.incident import Care
    from console.domain.model import ModelRow
    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Cause, Change, Dependency, SignalColumn
    from console.evaluation.observations import Observed
    from console.settings.schema import Settings

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]


def rank(
    severities: Codes,
    acknowledged: NDArray[np.bool_],
    tier: NDArray[np.int64],
    bad_rate: Floats,
    budget_left: Floats,
    since: Floats,
    name_rank: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return row indices, worst first: a total order.

    Level, unacknowledged before acknowledged, tier, most bad requests a minute, least budget
    left (ratio), oldest ``since`` (Unix seconds), name. ``bad_rate`` is a second, and compared
    in whole requests a minute, as shown, so that noise under what is shown moves no row; the
    budget is compared in whole percent for the same reason. What is not known ranks last.
    """
    bad_a_minute = np.round(np.nan_to_num(bad_rate, nan=0.0, posinf=1e15) * 60.0)
    budget = np.round(np.nan_to_num(budget_left, nan=1e6, posinf=1e6, neginf=-1e6) * 100.0)
    oldest = np.nan_to_num(since, nan=np.inf)
    order = np.lexsort((name_rank, oldest, budget, -bad_a_minute, tier, acknowledged, severities))
    return order.astype(np.int64)


_RULE_LEVELS = np.array([int(rule.level) for rule in RULES], dtype=np.uint8)
_SPANS = np.array([rule.spans for rule in RULES], dtype=np.bool_)
_IMMEDIATE = np.array([rule.immediate for rule in RULES], dtype=np.bool_)
_LOWERED = np.array(
    [rule.level is Severity.S1 and not rule.keeps_level for rule in RULES], dtype=np.bool_
)
_AT_FIRST = np.array([bool(rule.paced_by) and rule.spans for rule in RULES], dtype=np.bool_)
_LOWEST_TIER = 3
_PLANNED_LEVELS = {Severity.S2: Severity.S3, Severity.S3: Severity.S4}
_RECOVERS = np.array(
    [rule.recovers and rule.level <= Severity.S2 for rule in RULES], dtype=np.bool_
)
_BURNS = np.array([rule.recovers for rule in RULES], dtype=np.bool_)
_RECOVERING_LEVELS = np.arange(len(Severity) + 1, dtype=np.uint8)
_RECOVERING_LEVELS[[Severity.S1, Severity.S2]] = [Severity.S2, Severity.S3]
_ONE_LOWER = np.arange(len(Severity) + 1, dtype=np.uint8)
_ONE_LOWER[[Severity.S1, Severity.S2, Severity.S3]] = [Severity.S2, Severity.S3, Severity.S4]
_WHEN_PLANNED = np.array(
    [
        int(rule.level if rule.keeps_level else _PLANNED_LEVELS.get(rule.level, rule.level))
        for rule in RULES
    ],
    dtype=np.uint8,
)


def evaluate(
    rows: Sequence[ModelRow],
    observed: Observed,
    sources: Sequence[SourceStatus],
    memory: Memory,
    now: float,
    *,
    environment: str,
    tick: int,
    settings: Settings,
    remembers: bool = True,
    overrides: Sequence[Override] = (),
    record: Record = NO_RECORD,
    care: Mapping[str, Care] = MappingProxyType({}),
    decisions: Sequence[DecisionRecord] = (),
    proofs: ProofFacts = NOTHING_PROVEN,
) -> tuple[Snapshot, Memory]:
    """Judge ``rows`` at ``now`` (Unix seconds) and return the Snapshot and the next Memory.

    ``rows`` are in name order and every column of ``observed`` has their length. Without
    ``remembers`` nothing is known of earlier evaluations: rules that the source's own windows
    prove are raised at once, and what would need a second look is ``pending``. ``overrides`` are in
    force and ``decisions`` were taken as ``record`` tells them, ``care`` is what people did about
    incidents, by their ids, ``proofs`` what proves readiness and ends.
    """
    with np.errstate(all="ignore"):
        # Of a look without a past only what its source told of it counts.
        told = Memory(statics=memory.statics, phases=memory.phases, began=memory.began)
        past = memory if remembers else told
        decided = DecidedFacts(tuple(decisions), record.state not in UNREAD)
        said = Said(overrides, care, decided, proofs)
        seen = look(tuple(rows), observed, sources, past, now, settings, len(RULES), said)
        hit, clean = _judge(seen.evidence)
        if remembers:
            streaks = advance(seen.streaks, hit, clean, _pace(seen.evidence), now)
            waiting = _absent_briefly(seen.evidence)
        else:
            proven = _SPANS | _IMMEDIATE
            streaks = at_once(hit & proven, now)
            waiting = (hit & ~proven) | _absent_briefly(seen.evidence)
        held = _held_texts(seen, streaks.raised & ~hit)
        levels = _levels(seen.evidence)
        phases = _phases(seen, streaks.raised, remembers=remembers)
        streaks = _with_new_onsets(streaks, phases, now)
        began = _still_began(seen, streaks.raised, phases)
        streaks = _dated(seen, streaks, began)
        effective = np.where(
            phases.recovering[:, np.newaxis] & _RECOVERS, _RECOVERING_LEVELS[levels], levels
        )
        severities = np.where(streaks.raised, effective, np.uint8(Severity.OK)).min(
            axis=1, initial=np.uint8(Severity.OK)
        )
        over = _led_by_recovery(streaks.raised, effective, severities, phases)
        leading = Raised(_told(streaks.raised), levels, streaks.since, phases.since)
        findings = FindingsView(seen.evidence, RULES, leading, held)
        pending = FindingsView(
            seen.evidence, RULES, Raised(waiting, levels, np.full(levels.shape, now)), {}
        )
        breaker_since = _breaker_since(seen)
        renamed = culprit.aliases(settings)
        calls = observe_calls(seen.evidence, observed, renamed, seen.memory.calls)
        shared = _dependencies(seen, settings, calls)
        news = _news(seen, sources, shared, severities, findings)
        news += changes.override_changes(_known_held(record, overrides), seen.memory.held, now)
        news += written_changes(record, environment, seen.memory.changes, now)
        news += changes.told_changes(observed, seen.evidence.statics, seen.memory.changes, now)
        changed = changes.remember(seen.memory.changes, news, now)
        named = _causes(seen, calls, streaks.raised, severities, over, changed, renamed)
        shared = culprit.with_culprits(shared, named.values())
        snapshot = Snapshot(
            environment=environment,
            taken_at=now,
            tick=tick,
            rows=seen.evidence.statics.rows,
            columns=_columns(seen),
            severities=severities,
            order=_order(seen.evidence, severities, streaks, over),
            recovering=over,
            findings=findings,
            planned=frozenset(np.flatnonzero(seen.evidence.held.planned).tolist()),
            breakers=BreakerView(
                seen.evidence.breakers,
                breaker_since,
                times_of(observed.labelled.get("breaker_state", ()), seen.evidence.breakers),
            ),
            routes=seen.evidence.routes.by_row,
            baselines=seen.evidence.derived.baselines,
            dependencies=shared,
            sources=tuple(sources),
            changes=changed,
            pending=pending,
            incidents=observed.incidents,
            alert_sources=observed.alert_sources,
            change_sources=observed.change_sources,
            index=seen.evidence.statics.index,
            overrides=tuple(overrides),
            record=record,
            care=care,
            decisions=tuple(decisions),
            causes=named,
            replicas=seen.evidence.replicas.by_row,
        )
    kept = _remember(seen, snapshot, streaks, held, breaker_since, phases, calls)
    return snapshot, replace(kept, began=began)


def _phases(seen: Seen, raised: Mask, *, remembers: bool) -> Phases:
    """Return which raised burn rules are over for users; of a look without a past, none is."""
    rows = len(seen.evidence.statics)
    if not remembers and seen.memory.phases is None:
        return no_phases(rows)
    burning: Mask = np.logical_or.reduce(raised & _RECOVERS, axis=1)
    return advance_phases(phases_before(seen.memory, seen.evidence.statics), seen.evidence, burning)


def _with_new_onsets(streaks: Streaks, phases: Phases, now: float) -> Streaks:
    """Let rules of rows that hurt anew after a recovery begin now."""
    if not phases.onset.any():
        return streaks
    anew = phases.onset[:, np.newaxis] & _RECOVERS & streaks.raised
    return replace(streaks, since=np.where(anew, now, streaks.since))


def _still_began(seen: Seen, raised: Mask, phases: Phases) -> dict[str, float]:
    """Keep when harm began, of rows that burn still and not anew."""
    if not seen.memory.began:
        return {}
    statics = seen.evidence.statics
    burning: Mask = np.logical_or.reduce(raised & _RECOVERS, axis=1)
    if seen.streaks.hits.size and seen.memory.streaks is not None:
        burning |= (seen.streaks.hits > 0)[:, _RECOVERS].any(axis=1)
    return {
        model: at
        for model, at in seen.memory.began.items()
        if (row := statics.index.get(model)) is not None and burning[row] and not phases.onset[row]
    }


def _dated(seen: Seen, streaks: Streaks, began: Mapping[str, float]) -> Streaks:
    """Let rules that burn begin when the source's own data say that the harm did."""
    if not began:
        return streaks
    since = streaks.since.copy()
    for model, at in began.items():
        row = seen.evidence.statics.index[model]
        since[row] = np.where(_BURNS & streaks.raised[row], np.fmin(since[row], at), since[row])
    return replace(streaks, since=since)


def burning_rows(memory: Memory) -> list[int]:
    """Return the rows of which a burn rule held at the last look."""
    if memory.streaks is None or memory.statics is None:
        return []
    found: list[int] = np.flatnonzero((memory.streaks.hits > 0)[:, _RECOVERS].any(axis=1)).tolist()
    return found


def _led_by_recovery(
    raised: Mask, effective: Codes, severities: Codes, phases: Phases
) -> frozenset[int]:
    """Return the rows whose level comes from rules that are over alone."""
    leads = raised & (effective == severities[:, np.newaxis])
    rows = phases.recovering & ~(leads & ~_RECOVERS).any(axis=1) & leads.any(axis=1)
    return frozenset(np.flatnonzero(rows).tolist())


def _judge(evidence: Evidence) -> tuple[Mask, Mask]:
    """Return rows x rules: where each rule holds, and where it does not; neither is unknown."""
    truths = [rule.judge(evidence) for rule in RULES]
    hit = np.stack([truth.yes for truth in truths], axis=1)
    clean = np.stack([truth.no for truth in truths], axis=1)
    return hit, clean


def _pace(evidence: Evidence) -> Pace:
    """Return how each rule's answers are counted."""
    shape = (len(evidence.statics), len(RULES))
    answered_at, keeps = np.full(shape, evidence.now), np.zeros(shape, dtype=np.bool_)
    for place, rule in enumerate(RULES):
        if rule.paced_by:
            asked = evidence.asked.column(rule.paced_by).at
            answered_at[:, place] = np.where(np.isfinite(asked), asked, evidence.now)
        if rule.keeps is not None:
            keeps[:, place] = rule.keeps(evidence)

    def ripe(since: Floats) -> Mask:
        found = np.ones(shape, dtype=np.bool_)
        for place, rule in enumerate(RULES):
            if rule.ripe is not None:
                found[:, place] = rule.ripe(evidence, since[:, place])
        return found

    return Pace(answered_at, keeps, ripe, _IMMEDIATE, _AT_FIRST)


def _levels(evidence: Evidence) -> Codes:
    """Return each rule's level for each row.

    Tier 3 lowers S1 to S2, but for residency; what a person holds by hand lowers S2 and S3; a
    rule may count one level lower for rows of its own.
    """
    planned = evidence.held.planned[:, np.newaxis]
    levels = np.where(planned, _WHEN_PLANNED, _RULE_LEVELS)
    lowest = (evidence.statics.tier == _LOWEST_TIER)[:, np.newaxis]
    lowered: Codes = np.where(lowest & _LOWERED, np.uint8(Severity.S2), levels)
    for column, rule in enumerate(RULES):
        if rule.lowered is not None:
            one_lower = _ONE_LOWER[lowered[:, column]]
            lowered[:, column] = np.where(rule.lowered(evidence), one_lower, lowered[:, column])
    return lowered


def _told(raised: Mask) -> Mask:
    """Leave out what goes without saying beside a worse rule that is raised too."""
    told = raised.copy()
    for rule in RULES:
        for worse in rule.implied_by:
            told[:, POSITION[rule.id]] &= ~raised[:, POSITION[worse]]
    return told


def _absent_briefly(evidence: Evidence) -> Mask:
    waiting = np.zeros((len(evidence.statics), len(RULES)), dtype=np.bool_)
    waiting[:, POSITION["no_data_tier1"]] = absent_too_briefly(evidence)
    return waiting


def _held_texts(seen: Seen, held: Mask) -> dict[tuple[str, str], str]:
    """Keep the last sentence of rules that are raised but do not hold at this moment."""
    before = seen.memory.evidence
    texts: dict[tuple[str, str], str] = {}
    for row, column in np.argwhere(held).tolist():
        model, rule = seen.evidence.statics.rows[row].model, RULES[column]
        text = seen.memory.held_texts.get((model, rule.id))
        if text is None and before is not None and model in before.statics.index:
            text = rule.text(before, before.statics.index[model])
        texts[model, rule.id] = text or rule.when
    return texts


def _order(
    evidence: Evidence, severities: Codes, streaks: Streaks, over: frozenset[int]
) -> NDArray[np.int64]:
    """Rank the rows; those of ``over`` stand after everything that hurts at their level."""
    bad = evidence.lately("bad_rate")
    reckoned = evidence.values("error_ratio") * evidence.values("requests_rate")
    raised_since = np.where(streaks.raised, streaks.since, np.inf)
    return rank(
        severities=(2 * severities + evidence.mask(over)).astype(np.uint8),
        acknowledged=evidence.mask(acknowledged_rows(evidence.alerts, evidence.holds)),
        tier=evidence.statics.tier,
        bad_rate=np.where(np.isfinite(bad), bad, reckoned),
        budget_left=evidence.derived.columns["budget_left"].values,
        since=raised_since.min(axis=1, initial=np.inf),
        name_rank=evidence.statics.name_rank,
    )


def _columns(seen: Seen) -> Mapping[str, SignalColumn]:
    """Return the public signals, as asked and as derived, and the edges that bound percentiles."""
    public = {*SIGNALS, *TOP_OF.values()}
    asked = {name: column for name, column in seen.observed.columns.items() if name in public}
    return asked | dict(seen.evidence.derived.columns)


def _breaker_since(seen: Seen) -> Floats:
    states = seen.evidence.breakers.states
    moved = (states != seen.before.breaker_states) & (states != int(BreakerState.UNKNOWN))
    return np.where(moved, seen.evidence.now, seen.before.breaker_since)


_HARM = np.array([rule.id in HARM_RULES for rule in RULES], dtype=np.bool_)


def _causes(
    seen: Seen,
    calls: Calls,
    raised: Mask,
    severities: Codes,
    over: frozenset[int],
    changed: Sequence[Change],
    renamed: Mapping[str, str],
) -> dict[int, Cause]:
    """Return what hurts the rows of which a rule says that requests fail or are slow."""
    rules: dict[int, set[str]] = {}
    for row, column in np.argwhere(raised & _HARM).tolist():
        rules.setdefault(row, set()).add(RULES[column].id)
    late = culprit.by_name(seen.observed.labelled.get("dependency_timeout_ratio", ()), renamed)
    return causes(
        seen.evidence,
        calls,
        {row: frozenset(ids) for row, ids in rules.items()},
        severities,
        over,
        {name: item.value for name, item in late.items()},
        changed,
        seen.memory.causes,
    )


def _dependencies(seen: Seen, settings: Settings, calls: Calls) -> tuple[Dependency, ...]:
    labelled, renamed = seen.observed.labelled, culprit.aliases(settings)
    facts = culprit.DependencyFacts(
        error_ratio=culprit.by_name(labelled.get("dependency_error_ratio", ()), renamed),
        timeout_ratio=culprit.by_name(labelled.get("dependency_timeout_ratio", ()), renamed),
        latency_p95=culprit.by_name(labelled.get("dependency_latency_p95", ()), renamed),
        breakers=seen.evidence.dependency_breakers,
    )
    past = culprit.Past(seen.memory.bad_dependencies, seen.memory.dependency_breakers)
    return culprit.dependencies(seen.evidence, facts, settings, past, calls.kept)


def _news(
    seen: Seen,
    sources: Sequence[SourceStatus],
    shared: Sequence[Dependency],
    severities: Codes,
    findings: FindingsView,
) -> list[Change]:
    """Tell what is different from the evaluation before; the first one has no news."""
    memory, evidence = seen.memory, seen.evidence
    if memory.statics is None or memory.folds is None:
        return []
    no_answer = RULES[POSITION["breaker_no_answer"]].judge(evidence).yes
    return [
        *changes.source_changes(sources, memory.source_states, evidence.now),
        *changes.breaker_changes(evidence, seen.before.breaker_states, no_answer),
        *changes.dependency_changes(
            shared, memory.dependency_breakers, memory.bad_dependencies, evidence.now
        ),
        *changes.route_changes(seen.folds.routes, memory.folds.routes, evidence.now),
        *changes.level_changes(
            evidence, severities, seen.before.severities, findings, memory.changes
        ),
        *seen.identity_changes,
    ]


def _known_held(record: Record, overrides: Sequence[Override]) -> Mapping[str, Override] | None:
    """Return overrides by operation; None while nobody can say what is in force."""
    if record.state not in ("open", "absent"):
        return None
    return {each.op_id: each for each in overrides}


def _remember(
    seen: Seen,
    snapshot: Snapshot,
    streaks: Streaks,
    held: Mapping[tuple[str, str], str],
    breaker_since: Floats,
    phases: Phases,
    calls: Calls,
) -> Memory:
    evidence = seen.evidence
    states = evidence.breakers.states
    known = states != int(BreakerState.UNKNOWN)
    shared_breakers = {
        one.name: (one.breaker.state, one.breaker.since)
        for one in snapshot.dependencies
        if one.breaker.since is not None
    }
    return Memory(
        statics=evidence.statics,
        streaks=streaks,
        before=RowsBefore(
            breaker_states=np.where(known, states, seen.before.breaker_states),
            breaker_since=breaker_since,
            absent_since=evidence.absent_since,
            changed_at=evidence.changed_at,
            severities=snapshot.severities,
        ),
        evidence=evidence,
        folds=seen.folds,
        identities=seen.identities,
        held_texts=held,
        changes=snapshot.changes,
        held=_known_held(snapshot.record, snapshot.overrides),
        source_states=evidence.source_states,
        score_drift=seen.score_drift,
        days=seen.days,
        phases=phases,
        calls=calls.kept,
        causes={snapshot.rows[row].model: one for row, one in snapshot.causes.items()},
        bad_dependencies={
            one.name: one.since for one in snapshot.dependencies if one.since is not None
        },
        dependency_breakers={
            **seen.memory.dependency_breakers,
            **{name: (state, since) for name, (state, since) in shared_breakers.items()},
        },
    )
