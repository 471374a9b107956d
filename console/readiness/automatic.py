"""Judges the checks that the console can see for itself: signals, configuration, journal, drills.

Each function takes a `Subject` and returns a `Verdict`. What could not be looked at is unknown,
and what nobody measures is a failure, never a pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.entry import Verification
from console.domain.severity import BreakerState
from console.domain.signals import ReadingState
from console.domain.text import visible
from console.evaluation.inventory import lineage_of
from console.metrics.units import format_signal, shown
from console.readiness.subject import (
    DARK,
    DAY_SECONDS,
    DOUBTFUL,
    DRILL_DAYS,
    FOUR_SIGNALS,
    PRESENT,
    UNREAD,
    Subject,
    Verdict,
    best_answer,
    covers_a_week,
    day,
    does_not_apply,
    fails,
    joined,
    judge_exercise,
    moment_of,
    not_known,
    passes,
    rungs,
    span_words,
    unmeasured,
)
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from console.domain.proof import CheckState, ClosedIncident, HandedOver


def four_signals(subject: Subject) -> Verdict:
    """Judge that latency, traffic, errors and saturation answer now."""
    found = {what: best_answer(subject, names) for what, names in FOUR_SIGNALS.items()}
    missing = [what for what, (_, state) in found.items() if state is ReadingState.NO_DATA]
    late = [f"{what} {state.label}" for what, (_, state) in found.items() if state in DOUBTFUL]
    if subject.dark:
        return not_known(DARK)
    if missing:
        return fails(f"nothing measures {', '.join(missing)}")
    if late:
        return not_known(f"the source does not answer now: {', '.join(late)}")
    return passes(", ".join(name for name, _ in found.values()) + " answer now")


REFERENCE_ROWS, REFERENCE_DAYS = 1000, 90


def drift_reference(subject: Subject) -> Verdict:
    """Judge that scores are measured against a frozen, hashed, recent reference of some size."""
    reference = subject.model.reference
    if reference is None:
        missing = "drift.reference names no file: midwatch reference freezes one"
        return fails(missing if not subject.model.drift_reference else "it could not be read")
    until = reference.taken_at + REFERENCE_DAYS * DAY_SECONDS
    state: CheckState = "pass"
    text = f"{reference.n:.0f} predictions of {day(reference.taken_at)}"
    if reference.n < REFERENCE_ROWS:
        state, text = "fail", f"{text}; at least {REFERENCE_ROWS} are asked for"
    elif until <= subject.now:
        state, text = "expired", f"{text}; older than {REFERENCE_DAYS} days"
    return Verdict(
        state=state,
        text=text,
        at=reference.taken_at,
        until=until,
        evidence=reference.name,
        sha256=reference.sha256,
    )


def input_quality(subject: Subject) -> Verdict:
    """Judge that missing input values are counted."""
    reading = subject.reading("null_ratio")
    if reading.known:
        return passes(f"missing inputs are counted: {format_signal('null_ratio', reading.value)}")
    if reading.state in PRESENT:
        return passes("missing inputs are counted; there is no traffic to count them in now")
    if reading.state in DOUBTFUL:
        return not_known(f"missing inputs: {reading.state.label}")
    return not_known(DARK) if subject.dark else fails("nothing counts missing inputs")


def model_age(subject: Subject) -> Verdict:
    """Judge that the version that serves was trained recently enough."""
    limit = subject.settings.readiness.model_age_seconds
    told = lineage_of(subject.model, subject.snapshot.registry.get(subject.model.model)).trained_at
    if not told:
        return fails("nothing says when the version that serves was trained")
    trained_at = moment_of(told)
    if trained_at is None:
        return not_known(f"trained_at {visible(told, 40)} is no date")
    until = trained_at + limit
    text = f"trained {day(trained_at)}, limit {format_duration(limit)}"
    return Verdict(
        state="pass" if subject.now < until else "expired", text=text, at=trained_at, until=until
    )


BURN_PAIRS = (("5m", "1h"), ("30m", "6h"), ("2h", "1d"), ("6h", "3d"))
LEAST_AVAILABILITY_RATIO = 0.93
"""Below it, a burn of 14.4 needs more bad requests than there are requests."""


def objectives(subject: Subject) -> Verdict:
    """Judge that a service level is declared and all four burn rules have windows to judge by."""
    goal = subject.model.objectives
    if not goal.declared:
        return fails("no slo is declared; the default is in force")
    if goal.availability_ratio < LEAST_AVAILABILITY_RATIO:
        return fails(f"slo {goal.availability_ratio:.1%}: the 14.4x rule could never fire")
    readings = {name: subject.reading(f"burn_{name}") for pair in BURN_PAIRS for name in pair}
    failed = [name for name, each in readings.items() if each.state in DOUBTFUL]
    if failed:
        return not_known(f"burn over {', '.join(failed)}: the source does not answer now")
    short = [
        name
        for name, each in readings.items()
        if each.state is ReadingState.NO_DATA and each.history_seconds is not None
    ]
    blind = [
        name
        for name, each in readings.items()
        if each.state is ReadingState.NO_DATA and name not in short
    ]
    slo = f"slo {goal.availability_ratio:.5g}"
    if blind and subject.reading("error_ratio").state is ReadingState.NO_DATA:
        return not_known(DARK) if subject.dark else fails(f"{slo}, but nothing measures errors")
    unproven = [*short, *blind]
    if unproven:
        return not_known(f"{slo}; the history is too short for burn over {', '.join(unproven)}")
    return passes(f"{slo}; all four burn rules have their windows")


ALERT_DAYS = 180


def alert_proven(subject: Subject) -> Verdict:
    """Judge that an incident about the model has been detected, and closed by somebody."""
    if not subject.record_read:
        return not_known(UNREAD)
    closed = subject.proofs.closed.get(subject.target)
    if closed is None:
        return fails("no incident about it was ever closed on this record")
    until = closed.at + ALERT_DAYS * DAY_SECONDS
    said = f"{visible(closed.title or closed.incident, 60)}: fired, and closed {day(closed.at)}"
    return _proven(subject, closed, until, said, closed.by)


def _proven(
    subject: Subject, entry: ClosedIncident | HandedOver, until: float, text: str, by: str
) -> Verdict:
    """Return what an entry of the journal proves ``until`` a time (Unix seconds), then expired."""
    return Verdict(
        state="pass" if subject.now < until else "expired",
        text=text,
        by=by,
        at=entry.at,
        until=until,
        entry=entry.entry,
        entry_hash=entry.entry_hash,
    )


def no_data_rule(subject: Subject) -> Verdict:
    """Judge that its silence would be noticed: a model that is only discovered just disappears."""
    if not subject.model.configured:
        return fails("it is only discovered: if it vanished, no row would be missed")
    drill = subject.passed("source-away")
    level = "S1 after 5 min" if subject.model.tier == 1 else "unknown"
    text = f"declared: without data it is {level}"
    return passes(f"{text}; drilled {day(drill.at)}" if drill is not None else text)


_UNPROTECTED = (BreakerState.DISABLED, BreakerState.METRICS_ONLY)


def breakers(subject: Subject) -> Verdict:
    """Judge that every dependency has a breaker and that none is disabled."""
    needed = subject.model.dependencies
    known = {each.name: each.breaker.state for each in subject.snapshot.dependencies}
    own = subject.snapshot.breaker(subject.row).state
    if not needed and own is BreakerState.UNKNOWN:
        return fails("it declares no dependencies, and no breaker of its own is seen")
    states = {name: known.get(name, BreakerState.UNKNOWN) for name in needed}
    if own is not BreakerState.UNKNOWN:
        states["its own"] = own
    bare = [name for name, state in states.items() if state is BreakerState.UNKNOWN]
    off = [name for name, state in states.items() if state in _UNPROTECTED]
    if off:
        return fails(f"unprotected: the breaker of {joined(off)} refuses nothing")
    if bare:
        return fails(f"no breaker is seen on {joined(bare)}")
    return passes(f"breakers on {joined(list(states))}")


_AROUND = ("HALF_OPEN", "CLOSED")


def breaker_drilled(subject: Subject) -> Verdict:
    """Judge that the breaker was seen to open, probe and close again."""
    found = subject.passed("breaker")
    if found is not None and found.drill and not set(_AROUND) <= set(found.states):
        return fails(f"drilled {day(found.at)}, but not seen to probe and close again")
    return judge_exercise(subject, "breaker", "the breaker")


def fallback_answers(subject: Subject) -> Verdict:
    """Judge that a fallback is declared and answered lately."""
    if not subject.model.fallbacks:
        return fails("no fallback is declared")
    return judge_exercise(subject, "fallback", f"fallback to {joined(rungs(subject))}")


def fallback_allowed(subject: Subject) -> Verdict:
    """Judge that every fallback serves where the data may go, on a consent basis that is named."""
    model = subject.model
    if not model.fallbacks:
        return does_not_apply("no fallback is declared; see the check before")
    abroad = [
        each.name
        for each in model.fallbacks
        if model.allowed_regions and each.region not in model.allowed_regions
    ]
    if abroad:
        return fails(f"outside {joined(list(model.allowed_regions))}: {joined(abroad)}")
    if not model.consent:
        return fails("no consent basis is declared")
    where = joined(list(model.allowed_regions)) or "anywhere"
    return passes(f"{joined(rungs(subject))} serve in {where}, consent {visible(model.consent)}")


def fallback_capacity(subject: Subject) -> Verdict:
    """Judge that the next rung down can take the peak."""
    if not subject.model.fallbacks:
        return does_not_apply("no fallback is declared")
    rung = subject.model.fallbacks[0]
    if rung.capacity_per_second is None:
        return fails(f"the capacity of {visible(rung.name, 40)} is not declared")
    peak = subject.past.peak_per_second
    if peak is None:
        return not_known("the peak of its traffic is not known here")
    text = (
        f"{visible(rung.name, 40)} takes {rung.capacity_per_second:.3g}/s, the busiest half hour "
        f"of the last {span_words(subject.past.span_seconds)} had {peak:.3g}/s"
    )
    if rung.capacity_per_second < peak:
        return fails(text)
    return passes(text) if covers_a_week(subject) else not_known(f"{text}; a week is needed")


def rollback_drilled(subject: Subject) -> Verdict:
    """Judge that the version before can be brought back, because it was."""
    declared = subject.declared
    if declared is None or "route" not in declared.controls:
        return fails("no route control is declared: nothing could roll it back")
    return judge_exercise(subject, "rollback", "rollback")


def human_path(subject: Subject) -> Verdict:
    """Judge that people took over lately, for real or as a drill."""
    declared = subject.declared
    if declared is None or not {"human", "route"} & declared.controls.keys():
        return fails("no control sends its requests to people")
    return judge_exercise(subject, "human", "sending it to people")


def release_tried(subject: Subject) -> Verdict:
    """Judge that a canary of the version that serves was decided and its outcome written."""
    for record in reversed(subject.snapshot.decisions):
        decision = record.decision
        if decision.model != subject.target or decision.kind != "CANARY":
            continue
        serves = subject.model.version
        if decision.to_version and serves and decision.to_version != serves:
            continue
        if record.closed_at is not None:
            return Verdict(
                state="pass",
                text=f"CANARY decided {day(decision.taken_at)}: {visible(record.outcome, 80)}",
                by=decision.author,
                at=record.closed_at,
            )
    return fails("no CANARY of the version that serves is on the record with an outcome")


RHO_LIMIT = 0.85


def review_queue(subject: Subject) -> Verdict:
    """Judge that the review queue is declared, has room, and kept its promise for the last days."""
    model = subject.model
    if model.review_sla_seconds is None and model.review_capacity_per_second is None:
        if model.confidence_threshold is None:
            return does_not_apply("no answers go to review: no threshold and no queue is declared")
        return fails("a threshold is declared, but no review capacity and SLA")
    missing = [
        key
        for key, value in (
            ("confidence.threshold", model.confidence_threshold),
            ("review.capacity_per_second", model.review_capacity_per_second),
            ("review.sla", model.review_sla_seconds),
        )
        if value is None
    ]
    if missing or model.review_sla_seconds is None:
        return fails(f"not declared: {', '.join(missing)}")
    rho = subject.reading("review_rho")
    if not rho.known or rho.value is None:
        return unmeasured(subject, rho, "the review load")
    if rho.value >= RHO_LIMIT:
        return fails(f"the queue is at {rho.value:.2f} of its capacity, limit {RHO_LIMIT}")
    oldest = subject.past.oldest_review_seconds
    if oldest is None:
        return not_known("how old reviews became in the last days is not known here")
    worst = (
        f"the oldest review of the last {span_words(subject.past.span_seconds)} was "
        f"{shown(oldest, 's')} old, SLA {format_duration(model.review_sla_seconds)}"
    )
    if oldest > model.review_sla_seconds:
        return fails(worst)
    if not covers_a_week(subject):
        return not_known(f"{worst}; a week is needed")
    return passes(f"load {rho.value:.2f}; {worst}")


RETRY_LIMIT = 1.1


def retries(subject: Subject) -> Verdict:
    """Judge that fewer than a tenth of the attempts are retries."""
    reading = subject.reading("attempts_per_request")
    if not reading.known or reading.value is None:
        return unmeasured(subject, reading, "attempts per request")
    text = f"{reading.value:.2f} attempts per request"
    return passes(text) if reading.value < RETRY_LIMIT else fails(f"{text}, limit {RETRY_LIMIT}")


def budget(subject: Subject) -> Verdict:
    """Judge that a budget is declared and that the month ends within it."""
    declared = subject.model.budget_month_usd
    if not declared:
        return fails("no cost.budget_month is declared")
    forecast = subject.reading("cost_month_p50")
    spent = subject.reading("cost_month")
    if spent.known and spent.value is not None and spent.value > declared:
        return fails(f"spent {shown(spent.value, 'USD')} of {shown(declared, 'USD')} already")
    if not forecast.known or forecast.value is None:
        return unmeasured(subject, forecast, "the month's end")
    text = f"month's end {shown(forecast.value, 'USD')} of {shown(declared, 'USD')}"
    return passes(text) if forecast.value <= declared else fails(text)


def on_call(subject: Subject) -> Verdict:
    """Judge that owner, second person and escalation are declared."""
    model = subject.model
    missing = [
        key
        for key, value in (
            ("owner", model.owner),
            ("oncall.primary", model.oncall.primary),
            ("oncall.secondary", model.oncall.secondary),
            ("oncall.escalation", model.oncall.escalation),
        )
        if not value
    ]
    if missing:
        return fails(f"not declared: {', '.join(missing)}")
    people = f"{model.oncall.primary}, {model.oncall.secondary}"
    return passes(f"{visible(model.owner, 40)}: {visible(people, 80)}, then escalation")


def runbook(subject: Subject) -> Verdict:
    """Judge that a runbook is declared; whether it is true a person has to say."""
    declared = subject.model.runbook
    return (
        passes(f"runbook {visible(declared, 80)}") if declared else fails("no runbook is declared")
    )


def intervention(subject: Subject) -> Verdict:
    """Judge that somebody wrote down when to act."""
    written = subject.model.intervene
    if not written:
        return fails("no intervene criteria are written")
    return passes("; ".join(f"{visible(when, 60)}: {visible(do, 40)}" for when, do in written[:3]))


def decisions(subject: Subject) -> Verdict:
    """Judge that no decision about the model is past its review date."""
    if not subject.record_read:
        return not_known(UNREAD)
    mine = [each for each in subject.snapshot.decisions if each.decision.model == subject.target]
    late = [each for each in mine if each.overdue(subject.now)]
    if late:
        oldest = min(late, key=lambda each: each.decision.review_by).decision
        return fails(f"{len(late)} overdue: {oldest.kind}, review was {day(oldest.review_by)}")
    return passes(f"{len(mine)} decisions, none overdue" if mine else "none was taken, none is due")


def lineage(subject: Subject) -> Verdict:
    """Judge that data, code, training and approver of the version that serves are known."""
    found = lineage_of(subject.model, subject.snapshot.registry.get(subject.model.model))
    if found.conflicts:
        return fails(f"it contradicts itself: {visible(found.conflicts[0], 160)}")
    if found.gaps:
        return fails(f"not known: {visible(', '.join(found.gaps), 200)}")
    return passes(f"version {visible(found.version, 40)} approved by {visible(found.approver, 40)}")


LEAST_KEPT_SECONDS = 183 * DAY_SECONDS


def journal(subject: Subject) -> Verdict:
    """Judge that the record is whole and kept for half a year."""
    record, kept = subject.snapshot.record, subject.settings.journal.keep_seconds
    if record.state == "off":
        return fails("no journal is kept")
    if kept < LEAST_KEPT_SECONDS:
        return fails(f"journal.keep is {format_duration(kept)}, less than 183 d")
    if record.state == "absent":
        return fails("the journal is empty: nothing could be proven by it")
    if record.broken:
        return fails(f"broken at entry {record.broken[0].seq}")
    if isinstance(subject.chain, Verification):
        found = subject.chain
        text = visible(found.sentence, 160)
        if not found.ok or found.head is None:
            return fails(text)
        return Verdict(state="pass", text=text, entry=found.head.seq, entry_hash=found.head.hash)
    if isinstance(subject.chain, str):
        return not_known(visible(subject.chain, 160))
    if record.state != "open":
        return not_known(UNREAD)
    return not_known("the chain was not verified at this look")


def change_feed(subject: Subject) -> Verdict:
    """Judge that changes of what it depends on are told to the console."""
    if not subject.model.dependencies:
        return does_not_apply("it declares no dependencies")
    places = subject.snapshot.change_sources
    if not subject.settings.changes:
        return fails("no [[changes]] source is declared: a dependency's deploy is not told")
    away = [each.name for each in places if each.state != "up"]
    if away or not places:
        return not_known(f"{joined(away) or 'the change source'} does not answer")
    return passes(f"told by {joined([each.name for each in places])}")


def actions_closed(subject: Subject) -> Verdict:
    """Say whether there was an incident at all from which actions could be open."""
    if not subject.record_read:
        return not_known(UNREAD)
    closed = subject.proofs.closed.get(subject.target)
    if closed is None:
        return does_not_apply("no incident about it is on the record")
    title = visible(closed.title or closed.incident, 60)
    return Verdict(
        state="pass",
        text=f"the last incident, {title}, was closed {day(closed.at)}",
        at=closed.at,
        entry=closed.entry,
        entry_hash=closed.entry_hash,
    )


def handed_over(subject: Subject) -> Verdict:
    """Judge that the last handover was accepted by somebody else."""
    if not subject.record_read:
        return not_known(UNREAD)
    last = subject.proofs.handover
    if last is None:
        return fails("no handover is on the record")
    until = last.at + DRILL_DAYS["handover"] * DAY_SECONDS
    if last.accepted_at is None:
        return fails(f"the handover of {visible(last.by, 40)} {day(last.at)} waits for acceptance")
    said = f"of {visible(last.by, 40)} {day(last.at)}, accepted"
    return _proven(subject, last, until, said, last.accepted_by)
