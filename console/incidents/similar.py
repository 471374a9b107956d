"""Finds earlier incidents like one, with how they ended; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

from console.domain.alert import Incident
from console.domain.entry import EntryKind, number_of
from console.domain.incident import (
    INCIDENT_PREFIX,
    LEFT_TO_DO,
    NOTHING_TO_DECIDE,
    Earlier,
    Likeness,
    SameBefore,
)
from console.domain.severity import Severity
from console.domain.text import visible
from console.incidents.clock import hurt_spans
from console.incidents.journal_events import persisted_events
from console.incidents.timeline import SIGN_LEAD_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry
    from console.domain.incident import TimelineEvent

_STRENGTH: tuple[Likeness, ...] = get_args(Likeness)


@dataclass(frozen=True, slots=True)
class About:
    """What an incident of the past was about, by raw names, as far as anybody wrote it down.

    ``rules`` are the names of the alerts that fired.
    """

    id: str
    dependency: str = ""
    models: frozenset[str] = field(default_factory=frozenset)
    rules: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Alike:
    """Why one is like another; ``shared`` and ``rule`` are raw names, ``rule`` may be empty."""

    why: Likeness
    shared: str
    rule: str = ""

    @property
    def strength(self) -> int:
        """Return its place among the reasons, 0 the strongest."""
        return _STRENGTH.index(self.why)


def alike(incident: Incident, past: About) -> Alike | None:
    """Return why ``past`` is like ``incident``, by the strongest reason; None: it is not.

    A dependency that both share outranks the same model under the same rule, and that the model
    alone. An id is a digest of what an incident is about, so the same id is the same subject even
    where nobody wrote down more.
    """
    same = past.id == incident.id
    rules = {alert.name for alert in incident.alerts} & past.rules
    rule = min(rules, default="")
    if incident.dependency and (same or past.dependency == incident.dependency):
        return Alike("dependency", incident.dependency, rule)
    model = incident.model if same else _shared_model(incident, past)
    if model:
        return Alike("model and rule" if rule else "model", model, rule)
    return Alike("alert", incident.title, rule) if same else None


def _shared_model(incident: Incident, past: About) -> str:
    """Return a model both are about; of a dependency's callers only those that alerts name."""
    if incident.model in past.models:
        return incident.model
    named = {alert.model for alert in incident.alerts if alert.model}
    return min((named or set(incident.models)) & past.models, default="")


RECORDED_KINDS: Final[tuple[EntryKind, ...]] = (
    "ack", "snooze", "note", "escalate", "merge", "severity", "close", "intent", "outcome",
    "change",
)  # fmt: skip
"""The kinds of entry that tell what an incident was, how it went on and how it ended."""

SLACK_SECONDS: Final = 60.0
"""Two beginnings so near each other are one."""

APART_SECONDS: Final = 86400.0
"""What names an incident so long after the last word about it is about another occurrence."""

_LEVELS: Final = {one.label: one for one in (Severity.S1, Severity.S2, Severity.S3, Severity.S4)}
_MOST_LEFT: Final = 3


@dataclass(slots=True)
class Recorded:
    """One occurrence as the record tells it; times in Unix seconds, names raw.

    ``guessed`` says that nobody wrote when it began: it is the first word about it.
    ``done`` are actions in force because of it, by operation.
    """

    id: str
    since: float
    guessed: bool = False
    last_at: float = 0.0
    title: str = ""
    dependency: str = ""
    models: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    level: Severity = Severity.UNKNOWN
    acked_at: float | None = None
    closing: Entry | None = None
    merged_into: str = ""
    done: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    events: list[TimelineEvent] = field(default_factory=list)
    _to: dict[str, str] = field(default_factory=dict)

    @property
    def about(self) -> About:
        """What it was about."""
        return About(self.id, self.dependency, frozenset(self.models), frozenset(self.rules))

    def take(self, entry: Entry) -> None:
        """Take the next entry about it."""
        self.last_at = max(self.last_at, entry.at)
        self.title = str(entry.details.get("title") or self.title)
        self.events += persisted_events([entry])
        match entry.kind:
            case "ack" | "snooze":
                self._held(entry)
            case "severity":
                self._reached(entry.details.get("level"))
            case "note":
                self._to_do(entry.why)
            case "merge":
                self.merged_into = str(entry.details.get("into") or "")
            case "close":
                self.closing = entry
                self._to_do(entry.why)
            case "intent" | "outcome":
                self._acted(entry)

    def _held(self, entry: Entry) -> None:
        details = entry.details
        if details.get("step") != "taken":
            return
        self.closing = None  # whoever takes it again has opened it again
        if entry.kind == "ack" and self.acked_at is None:
            self.acked_at = entry.at
        self.dependency = str(details.get("dependency") or self.dependency)
        self.models |= {str(details["model"])} if details.get("model") else set()
        named = details.get("models")
        self.models |= set(map(str, named)) if isinstance(named, list) else set()
        self.rules |= set(_rules(details.get("alerts")))
        self._reached(details.get("severity"))

    def _reached(self, level: object) -> None:
        told = _LEVELS.get(str(level))
        if told is not None and (self.level is Severity.UNKNOWN or told < self.level):
            self.level = told

    def _to_do(self, text: str) -> None:
        if LEFT_TO_DO.search(text) and len(self.left) < _MOST_LEFT:
            self.left.append(text)

    def _acted(self, entry: Entry) -> None:
        """Keep what was changed in the world; what was taken back again was not done."""
        details = entry.details
        if entry.target.startswith(INCIDENT_PREFIX) or details.get("decision"):
            return
        if entry.kind == "intent":
            self._to[entry.op_id] = str(details.get("to") or "")
            return
        if details.get("outcome") not in ("applied", "partial"):
            return
        if details.get("purpose") == "undo":
            self.done.pop(str(details.get("ends_op")), None)
        elif not details.get("purpose"):
            to = str(details.get("to") or self._to.get(entry.op_id) or "")
            part = " in part" if details.get("outcome") == "partial" else ""
            words = [entry.action, entry.target, f"to {to}" if to else ""]
            self.done[entry.op_id or f"#{entry.seq}"] = " ".join(filter(None, words)) + part


def _rules(alerts: object) -> Iterable[str]:
    """Yield the names of the alerts that fired as somebody took it, by what an ack keeps."""
    for labels in alerts.values() if isinstance(alerts, dict) else ():
        for each in labels if isinstance(labels, list) else ():
            if isinstance(each, dict) and each.get("alertname"):
                yield str(each["alertname"])


def recorded(entries: Iterable[Entry]) -> list[Recorded]:
    """Return every occurrence that ``entries`` (oldest first) tell of, in the order of telling."""
    by_id: dict[str, list[Recorded]] = {}
    found: list[Recorded] = []
    for entry in entries:
        if not entry.incident:
            continue
        mine = by_id.setdefault(entry.incident, [])
        one = _occurrence(mine, entry)
        if one is None:
            since = number_of(entry.details.get("since"))
            begin = entry.at if since is None else since
            one = Recorded(entry.incident, begin, guessed=since is None)
            mine.append(one)
            found.append(one)
        one.take(entry)
    return found


def _occurrence(mine: list[Recorded], entry: Entry) -> Recorded | None:
    """Return the occurrence an entry belongs to, None for one that nobody has told of yet."""
    if not mine:
        return None
    since, last = number_of(entry.details.get("since")), mine[-1]
    if since is None:
        closed = last.closing is not None and entry.at > last.closing.at + SLACK_SECONDS
        return None if closed or entry.at - last.last_at > APART_SECONDS else last
    if last.guessed and 0.0 <= last.since - since <= APART_SECONDS:
        last.since, last.guessed = since, False
        return last
    return next((one for one in mine if abs(one.since - since) <= SLACK_SECONDS), None)


def recorded_incident(incident_id: str, entries: Iterable[Entry]) -> Incident | None:
    """Return the last occurrence of an incident that people wrote about, as one that is over.

    ``entries`` are oldest first. It ended when it was closed, else with the last word about it:
    when nobody closed it, nobody wrote down its end. None where nothing tells of it.
    """
    mine = [one for one in entries if one.incident == incident_id]
    if not mine:
        return None
    begins = [since for one in mine if (since := number_of(one.details.get("since"))) is not None]
    since = max(begins) if begins else mine[0].at
    occurrence = [one for one in mine if one.at >= since - 60.0] or mine
    told = {
        name: value
        for one in occurrence
        for name, value in one.details.items()
        if name in ("title", "severity", "model", "dependency", "models") and value
    }
    closed = next((one.at for one in reversed(occurrence) if one.kind == "close"), None)
    models = told.get("models")
    named = tuple(map(str, models)) if isinstance(models, list) else ()
    model = str(told.get("model") or "")
    return Incident(
        id=visible(incident_id, 40),
        title=visible(str(told.get("title") or model or told.get("dependency") or incident_id)),
        state="resolved",
        severity=_LEVELS.get(str(told.get("severity")), Severity.UNKNOWN),
        since=since,
        model=model,
        dependency=str(told.get("dependency") or ""),
        models=named or ((model,) if model else ()),
        ends=occurrence[-1].at if closed is None else closed,
    )


MOST_TOLD: Final = 3
_MOST_DONE: Final = 4
_NAME_CHARACTERS: Final = 60
_TEXT_CHARACTERS: Final = 300
_STATES: Final = {
    "pending": "waits for its second person", "in_force": "in force", "due": "due soon",
    "overdue": "OVERDUE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the time before an incident, at ``now`` (Unix seconds).

    ``occurrences`` are what the record tells of incidents of this environment, ``changes`` the
    entries of what changed in the world; ``since`` is how far back both reach, None: nothing was
    ever written. ``seen`` is what the log saw of impact. ``listed`` are the incidents there are
    now: what still goes on was not before.
    """

    now: float
    occurrences: Sequence[Recorded] = ()
    changes: Sequence[Entry] = ()
    since: float | None = None
    decisions: Sequence[DecisionRecord] = ()
    seen: Sequence[TimelineEvent] = ()
    listed: Sequence[Incident] = ()
    doubt: str = ""


def same_before(incident: Incident, past: Past) -> SameBefore:
    """Return what came before an incident and is like it, the most alike and newest first."""
    found = [
        (reason, one)
        for one in past.occurrences
        if _was_before(one, incident, past.listed)
        and (reason := alike(incident, one.about)) is not None
    ]
    there = {one.id for _, one in found}
    found = [(why, one) for why, one in found if one.merged_into not in there - {one.id}]
    found.sort(key=lambda pair: (pair[0].strength, -pair[1].since))
    return SameBefore(
        earlier=tuple(
            _told(one, reason, _until(one, past.occurrences, incident), incident, past)
            for reason, one in found[:MOST_TOLD]
        ),
        begins=tuple(sorted((*(one.since for _, one in found), incident.since))),
        since=past.since,
        doubt=past.doubt,
    )


def _was_before(one: Recorded, incident: Incident, listed: Sequence[Incident]) -> bool:
    begin = incident.since - SLACK_SECONDS
    part_of_it = one.merged_into == incident.id and one.last_at >= begin
    goes_on = any(
        each.id == one.id and each.state != "resolved" and one.since >= each.since - SLACK_SECONDS
        for each in listed
    )
    return one.since < begin and not part_of_it and not goes_on


def _until(one: Recorded, occurrences: Sequence[Recorded], incident: Incident) -> float:
    """Return up to when something that names its id is about it: the next one begins then."""
    later = [each.since for each in occurrences if each.id == one.id and each.since > one.since]
    return min([*later, incident.since]) - SLACK_SECONDS


def _told(one: Recorded, why: Alike, until: float, incident: Incident, past: Past) -> Earlier:
    closing = one.closing
    verdict = "" if closing is None else str(closing.details.get("verdict") or "unclear")
    said = "" if closing is None or closing.why == f"closed as {verdict}" else closing.why
    ended_at = _missed(one, past.listed) if closing is None else closing.at
    done = [*one.done.values(), *_changes(one, one.last_at if ended_at is None else ended_at, past)]
    return Earlier(
        id=visible(one.id, 20),
        since=one.since,
        alike=why.why,
        shared=visible(why.shared, _NAME_CHARACTERS),
        rule=visible(why.rule, _NAME_CHARACTERS),
        title=visible(one.title, _NAME_CHARACTERS * 2),
        level=one.level,
        acked_at=one.acked_at,
        mitigated_at=_mitigated(one, until, incident, past),
        ended_at=ended_at,
        closed_by="" if closing is None else visible(closing.who.name, _NAME_CHARACTERS),
        verdict=visible(verdict, 20),
        closing=visible(said, _TEXT_CHARACTERS),
        merged_into=visible(one.merged_into, 20),
        done=tuple(visible(each, _TEXT_CHARACTERS) for each in done[:_MOST_DONE]),
        decided=tuple(_decided(one, until, past)),
        left=tuple(visible(each, _TEXT_CHARACTERS) for each in one.left),
    )


def _missed(one: Recorded, listed: Sequence[Incident]) -> float | None:
    """Return when its alerts were first missed, while it is still listed as over."""
    near = (
        each.ends
        for each in listed
        if each.id == one.id and abs(each.since - one.since) <= SLACK_SECONDS
    )
    return next(near, None)


def _changes(one: Recorded, until: float, past: Past) -> Iterator[str]:
    """Yield what somebody noted to have changed meanwhile, of what it was about."""
    subjects = {one.dependency, *one.models} - {""}
    for entry in past.changes:
        at = number_of(entry.details.get("at")) or entry.at
        about = entry.target.removeprefix("dep:")
        if about in subjects and one.since <= at <= until:
            yield f"{about}: {entry.why}"


def _mitigated(one: Recorded, until: float, incident: Incident, past: Past) -> float | None:
    """Return when nobody was hurt any more, None where no witness of all of it is left."""
    events = sorted((*one.events, *past.seen), key=lambda event: event.at)
    inside = [each for each in events if one.since - SIGN_LEAD_SECONDS <= each.at <= until]
    names = {visible(name, _NAME_CHARACTERS) for name in one.models}
    spans = [
        span
        for span in hurt_spans(inside, one.since)
        if span.model in names or (not names and one.id == incident.id)
    ]
    ends = [span.ended_at for span in spans if span.ended_at is not None]
    return max(ends) if ends and len(ends) == len(spans) else None


def _decided(one: Recorded, until: float, past: Past) -> Iterator[str]:
    """Yield what was decided on retraining because of it, and where each of that stands now."""
    named = "" if one.closing is None else str(one.closing.details.get("decision") or "")
    found = False
    for record in past.decisions:
        decision = record.decision
        within = one.since - SLACK_SECONDS <= decision.taken_at <= until
        if decision.id == named or (decision.incident == one.id and within):
            found = found or decision.id == named
            state = record.state(past.now)
            stands = f"closed: {record.outcome}" if state == "closed" else _STATES[state]
            yield visible(f"{decision.kind} {decision.model}, {stands}", _TEXT_CHARACTERS)
    if named == NOTHING_TO_DECIDE:
        yield f"{NOTHING_TO_DECIDE}, nothing to decide"
    elif named and not found:
        yield visible(f"{named}, which is not among the decisions that were read", 120)
