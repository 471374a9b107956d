"""Which overrides are in force, folded from what the journal says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.actions.action_record import ended_of
from console.domain.action import Override
from console.domain.control import same_value
from console.domain.entry import EntryDraft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.prepare import ActionEnvironment
    from console.domain.control import TargetState


async def lost_overrides(
    bench: ActionEnvironment, overrides: Sequence[Override]
) -> tuple[tuple[Override, str], ...]:
    """Return the overrides that are no longer in force before their end, with the state seen.

    What cannot be read is not called lost.
    """
    now = bench.clock()
    live = [
        each
        for each in overrides
        if (each.ends_at is None or each.ends_at > now) and each.certain and not each.lost
    ]
    found = []
    for override, seen in zip(live, await _states(bench, live), strict=True):
        gone = [each for each in seen if each.known and not _held(override, each)]
        if gone:
            found.append((override, ", ".join(dict.fromkeys(each.text for each in gone))))
    return tuple(found)


async def note_ended_by_service(
    bench: ActionEnvironment, overrides: Sequence[Override]
) -> tuple[Override, ...]:
    """Write down which overdue ones their service has ended itself; return those still in force.

    Nothing is sent; raises ``JournalError``.
    """
    now = bench.clock()
    due = [
        each for each in overrides if each.enforced_by == "service" and each.state(now) == "overdue"
    ]
    over = set()
    for override, seen in zip(due, await _states(bench, due), strict=True):
        if seen and all(each.known and not _held(override, each) for each in seen):
            states = ", ".join(dict.fromkeys(each.text for each in seen))
            draft = ended_of(override, f"the service ended it itself: now {states}", now)
            await asyncio.to_thread(bench.journal.append, draft)
            over.add(override.op_id)
    return tuple(each for each in overrides if each.op_id not in over)


async def _states(
    bench: ActionEnvironment, overrides: Sequence[Override]
) -> list[tuple[TargetState, ...]]:
    """Return what every target of each override's controls says, each control read once."""
    now = bench.clock()
    names = sorted({name for each in overrides for name in each.controls if name in bench.controls})
    read = await asyncio.gather(*(bench.controls[name].read(now) for name in names))
    states = dict(zip(names, read, strict=True))
    return [
        tuple(target for name in each.controls if name in states for target in states[name].targets)
        for each in overrides
    ]


def _held(override: Override, state: TargetState) -> bool:
    return any(same_value(state.value, wanted) for wanted in override.desired)


def lost_of(override: Override, state: str, now: float) -> EntryDraft:
    """Return the entry that says an override was lost: its state is another, and not by us."""
    return EntryDraft(
        kind="observed",
        at=now,
        action=override.verb,
        target=override.target,
        op_id=override.op_id,
        why="it is no longer as it was set, and nobody said so here",
        incident=override.incident,
        wanted=override.wanted,
        after=state,
        details={"held": False, "text": f"now {state}"},
    )
