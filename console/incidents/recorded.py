"""Every incident that people wrote about, each occurrence by itself, out of the record; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from console.facts.care import INCIDENT_PREFIX
from console.facts.earlier import LEFT_TO_DO
from console.facts.entry import EntryKind, number_of
from console.facts.severity import Severity
from console.incidents.alike import About
from console.incidents.journal_events import persisted_events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.entry import Entry
    from console.facts.incident_view import TimelineEvent

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
