"""What is said of an incident in a word or two, alike in lists, headers and the side column."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from console.facts.severity import Severity
from console.facts.text import visible
from console.fleet.force import countdown
from console.screens.rowview import ROLE_OF
from console.screens.values import age_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.facts.alert import Incident
    from console.facts.care import Care, Hold
    from console.facts.snapshot import Snapshot
    from themes.glyphs import Glyphs

SOON_SECONDS = 300.0
"""A check or an end this near is no longer quiet."""


class Listed(Struct, frozen=True):
    """One incident as a list has it.

    ``incident`` is None where only the journal knows it (held, or merged, and no source tells of
    it now), ``care`` None where nobody did anything about it.
    """

    id: str
    incident: Incident | None = None
    care: Care | None = None

    @property
    def hold(self) -> Hold | None:
        """Who holds it by the journal."""
        return None if self.care is None else self.care.hold

    @property
    def held(self) -> bool:
        """Whether anybody has it, by the journal or at the alert source."""
        return self.hold is not None or bool(self.incident is not None and self.incident.acked_by)

    @property
    def merged_into(self) -> str:
        """The incident it stands in, empty for none."""
        return "" if self.care is None else self.care.merged_into

    @property
    def who(self) -> str:
        """Who has it, harmless to show; empty for nobody."""
        if self.hold is not None:
            return visible(self.hold.by, 40) or "somebody"
        return "" if self.incident is None else visible(self.incident.acked_by, 40)

    @property
    def severity(self) -> Severity:
        """The level it has now."""
        if self.incident is not None:
            return self.incident.severity
        word = "" if self.hold is None else self.hold.level.upper()
        return Severity.__members__.get(word, Severity.UNKNOWN)

    @property
    def alerts_level(self) -> Severity:
        """The level of its worst alert, whatever level a person gave it."""
        alerts = () if self.incident is None else self.incident.alerts
        firing = [alert.severity for alert in alerts if alert.state == "firing"]
        return min(firing or [alert.severity for alert in alerts], default=self.severity)

    @property
    def since(self) -> float | None:
        """When it began, in Unix seconds."""
        if self.incident is not None:
            return self.incident.since
        return None if self.care is None else self.care.since

    @property
    def about(self) -> str:
        """What it is about: one name, raw; empty for neither model nor dependency."""
        told = self.incident if self.incident is not None else self.hold
        if told is None:
            return ""
        model = self.incident.model if self.incident is not None else next(iter(told.models), "")
        return told.dependency or model

    @property
    def title(self) -> str:
        """What it is about in words, harmless to show."""
        told = self.incident if self.incident is not None else self.hold
        return visible(told.title, 120) if told is not None and told.title else self.about

    @property
    def models(self) -> tuple[str, ...]:
        """The models it touches, raw."""
        told = self.incident if self.incident is not None else self.hold
        return () if told is None else told.models

    @property
    def group(self) -> int:
        """Its place in a list: open, held, waiting or quieted, merged, over."""
        if self.merged_into and self.incident is None:
            return 3
        if self.incident is None or self.incident.state == "resolved":
            return 1 if self.hold is not None else 4
        if self.held:
            return 1
        return 0 if self.incident.open else 2

    @property
    def state(self) -> str:
        """Its state in one word."""
        if self.merged_into and self.incident is None:
            return "merged"
        if self.incident is None:
            return "gone"
        if self.care is not None and self.care.closing is not None and not self.incident.open:
            return "closed"
        if self.hold is not None and self.hold.kind == "snooze" and self.incident.open:
            return "snoozed"
        return self.incident.state


def _within_group(listed: Listed) -> float:
    if listed.group == 1:
        hold = listed.hold
        return hold.began_at if hold is not None else (listed.since or 0.0)
    return 0.0


@lru_cache(maxsize=2)
def listed_incidents(snapshot: Snapshot) -> tuple[Listed, ...]:
    """Return all incidents of a Snapshot: open, held the longest first, quiet, merged, over."""
    there = {each.id for each in snapshot.incidents}
    found = [Listed(each.id, each, snapshot.care.get(each.id)) for each in snapshot.incidents]
    for key, care in snapshot.care.items():
        if key not in there and (care.hold is not None or care.merged_into):
            found.append(Listed(key, None, care))
    return tuple(sorted(found, key=lambda one: (one.group, _within_group(one))))


@lru_cache(maxsize=2)
def incidents_by_model(snapshot: Snapshot) -> Mapping[str, tuple[Listed, ...]]:
    """Return the incidents that are not over by the models they touch, the most urgent first."""
    found: dict[str, list[Listed]] = {}
    for one in listed_incidents(snapshot):
        incident = one.incident
        if incident is None or incident.state == "resolved":
            continue
        for name in dict.fromkeys((incident.model, *incident.models)):
            if name:
                found.setdefault(name, []).append(one)
    return {name: tuple(several) for name, several in found.items()}


def incidents_of(snapshot: Snapshot | None, model: str) -> tuple[Listed, ...]:
    """Return the incidents that touch a model and are not over."""
    return () if snapshot is None else incidents_by_model(snapshot).get(model, ())


def find_incident(snapshot: Snapshot | None, key: str) -> Listed | None:
    """Return an incident by its id, None where nobody knows it now."""
    if snapshot is None:
        return None
    return next((one for one in listed_incidents(snapshot) if one.id == key), None)


def level_mark(level: Severity, glyphs: Glyphs) -> tuple[str, str]:
    """Return a level's mark and role."""
    role = ROLE_OF[level]
    return glyphs.severity.get(role, "?-"), role


def check_word(listed: Listed, now: float) -> tuple[str, str]:
    """Return when somebody looks again, or when the hold ends, with the role it is said in."""
    hold = listed.hold
    if hold is None:
        until = None if listed.incident is None else listed.incident.acked_until
        return ("", "dim") if until is None else _until("ends", until, now)
    if hold.next_check_at is not None:
        return _until("check", hold.next_check_at, now)
    return _until("ends", hold.ends_at, now)


def _until(word: str, at: float, now: float) -> tuple[str, str]:
    left = at - now
    if left < 0:
        return f"{word} OVERDUE {age_text(-left)}", "s2"
    return f"{word} in {countdown(left)}", "s3" if left < SOON_SECONDS else "text"


def held_since(listed: Listed, now: float) -> str:
    """Return for how long it has been held, empty where that is not known."""
    return "" if listed.hold is None else age_text(listed.hold.age_seconds(now))


def counts(listed: Iterable[Listed]) -> tuple[int, int, int]:
    """Return how many are open and nobody's, how many are held, how many are quiet."""
    groups = [one.group for one in listed]
    return groups.count(0), groups.count(1), groups.count(2)


def incident_notes(snapshot: Snapshot | None) -> tuple[tuple[str, str], ...]:
    """Return for the counts line how many are not over, and how many of them nobody has."""
    found = () if snapshot is None else listed_incidents(snapshot)
    nobodys, held, _ = counts(found)
    if not nobodys + held:
        return ()
    said = f"incidents {nobodys + held}"
    return ((f"{said}, {nobodys} unheld" if nobodys else said, "s3" if nobodys else "text"),)
