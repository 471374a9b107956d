"""Folds the journal's entries into the overrides in force, with the ways out they were given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from console.domain.action import Override, Step
from console.journal.store_base import Question

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.domain.action import Enforcer
    from console.domain.control import JsonValue
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
        row=str(details.get("row") or ""),
    )


def _words(kept: object) -> tuple[str, ...]:
    return tuple(str(each) for each in kept) if isinstance(kept, list | tuple) else ()


def _number(kept: object) -> float | None:
    return float(kept) if isinstance(kept, int | float) and not isinstance(kept, bool) else None


def steps_of(kept: object) -> tuple[Step, ...]:
    """Return steps as the journal kept them; what is no step is left out."""
    made = []
    for each in kept if isinstance(kept, list) else []:
        if isinstance(each, dict) and isinstance(each.get("variables"), dict):
            variables = cast("Mapping[str, JsonValue]", each["variables"])
            targets = each.get("targets")
            made.append(
                Step(
                    control=str(each.get("control", "")),
                    action=str(each.get("action", "")),
                    variables=tuple(variables.items()),
                    targets=tuple(map(str, targets)) if isinstance(targets, list) else (),
                    shown=str(each.get("shown", "")),
                )
            )
    return tuple(made)
