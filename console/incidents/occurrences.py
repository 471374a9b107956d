"""When each incident began: one beginning for as long as it is listed without a gap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from console.facts.entry import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.alert import Incident
    from console.facts.entry import Entry

LEARN_SECONDS: Final = 120.0
"""So long after a console's first look it takes the word of the record on when something began."""

MOST_AGE_SECONDS: Final = 86400.0


class Occurrences:
    """Beginnings by incident id; belongs to one loop.

    Alerts come and go within an incident, and a rule that is evaluated anew begins at its first
    look; neither makes it another incident. A console that has just started learns from what
    people wrote about an incident when it began.
    """

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._first_look: float | None = None

    def follow(
        self, incidents: Iterable[Incident], entries: Iterable[Entry], now: float
    ) -> tuple[Incident, ...]:
        """Return the incidents with the beginning of each; ``entries`` are the newest first."""
        if self._first_look is None:
            self._first_look = now
        listed = tuple(incidents)
        new = {one.id for one in listed if one.id not in self._began}
        learns = bool(new) and now - self._first_look <= LEARN_SECONDS
        told = _told(entries, new, now) if learns else {}
        self._began = {
            one.id: min(one.since, self._began.get(one.id, told.get(one.id, one.since)))
            for one in listed
        }
        return tuple(
            one if one.since == self._began[one.id] else replace(one, since=self._began[one.id])
            for one in listed
        )


def _told(entries: Iterable[Entry], wanted: set[str], now: float) -> dict[str, float]:
    """Return the begins that the last word about an incident gives, unless that closed it."""
    found: dict[str, float] = {}
    passed: set[str] = set()
    for entry in entries:
        if entry.incident not in wanted or entry.incident in passed:
            continue
        since = number_of(entry.details.get("since"))
        if entry.kind == "close" or now - entry.at > MOST_AGE_SECONDS:
            passed.add(entry.incident)
        elif since is not None:
            found[entry.incident] = since
            passed.add(entry.incident)
    return found
