"""What the author of a handover held goes to whoever accepts it: each hold by the way of an ack."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.actions.care_ground import ground_of
from console.actions.caring import care_for
from console.actions.handovers import accept_handover
from console.actions.refusal import ActionRefused
from console.facts.care import CareWish
from console.facts.text import visible

if TYPE_CHECKING:
    from console.actions.handovers import HandedHold, HandoverRecord
    from console.actions.pipeline import Actor
    from console.facts.entry import Entry
    from console.facts.snapshot import Snapshot


async def accept_with_holds(
    actor: Actor, record: HandoverRecord, snapshot: Snapshot | None
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
    actor: Actor, record: HandoverRecord, handed: HandedHold, snapshot: Snapshot | None
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
