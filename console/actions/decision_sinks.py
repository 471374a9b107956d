"""Sends a decision on: registry tags and alias, an annotation, the start of a retraining.

Each is a change like any other: written down, sent once, judged by reading back. It is planned
with the decision and approved with it, and goes out only once the decision stands.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from console.actions.decision_record import digest_of_decision, prepare_decision
from console.actions.fleet_view import FleetView, send_target
from console.actions.verbs import SENDS
from console.controls.registry import bound_name, fixed_vars
from console.decisions.decision_log import decisions_in
from console.domain.action import ActionRefused, ActionRequest, Guard, Step
from console.domain.decision import DECISION_SINKS, PlannedSend
from console.domain.model import numbered
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from console.actions.decision_record import DecisionWish, PreparedDecision
    from console.actions.executor import ActionExecutor
    from console.domain.action import PreparedAction
    from console.domain.control import JsonValue, PreparedChange
    from console.domain.decision import Decision, DecisionRecord, DecisionSink
    from console.domain.snapshot import Snapshot
    from console.settings.schema import Settings

LINE_CHARACTERS = 110
"""Length of the one line a tag holds; a longer state would be cut when it is read back."""

TEXT_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class PreparedSend:
    """One thing ready to be sent; without an ``action``, ``problem`` says why it cannot be."""

    sink: DecisionSink
    action: PreparedAction | None = None
    problem: str = ""


def declared_sinks(settings: Settings, model: str) -> tuple[DecisionSink, ...]:
    """Return where decisions about a model can be sent, in the order in which they are."""
    declared = settings.models.get(model)
    known = {} if declared is None else declared.decisions
    return tuple(sink for sink in DECISION_SINKS if sink in known)


def default_sinks(settings: Settings, decision: Decision) -> tuple[DecisionSink, ...]:
    """Return what of the declared makes sense for this decision without being asked for."""
    return tuple(
        sink for sink in declared_sinks(settings, decision.model) if not _senseless(sink, decision)
    )


def _senseless(sink: DecisionSink, decision: Decision) -> str:
    if sink == "alias" and not decision.to_version:
        return "the alias moves only where the decision names the version: --to VERSION"
    if sink == "retrain" and decision.kind != "RETRAIN":
        return f"{decision.kind} starts no retraining"
    return ""


async def prepare_with_sends(
    actor: ActionExecutor,
    wish: DecisionWish,
    snapshot: Snapshot | None,
    sinks: Collection[str] | None = None,
) -> PreparedDecision:
    """Return a decision as it would stand now, with what would be sent of it.

    ``sinks`` as in `prepare_sends`. Raises `ActionRefused` and ``JournalError``.
    """
    bench = actor.bench
    # The head first: what is written while the decisions are read must count as written since.
    head = await asyncio.to_thread(bench.journal.head)
    decided = await asyncio.to_thread(decisions_in, bench.journal, wish.model)
    prepared = prepare_decision(
        wish,
        FleetView(bench.settings, snapshot, bench.clock()),
        bench.who,
        decided.records,
        seen_seq=0 if head is None else head.seq,
    )
    return with_sends(prepared, await prepare_sends(actor, prepared.decision, snapshot, sinks))


async def prepare_sends(
    actor: ActionExecutor,
    decision: Decision,
    snapshot: Snapshot | None,
    sinks: Collection[str] | None = None,
) -> tuple[PreparedSend, ...]:
    """Return everything that would be sent, each read and weighed; raises ``JournalError``.

    ``sinks`` None takes what makes sense of the declared. Raises `ActionRefused` for a sink that
    is not declared.
    """
    settings = actor.bench.settings
    declared = declared_sinks(settings, decision.model)
    for sink in sinks or ():
        if sink not in declared:
            known = ", ".join(declared) or "none"
            raise ActionRefused.forbidden(
                "no_sink",
                f"models.{decision.model}.decisions.{visible(sink, 40)} is not declared, so "
                f"nothing can be sent there; declared: {known}",
            )
    wanted = default_sinks(settings, decision) if sinks is None else sinks
    return tuple(
        [await _prepared(actor, decision, snapshot, sink) for sink in declared if sink in wanted]
    )


async def _prepared(
    actor: ActionExecutor, decision: Decision, snapshot: Snapshot | None, sink: DecisionSink
) -> PreparedSend:
    settings = actor.bench.settings
    problem = _senseless(sink, decision)
    control = settings.models[decision.model].decisions[sink]
    fixed = fixed_vars(settings.controls[control]) if control in settings.controls else {}
    if not problem and sink == "tags" and not (fixed.get("version") or _version(decision)):
        problem = (
            "which version it is about is not known; model_info or models.NAME.registry would "
            f"say, or controls.{control}.vars.version"
        )
    if problem:
        return PreparedSend(sink, problem=problem)
    request = ActionRequest(
        verb=sink,
        target=send_target(sink, decision.model),
        reason=decision.reason,
        to=decision.to_version if sink == "alias" else "",
        incident=decision.incident,
        decision=decision.id,
    )
    step = _step(sink, control, decision, fixed)
    try:
        action = await actor.prepare(request, snapshot, steps=(step,))
    except ActionRefused as refused:
        return PreparedSend(sink, problem=str(refused))
    if action.forbidden:
        return PreparedSend(sink, problem="; ".join(each.sentence for each in action.forbidden))
    return PreparedSend(sink, action)


def _step(
    sink: DecisionSink, control: str, decision: Decision, fixed: Mapping[str, object]
) -> Step:
    """Return what the control is asked for, bound to the decision where it is about one."""
    # An alias is one thing whatever moves it; the others are looked for by the decision.
    bound = {} if sink == "alias" else _binding(decision)
    variables = {**_variables(decision), **bound}
    return Step(
        bound_name(control, {name: text for name, text in bound.items() if name not in fixed}),
        SENDS[sink].action,
        tuple((name, value) for name, value in variables.items() if name not in fixed),
    )


def _binding(decision: Decision) -> dict[str, str]:
    return {"decision": decision.id, "kind": decision.kind, "version": _version(decision)}


def _version(decision: Decision) -> str:
    return decision.lineage.registry_version or numbered(decision.lineage.version)


def _variables(decision: Decision) -> dict[str, JsonValue]:
    """Return what a control's requests may hold of a decision; what is not known is None."""
    lineage = decision.lineage
    return {
        "decision": decision.id,
        "kind": decision.kind,
        "model": decision.model,
        "version": _version(decision) or None,
        "to": decision.to_version or None,
        "line": line_of(decision),
        "text": text_of(decision),
        "time_ms": round(decision.taken_at * 1000.0),
        "review_by": _day(decision.review_by),
        "region": decision.region or None,
        "consent": lineage.consent or None,
        "data_snapshot": lineage.data_snapshot or None,
        "code": lineage.code or None,
    }


def line_of(decision: Decision) -> str:
    """Return a decision on one short line, as a tag holds it."""
    to = f" to {decision.to_version}" if decision.to_version else ""
    said = f"{decision.kind}{to} by {decision.author}, review {_day(decision.review_by)}"
    return visible(said, LINE_CHARACTERS)


def text_of(decision: Decision) -> str:
    """Return a decision as a mark on a chart holds it."""
    said = f"{decision.model}: {line_of(decision)}: {decision.reason} (decision {decision.id})"
    return visible(said, TEXT_CHARACTERS)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def with_sends(prepared: PreparedDecision, sends: tuple[PreparedSend, ...]) -> PreparedDecision:
    """Return the decision with what will be sent in it, so that it is approved with it."""
    planned = tuple(
        PlannedSend(
            sink=each.sink,
            control=each.action.changes[0].control,
            wanted=each.action.wanted,
            before=_known_before(each.action),
        )
        for each in sends
        if each.action is not None
    )
    decision = msgspec.structs.replace(prepared.decision, sends=planned)
    return replace(prepared, decision=decision, sends=sends, digest=digest_of_decision(decision))


def _known_before(action: PreparedAction) -> str:
    calls = [call for change in action.changes for call in change.calls]
    return action.before if all(call.seen.known for call in calls) else ""


async def prepare_unsent(
    actor: ActionExecutor,
    record: DecisionRecord,
    snapshot: Snapshot | None,
    sinks: Collection[str] | None = None,
) -> tuple[PreparedSend, ...]:
    """Return what is still to be sent of a decision that stands.

    Where the world is no longer as it was when it was decided, sending comes to ``superseded``:
    somebody else has moved on meanwhile. Raises `ActionRefused` and ``JournalError``.
    """
    decision = record.decision
    if record.closed_at is not None:
        raise _refused(f"{visible(record.closed_by, 60)} has closed it; nothing is sent any more")
    if record.pending:
        raise _refused(f"it waits for its second person: midwatch approve {decision.id}")
    planned = {each.sink: each for each in record.unsent}
    strange = sorted(set(sinks or ()) - planned.keys())
    if strange:
        waits = ", ".join(planned) or "nothing"
        raise _refused(
            f"{visible(', '.join(strange), 80)} is not waiting to be sent with it; waiting: {waits}"
        )
    wanted = set(planned) if sinks is None else set(sinks)
    gone = wanted - set(declared_sinks(actor.bench.settings, decision.model))
    made = await prepare_sends(actor, decision, snapshot, wanted - gone)
    lost = tuple(
        PreparedSend(sink, problem="its control is no longer declared")
        for sink in planned
        if sink in gone
    )
    return (*(_as_decided(each, planned[each.sink]) for each in made), *lost)


def _as_decided(send: PreparedSend, planned: PlannedSend) -> PreparedSend:
    """Return the send judged from the state seen when it was decided."""
    action = send.action
    if action is None or action.already or not planned.before or action.before == planned.before:
        return send
    sentence = (
        f"it was {visible(planned.before, 120)} when it was decided and is "
        f"{visible(action.before, 120)} now: somebody has moved on, so nothing will be sent"
    )
    return replace(
        send,
        action=replace(
            action,
            changes=tuple(_seen_as(change, planned.before) for change in action.changes),
            guards=(Guard("changed_since_decided", "warn", sentence), *action.guards),
        ),
    )


def _seen_as(change: PreparedChange, before: str) -> PreparedChange:
    calls = tuple(
        replace(call, seen=replace(call.seen, value=before)) if call.seen.text != before else call
        for call in change.calls
    )
    return replace(change, calls=calls)


def _refused(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("decision", sentence)
