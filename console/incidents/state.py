"""Folds acknowledgements, snoozes, notes and closings onto incidents; pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

from console.domain.alert import Silence
from console.domain.incident import INCIDENT_PREFIX, Care, Closing, Escalation, Hold, IncidentNote
from console.domain.severity import Severity
from console.domain.text import visible
from console.incidents.grouping import STATE_ORDER, urgency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.domain.alert import Alert, Incident
    from console.domain.entry import Entry, EntryKind
    from console.domain.incident import HoldKind, Verdict

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


def escalation_of(entry: Entry) -> Escalation:
    """Return what an entry tells of a call for help."""
    through, became, said = (
        str(entry.details.get(name) or "") for name in ("through", "became", "said")
    )
    to = _words(entry.details.get("to"))
    return Escalation(entry.at, entry.who.name, to, entry.why, through, became, said)


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
                self.escalations.append(escalation_of(entry))
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


_NAME_CHARACTERS: Final = 60
_REASON_CHARACTERS: Final = 200


def with_care(incidents: Iterable[Incident], care: Mapping[str, Care]) -> tuple[Incident, ...]:
    """Return the incidents with what was done about them, the most urgent first.

    A hold that only the journal knows counts like an acknowledgement at the alert source. One that
    was merged stands in the one it was merged into, while that is there. Doing it again to what
    came out changes nothing.
    """
    there = {each.id: each for each in incidents}
    found: dict[str, Incident] = {}
    for key, incident in there.items():
        into = _merged_into(key, care, there)
        if into == key:
            found.setdefault(key, incident)
        else:
            before = found.get(into) or there[into]
            found[into] = _merged(before, incident)
    made = [_as_left(each, care.get(each.id)) for each in found.values()]
    return tuple(sorted(made, key=urgency))


def begins_of(incidents: Iterable[Incident]) -> dict[str, float]:
    """Return when each incident began, by id, as `fold_care` wants it."""
    return {each.id: each.since for each in incidents}


def reopened(incident: Incident, closing: Closing) -> bool:
    """Tell whether it goes on in spite of its closing: something of it began after that."""
    going = [alert.since for alert in incident.alerts if alert.state in ("firing", "pending")]
    return max(going, default=incident.since) > closing.at


def _merged_into(incident: str, care: Mapping[str, Care], there: Mapping[str, Incident]) -> str:
    """Return where it stands in the end; what leads in a circle or to nothing stays itself."""
    seen, current = {incident}, incident
    while (one := care.get(current)) is not None and one.merged_into in there:
        current = one.merged_into
        if current in seen:
            return incident
        seen.add(current)
    return current


def _merged(incident: Incident, other: Incident) -> Incident:
    """Return an incident with the alerts, models and level of another beside its own."""
    known = {(alert.source, alert.fingerprint) for alert in incident.alerts}
    added = tuple(alert for alert in other.alerts if (alert.source, alert.fingerprint) not in known)
    telling = min(incident, other, key=lambda one: STATE_ORDER[one.state])
    same = incident.state == other.state
    return replace(
        incident,
        state=telling.state,
        severity=min(incident.severity, other.severity) if same else telling.severity,
        since=min(incident.since, other.since) if same else telling.since,
        ends=telling.ends,
        models=tuple(sorted({*incident.models, *other.models})),
        sources=tuple(sorted({*incident.sources, *other.sources})),
        alerts=(*incident.alerts, *added),
        suppressed_by=tuple(dict.fromkeys((*incident.suppressed_by, *other.suppressed_by))),
        acked_by=incident.acked_by if incident.acked_by and other.acked_by else "",
        acked_until=incident.acked_until if incident.acked_by and other.acked_by else None,
        flapping=incident.flapping or other.flapping,
        starts_per_hour=incident.starts_per_hour + other.starts_per_hour,
    )


def _as_left(incident: Incident, care: Care | None) -> Incident:
    if care is None:
        return incident
    if care.level is not None:
        incident = replace(incident, severity=care.level)
    if care.hold is not None:
        incident = _held(incident, care.hold)
    if care.closing is not None and not reopened(incident, care.closing):
        incident = _closed(incident, care.closing)
    return incident


def _held(incident: Incident, hold: Hold) -> Incident:
    """Return it acknowledged: whoever took it has it whole, with what joined it since."""
    by = visible(hold.by, _NAME_CHARACTERS) or "somebody"
    said = Silence(
        id=f"journal {hold.op_id}",
        by=by,
        comment=f"{hold.kind}: {visible(hold.reason, _REASON_CHARACTERS)}",
        ends=hold.ends_at,
        acknowledges=True,
    )
    return replace(
        incident,
        acked_by=by,
        acked_until=hold.ends_at,
        alerts=tuple(
            _with(alert, said) if alert.state == "firing" else alert for alert in incident.alerts
        ),
    )


def _closed(incident: Incident, closing: Closing) -> Incident:
    """Return it suppressed: its alerts may fire on, and somebody has judged what that is worth."""
    if incident.state == "resolved":
        return incident
    by = visible(closing.by, _NAME_CHARACTERS)
    told = f": {visible(closing.reason, _REASON_CHARACTERS)}" if closing.reason else ""
    sentence = f"closed by {by} as {closing.verdict}{told}"
    said = Silence(id="journal", by=by, comment=f"closed as {closing.verdict}{told}")
    return replace(
        incident,
        state="suppressed",
        suppressed_by=tuple(dict.fromkeys((*incident.suppressed_by, sentence))),
        alerts=tuple(
            replace(_with(alert, said), state="suppressed")
            if alert.state in ("firing", "pending")
            else alert
            for alert in incident.alerts
        ),
    )


def _with(alert: Alert, said: Silence) -> Alert:
    if any(each.id == said.id for each in alert.silences):
        return alert
    return replace(alert, silences=(*alert.silences, said))
