"""Taking back, within 30 s, what was just done about an incident."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from console.actions.care_ground import ground_of, read_log
from console.actions.care_holds import Intended, clock_text, draft_of, release
from console.actions.refusal import ActionRefused
from console.actions.ways_back import UNDO_SECONDS
from console.facts.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from console.actions.care import CareLog
    from console.actions.care_ground import Ground
    from console.actions.care_verbs import Case
    from console.facts.entry import Entry, Json

UNDONE_KINDS = ("ack", "snooze", "severity", "merge")
"""What can be taken back; what was said was said."""

_WHY = "taken back"


def care_entry(log: CareLog, op: str) -> Entry | None:
    """Return the newest entry that an operation wrote about an incident, None where none did."""
    wanted = op.strip().upper()
    found = [
        entry
        for entries in log.values()
        for entry in entries
        if wanted and wanted in (entry.op_id, entry.details.get("by_op"))
    ]
    return max(found, key=lambda each: each.seq, default=None)


async def undone(case: Case) -> tuple[Intended, Ground]:
    """Return what takes an operation back; raises `ActionRefused` and ``JournalError``."""
    bench, op = case.bench, case.wish.op_id.strip().upper()
    log, _ = await asyncio.to_thread(read_log, bench.journal, bench.clock())
    entry = care_entry(log, op)
    if entry is None or not entry.incident:
        raise ActionRefused.forbidden(
            "unknown_op", f"{visible(op, 60)} is nothing that was done about an incident"
        )
    _check(entry, bench.clock())
    ground = await ground_of(bench, entry.incident, case.snapshot)
    match entry.kind:
        case "severity" | "merge":
            return _given_back(entry, ground, case.op_id), ground
        case _:
            return _let_go(entry, ground, case), ground


def _check(entry: Entry, now: float) -> None:
    if entry.kind not in UNDONE_KINDS or entry.details.get("step") == "released":
        raise ActionRefused.forbidden(
            "no_way_back", f"a {entry.kind} is not taken back; it stands in the record"
        )
    if now - entry.at > UNDO_SECONDS:
        ago = format_duration(round(now - entry.at))
        raise ActionRefused.forbidden(
            "too_late", f"it was {ago} ago; within 30 s it could be taken back, now act anew"
        )


def _let_go(entry: Entry, ground: Ground, case: Case) -> Intended:
    hold = ground.care.hold
    if hold is None or hold.op_id != entry.op_id:
        raise ActionRefused.forbidden("changed_since", "somebody acted on it since; look again")
    before = entry.details.get("ended_at_before")
    if entry.details.get("step") != "renewed" or not isinstance(before, int | float):
        made = release(ground, case.bench.who, case.op_id, "", why=_WHY)
        taken_from = entry.details.get("taken_from")
        if not taken_from:
            return made
        return replace(made, sentence=f"{made.sentence}; before that {taken_from} had it")
    details: dict[str, Json] = {
        "step": "renewed",
        "ends_at": float(before),
        "ended_at_before": hold.ends_at,
        "by_op": case.op_id,
    }
    return Intended(
        case.op_id,
        f"Take back: hold {ground.title} longer",
        f"{ground.title} is held until {clock_text(float(before))} again",
        _WHY,
        (draft_of(hold.kind, ground, hold.op_id, _WHY, details),),
        hold_until=float(before),
        hold_op=hold.op_id,
    )


def _given_back(entry: Entry, ground: Ground, op_id: str) -> Intended:
    """Return a level or a merge as it was before; refuses where somebody changed it again."""
    before = str(entry.details.get("before") or "")
    name = "level" if entry.kind == "severity" else "into"
    now = ground.care.merged_into
    if entry.kind == "severity":
        now = "" if ground.care.level is None else ground.care.level.label
    if now != str(entry.details.get(name) or ""):
        raise ActionRefused.forbidden("changed_since", "somebody changed it since; look again")
    was = before or ("what its alerts say" if entry.kind == "severity" else "by itself")
    return Intended(
        op_id,
        f"Take back: {entry.kind} of {ground.title}",
        f"{ground.title} is {was} again",
        _WHY,
        (
            draft_of(
                entry.kind,
                ground,
                op_id,
                _WHY,
                {name: before, "before": now, "undoes": entry.op_id},
            ),
        ),
    )
