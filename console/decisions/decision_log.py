"""Folds journal entries into retraining decisions with approvals, outcomes and what was sent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from console.domain.action import ActionRefused
from console.domain.decision import Decision, DecisionRecord, SentOn
from console.domain.text import visible
from console.journal.identity import is_shared_login, same_person
from console.journal.store_base import Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.domain.entry import Entry, EntryKind, Who
    from console.journal.store_base import Journal

SHORTEST_SUFFIX = 4
"""Letters at the end of an id that are enough to name it, where only one ends so."""


DECISION_KINDS_OF_ENTRY: tuple[EntryKind, ...] = (
    "decision",
    "approval",
    "intent",
    "outcome",
    "observed",
    "resolved",
)
"""The kinds of entry that say what was decided, and what became of it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    record: DecisionRecord
    author: Who


@dataclass(frozen=True, slots=True)
class Decided:
    """Every decision of a journal, oldest first, and entries this version cannot read."""

    kept: Mapping[str, _Kept] = field(default_factory=dict)
    unreadable: tuple[int, ...] = ()

    @property
    def records(self) -> tuple[DecisionRecord, ...]:
        """Return the decisions, oldest first."""
        return tuple(each.record for each in self.kept.values())


def decisions_in(journal: Journal, model: str | None = None) -> Decided:
    """Return the decisions of a journal, of one model where it is named. Blocks."""
    found = fold_decisions(journal.entries(Question(kinds=DECISION_KINDS_OF_ENTRY)))
    if model is None:
        return found
    kept = {name: each for name, each in found.kept.items() if each.record.decision.model == model}
    return replace(found, kept=kept)


def fold_decisions(entries: Sequence[Entry], before: Decided | None = None) -> Decided:
    """Return what is decided after ``entries``, oldest first, on top of ``before``.

    An approval counts where it names the same digest and comes from another login than the
    author's that is one person's own.
    """
    known = before or Decided()
    if not entries:
        return known
    kept: dict[str, _Kept] = dict(known.kept)
    unreadable = list(known.unreadable)
    sending = {sent.op_id: name for name, each in kept.items() for sent in each.record.sent}
    for entry in entries:
        if entry.kind == "decision" and entry.details.get("step") == "taken":
            taken = _taken(entry)
            if taken is None:
                unreadable.append(entry.seq)
            else:
                kept[entry.op_id] = taken
            continue
        if entry.kind == "intent" and entry.details.get("decision"):
            sending[entry.op_id] = str(entry.details["decision"])
        name = sending.get(_about(entry), entry.op_id)
        if name in kept:
            kept[name] = replace(kept[name], record=_after(kept[name], entry))
    return Decided(kept, tuple(unreadable))


def _about(entry: Entry) -> str:
    """Return the operation an entry says something of: what is undone, else its own."""
    undoes = entry.details.get("purpose") == "undo"
    return str(entry.details.get("ends_op")) if undoes else entry.op_id


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
    if entry.kind == "approval":
        return _approved(known, entry)
    if entry.kind in ("intent", "outcome", "observed", "resolved"):
        return msgspec.structs.replace(record, sent=_sent(record, entry))
    return record


def _approved(known: _Kept, entry: Entry) -> DecisionRecord:
    record = known.record
    if (
        entry.details.get("step") == "given"
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


def _sent(record: DecisionRecord, entry: Entry) -> tuple[SentOn, ...]:
    """Return what became of sending, with what one entry of an operation says of it."""
    about = _about(entry)
    before = next((each for each in record.sent if each.op_id == about), None)
    if entry.kind == "intent" and about == entry.op_id:
        begun = SentOn(sink=entry.action, op_id=entry.op_id, at=entry.at, by=entry.who.name)
        return (*record.sent, begun)
    said = entry.details.get("outcome")
    if before is None or not isinstance(said, str):
        return record.sent
    if about != entry.op_id:
        said = "undone" if said in ("applied", "no_op") else before.outcome
    after = msgspec.structs.replace(
        before, outcome=said, at=entry.at, text=str(entry.details.get("text") or "")
    )
    return tuple(after if each is before else each for each in record.sent)


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


def _refused(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("decision", sentence)
