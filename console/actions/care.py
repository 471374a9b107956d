"""What people did about incidents, folded from what the journal says; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from console.facts.care import (
    INCIDENT_PREFIX,
    Care,
    Closing,
    Escalation,
    Hold,
    IncidentNote,
)
from console.facts.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.facts.care import HoldKind, Verdict
    from console.facts.entry import Entry, EntryKind

CARE_KINDS: tuple[EntryKind, ...] = (
    "ack",
    "snooze",
    "note",
    "escalate",
    "merge",
    "severity",
    "close",
    "observed",
    "resolved",
)
"""The kinds of entry that say what people did about an incident."""

SLACK_SECONDS = 60.0
"""How far before an incident's begin an entry may stand and still belong to it."""

CARE_LOOKBACK_SECONDS = 30 * 86400.0
"""How far back entries are read: longer than any hold lasts."""

_LEVELS = {level.label: level for level in (Severity.S1, Severity.S2, Severity.S3, Severity.S4)}

CareLog = dict[str, tuple["Entry", ...]]
"""Entries about incidents by incident id, oldest first."""


def care_log(entries: Iterable[Entry], before: Mapping[str, tuple[Entry, ...]]) -> CareLog:
    """Return ``before`` with the new ``entries`` (oldest first) put to their incidents."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.kind in CARE_KINDS and entry.incident:
            settles = entry.kind in ("observed", "resolved")
            if not settles or entry.target == f"{INCIDENT_PREFIX}{entry.incident}":
                found.setdefault(entry.incident, []).append(entry)
    return {**before, **{key: (*before.get(key, ()), *new) for key, new in found.items()}}


def fold_care(
    log: Mapping[str, Sequence[Entry]], begins: Mapping[str, float], now: float
) -> dict[str, Care]:
    """Return what was done about each incident, by id, as it stands at ``now`` (Unix seconds).

    ``begins`` are the begins of the incidents there are now: what was written before belongs to
    an earlier occurrence. Of one that is not there any more the last occurrence is told.
    """
    care = {
        incident: _folded(incident, entries, begins.get(incident, _last_begin(entries)), now)
        for incident, entries in log.items()
    }
    for incident, each in tuple(care.items()):
        into = care.get(each.merged_into)
        if each.merged_into and into is None:
            into = Care(each.merged_into, begins.get(each.merged_into, each.since))
        if into is not None:
            care[into.incident] = replace(into, merged=(*into.merged, incident))
    return care


def holds_in_force(log: Mapping[str, Sequence[Entry]]) -> tuple[Hold, ...]:
    """Return every hold that nobody has ended in the record, past its end or not."""
    folded = (
        _folded(incident, entries, _last_begin(entries), None) for incident, entries in log.items()
    )
    found = [each.hold for each in folded if each.hold is not None]
    return tuple(sorted(found, key=lambda one: (one.began_at, one.op_id)))


def begin_of(log: Mapping[str, Sequence[Entry]], incident: str) -> float:
    """Return when the last occurrence began that anybody wrote about (Unix seconds), else 0."""
    entries = log.get(incident, ())
    return _last_begin(entries) if entries else 0.0


def _last_begin(entries: Sequence[Entry]) -> float:
    told = [
        number for each in entries if (number := _number(each.details.get("since"))) is not None
    ]
    return max(told) if told else entries[0].at


@dataclass(slots=True)
class _Folding:
    """One incident while its entries are gone through."""

    hold: Hold | None = None
    before: list[Hold] = field(default_factory=list)
    level: Severity | None = None
    level_by: str = ""
    level_reason: str = ""
    merged_into: str = ""
    notes: list[IncidentNote] = field(default_factory=list)
    escalations: list[Escalation] = field(default_factory=list)
    closing: Closing | None = None

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        match entry.kind:
            case "ack" | "snooze":
                self._held(entry)
            case "note":
                self.notes.append(IncidentNote(entry.at, entry.who.name, entry.why))
            case "escalate":
                to = _words(entry.details.get("to"))
                self.escalations.append(Escalation(entry.at, entry.who.name, to, entry.why))
            case "merge":
                self.merged_into = str(entry.details.get("into") or "")
            case "severity":
                self.level = _LEVELS.get(str(entry.details.get("level")))
                named = self.level is not None
                self.level_by = entry.who.name if named else ""
                self.level_reason = entry.why if named else ""
            case "close":
                self.end(entry.at)
                self.closing = _closing(entry)
            case "observed" | "resolved":
                self._settled(entry)
            case _:
                return

    def end(self, at: float) -> None:
        """End what is held, at its own end at the latest."""
        if self.hold is not None:
            self.before.append(replace(self.hold, ends_at=min(at, self.hold.ends_at)))
            self.hold = None

    def _held(self, entry: Entry) -> None:
        step = entry.details.get("step")
        mine = self.hold if self.hold is not None and self.hold.op_id == entry.op_id else None
        if step == "taken":
            self.end(entry.at)
            self.closing = None  # whoever takes it again has opened it again
            self.hold = _taken(entry)
        elif mine is not None and step == "renewed":
            self.hold = _renewed(mine, entry)
        elif mine is not None and step == "released":
            self.end(entry.at)

    def _settled(self, entry: Entry) -> None:
        """Take what is true after all of a hold whose alert source could not be read back."""
        if self.hold is not None and self.hold.op_id == entry.op_id:
            there = entry.details.get("outcome") in ("applied", "partial")
            place = self.hold.place if there else ""
            self.hold = replace(self.hold, certain=True, place=place)


def _folded(incident: str, entries: Sequence[Entry], since: float, now: float | None) -> Care:
    folding = _Folding()
    for entry in entries:
        if entry.at >= since - SLACK_SECONDS:
            folding.take(entry)
    if now is not None and folding.hold is not None and folding.hold.ends_at <= now:
        folding.end(folding.hold.ends_at)
    return Care(
        incident,
        since,
        hold=folding.hold,
        held_before=tuple(folding.before),
        level=folding.level,
        level_by=folding.level_by,
        level_reason=folding.level_reason,
        merged_into=folding.merged_into,
        notes=tuple(folding.notes),
        escalations=tuple(folding.escalations),
        closing=folding.closing,
    )


def _taken(entry: Entry) -> Hold:
    details = entry.details
    return Hold(
        op_id=entry.op_id,
        seq=entry.seq,
        incident=entry.incident,
        kind=cast("HoldKind", entry.kind),
        by=str(details.get("by") or entry.who.name),
        account=entry.who.person,
        reason=entry.why,
        began_at=entry.at,
        ends_at=_number(details.get("ends_at")) or entry.at,
        next_check_at=_number(details.get("next_check_at")),
        place=str(details.get("place") or ""),
        certain=details.get("certain") is not False,
        title=str(details.get("title") or ""),
        level=str(details.get("severity") or ""),
        models=_words(details.get("models")),
        dependency=str(details.get("dependency") or ""),
    )


def _renewed(hold: Hold, entry: Entry) -> Hold:
    details = entry.details
    return replace(
        hold,
        ends_at=_number(details.get("ends_at")) or hold.ends_at,
        next_check_at=_number(details.get("next_check_at")) or hold.next_check_at,
        place=str(details.get("place") or "") if "place" in details else hold.place,
        certain=details.get("certain") is not False,
    )


def _closing(entry: Entry) -> Closing:
    verdict = str(entry.details.get("verdict"))
    return Closing(
        at=entry.at,
        by=entry.who.name,
        verdict=cast("Verdict", verdict if verdict in ("useful", "noise") else "unclear"),
        reason=entry.why,
        decision=str(entry.details.get("decision") or ""),
    )


def _words(kept: object) -> tuple[str, ...]:
    return tuple(str(each) for each in kept) if isinstance(kept, list | tuple) else ()


def _number(kept: object) -> float | None:
    return float(kept) if isinstance(kept, int | float) and not isinstance(kept, bool) else None
