"""Which overrides are in force, folded from what the journal says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from console.actions.action_record import ended_of, steps_of
from console.domain.action import Override
from console.domain.control import same_value
from console.domain.entry import EntryDraft
from console.journal.store_base import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.actions.prepare import ActionEnvironment
    from console.domain.action import Enforcer
    from console.domain.control import TargetState
    from console.domain.entry import Entry, EntryKind
    from console.journal.store_base import Journal

OVERRIDE_KINDS: tuple[EntryKind, ...] = (
    "override",
    "override_renewed",
    "override_ended",
    "observed",
    "resolved",
)
"""The kinds of entry that say what is in force."""


def fold_overrides(
    entries: Iterable[Entry], before: Iterable[Override] = ()
) -> tuple[Override, ...]:
    """Return the overrides in force after ``entries`` (oldest first), the oldest first.

    ``before`` are those in force ahead of them, so that a tail can be folded on.
    """
    found = {override.op_id: override for override in before}
    for entry in entries:
        match entry.kind:
            case "override":
                found[entry.op_id] = _begun(entry)
            case "override_renewed" if entry.op_id in found:
                ends_at = _number(entry.details.get("ends_at"))
                kept = entry.details.get("enforced_by") or found[entry.op_id].enforced_by
                found[entry.op_id] = replace(
                    found[entry.op_id],
                    ends_at=ends_at,
                    enforced_by=cast("Enforcer", str(kept)),
                    lost="",
                )
            case "observed" if entry.op_id in found and entry.details.get("held") is False:
                found[entry.op_id] = replace(found[entry.op_id], lost=str(entry.after))
            case "observed" | "resolved" if (
                entry.op_id in found and entry.details.get("outcome") == "applied"
            ):
                found[entry.op_id] = replace(found[entry.op_id], certain=True)
            case "override_ended":
                found.pop(entry.op_id, None)
            case _:
                continue
    return tuple(found.values())


def overrides_in_force(journal: Journal) -> tuple[Override, ...]:
    """Read the overrides in force, the oldest first; raises ``JournalError``. Blocks."""
    return fold_overrides(journal.entries(Question(kinds=OVERRIDE_KINDS)))


def named_overrides(overrides: Iterable[Override], op: str) -> tuple[Override, ...]:
    """Return what ``op`` names: by its id, else by the last letters of it, else by its target."""
    listed = tuple(overrides)
    wanted = op.strip().upper()
    exact = [each for each in listed if each.op_id == wanted]
    close = [each for each in listed if len(wanted) >= 4 and each.op_id.endswith(wanted)]
    named = [each for each in listed if each.target == op.strip()]
    return tuple(exact or close or named)


def _begun(entry: Entry) -> Override:
    details = entry.details
    return Override(
        op_id=entry.op_id,
        seq=entry.seq,
        verb=entry.action,
        target=entry.target,
        wanted=str(entry.wanted),
        controls=_words(details.get("controls")),
        by=str(details.get("by") or entry.who.name),
        reason=entry.why,
        began_at=entry.at,
        ends_at=_number(details.get("ends_at")),
        enforced_by=cast("Enforcer", str(details.get("enforced_by") or "nobody")),
        end=steps_of(details.get("end")),
        undo=steps_of(details.get("undo")),
        desired=_words(details.get("desired")),
        incident=entry.incident,
        certain=details.get("certain") is not False,
        drill=details.get("drill") is True,
        to=str(details.get("to") or ""),
        value=_number(details.get("value")),
    )


def _words(kept: object) -> tuple[str, ...]:
    return tuple(str(each) for each in kept) if isinstance(kept, list | tuple) else ()


def _number(kept: object) -> float | None:
    return float(kept) if isinstance(kept, int | float) and not isinstance(kept, bool) else None


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
