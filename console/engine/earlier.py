"""What the record tells of the incidents of the past, read now and then."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.facts.earlier import SameBefore
from console.facts.text import visible
from console.incidents.recorded import RECORDED_KINDS, recorded
from console.incidents.same_before import Past, same_before
from console.journal import JournalError, Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.engine.records import Records
    from console.facts.alert import Incident
    from console.facts.entry import Entry
    from console.facts.incident_view import TimelineEvent
    from console.facts.snapshot import Snapshot
    from console.incidents.recorded import Recorded

log = logging.getLogger(__name__)

MOST_ENTRIES: Final = 3000
FRESH_SECONDS: Final = 60.0
"""The past changes slowly: what was read of it is not read again within so long."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read at ``at``, and how far back it reaches (None: nothing was ever written)."""

    at: float
    since: float | None = None
    occurrences: Sequence[Recorded] = ()
    changes: Sequence[Entry] = ()
    unknown: str = ""

    @classmethod
    def of(
        cls, at: float, entries: Sequence[Entry], since: float | None, environment: str
    ) -> _Read:
        """Leave out what was done elsewhere: incidents of two environments may share an id."""
        here = [each for each in entries if each.environment == environment]
        changes = [each for each in here if each.kind == "change"]
        return cls(at, since, recorded(here), changes)


class EarlierIncidents:
    """Finds what came before an incident and is like it; belongs to one engine."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._kept: tuple[tuple[str, str], _Read] | None = None

    async def before(
        self,
        incident: Incident,
        snapshot: Snapshot,
        now: float,
        seen: Sequence[TimelineEvent] = (),
        entries: Sequence[Entry] | None = None,
    ) -> SameBefore:
        """Return what came before; a record that cannot be read is said to be so.

        ``entries`` (oldest first) stand in for reading it.
        """
        if entries is not None:
            since = entries[0].at if entries else None
            read = _Read.of(now, entries, since, snapshot.environment)
        else:
            read = await self._read(snapshot, now)
        if read.unknown:
            return SameBefore(unknown=read.unknown)
        broken = len(snapshot.record.broken)
        doubt = f"{broken} broken entries of the record were left out" if broken else ""
        return same_before(
            incident,
            Past(
                now,
                read.occurrences,
                read.changes,
                read.since,
                snapshot.decisions,
                [event for event in seen if event.kind == "impact"],
                snapshot.incidents,
                doubt,
            ),
        )

    async def _read(self, snapshot: Snapshot, now: float) -> _Read:
        # A reload may name another journal, and what the old one said is not its past.
        which = (snapshot.record.place, snapshot.environment)
        if self._kept is not None and self._kept[0] == which:
            kept = self._kept[1]
            if 0.0 <= now - kept.at < FRESH_SECONDS:
                return kept
        try:
            found = await self._records.entries(Question(kinds=RECORDED_KINDS, newest=MOST_ENTRIES))
            first = await self._records.entries(Question(limit=1))
        except JournalError as fault:
            log.warning("the record of earlier incidents cannot be read: %s", fault.sentence)
            return _Read(now, unknown=f"the record cannot be read: {visible(fault.sentence, 200)}")
        if found is None:
            nothing = snapshot.record.state == "absent"
            return _Read(now, unknown="" if nothing else "no record is read here")
        oldest = found if len(found) >= MOST_ENTRIES else first
        since = oldest[0].at if oldest else None
        read = _Read.of(now, found, since, snapshot.environment)
        self._kept = which, read
        return read
