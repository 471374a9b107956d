"""Runs an action and its way back on purpose and records what was observed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.actions.undo import prepare_end, prepare_undo
from console.domain.action import ActionRequest, Confirmation
from console.domain.entry import EntryDraft
from console.journal.chain import new_ulid
from console.journal.override_log import overrides_in_force

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.actions.drill_guard import DrillWatch
    from console.actions.executor import ActionExecutor
    from console.domain.action import Guard, Outcome, PreparedAction
    from console.domain.entry import Entry, Json

DRILLS = {"breaker": "trip", "fallback": "fallback", "rollback": "rollback", "human": "human"}
"""What is drilled, and the verb that begins it."""

DRILL_TTL_SECONDS = 300.0
"""The end of a drill that is cut off: the override ends like any other."""

LONGEST_HELD_SECONDS = 240.0
"""No drill is held longer for the console to see it: its override ends a minute later."""

CLOSING_STATES = ("CLOSED",)


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a drill showed: both outcomes, the states seen in order, seconds for there and back.

    ``detect_seconds`` and ``recover_seconds`` are until the console saw it, and saw it over; None:
    it did not, or had no numbers. ``abort`` says for what harm it was ended early.
    """

    there: Outcome
    back: Outcome | None
    states: tuple[str, ...]
    there_seconds: float
    back_seconds: float | None
    passed: bool
    sentence: str
    detect_seconds: float | None = None
    recover_seconds: float | None = None
    abort: str = ""


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """What is drilled and expected; ``despite`` is why it runs although ``guards`` speak against.

    ``settle_seconds`` is how long a half-open breaker may take to close, and how long the console
    may take to see that all is as before.
    """

    what: str
    hypothesis: str
    hold_seconds: float
    settle_seconds: float
    guards: tuple[Guard, ...] = ()
    despite: str = ""


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
    plan: DrillPlan,
    watch: DrillWatch,
    tell: Callable[[str], None],
) -> Drilled:
    """Do a prepared action, hold it, go back, and write down as a drill what was seen.

    ``watch`` is fed by the console's ticks meanwhile; harm it sees ends the drill at once. Raises
    as `perform` does before anything is sent; once it began, it always tries to go back.
    """
    began_at = watch.began = time.monotonic()
    there = await actor.perform(prepared, confirmation)
    there_seconds = time.monotonic() - began_at
    tell(f"there: {there.kind}: {there.sentence}")
    if not there.in_force:
        sentence = f"the drill did not begin: {there.kind}"
        done = Drilled(there, None, (), there_seconds, None, passed=False, sentence=sentence)
        await asyncio.to_thread(_write, actor, prepared, done, plan)
        return done
    await _hold(plan, watch)
    if watch.abort:
        tell(f"aborted: {watch.abort}")
    began_at = watch.returned = time.monotonic()
    back = await _go_back(actor, prepared)
    back_seconds = time.monotonic() - began_at
    tell(f"back: {back.kind}: {back.sentence}")
    states = [prepared.before, prepared.wanted, *(text for _, text in back.after)]
    deadline = time.monotonic() + plan.settle_seconds
    if prepared.request.verb == "trip" and back.kind == "applied":
        states += await _until_closed(actor, prepared, deadline)
    while watch.sees and watch.recovered is None and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    seen = _in_order(states)
    passed, why = _judged(there, back, seen, prepared, watch)
    sentence = f"{' → '.join(seen)}; there in {there_seconds:.1f} s, back in {back_seconds:.1f} s"
    done = Drilled(
        there,
        back,
        seen,
        there_seconds,
        back_seconds,
        passed=passed,
        sentence=sentence + _observed(watch) + why,
        detect_seconds=watch.detect_seconds,
        recover_seconds=watch.recover_seconds,
        abort=watch.abort,
    )
    await asyncio.to_thread(_write, actor, prepared, done, plan, watch.bad_requests)
    return done


LOOK_SECONDS = 0.2


async def _hold(plan: DrillPlan, watch: DrillWatch) -> None:
    """Hold as long as asked, longer until the console sees it, and no longer once it does harm."""
    held_at = time.monotonic()
    while not watch.abort:
        held = time.monotonic() - held_at
        longest = min(LONGEST_HELD_SECONDS, plan.hold_seconds + plan.settle_seconds)
        waits = watch.sees and watch.detected is None and held < longest
        left = plan.hold_seconds - held
        if left <= 0.0 and not waits:
            return
        await asyncio.sleep(LOOK_SECONDS if left <= 0.0 else min(LOOK_SECONDS, left))


def _observed(watch: DrillWatch) -> str:
    parts = [
        f"; {word} {seconds:.1f} s"
        for word, seconds in (
            ("seen by the console after", watch.detect_seconds),
            ("seen over after", watch.recover_seconds),
        )
        if seconds is not None
    ]
    return "".join(parts)


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
    actor: ActionExecutor, prepared: PreparedAction, deadline: float
) -> list[str]:
    """Watch the breaker until its probes have closed it, or too long; return the states seen."""
    seen: list[str] = []
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
    there: Outcome,
    back: Outcome,
    seen: tuple[str, ...],
    prepared: PreparedAction,
    watch: DrillWatch,
) -> tuple[bool, str]:
    if watch.abort:
        return False, f"; ABORTED: {watch.abort}"
    if there.kind != "applied":
        return False, f"; there was {there.kind}"
    if back.kind not in ("applied", "no_op"):
        return False, f"; back was {back.kind}: look at it"
    if prepared.request.verb == "trip" and seen[-1] not in CLOSING_STATES:
        return False, "; the breaker had not closed again when watching ended"
    if watch.sees and watch.detected is None:
        return False, "; the console never saw it"
    if watch.sees and watch.recovered is None:
        return False, "; the console had not seen it over when watching ended"
    return True, ""


def _write(
    actor: ActionExecutor,
    prepared: PreparedAction,
    done: Drilled,
    plan: DrillPlan,
    bad_requests: float = 0.0,
) -> None:
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
                "what": plan.what,
                "hypothesis": plan.hypothesis,
                "guards": [f"{each.id}: {each.sentence}" for each in plan.guards],
                "despite": plan.despite,
                "passed": done.passed,
                "aborted": done.abort,
                "detect_seconds": _rounded(done.detect_seconds),
                "recover_seconds": _rounded(done.recover_seconds),
                "bad_requests": round(bad_requests, 1),
                "text": done.sentence,
                "states": list(done.states),
                "there": {"outcome": done.there.kind, "seconds": round(done.there_seconds, 3)},
                "back": back,
                "back_seconds": _rounded(done.back_seconds),
            },
        )
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def write_observed(
    actor: ActionExecutor,
    plan: DrillPlan,
    target: str,
    reason: str,
    *,
    passed: bool,
    sentence: str,
    states: tuple[str, ...],
    detect_seconds: float | None,
    recover_seconds: float | None,
) -> Entry:
    """Write a drill in which nothing was sent: the console's own sight, or people. Blocks."""
    now = actor.bench.clock()
    return actor.bench.journal.append(
        EntryDraft(
            kind="drill",
            at=now,
            action=plan.what,
            target=target,
            op_id=new_ulid(now),
            why=reason,
            details={
                "what": plan.what,
                "hypothesis": plan.hypothesis,
                "guards": [f"{each.id}: {each.sentence}" for each in plan.guards],
                "despite": plan.despite,
                "passed": passed,
                "text": sentence,
                "states": list(states),
                "detect_seconds": _rounded(detect_seconds),
                "recover_seconds": _rounded(recover_seconds),
            },
        )
    )
