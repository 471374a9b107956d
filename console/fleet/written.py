"""Changes that people wrote into the journal: a deploy or a setting that no metric tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.entry import number_of
from console.facts.snapshot import Change
from console.facts.text import visible
from console.fleet.changes import KEPT_SECONDS
from console.fleet.words import name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.record import Record

_TEXT_CHARACTERS = 200


def written_changes(
    record: Record, environment: str, earlier: Sequence[Change], now: float
) -> list[Change]:
    """Return the journal's changes of the last day that ``earlier`` does not have yet.

    They stand at the time their writers gave, so a console that has just begun knows them too.
    """
    known = {(one.at, one.subject, one.text) for one in earlier}
    found = []
    for entry in record.entries:
        if entry.kind != "change" or entry.environment != environment:
            continue
        at = number_of(entry.details.get("at"))
        at = entry.at if at is None else at
        subject = entry.target.removeprefix("dep:")
        if subject.startswith("inc:"):
            subject = ""
        about = f"{name(subject)}: " if subject else ""
        text = f"{about}{visible(entry.why, _TEXT_CHARACTERS)} ({name(entry.who.name)})"
        if 0.0 <= now - at <= KEPT_SECONDS and (at, subject, text) not in known:
            found.append(Change(at, subject, text, "written"))
    return found
