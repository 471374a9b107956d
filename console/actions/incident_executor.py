"""Carries an incident verb out: checked, told to its alert source where there is one, recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.actions.escalation import ESCALATE, called
from console.actions.incident_commands import Case, intended, undone
from console.actions.recovery import settle_target
from console.actions.silences import places_of
from console.actions.spec import ActionSpec
from console.actions.write_gate import allowed
from console.domain.action import Confirmation, Guard, Outcome, WritesNotAllowed
from console.domain.incident import LOCAL
from console.journal.chain import TargetTouchedError, new_ulid
from console.journal.store_base import Question

if TYPE_CHECKING:
    from console.actions.acknowledge import Ground, Intended
    from console.actions.executor import ActionExecutor
    from console.actions.prepare import ActionEnvironment
    from console.domain.action import Mode, PreparedAction
    from console.domain.entry import Entry
    from console.domain.incident import CareWish
    from console.domain.snapshot import Snapshot
    from console.journal.store_base import Journal

CARE = ActionSpec(
    "act.care",
    (),
    "Caring for an incident",
    "Take it, hold it, say something of it, close it.",
    "Acting",
    danger="C0",
)
"""Whatever is done about an incident, for the same gate that every action passes."""

RECHECKED = ("ack", "snooze", "release", "merge", "severity", "close", "undo")
"""Verbs that rest on what was seen before."""

TOUCHING = ("ack", "snooze", "merge", "severity", "close", "intent")
"""Entries about an incident that change what somebody else saw of it."""


@dataclass(frozen=True, slots=True)
class PreparedCare:
    """A wish ready to be done.

    ``action`` is what alert sources would be sent, None where none is told; ``local_because`` says
    why a hold is known here alone.
    """

    verb: str
    intended: Intended
    ground: Ground | None
    action: PreparedAction | None = None
    local_because: str = ""

    @property
    def op_id(self) -> str:
        """Return the operation, which `undo` takes back within 30 s."""
        return self.intended.op_id


def require_care(mode: Mode) -> None:
    """Raise `WritesNotAllowed` unless this session may do something about incidents."""
    reason = allowed(CARE, mode)
    if reason is not None:
        raise WritesNotAllowed((Guard("read_only", "forbid", reason),))


async def prepare_care(
    bench: ActionEnvironment, wish: CareWish, snapshot: Snapshot | None
) -> PreparedCare:
    """Return a wish as it would be done now; raises `ActionRefused` and ``JournalError``."""
    case = Case(bench, wish, snapshot, new_ulid(bench.clock()))
    plan, ground = await _planned(case)
    if ground is not None and wish.verb == ESCALATE:
        await settle_target(bench, ground.target)
        plan, ground = await _planned(case)  # what was cut off may have called somebody
        assert ground is not None
        plan, action = await called(bench, plan, ground)
        return PreparedCare(wish.verb, plan, ground, action)
    if ground is None or not (plan.hold_until or plan.lets_go):
        return PreparedCare(wish.verb, plan, ground)
    if await settle_target(bench, ground.target):
        plan, ground = await _planned(case)  # what was cut off is true by now, or it is not
    if ground is None:
        return PreparedCare(wish.verb, plan, ground)
    places = await places_of(bench, plan, ground)
    because = "; ".join(dict.fromkeys(places.problems))
    return PreparedCare(wish.verb, plan, ground, places.action, because)


async def _planned(case: Case) -> tuple[Intended, Ground | None]:
    return await (undone(case) if case.wish.verb == "undo" else intended(case))


async def perform_care(actor: ActionExecutor, prepared: PreparedCare) -> Outcome:
    """Do it and return what became of it.

    Raises `WritesNotAllowed`, `ActionRefused`, and ``JournalError`` before anything is done.
    """
    require_care(actor.mode)
    plan = prepared.intended
    if plan.already:
        sentence = f"{plan.sentence} already; nothing was written"
        return Outcome(plan.op_id, "no_op", sentence, at=actor.bench.clock())
    if prepared.action is None:
        return await _write(actor, prepared)
    outcome = await actor.perform(prepared.action, Confirmation(yes=True, by_yes=True))
    return _told(prepared, outcome)


async def care_for(actor: ActionExecutor, wish: CareWish, snapshot: Snapshot | None) -> Outcome:
    """Prepare and do in one go, as class C0 is done."""
    require_care(actor.mode)
    return await perform_care(actor, await prepare_care(actor.bench, wish, snapshot))


async def _write(actor: ActionExecutor, prepared: PreparedCare) -> Outcome:
    """Write what the record alone is told; superseded where somebody acted on it meanwhile."""
    plan, journal = prepared.intended, actor.bench.journal
    since = None if prepared.ground is None else prepared.ground.seq
    while True:
        try:
            await asyncio.to_thread(journal.append_all, plan.drafts, untouched_since=since)
        except TargetTouchedError as fault:
            newer = await asyncio.to_thread(_newer, journal, plan.drafts[0].target, since or 0)
            if prepared.verb in RECHECKED and any(each.kind in TOUCHING for each in newer):
                sentence = f"nothing was written: {fault.sentence}"
                return Outcome(plan.op_id, "superseded", sentence, at=actor.bench.clock())
            since = max((each.seq for each in newer), default=fault.entry.seq)
        else:
            break
    at, where = actor.bench.clock(), ""
    if plan.hold_until is not None:
        because = f": {prepared.local_because}" if prepared.local_because else ""
        where = f" ({LOCAL}{because})"
    return Outcome(
        plan.op_id, "applied", f"{plan.sentence}{where}", 1, 1, at=at, ends_at=plan.hold_until
    )


def _newer(journal: Journal, target: str, since: int) -> tuple[Entry, ...]:
    return journal.entries(Question(target=target, after_seq=since))


def _said_of_call(plan: Intended, outcome: Outcome) -> Outcome:
    """Return what became of a call for help: nobody may take it for one that was answered."""
    if outcome.kind in ("rejected", "failed"):
        sentence = f"nobody was called: {outcome.sentence}; it stands in the record, call them"
        return replace(outcome, sentence=sentence)
    return replace(outcome, sentence=f"{plan.sentence}: {outcome.sentence}")


def _told(prepared: PreparedCare, outcome: Outcome) -> Outcome:
    """Return what became of it in the words of whoever wished it.

    What an alert source refused stands in the record all the same, so it is part of what was
    asked for.
    """
    plan = prepared.intended
    if outcome.kind == "superseded":
        return outcome
    if prepared.verb == ESCALATE:
        return _said_of_call(plan, outcome)
    outcome = replace(outcome, ends_at=plan.hold_until)
    if outcome.kind in ("applied", "no_op"):
        also = f"; {prepared.local_because}" if prepared.local_because else ""
        return replace(outcome, kind="applied", sentence=f"{plan.sentence}{also}")
    if outcome.kind == "partial":
        return replace(outcome, sentence=f"{plan.sentence}; {outcome.sentence}")
    if outcome.kind == "unverified":
        return replace(
            outcome, sentence=f"{plan.sentence}; at its alert source: {outcome.sentence}"
        )
    lost = f"it is held {LOCAL} alone" if plan.hold_until else "its silence ends by itself"
    return replace(outcome, kind="partial", sentence=f"{plan.sentence}; {lost}: {outcome.sentence}")
