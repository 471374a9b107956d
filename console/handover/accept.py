"""Writes a handover into the journal, accepts one by name, and passes its holds on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.actions.acknowledge import ground_of
from console.actions.incident_executor import care_for
from console.actions.record_actions import ACCEPT, WRITE
from console.actions.write_gate import allowed
from console.domain.action import ActionRefused, Guard, WritesNotAllowed
from console.domain.entry import EntryDraft
from console.domain.incident import CareWish
from console.domain.text import visible
from console.handover.record import (
    LONGEST_TEXT,
    TARGET,
    HandedHold,
    HandoverRecord,
    HandoverWish,
    digest_of,
    handovers_in,
    to_accept,
)
from console.journal.chain import new_ulid
from console.journal.store_base import Question

if TYPE_CHECKING:
    from console.actions.executor import ActionExecutor
    from console.actions.spec import ActionSpec
    from console.domain.action import Mode
    from console.domain.entry import Entry, Who
    from console.domain.snapshot import Snapshot
    from console.journal.store_base import Journal


def require_writes(spec: ActionSpec, mode: Mode) -> None:
    """Raise `WritesNotAllowed` unless this session may write a handover or accept one."""
    reason = allowed(spec, mode)
    if reason is not None:
        raise WritesNotAllowed((Guard("read_only", "forbid", reason),))


def write_handover(journal: Journal, wish: HandoverWish, mode: Mode, now: float) -> Entry:
    """Write a handover and return its entry. Blocks.

    Raises `WritesNotAllowed`, `ActionRefused` for a text that is empty or too long, and
    ``JournalError``.
    """
    require_writes(WRITE, mode)
    if not wish.text.strip():
        raise _refused("the text is empty; nothing was written")
    if len(wish.text) > LONGEST_TEXT:
        raise _refused(f"the text has {len(wish.text)} characters, {LONGEST_TEXT} are the most")
    return journal.append(
        EntryDraft(
            kind="handover",
            at=now,
            action="handover",
            target=TARGET,
            op_id=new_ulid(now),
            why=wish.state,
            confirm_class="C1",
            details={
                "digest": digest_of(wish.text),
                "text": wish.text,
                "since": wish.since,
                "to": wish.to,
                "holds": [{"incident": one.incident, "title": one.title} for one in wish.holds],
                "counts": dict(wish.counts),
            },
        )
    )


def accept_handover(
    journal: Journal, record: HandoverRecord, me: Who, mode: Mode, now: float
) -> Entry:
    """Write that ``me`` has accepted a handover. Blocks.

    Raises what `to_accept` raises, `WritesNotAllowed`, ``TargetTouchedError`` where somebody wrote
    or accepted one meanwhile, and ``JournalError``.
    """
    require_writes(ACCEPT, mode)
    records = handovers_in(journal)
    found = to_accept(records, me, record.id)
    newest = journal.entries(Question(target=TARGET, newest=1))
    return journal.append(
        EntryDraft(
            kind="handover_accepted",
            at=now,
            action="handover",
            target=TARGET,
            op_id=found.id,
            why=f"accepted from {found.who.name}",
            confirm_class="C1",
            details={
                "digest": found.digest,
                "to": found.to,
                "holds": [{"incident": one.incident, "title": one.title} for one in found.holds],
            },
        ),
        untouched_since=newest[-1].seq if newest else 0,
    )


def _refused(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("handover", sentence)


async def accept_with_holds(
    actor: ActionExecutor, record: HandoverRecord, snapshot: Snapshot | None
) -> tuple[Entry, tuple[str, ...]]:
    """Accept a handover and take over what its author still holds; return a sentence for each.

    The acceptance stands whatever becomes of the holds. Raises what `accept_handover` raises.
    """
    bench = actor.bench
    entry = await asyncio.to_thread(
        accept_handover, bench.journal, record, bench.who, actor.mode, bench.clock()
    )
    told = [await _taken(actor, record, each, snapshot) for each in record.holds]
    return entry, tuple(told)


async def _taken(
    actor: ActionExecutor, record: HandoverRecord, handed: HandedHold, snapshot: Snapshot | None
) -> str:
    what = visible(handed.title or handed.incident, 100)
    try:
        hold = (await ground_of(actor.bench, handed.incident, snapshot)).care.hold
        if hold is None:
            return f"{what}: nobody holds it any more"
        if hold.account != record.who.person:
            return f"{what}: {visible(hold.by, 60)} has it meanwhile"
        reason = f"handed over by {record.who.name}"
        wish = CareWish("ack", handed.incident, reason)
        outcome = await care_for(actor, wish, snapshot)
    except ActionRefused as fault:
        return f"{what}: not taken over, {visible(str(fault), 300)}"
    return f"{what}: {visible(outcome.sentence, 300)}"
