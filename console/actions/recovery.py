"""After a crash: what was begun is read back and closed, never sent again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.action_record import consequences, ended_of, outcome_json, outcome_of
from console.actions.readback import judge, judge_told, read_back
from console.actions.target_state import LEASE_SECONDS, lease_name, locked_by, watched_of
from console.domain.action import Outcome
from console.domain.control import PreparedCall, PreparedChange, Proof, TargetState, VerifyPlan
from console.domain.entry import EntryDraft, number_of
from console.journal.leases import holder_name
from console.journal.override_log import overrides_in_force
from console.journal.store_base import Question
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from console.actions.prepare import ActionEnvironment
    from console.domain.action import OutcomeKind
    from console.domain.entry import Entry

WATCH_SECONDS = 300.0
"""How long a change that a service took may still come true: services that act asynchronously do
so within seconds, queues within a minute or two."""

RECOVERY_PLAN = VerifyPlan(every_seconds=0.5, within_seconds=5.0, stable_for=2)
RESOLVED_KINDS = ("outcome", "resolved", "observed")


async def settle_target(bench: ActionEnvironment, target: str) -> tuple[Outcome, ...]:
    """Close what was cut off on one target, and read again what was left unverified.

    A target on which somebody acts now is left alone. Raises ``JournalError``.
    """
    open_intents = await asyncio.to_thread(bench.journal.unsettled)
    mine = [entry for entry in open_intents if entry.target == target]
    locked = await asyncio.to_thread(_locked, bench, target)
    watched = [each for each in await _watched(bench) if each.target == target]
    if not mine and locked is None and not watched:
        return ()
    me = holder_name(bench.who, "settling")
    name = lease_name(target)
    lease = await asyncio.to_thread(
        bench.journal.take_lease, name, me, LEASE_SECONDS, bench.clock()
    )
    if lease.holder != me:
        return ()
    try:
        # Read anew under the lease: whoever held it before may have closed some of them.
        still = await asyncio.to_thread(bench.journal.unsettled)
        settled = [await _settle(bench, entry) for entry in still if entry.target == target]
        if locked is not None:
            again = await _look_again(bench, locked)
            settled += [] if again is None else [again]
        for outcome in watched:
            if (came := await _come_true(bench, outcome)) is not None:
                settled.append(came)
        return tuple(settled)
    finally:
        await asyncio.to_thread(bench.journal.drop_lease, name, me)


async def settle_all(bench: ActionEnvironment) -> tuple[Outcome, ...]:
    """Close everything that was cut off, on every target; raises ``JournalError``."""
    open_intents = await asyncio.to_thread(bench.journal.unsettled)
    found: list[Outcome] = []
    watched = await _watched(bench)
    for target in dict.fromkeys(entry.target for entry in (*open_intents, *watched)):
        found += await settle_target(bench, target)
    return tuple(found)


async def _watched(bench: ActionEnvironment) -> tuple[Entry, ...]:
    """Return the outcomes that may still come true and of which nothing was written since."""
    # A day: whoever looks first after the end of the watch writes down how it ended.
    since = bench.clock() - 86400.0
    question = Question(kinds=("outcome", "resolved", "observed"), since=since)
    return watched_of(await asyncio.to_thread(bench.journal.entries, question))


async def _come_true(bench: ActionEnvironment, outcome: Entry) -> Outcome | None:
    """Look once more at a change that a service took; write down that it came, or never did."""

    def intent_of() -> Entry | None:
        found = bench.journal.entries(Question(op_id=outcome.op_id, kinds=("intent",)))
        return found[-1] if found else None

    intent = await asyncio.to_thread(intent_of)
    if intent is None:
        return None
    seen = await _observed(bench, intent, brief=True)
    over = bench.clock() > (number_of(outcome.details.get("watch_until")) or 0.0)
    if seen.kind == "applied":
        said = replace(seen, sentence=f"it came true after all: {seen.sentence}", watch_until=None)
        await asyncio.to_thread(note_truth, bench, intent, said, "observed", "came true later")
        return said
    if not over or seen.unknown_targets:
        return None
    kind: OutcomeKind = "failed" if seen.kind == "unverified" else seen.kind
    waited = format_duration(WATCH_SECONDS)
    sentence = f"it did not come true within {waited}: {seen.sentence}"
    said = replace(seen, kind=kind, sentence=sentence, watch_until=None)
    await asyncio.to_thread(note_truth, bench, intent, said, "observed", "never came true")
    return said


def watch_words(until: float | None) -> str:
    """Return what is added to an outcome that may still come true; empty where it may not."""
    if until is None:
        return ""
    at = datetime.fromtimestamp(until, UTC).strftime("%H:%M:%SZ")
    return (
        f"; it may still come: midwatch keep watches it until {at}, so does the next action on it"
    )


def _locked(bench: ActionEnvironment, target: str) -> Entry | None:
    question = Question(target=target, kinds=("outcome", "resolved", "observed"), newest=50)
    return locked_by(bench.journal.entries(question))


async def _settle(bench: ActionEnvironment, intent: Entry) -> Outcome:
    outcome = await _observed(bench, intent)

    def write() -> None:
        overrides = overrides_in_force(bench.journal)
        drafts = [outcome_of(intent, outcome, ())]
        bench.journal.append_all([*drafts, *consequences(intent, outcome, overrides)])

    await asyncio.to_thread(write)
    return outcome


async def _look_again(bench: ActionEnvironment, locked: Entry) -> Outcome | None:
    """Read an unverified target again; once it can be read, its lock goes."""

    def intent_of() -> Entry | None:
        found = bench.journal.entries(Question(op_id=locked.op_id, kinds=("intent",)))
        return found[-1] if found else None

    intent = await asyncio.to_thread(intent_of)
    if intent is None:
        return None
    outcome = await _observed(bench, intent)
    if outcome.unknown_targets:
        return None
    await asyncio.to_thread(note_truth, bench, intent, outcome, "observed", "read back again")
    return outcome


def note_truth(
    bench: ActionEnvironment, intent: Entry, outcome: Outcome, kind: str, why: str
) -> None:
    """Write what is true of an operation after all; an override that never was is ended. Blocks."""
    now = bench.clock()
    drafts = [
        EntryDraft(
            kind="observed" if kind == "observed" else "resolved",
            at=now,
            action=intent.action,
            target=intent.target,
            op_id=intent.op_id,
            why=why,
            incident=intent.incident,
            wanted=intent.wanted,
            after=dict(outcome.after),
            details=outcome_json(outcome),
        )
    ]
    overrides = overrides_in_force(bench.journal)
    told = isinstance(intent.details.get("care"), dict)
    begun = any(each.op_id == intent.op_id for each in overrides)
    if outcome.kind == "applied" and not begun and not told:
        # It was not so when its outcome was written: what follows from it follows now.
        drafts += consequences(intent, outcome, overrides)
    elif not outcome.in_force:
        drafts += [
            ended_of(each, "it had not taken hold", now, intent.op_id)
            for each in overrides
            if each.op_id == intent.op_id
        ]
    bench.journal.append_all(drafts)


async def _observed(bench: ActionEnvironment, intent: Entry, *, brief: bool = False) -> Outcome:
    """Judge an intent by what its controls say now."""
    changes = changes_of(intent)
    missing = [change.control for change in changes if change.control not in bench.controls]
    ttl_seconds = intent.details.get("ttl_seconds")
    ends_at = intent.at + ttl_seconds if isinstance(ttl_seconds, int | float) else None
    if missing or not changes:
        what = (
            f"the control {missing[0]} is not declared here" if missing else "no control is named"
        )
        targets = tuple(call.target for change in changes for call in change.calls)
        return Outcome(
            intent.op_id,
            "unverified",
            f"it was cut off and may have happened: {what}",
            total=len(targets),
            at=bench.clock(),
            ends_at=ends_at,
            unknown_targets=targets or (intent.target,),
        )
    looked = [each for each in changes if each.readable]
    seen = await asyncio.gather(
        *(
            read_back(each, bench.controls[each.control], bench.clock, brief=brief)
            for each in looked
        )
    )
    nothing = [None] * len(changes)
    verdict = judge(changes, seen, nothing) if looked else judge_told(changes, nothing)
    until = intent.at + WATCH_SECONDS
    ahead = verdict.may_come and bench.clock() < until <= bench.clock() + 2 * WATCH_SECONDS
    watch_until = until if ahead and not intent.details.get("care") else None
    kind = verdict.kind
    if verdict.late_only and watch_until is None:
        kind = "failed"  # whatever was sent has had its time
    return Outcome(
        op_id=intent.op_id,
        kind=kind,
        sentence=f"it was cut off and read back: {verdict.sentence}{watch_words(watch_until)}",
        watch_until=watch_until,
        done=verdict.done,
        total=verdict.total,
        after=tuple(pair for each in seen for pair in each.states.items()),
        at=bench.clock(),
        ends_at=ends_at,
        unknown_targets=verdict.unknown,
    )


def changes_of(intent: Entry) -> tuple[PreparedChange, ...]:
    """Return the changes an intent wrote down, good for reading back and for nothing else."""
    made = []
    kept = intent.details.get("changes")
    for each in kept if isinstance(kept, list) else []:
        if not isinstance(each, dict):
            continue
        targets, desired = each.get("targets"), each.get("desired")
        calls = tuple(
            PreparedCall(
                target=str(target.get("target")),
                shown="",
                seen=TargetState(
                    str(target.get("target")),
                    intent.at,
                    None if target.get("before") is None else str(target.get("before")),
                    etag=str(target.get("etag") or ""),
                ),
            )
            for target in (targets if isinstance(targets, list) else [])
            if isinstance(target, dict)
        )
        made.append(
            PreparedChange(
                control=str(each.get("control")),
                action=str(each.get("action")),
                label=str(each.get("label") or each.get("action")),
                op_id=intent.op_id,
                danger="safe",
                retry_class="C",
                desired=tuple(map(str, desired)) if isinstance(desired, list) else (),
                verify=RECOVERY_PLAN,
                proof=Proof("not_run"),
                ends_itself=False,
                calls=calls,
                readable=each.get("readable") is not False,
            )
        )
    return tuple(made)
