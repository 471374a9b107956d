"""What an operation at an alert source leaves in the journal about its incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from console.facts.entry import EntryDraft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.facts.action import Outcome
    from console.facts.entry import ConfirmClass, Entry, EntryKind, Json

HOLDING = ("ack", "snooze")


def care_json(drafts: Sequence[EntryDraft], place: str) -> dict[str, Json]:
    """Return what an intent keeps of the entries that follow it, so that a crash loses none.

    ``place`` names the alert sources that are told.
    """
    return {
        "place": place,
        "entries": [
            {
                "kind": each.kind,
                "op_id": each.op_id,
                "why": each.why,
                "details": dict(each.details),
            }
            for each in drafts
        ],
    }


def care_entries(intent: Entry, outcome: Outcome) -> tuple[EntryDraft, ...]:
    """Return the entries about an incident that an outcome makes true.

    What an alert source refused is held here alone: whoever took it has it all the same. What was
    never sent, because somebody acted meanwhile, leaves nothing.
    """
    if outcome.kind == "superseded":
        return ()
    kept = cast("Mapping[str, Json]", intent.details.get("care"))
    listed = kept.get("entries")
    place = str(kept.get("place") or "")
    return tuple(
        _draft(cast("Mapping[str, Json]", each), place, intent, outcome)
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    )


def _draft(each: Mapping[str, Json], place: str, intent: Entry, outcome: Outcome) -> EntryDraft:
    kind, told = str(each.get("kind")), each.get("details")
    details: dict[str, Json] = dict(told) if isinstance(told, dict) else {}
    if kind in HOLDING and details.get("step") in ("taken", "renewed"):
        there = outcome.in_force or outcome.kind == "no_op"
        details |= {"place": place if there else "", "certain": outcome.kind != "unverified"}
    return EntryDraft(
        kind=cast("EntryKind", kind),
        at=outcome.at,
        action=kind,
        target=intent.target,
        op_id=str(each.get("op_id") or intent.op_id),
        why=str(each.get("why") or intent.why),
        confirm_class=cast("ConfirmClass", intent.confirm_class),
        incident=intent.incident,
        details=details,
    )
