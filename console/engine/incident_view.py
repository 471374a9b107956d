"""Assembles one incident as a whole from the engine's state, the journal and the sources."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from console.domain.incident import Care, IncidentView, SameBefore
from console.domain.text import visible
from console.engine.client import Refused
from console.engine.impact import (
    MOST_MODELS,
    Part,
    Seen,
    Span,
    clean_for_half_an_hour,
    hurt_events,
    measure_impact,
)
from console.incidents import checklist as can
from console.incidents.checklist import CloseFacts, ModelState, close_checks, update_due
from console.incidents.clock import clock_of, hurt_spans, with_recoveries
from console.incidents.event_log import KEPT_SECONDS, IncidentLog, subjects_of
from console.incidents.similar import RECORDED_KINDS, Past, recorded, recorded_incident, same_before
from console.incidents.state import begins_of, fold_care, with_care
from console.incidents.timeline import CHANGE_LEAD_SECONDS, SIGN_LEAD_SECONDS, timeline
from console.journal import JournalError, Question
from console.metrics.queries import OneModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.domain.action import Override
    from console.domain.alert import Incident
    from console.domain.entry import Entry
    from console.domain.incident import IncidentImpact, TimelineEvent
    from console.domain.snapshot import Snapshot
    from console.engine.journal_tail import Records
    from console.engine.query_planner import Desk
    from console.evaluation.observations import Observed
    from console.incidents.similar import Recorded
    from console.incidents.state import CareLog
    from console.sources.base import Source

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


INCIDENT_VIEWS_MOST_ENTRIES: Final = 2000
INCIDENT_VIEWS_FRESH_SECONDS: Final = 8.0
"""What the sources counted is not asked for again within so long."""

_MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class _Asked:
    """What only the sources know of an incident."""

    at: float
    impact: IncidentImpact
    bad_ratios: tuple[Part, ...]


class IncidentViews:
    """Makes views of incidents on demand, for one engine; ``clock`` gives Unix seconds."""

    def __init__(
        self,
        desk: Desk,
        source: Callable[[str], Source | None],
        records: Records,
        noted: IncidentLog,
        clock: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._source = source
        self._records = records
        self._noted = noted
        self._clock = clock
        self._kept: dict[tuple[str, float], _Asked] = {}
        self._earlier = EarlierIncidents(records)

    def follow(self, noted: IncidentLog) -> None:
        """Read events from another log from now on."""
        self._noted = noted

    async def view(
        self,
        incident_id: str,
        snapshot: Snapshot | None,
        entries: Sequence[Entry] | None = None,
        now: float | None = None,
    ) -> IncidentView | Refused:
        """Return the incident with this id, or why there is none.

        One that is not listed any more is told from the journal. ``entries`` (oldest first) stand
        in for reading it. Never raises: whoever asked is told.
        """
        if snapshot is None:
            return Refused(("nothing was read yet",))
        now = self._clock() if now is None else now
        try:
            return await self._view(incident_id, snapshot, entries, now)
        except Exception as fault:
            log.exception("an incident could not be put together")
            said = f"a fault inside the console: {visible(repr(fault), 300)}"
            return Refused((said,), "fault")

    async def _view(
        self,
        incident_id: str,
        snapshot: Snapshot,
        entries: Sequence[Entry] | None,
        now: float,
    ) -> IncidentView | Refused:
        incident = next((one for one in snapshot.incidents if one.id == incident_id), None)
        told, problem = entries, ""
        if told is None:
            since = None if incident is None else incident.since
            told, problem = await self._told(incident_id, since, snapshot)
        incident = incident or recorded_incident(incident_id, told)
        if incident is None:
            return Refused((f"no incident {visible(incident_id, 40)} is known",))
        care = snapshot.care.get(incident.id) or Care(incident.id, incident.since)
        seen = self._noted.about(subjects_of(incident), now - KEPT_SECONDS, now)
        before = await self._earlier.before(incident, snapshot, now, seen, entries)
        made = await self._made(incident, care, snapshot, told, now)
        return replace(made, before=before, update=update_due(incident, care, made.events, problem))

    async def _told(
        self, incident_id: str, since: float | None, snapshot: Snapshot
    ) -> tuple[tuple[Entry, ...], str]:
        """Return what the journal tells of an incident and of the time since, oldest first.

        ``since`` is when it began, None: the journal says. A journal that cannot be read leaves
        what was followed of it, and the sentence beside it says so.
        """
        problem = ""
        try:
            own = await self._records.entries(
                Question(incident=incident_id, newest=INCIDENT_VIEWS_MOST_ENTRIES)
            )
            past = recorded_incident(incident_id, own or ()) if since is None else None
            begin = since if past is None else past.since
            around: tuple[Entry, ...] | None = ()
            if begin is not None:
                begin -= CHANGE_LEAD_SECONDS
                around = await self._records.entries(
                    Question(since=begin, newest=INCIDENT_VIEWS_MOST_ENTRIES)
                )
        except JournalError as fault:
            log.warning("the journal of an incident cannot be read: %s", fault.sentence)
            own = around = None
            problem = "the record cannot be read"
        if own is None or around is None:
            if not problem and snapshot.record.state != "absent":
                problem = "no record is read here"
            return tuple(reversed(snapshot.record.entries)), problem
        by_seq = {entry.seq: entry for entry in (*own, *around)}
        return tuple(by_seq[seq] for seq in sorted(by_seq)), problem

    async def _made(
        self,
        incident: Incident,
        care: Care,
        snapshot: Snapshot,
        entries: Sequence[Entry],
        now: float,
    ) -> IncidentView:
        since = incident.since
        until = incident.ends if incident.state == "resolved" and incident.ends else now
        found, missing = self._models(incident, snapshot)
        noted = await self._noted_events(incident, found, until, now)
        events = timeline(
            incident,
            since=since,
            until=now,
            entries=entries,
            events=noted,
            changes=snapshot.changes,
            care=care,
        )
        spans = with_recoveries(hurt_spans(events, since), _over(snapshot))
        began = min([since, *(span.began_at for span in spans)])
        asked = await self._asked(incident, found, missing, Span(began, until, now))
        clock = clock_of(incident, care, events, spans)
        overrides = _overrides(incident, snapshot, since)
        models = tuple(
            _state(seen, bad, snapshot) for seen, bad in zip(found, asked.bad_ratios, strict=True)
        )
        checks = close_checks(
            CloseFacts(
                now,
                care,
                models,
                overrides,
                asked.impact.lower_level,
                _decisions(incident, snapshot),
                incident.acked_by,
            )
        )
        facts = can.CanFacts(
            now, incident, care, clock, spans, models, events, checks, overrides,
            _cause(incident, snapshot),
        )  # fmt: skip
        return IncidentView(
            incident=incident,
            care=care,
            at=now,
            events=events,
            condition=can.condition(facts),
            actions=can.actions(facts),
            needs=can.needs(facts),
            impact=asked.impact,
            clock=clock,
            people=can.people(incident, care, events),
            overrides=overrides,
            checks=checks,
        )

    def _models(
        self, incident: Incident, snapshot: Snapshot
    ) -> tuple[list[Seen], list[tuple[str, str]]]:
        """Return the models whose harm is counted, and those nobody can be asked about."""
        named = dict.fromkeys(alert.model for alert in incident.alerts if alert.model)
        if len(incident.models) <= MOST_MODELS or not named:
            named |= dict.fromkeys(incident.models)
        found: list[Seen] = []
        missing: list[tuple[str, str]] = []
        seating = self._desk.board.seating
        seats = dict(zip((row.model for row in seating.rows), seating.seats, strict=True))
        for name in named:
            row, seat = snapshot.index.get(name), seats.get(name)
            source = self._source(seat.source) if seat is not None and seat.source else None
            profile = None if seat is None else self._desk.profile_of(seat.source, seat.profile)
            if row is None or seat is None or source is None:
                missing.append((name, "no source has it"))
            elif profile is None:
                missing.append((name, "nothing is known of how its server counts"))
            else:
                declared = self._desk.settings.models.get(name)
                labels = tuple(declared.labels.items()) if declared is not None else ()
                model = OneModel(profile, seat.series_value, labels)
                found.append(Seen(snapshot.rows[row], source, model, snapshot.route(row)))
        return found, missing

    async def _noted_events(
        self, incident: Incident, found: Sequence[Seen], until: float, now: float
    ) -> tuple[TimelineEvent, ...]:
        """Return what the log saw; of a time before it began, the harm that sources remember."""
        since = incident.since
        noted = self._noted.about(subjects_of(incident), since - CHANGE_LEAD_SECONDS, now)
        began_at = self._noted.began_at
        if began_at is not None and began_at <= since - SIGN_LEAD_SECONDS:
            return noted
        known_until = min(until, now if began_at is None else began_at)
        if any(event.kind == "impact" for event in noted) and known_until <= since:
            return noted
        span = Span(since - SIGN_LEAD_SECONDS, until, now)
        asked = await asyncio.gather(*(hurt_events(seen, span) for seen in found[:MOST_MODELS]))
        remembered = tuple(event for events in asked for event in events)
        if not remembered:
            return noted
        return (*(event for event in noted if event.kind != "impact"), *remembered)

    async def _asked(
        self,
        incident: Incident,
        found: Sequence[Seen],
        missing: Sequence[tuple[str, str]],
        span: Span,
    ) -> _Asked:
        key = (incident.id, incident.since)
        kept = self._kept.get(key)
        if kept is not None and span.now - kept.at < INCIDENT_VIEWS_FRESH_SECONDS:
            return kept
        impact, ratios = await asyncio.gather(
            measure_impact(found, missing, span), _ratios(found, span.now)
        )
        made = _Asked(span.now, impact, ratios)
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = made
        return made


async def _ratios(found: Sequence[Seen], now: float) -> tuple[Part, ...]:
    counted = found[:MOST_MODELS]
    asked = await asyncio.gather(*(clean_for_half_an_hour(seen, now) for seen in counted))
    rest = (Part(None, f"{seen.name}: not asked") for seen in found[MOST_MODELS:])
    return (*asked, *rest)


def _state(seen: Seen, bad: Part, snapshot: Snapshot) -> ModelState:
    row = snapshot.index[seen.row.model]
    bad_rate = snapshot.reading("bad_rate", row).value
    return ModelState(
        seen.name,
        bad.value,
        bad.unknown,
        None if bad_rate is None else bad_rate * 60.0,
        visible(seen.route.target, 60),
        visible(seen.route.level, 10),
        oldest=snapshot.reading("review_oldest", row).value,
        sla=seen.row.review_sla_seconds,
        has_reviews=snapshot.reading("review_depth", row).value is not None,
    )


def _overrides(incident: Incident, snapshot: Snapshot, since: float) -> tuple[Override, ...]:
    """Return what is in force because of it: said so, or put on what it is about since."""
    subjects = set(subjects_of(incident))
    return tuple(
        one
        for one in snapshot.overrides
        if one.incident == incident.id
        or (
            not one.incident
            and one.began_at >= since
            and one.target.removeprefix("dep:") in subjects
        )
    )


def _decisions(incident: Incident, snapshot: Snapshot) -> tuple[str, ...]:
    return tuple(
        one.decision.id for one in snapshot.decisions if one.decision.incident == incident.id
    )


def _over(snapshot: Snapshot) -> dict[str, float]:
    """Return since when users of each recovering model are no longer hurt (Unix seconds)."""
    found = {}
    for row in snapshot.recovering:
        listed = snapshot.findings.get(row, ())
        over = [one.recovering_since for one in listed if one.recovering_since is not None]
        found[snapshot.rows[row].model] = max(over, default=snapshot.taken_at)
    return found


def _cause(incident: Incident, snapshot: Snapshot) -> str:
    """Return what is named for the incident's models, else what its dependency does."""
    rows = [snapshot.index[model] for model in incident.models if model in snapshot.index]
    causes = [snapshot.causes[row] for row in rows if row in snapshot.causes]
    named = [one for one in causes if one.name]
    named.sort(key=lambda one: (one.name != incident.dependency, one.confidence != "likely"))
    if named:
        return named[0].text
    found = (one.text for one in snapshot.dependencies if one.name == incident.dependency)
    return next(found, "") or (causes[0].text if causes else "")


def cared(
    observed: Observed, log: CareLog, latest: Snapshot | None, now: float
) -> tuple[Observed, dict[str, Care]]:
    """Return the incidents as people left them, and the care of each by id, at ``now``.

    ``latest`` tells when incidents began that are made after the judgement, of findings.
    """
    if not log:
        return observed, {}
    before = () if latest is None else latest.incidents
    # What is listed keeps its beginning, though the alert it began with may be over.
    begins = {**begins_of(observed.incidents), **begins_of(before)}
    care = fold_care(log, begins, now)
    return replace(observed, incidents=with_care(observed.incidents, care)), care


def with_care_after(snapshot: Snapshot) -> Snapshot:
    """Return the Snapshot with incidents that were made after the judgement as people left them."""
    if not snapshot.care:
        return snapshot
    return replace(snapshot, incidents=with_care(snapshot.incidents, snapshot.care))
