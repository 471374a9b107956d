"""Reads handovers back from the journal, and finds the one that is to be accepted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.domain.action import ActionRefused
from console.domain.text import visible
from console.journal.identity import is_shared_login, same_person
from console.journal.store_base import Question
from console.settings.durations import parse_moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.entry import Entry, Who
    from console.journal.store_base import Journal

USUAL = "12h"
LONGEST_SECONDS = 14 * 86400.0
ALLOWED = "a time in the last 14 days, such as 12h or 2026-11-23T02:00Z"
"""Short enough for the bottom line of 80 columns, whatever was wrong."""


def shift_start(text: str, now: float) -> float:
    """Return since when a shift ran, in Unix seconds, of ``12h`` or a moment in ISO 8601.

    Raises `ValueError` with what is allowed.
    """
    try:
        since = parse_moment(text, now)
    except ValueError as fault:
        raise ValueError(ALLOWED) from fault
    if not 0.0 < now - since <= LONGEST_SECONDS:
        raise ValueError(ALLOWED)
    return since


TARGET = "handover"
"""What entries of handovers are about, so that two people never accept the same one."""

LONGEST_TEXT = 60_000
"""Characters of a handover; it stays one entry of the journal."""

SHORTEST_SUFFIX = 4
NEWEST = 50
"""How many entries of handovers are read back."""


@dataclass(frozen=True, slots=True)
class HandedHold:
    """An incident that the author held when the handover was written."""

    incident: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class HandoverRecord:
    """One handover as the journal tells it; times in Unix seconds, None: nobody accepted it yet.

    ``account`` is the login it was written from, ``to`` the name it was meant for, a claim.
    ``intact`` is False where the text is not what its digest says.
    """

    id: str
    seq: int
    who: Who
    written_at: float
    since: float | None
    to: str
    text: str
    digest: str
    holds: tuple[HandedHold, ...] = ()
    intact: bool = True
    accepted_by: str = ""
    accepted_account: str = ""
    accepted_at: float | None = None

    @property
    def account(self) -> str:
        """The login it was written from."""
        return f"{self.who.person}@{self.who.host}"


@dataclass(frozen=True, slots=True)
class HandoverWish:
    """What is to be written: the text as it will be read, and what the author holds.

    ``since`` is Unix seconds. ``counts`` is how many lines each part has.
    """

    text: str
    since: float
    to: str = ""
    holds: tuple[HandedHold, ...] = ()
    state: str = ""
    counts: tuple[tuple[str, int], ...] = ()


def handovers_in(journal: Journal) -> tuple[HandoverRecord, ...]:
    """Return the newest handovers of a journal, oldest first. Blocks."""
    question = Question(kinds=("handover", "handover_accepted"), newest=NEWEST)
    return handovers_of(journal.entries(question))


def handovers_of(entries: Sequence[Entry]) -> tuple[HandoverRecord, ...]:
    """Return what entries, oldest first, say of handovers.

    An acceptance counts where it names the same digest and comes from another login than the
    author's that is one person's own.
    """
    kept: dict[str, HandoverRecord] = {}
    for entry in entries:
        if entry.kind == "handover":
            kept[entry.op_id] = _written(entry)
        elif entry.kind == "handover_accepted" and (known := kept.get(entry.op_id)) is not None:
            kept[entry.op_id] = _accepted(known, entry)
    return tuple(kept.values())


def _written(entry: Entry) -> HandoverRecord:
    details = entry.details
    text, digest = str(details.get("text") or ""), str(details.get("digest") or "")
    since = details.get("since")
    holds = details.get("holds")
    return HandoverRecord(
        id=entry.op_id,
        seq=entry.seq,
        who=entry.who,
        written_at=entry.at,
        since=float(since) if isinstance(since, int | float) else None,
        to=str(details.get("to") or ""),
        text=text,
        digest=digest,
        holds=tuple(
            HandedHold(str(each.get("incident") or ""), str(each.get("title") or ""))
            for each in (holds if isinstance(holds, list) else [])
            if isinstance(each, dict)
        ),
        intact=digest_of(text) == digest,
    )


def _accepted(known: HandoverRecord, entry: Entry) -> HandoverRecord:
    if (
        known.accepted_at is not None
        or entry.details.get("digest") != known.digest
        or same_person(entry.who, known.who)
        or is_shared_login(entry.who)
    ):
        return known
    return replace(
        known,
        accepted_by=entry.who.name,
        accepted_account=f"{entry.who.person}@{entry.who.host}",
        accepted_at=entry.at,
    )


def digest_of(text: str) -> str:
    """Return SHA-256 of the text, so that an acceptance is of exactly this."""
    return hashlib.sha256(text.encode()).hexdigest()


def to_accept(records: Sequence[HandoverRecord], me: Who, wanted: str = "") -> HandoverRecord:
    """Return what ``me`` is to accept: the newest of somebody else, or the one that is named.

    Raises `ActionRefused` for one's own, for one that is accepted, and where there is none.
    """
    found = _named(records, wanted) if wanted else _newest(records, me)
    if found.accepted_at is not None:
        raise _refused(f"{visible(found.accepted_by, 60)} has accepted that handover already")
    if same_person(found.who, me):
        raise _refused(
            f"{visible(me.person, 60)} wrote it; the incoming person accepts it from another login"
        )
    if is_shared_login(me):
        raise _refused(
            f"{visible(me.person, 60)} is a login several people use; it proves nobody accepted: "
            "log in as yourself"
        )
    if not found.intact:
        raise _refused("its text is not what its digest says; run midwatch journal verify")
    return found


def _newest(records: Sequence[HandoverRecord], me: Who) -> HandoverRecord:
    waiting = [each for each in records if each.accepted_at is None]
    theirs = [each for each in waiting if not same_person(each.who, me)]
    if theirs:
        return theirs[-1]
    if waiting:
        return waiting[-1]  # one's own: it is said why not
    if records:
        by = visible(records[-1].accepted_by, 60)
        raise _refused(f"no handover waits; {by} has accepted the last one")
    raise _refused("no handover is on the record; midwatch handover --yes writes one")


def _named(records: Sequence[HandoverRecord], wanted: str) -> HandoverRecord:
    name = wanted.strip().upper()
    found = [
        each
        for each in records
        if each.id == name or (len(name) >= SHORTEST_SUFFIX and each.id.endswith(name))
    ]
    if len(found) == 1:
        return found[0]
    known = f"{len(found)} end so; give the whole id" if found else "midwatch handover --list"
    raise _refused(f"no handover {visible(wanted, 40)}: {known}")


def _refused(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("handover", sentence)
