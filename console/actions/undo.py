"""Ends, renews and undoes overrides, through the same executor as any action."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.actions.action_record import ended_of
from console.actions.prepare import verb_of_steps
from console.actions.verbs import VERBS, slot_of
from console.controls.protocol import ControlError
from console.domain.action import MAY_HAVE_CHANGED, ActionRefused, ActionRequest
from console.domain.control import same_value
from console.domain.text import visible
from console.journal.override_log import steps_of
from console.journal.store_base import Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.executor import ActionExecutor
    from console.domain.action import Override, PreparedAction, Step
    from console.domain.entry import Entry
    from console.domain.snapshot import Snapshot
    from console.journal.store_base import Journal

UNDO_SECONDS = 30.0
"""How long going back to the state before is confirmed as lightly as a C1."""


async def prepare_end(actor: ActionExecutor, override: Override, reason: str) -> PreparedAction:
    """Return the end of an override as it would be done now; raises `ActionRefused`."""
    request = ActionRequest(
        verb=_verb_name(override.end, override),
        target=override.target,
        reason=reason,
        to=_text_of(override.end, "to"),
        value=_number_of(override.end, "value"),
        incident=override.incident,
        purpose="end",
        ends_op=override.op_id,
        drill=override.drill,
    )
    return await actor.prepare(request, None, steps=override.end, lenient=True)


async def prepare_renew(
    actor: ActionExecutor,
    override: Override,
    reason: str,
    ttl_seconds: float | None,
    snapshot: Snapshot | None,
) -> PreparedAction:
    """Return the renewal of an override: the same change again, with a later end (seconds)."""
    if override.verb not in VERBS:
        raise ActionRefused.forbidden("unknown_verb", f"{override.verb} cannot be renewed")
    request = ActionRequest(
        verb=override.verb,
        target=override.target,
        reason=reason,
        ttl_seconds=ttl_seconds,
        to=override.to,
        value=override.value,
        incident=override.incident,
        purpose="renew",
        ends_op=override.op_id,
    )
    return await actor.prepare(request, snapshot)


async def prepare_undo(
    actor: ActionExecutor,
    op_id: str,
    reason: str,
    ttl_seconds: float | None,
    snapshot: Snapshot | None,
) -> PreparedAction:
    """Return the way back to the state seen before ``op_id``; raises `ActionRefused`.

    Within 30 s it is confirmed as C1; later it is an action like any other.
    """
    journal, now = actor.bench.journal, actor.bench.clock()
    intent, outcome = await asyncio.to_thread(_done, journal, op_id)
    steps = steps_of(intent.details.get("undo"))
    if not steps:
        raise ActionRefused.forbidden("no_way_back", f"no way back from {op_id} was planned")
    request = ActionRequest(
        verb=_verb_name(steps, None),
        target=intent.target,
        reason=reason,
        ttl_seconds=ttl_seconds,
        to=_text_of(steps, "to"),
        value=_number_of(steps, "value"),
        incident=intent.incident,
        purpose="undo",
        ends_op=intent.op_id,
        drill=intent.details.get("drill") is True,
    )
    lenient = now - outcome.at <= UNDO_SECONDS
    return await actor.prepare(request, snapshot, steps=steps, lenient=lenient)


def _done(journal: Journal, op: str) -> tuple[Entry, Entry]:
    """Return intent and outcome of an operation that can be undone. Blocks."""
    wanted = op.strip().upper()
    found = journal.entries(Question(op_id=wanted, kinds=("intent", "outcome")))
    intent = next((each for each in found if each.kind == "intent"), None)
    outcome = next((each for each in found if each.kind == "outcome"), None)
    if intent is None or outcome is None:
        raise ActionRefused.forbidden(
            "unknown_op", f"{visible(op, 60)} names no finished operation; midwatch journal list"
        )
    if outcome.details.get("outcome") not in MAY_HAVE_CHANGED:
        told = outcome.details.get("outcome")
        raise ActionRefused.forbidden("nothing_done", f"{wanted} was {told}: nothing to undo")
    later = journal.entries(
        Question(target=intent.target, kinds=("outcome",), after_seq=outcome.seq)
    )
    for entry in later:
        changed = entry.details.get("outcome") in MAY_HAVE_CHANGED
        if changed and slot_of(entry.action) == slot_of(intent.action):
            raise ActionRefused.forbidden(
                "changed_since",
                f"{entry.action} by {visible(entry.who.name, 60)} came after it ({entry.op_id}); "
                "undo that first",
            )
    return intent, outcome


async def note_gone(actor: ActionExecutor, override: Override, how: str) -> None:
    """Write that an override is over without anything being sent; raises ``JournalError``."""
    draft = ended_of(override, how, actor.bench.clock())
    await asyncio.to_thread(actor.bench.journal.append, draft)


def still_held(override: Override, prepared: PreparedAction) -> bool:
    """Tell whether any target still is as the override set it, or cannot be read."""
    seen = [call.seen for change in prepared.changes for call in change.calls]
    return any(
        not each.known or any(same_value(each.value, wanted) for wanted in override.desired)
        for each in seen
    )


def _verb_name(steps: Sequence[Step], override: Override | None) -> str:
    try:
        return verb_of_steps(steps).name
    except ControlError as fault:
        what = f" of {override.verb} on {override.target}" if override is not None else ""
        raise ActionRefused.forbidden(
            "no_way_back", f"no end{what} was planned: {fault.sentence}"
        ) from fault


def _text_of(steps: Sequence[Step], name: str) -> str:
    found = next((dict(step.variables).get(name) for step in steps if step.variables), None)
    return found if isinstance(found, str) else ""


def _number_of(steps: Sequence[Step], name: str) -> float | None:
    found = next((dict(step.variables).get(name) for step in steps if step.variables), None)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
