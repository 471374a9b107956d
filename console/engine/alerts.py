"""Alerts on the engine's beat: each place in its own rhythm, what is known kept with its age."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.engine.own_alerts import OwnAlerts
from console.engine.places import PlaceDesk, PlacePoller
from console.facts.samples import SourceStatus
from console.incidents.build import UNREAD_KINDS, alert_settings, build_reader
from console.incidents.grouping import SourceTracks, group
from console.incidents.memory import Tracks
from console.incidents.occurrences import Occurrences
from console.incidents.reading import AlertAnswer
from console.incidents.surroundings import surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.facts.alert import Incident
    from console.facts.model import ModelRow
    from console.facts.snapshot import Dependency, Snapshot
    from console.fleet.observed import Observed
    from console.incidents.grouping import Grouped
    from console.incidents.reading import AlertReader
    from console.settings.schema import AlertSettings, Settings
    from console.wire.credentials import SecretLookup

    MakeReader = Callable[[AlertSettings, bool], AlertReader]


class AlertPoller(PlacePoller[AlertAnswer]):
    """One place alerts come from, and how long each of its alerts has been there."""

    def __init__(self, settings: AlertSettings, declared: bool, make: MakeReader) -> None:
        super().__init__(
            settings.name, settings.kind, "place for alerts", lambda: make(settings, not declared)
        )
        self.settings = settings
        self.declared = declared
        self.tracks = Tracks()

    def take(self, answer: AlertAnswer, now: float) -> None:
        """Follow the alerts of a whole answer."""
        self.tracks = self.tracks.follow(answer.alerts, now)
        self.warnings = answer.warnings
        self.infos = () if answer.offered else ("it offers no alerts",)

    def known(self, now: float, refresh_seconds: float) -> SourceTracks:
        """Return what is known, with its age where the place is away."""
        away = self.status(now, refresh_seconds).state != "up"
        age = now - self.answered_at if away and self.answered_at is not None else None
        return SourceTracks(self.settings.name, self.tracks.by_fingerprint, age)


class AlertDesk(PlaceDesk[AlertPoller]):
    """All places alerts come from, and the incidents they make together."""

    def __init__(self, settings: Settings, make: MakeReader | None = None) -> None:
        self._settings = settings
        self._make = make or reader_factory()
        super().__init__([self._poller(*each) for each in alert_settings(settings)])
        self._own = OwnAlerts()
        self._blamed: frozenset[str] = frozenset()
        self._grouped: Grouped | None = None
        self._occurrences = Occurrences()

    @property
    def cadence_seconds(self) -> float:
        """How often each place is asked: at every tick."""
        return self._settings.refresh_seconds

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
        await self.replace_with(pollers)

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
        around = replace(around, culprits=around.culprits | blamed)
        found = group(known, around, now, self._grouped if remembers else None)
        occurrences = self._occurrences if remembers else Occurrences()
        if remembers:
            self._grouped, self._blamed = found, _blamed(found.incidents)
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
