"""Runs an action and its way back on purpose and records what was observed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.actions.undo import prepare_end, prepare_undo
from console.domain.action import ActionRequest, Confirmation
from console.domain.entry import EntryDraft
from console.journal.override_log import overrides_in_force

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.actions.executor import ActionExecutor
    from console.domain.action import Outcome, PreparedAction
    from console.domain.entry import Json

DRILLS = {"breaker": "trip", "fallback": "fallback", "rollback": "rollback"}
"""What is drilled, and the verb that begins it."""

DRILL_TTL_SECONDS = 300.0
"""The end of a drill that is cut off: the override ends like any other."""

CLOSING_STATES = ("CLOSED",)


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a drill showed: both outcomes, the states seen in order, seconds for there and back."""

    there: Outcome
    back: Outcome | None
    states: tuple[str, ...]
    there_seconds: float
    back_seconds: float | None
    passed: bool
    sentence: str


def drill_request(what: str, model: str, reason: str, to: str = "") -> ActionRequest:
    """Return the request that begins a drill of ``what``, a key of `DRILLS`."""
    return ActionRequest(
        DRILLS[what], model, reason, ttl_seconds=DRILL_TTL_SECONDS, to=to, drill=True
    )


async def drill(
    actor: ActionExecutor,
    prepared: PreparedAction,
    confirmation: Confirmation,
    *,
    hold_seconds: float,
    settle_seconds: float,
    tell: Callable[[str], None],
) -> Drilled:
    """Do a prepared action, hold it, go back, and write down as a drill what was seen.

    ``settle_seconds`` is how long a half-open breaker may take to close. Raises as `perform` does
    before anything is sent; once it began, it always tries to go back.
    """
    began_at = time.monotonic()
    there = await actor.perform(prepared, confirmation)
    there_seconds = time.monotonic() - began_at
    tell(f"there: {there.kind}: {there.sentence}")
    if not there.in_force:
        sentence = f"the drill did not begin: {there.kind}"
        done = Drilled(there, None, (), there_seconds, None, passed=False, sentence=sentence)
        await asyncio.to_thread(_write, actor, prepared, done)
        return done
    await asyncio.sleep(hold_seconds)
    began_at = time.monotonic()
    back = await _go_back(actor, prepared)
    back_seconds = time.monotonic() - began_at
    tell(f"back: {back.kind}: {back.sentence}")
    states = [prepared.before, prepared.wanted, *(text for _, text in back.after)]
    if prepared.request.verb == "trip" and back.kind == "applied":
        states += await _until_closed(actor, prepared, settle_seconds)
    seen = _in_order(states)
    passed, why = _judged(there, back, seen, prepared)
    sentence = f"{' → '.join(seen)}; there in {there_seconds:.1f} s, back in {back_seconds:.1f} s"
    done = Drilled(
        there, back, seen, there_seconds, back_seconds, passed=passed, sentence=sentence + why
    )
    await asyncio.to_thread(_write, actor, prepared, done)
    return done


async def _go_back(actor: ActionExecutor, prepared: PreparedAction) -> Outcome:
    """End what the drill holds, safely; what holds nothing is undone."""
    overrides = await asyncio.to_thread(overrides_in_force, actor.bench.journal)
    mine = next((each for each in overrides if each.op_id == prepared.op_id), None)
    if mine is not None:
        way = await prepare_end(actor, mine, "end of the drill")
    else:
        way = await prepare_undo(actor, prepared.op_id, "end of the drill", None, None)
    return await actor.perform(way, Confirmation(yes=True, by_yes=True))


async def _until_closed(
    actor: ActionExecutor, prepared: PreparedAction, settle_seconds: float
) -> list[str]:
    """Watch the breaker until its probes have closed it, or too long; return the states seen."""
    seen: list[str] = []
    deadline = time.monotonic() + settle_seconds
    names = [change.control for change in prepared.changes]
    while time.monotonic() < deadline:
        states = [
            (await actor.bench.controls[name].read(actor.bench.clock())).text for name in names
        ]
        seen += states
        if all(state in CLOSING_STATES for state in states):
            break
        await asyncio.sleep(1.0)
    return seen


def _in_order(states: list[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for state in states:
        if not kept or kept[-1] != state:
            kept.append(state)
    return tuple(kept)


def _judged(
    there: Outcome, back: Outcome, seen: tuple[str, ...], prepared: PreparedAction
) -> tuple[bool, str]:
    if there.kind != "applied":
        return False, f"; there was {there.kind}"
    if back.kind not in ("applied", "no_op"):
        return False, f"; back was {back.kind}: look at it"
    if prepared.request.verb == "trip" and seen[-1] not in CLOSING_STATES:
        return False, "; the breaker had not closed again when watching ended"
    return True, ""


def _write(actor: ActionExecutor, prepared: PreparedAction, done: Drilled) -> None:
    request = prepared.request
    back: dict[str, Json] | None = None
    if done.back is not None:
        back = {"op": done.back.op_id, "outcome": done.back.kind, "text": done.back.sentence}
    actor.bench.journal.append(
        EntryDraft(
            kind="drill",
            at=actor.bench.clock(),
            action=request.verb,
            target=request.target,
            op_id=prepared.op_id,
            why=request.reason,
            before=prepared.before,
            wanted=prepared.wanted,
            after=done.states[-1] if done.states else None,
            details={
                "passed": done.passed,
                "text": done.sentence,
                "states": list(done.states),
                "there": {"outcome": done.there.kind, "seconds": round(done.there_seconds, 3)},
                "back": back,
                "back_seconds": None if done.back_seconds is None else round(done.back_seconds, 3),
            },
        )
    )
