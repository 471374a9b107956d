"""Alerts on the engine's beat: each place in its own rhythm, what is known kept with its age."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from console.engine.own_alerts import OwnAlerts
from console.facts.samples import SourceStatus
from console.facts.text import visible
from console.incidents.build import UNREAD_KINDS, alert_settings, build_reader
from console.incidents.grouping import SourceTracks, group
from console.incidents.memory import Tracks
from console.incidents.occurrences import Occurrences
from console.incidents.reading import AlertsUnreadable
from console.incidents.surroundings import surroundings
from console.wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.facts.alert import Incident
    from console.facts.model import ModelRow
    from console.facts.snapshot import Dependency, Snapshot
    from console.fleet.observed import Observed
    from console.incidents.reading import AlertReader
    from console.settings.schema import AlertSettings, Settings
    from console.wire.credentials import SecretLookup

    MakeReader = Callable[[AlertSettings, bool], AlertReader]

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 60.0
STALE_AFTER_CADENCES = 3.0
LEAST_STALE_SECONDS = 12.0


class AlertPoller:
    """One place alerts come from: never asked twice at once, and less often while it fails."""

    def __init__(self, settings: AlertSettings, declared: bool, make: MakeReader) -> None:
        self.settings = settings
        self.declared = declared
        self.tracks = Tracks()
        self.answered_at: float | None = None
        self._offered = True
        self._warnings: tuple[str, ...] = ()
        self._error: str | None = None
        self._failures = 0
        self._polled_at = -math.inf
        self._pause_seconds = 0.0
        self._task: asyncio.Task[None] | None = None
        self._reader: AlertReader | None = None
        try:
            self._reader = make(settings, not declared)
        except (OSError, ValueError) as fault:
            self._error = f"this place for alerts cannot be set up: {visible(str(fault))}"

    def start(self, now: float, refresh_seconds: float) -> asyncio.Task[None] | None:
        """Begin a poll and return it, unless one is under way or none is due."""
        # The loop's clock jitters by milliseconds; without slack every other tick is missed.
        due_at = self._polled_at + max(refresh_seconds * 0.9, self._pause_seconds)
        if self._reader is None or self.busy or now < due_at:
            return None
        self._polled_at = now
        self._task = asyncio.create_task(
            self._poll(self._reader, now, refresh_seconds), name=f"alerts {self.settings.name}"
        )
        return self._task

    @property
    def busy(self) -> bool:
        """Tell whether a poll is under way."""
        return self._task is not None and not self._task.done()

    def hasten(self) -> None:
        """Make the next poll due at once."""
        self._polled_at = -math.inf

    async def close(self) -> None:
        """End the poll under way and close every connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._reader is not None:
            await self._reader.aclose()

    def status(self, now: float, refresh_seconds: float) -> SourceStatus:
        """Return how this place is doing; without a current answer what is known is stale."""
        status = SourceStatus(
            self.settings.name,
            self.settings.kind,
            answered_at=self.answered_at,
            error=self._error,
            next_try_at=self._polled_at + self._pause_seconds if self._failures else None,
            cadence_seconds=refresh_seconds,
            warnings=self._warnings,
            infos=() if self._offered else ("it offers no alerts",),
        )
        if self._error is not None:
            return replace(status, state="down" if self.answered_at is None else "stale")
        if self.answered_at is None:
            return status
        silent_seconds = now - self.answered_at
        if silent_seconds > max(STALE_AFTER_CADENCES * refresh_seconds, LEAST_STALE_SECONDS):
            late = f"no answer for {silent_seconds:.0f} s"
            return replace(status, state="stale", error=late)
        return replace(status, state="up")

    def known(self, now: float, refresh_seconds: float) -> SourceTracks:
        """Return what is known, with its age where the place is away."""
        away = self.status(now, refresh_seconds).state != "up"
        age = now - self.answered_at if away and self.answered_at is not None else None
        return SourceTracks(self.settings.name, self.tracks.by_fingerprint, age)

    async def _poll(self, reader: AlertReader, now: float, refresh_seconds: float) -> None:
        try:
            answer = await reader.read(now)
        except (WireError, AlertsUnreadable) as fault:
            self._failed(visible(str(fault)), refresh_seconds)
        except Exception as fault:
            # A fault of the console's own must not end the loop; it is told as the place's state.
            log.exception("reading alerts of %s failed", visible(self.settings.name))
            self._failed(f"the console failed to read it: {visible(repr(fault))}", refresh_seconds)
        else:
            self.tracks = self.tracks.follow(answer.alerts, now)
            self.answered_at = now
            self._warnings, self._offered = answer.warnings, answer.offered
            self._error, self._failures, self._pause_seconds = None, 0, 0.0

    def _failed(self, sentence: str, refresh_seconds: float) -> None:
        self._error = sentence
        self._pause_seconds = min(
            LONGEST_PAUSE_SECONDS, refresh_seconds * 2.0 ** min(self._failures, 10)
        )
        self._failures += 1


class AlertDesk:
    """All places alerts come from, and the incidents they make together."""

    def __init__(self, settings: Settings, make: MakeReader | None = None) -> None:
        self._settings = settings
        self._make = make or reader_factory()
        self._pollers = [self._poller(*each) for each in alert_settings(settings)]
        self._own = OwnAlerts()
        self._blamed: frozenset[str] = frozenset()
        self._occurrences = Occurrences()

    def start(self, now: float) -> list[asyncio.Task[None]]:
        """Begin the polls that are due at ``now`` (Unix seconds), and return them.

        One that hangs from before is not among them: it slows itself and nothing else.
        """
        began = [poller.start(now, self._settings.refresh_seconds) for poller in self._pollers]
        return [task for task in began if task is not None]

    def hasten(self) -> None:
        """Make every next poll due at once."""
        for poller in self._pollers:
            poller.hasten()

    async def configure(self, settings: Settings) -> None:
        """Take new settings; a place whose settings did not change keeps what it knows."""
        self._settings = settings
        wanted = alert_settings(settings)
        before = [(poller.settings, poller.declared, poller) for poller in self._pollers]
        pollers: list[AlertPoller] = []
        for declared, explicit in wanted:
            same = next(
                (one for had, was, one in before if had == declared and was == explicit), None
            )
            pollers.append(same or self._poller(declared, explicit))
        gone = [poller for poller in self._pollers if poller not in pollers]
        self._pollers = pollers
        for poller in gone:
            await poller.close()

    async def close(self) -> None:
        """Let go of every place."""
        for poller in self._pollers:
            await poller.close()

    def observe(
        self,
        observed: Observed,
        rows: Sequence[ModelRow],
        dependencies: Sequence[Dependency],
        now: float,
    ) -> Observed:
        """Add the incidents of ``now`` (Unix seconds) to what was observed.

        ``dependencies`` are those of the judgement before: who calls what, and who is to blame.
        """
        if not self._pollers:
            return replace(observed, alert_sources=self._unread())
        refresh_seconds = self._settings.refresh_seconds
        around = surroundings(rows, dependencies, self._settings)
        known = [poller.known(now, refresh_seconds) for poller in self._pollers]
        statuses = [poller.status(now, refresh_seconds) for poller in self._pollers]
        found = group(known, around, now)
        return replace(
            observed,
            incidents=found.incidents,
            flood=found.flood,
            alert_sources=(*statuses, *self._unread()),
            alerts_whole=_whole(statuses),
        )

    def gather(self, snapshot: Snapshot, *, remembers: bool = True) -> Snapshot:
        """Return a Snapshot with all incidents: other systems' alerts and what its own rules call.

        Grouped anew, by the dependencies that the same judgement blames. One that an incident is
        about stays to blame while the incident is listed, so that no incident changes its name
        because the cause is over before its traces are.
        """
        now = snapshot.taken_at
        known = [poller.known(now, self._settings.refresh_seconds) for poller in self._pollers]
        known.append(self._own.take(snapshot, remembers=remembers))
        around = surroundings(snapshot.rows, snapshot.dependencies, self._settings)
        blamed = self._blamed if remembers else frozenset()
        found = group(known, replace(around, culprits=around.culprits | blamed), now)
        occurrences = self._occurrences if remembers else Occurrences()
        if remembers:
            self._blamed = _blamed(found.incidents)
        listed = occurrences.follow(found.incidents, snapshot.record.entries, now)
        return replace(snapshot, incidents=listed)

    def _poller(self, settings: AlertSettings, declared: bool) -> AlertPoller:
        return AlertPoller(settings, declared, self._make)

    def _unread(self) -> tuple[SourceStatus, ...]:
        """Return the places that are declared and not read, so that nobody waits for them."""
        return tuple(
            SourceStatus(one.name, one.kind, infos=(f"{one.kind} is not read by this version",))
            for one in self._settings.alerts
            if one.kind in UNREAD_KINDS
        )


def _blamed(incidents: Sequence[Incident]) -> frozenset[str]:
    """Return the dependencies under which alerts of models stand."""
    return frozenset(
        incident.dependency
        for incident in incidents
        if incident.dependency
        and not incident.flood
        and any(alert.model and not alert.dependency for alert in incident.alerts)
    )


def _whole(statuses: Sequence[SourceStatus]) -> bool:
    """Tell whether every place that offers alerts, and at least one does, answered in full."""
    offering = [status for status in statuses if not status.infos]
    return bool(offering) and all(
        status.state == "up" and not status.warnings for status in offering
    )


def reader_factory(resolver: SecretLookup | None = None) -> MakeReader:
    """Return what makes each reader as its settings say, secrets from ``resolver``."""
    return lambda settings, optional: build_reader(settings, resolver, optional=optional)
