"""Decisions read back from the journal: their approvals, their outcomes, who may still approve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from console.actions.confirming import SHORTEST_REASON
from console.actions.decisions import LONGEST_TEXT, require_writes
from console.actions.refusal import ActionRefused
from console.facts.decision import Decision, DecisionRecord
from console.facts.entry import EntryDraft
from console.facts.text import visible
from console.journal.identity import is_shared_login, same_person
from console.journal.protocol import Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.action import Mode
    from console.facts.entry import Entry, Who
    from console.journal.protocol import Journal

SHORTEST_SUFFIX = 4
"""Letters at the end of an id that are enough to name it, where only one ends so."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Every decision of a journal, oldest first, and entries this version cannot read."""

    records: tuple[DecisionRecord, ...] = ()
    unreadable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    record: DecisionRecord
    author: Who


def decisions_in(journal: Journal, model: str | None = None) -> Decided:
    """Return the decisions of a journal, of one model where it is named. Blocks."""
    return decisions_of(journal.entries(Question(kinds=("decision", "approval"), target=model)))


def decisions_of(entries: Sequence[Entry]) -> Decided:
    """Return what entries, oldest first, say of decisions.

    An approval counts where it names the same digest and comes from another login than the
    author's that is one person's own.
    """
    kept: dict[str, _Kept] = {}
    unreadable: list[int] = []
    for entry in entries:
        step = entry.details.get("step")
        if entry.kind == "decision" and step == "taken":
            taken = _taken(entry)
            if taken is None:
                unreadable.append(entry.seq)
            else:
                kept[entry.op_id] = taken
        elif (known := kept.get(entry.op_id)) is not None:
            kept[entry.op_id] = replace(known, record=_after(known, entry))
    return Decided(tuple(each.record for each in kept.values()), tuple(unreadable))


def _taken(entry: Entry) -> _Kept | None:
    try:
        decision = msgspec.convert(entry.details.get("decision"), Decision)
    except msgspec.ValidationError:
        return None  # told as unreadable: a newer version wrote it
    if (decision.id, decision.model) != (entry.op_id, entry.target):
        return None  # it says of itself what its entry does not; nobody could approve or close it
    digest = str(entry.details.get("digest") or "")
    return _Kept(DecisionRecord(decision=decision, digest=digest, account=_of(entry)), entry.who)


def _of(entry: Entry) -> str:
    return f"{entry.who.person}@{entry.who.host}"


def _after(known: _Kept, entry: Entry) -> DecisionRecord:
    record, step = known.record, entry.details.get("step")
    if entry.kind == "decision" and step == "closed" and record.closed_at is None:
        return msgspec.structs.replace(
            record, closed_by=entry.who.name, closed_at=entry.at, outcome=entry.why
        )
    if (
        entry.kind == "approval"
        and step == "given"
        and not record.approved_by
        and record.closed_at is None
        and entry.details.get("digest") == record.digest
        and not same_person(entry.who, known.author)
        and not is_shared_login(entry.who)
    ):
        return msgspec.structs.replace(
            record, approved_by=f"{entry.who.name} ({_of(entry)})", approved_at=entry.at
        )
    return record


def find_decision(decided: Decided, wanted: str) -> DecisionRecord:
    """Return the decision of an id, or of its last letters; raises `ActionRefused`."""
    name = wanted.strip().upper()
    ids = [each.decision.id for each in decided.records]
    matching = [
        each
        for each in decided.records
        if each.decision.id == name
        or (len(name) >= SHORTEST_SUFFIX and each.decision.id.endswith(name))
    ]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise _refused(f"{len(matching)} decisions end in {visible(name, 40)}; give the whole id")
    count = f"there are {len(ids)}" if ids else "there is none yet"
    raise _refused(f"no decision {visible(wanted, 40)}; {count}: midwatch decisions")


def close_decision(
    journal: Journal,
    record: DecisionRecord,
    outcome: str,
    mode: Mode,
    now: float,
    *,
    seen_seq: int,
) -> Entry:
    """Write what came of a decision. Blocks.

    Raises `WritesNotAllowed`, `ActionRefused` where it is closed already or nothing is said, and
    ``JournalError``; ``TargetTouchedError`` where somebody wrote about the model meanwhile.
    """
    require_writes(mode)
    check_closing(record, outcome)
    decision = record.decision
    return journal.append(
        EntryDraft(
            kind="decision",
            at=now,
            action=decision.kind,
            target=decision.model,
            op_id=decision.id,
            why=outcome.strip(),
            confirm_class="C1",
            incident=decision.incident,
            before=record.state(now),
            wanted="closed",
            details={
                "step": "closed",
                "digest": record.digest,
                "overdue_seconds": round(max(0.0, now - decision.review_by), 3),
                "was_pending": record.pending,
            },
        ),
        untouched_since=seen_seq,
    )


def check_closing(record: DecisionRecord, outcome: str) -> None:
    """Raise `ActionRefused` unless ``record`` can be closed with this outcome."""
    if record.closed_at is not None:
        raise _refused(f"{visible(record.closed_by, 60)} has closed it already")
    if not SHORTEST_REASON <= len(outcome.strip()) <= LONGEST_TEXT:
        raise _refused(f"say what came of it, in 3 to {LONGEST_TEXT} characters: --outcome TEXT")


def decision_waiting(journal: Journal, op_id: str, now: float) -> Entry | None:
    """Return the entry that asks for the second person of a decision, None for other operations.

    Blocks. Unlike an action, a decision waits until its review date: nobody is hurt meanwhile.
    Raises `ActionRefused` where it has been approved or closed, or where that date has passed.
    """
    found = journal.entries(Question(op_id=op_id, kinds=("decision", "approval")))
    records = decisions_of(found).records
    asked = next((each for each in found if each.details.get("step") == "asked"), None)
    if not records or asked is None:
        return None
    (record,) = records
    if record.closed_at is not None:
        raise _refused(f"{visible(record.closed_by, 60)} has closed that decision already")
    if record.approved_by:
        raise _refused(f"{visible(record.approved_by, 100)} has approved that decision already")
    if record.overdue(now):
        raise _refused("its review date has passed; close it with its outcome and decide anew")
    return asked


def _refused(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("decision", sentence)
