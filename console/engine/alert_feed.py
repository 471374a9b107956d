"""Midwatch's own rules as a source of alerts, followed from look to look as any other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.alert import OWN_SOURCE
from console.domain.samples import SourceStatus
from console.domain.severity import Severity
from console.engine.polling import PlaceDesk, PlacePoller
from console.evaluation.lazy_views import FindingsView
from console.evaluation.rules.rule_list import RULES
from console.evaluation.transitions import rule_moves
from console.incidents.alert_memory import OwnFinding, Tracks, own_alerts
from console.incidents.clock import Occurrences
from console.incidents.event_log import Noted, rule_event
from console.incidents.feeds import UNREAD_KINDS, AlertAnswer, alert_settings, build_reader
from console.incidents.grouping import SourceTracks, group, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.domain.alert import Alert, Incident
    from console.domain.model import ModelRow
    from console.domain.snapshot import Dependency, Snapshot
    from console.evaluation.observations import Observed
    from console.http.credentials import SecretLookup
    from console.incidents.feeds import AlertReader
    from console.incidents.grouping import Grouped
    from console.settings.schema import AlertSettings, Settings

    MakeReader = Callable[[AlertSettings, bool], AlertReader]

_NO_INCIDENT = frozenset(rule.id for rule in RULES if not rule.opens_incident)


class OwnAlerts:
    """What the rules call now, and what they called within the last hour."""

    def __init__(self) -> None:
        self._tracks = Tracks()
        self._known: dict[tuple[str, str], Alert] = {}

    def take(self, snapshot: Snapshot, *, remembers: bool = True) -> SourceTracks:
        """Follow the findings of one more Snapshot; without ``remembers`` it is the only one.

        What is only pending there calls nobody.
        """

        def sentence(finding: OwnFinding) -> str:
            found = snapshot.findings[finding.row]
            return next((one.text for one in found if one.rule == finding.rule), finding.rule)

        known = own_alerts(_acute(snapshot), sentence, self._known if remembers else {})
        before = self._tracks if remembers else Tracks()
        tracks = before.follow(known.values(), snapshot.taken_at)
        if remembers:
            self._known, self._tracks = known, tracks
        return SourceTracks(OWN_SOURCE, tracks.by_fingerprint)


def rule_events(snapshot: Snapshot, before: Snapshot | None) -> list[Noted]:
    """Return which rules began and ceased to hold, for the log; alerts tell of themselves.

    While a source has not answered yet nothing begins: what is seen first was so before.
    """
    if before is None or any(source.state == "starting" for source in before.sources):
        return []
    return [
        Noted(
            move.model,
            rule_event(
                move.model,
                move.finding.rule,
                "" if move.ceased else move.finding.text,
                move.finding.level.label,
                snapshot.taken_at if move.ceased else move.finding.since,
            ),
        )
        for move in rule_moves(snapshot, before)
        if move.finding.rule not in _NO_INCIDENT
    ]


def _acute(snapshot: Snapshot) -> list[OwnFinding]:
    """Return the findings that open an incident, without making a sentence of any."""
    findings = snapshot.findings
    if isinstance(findings, FindingsView):
        found = findings.places(Severity.S2)
    else:
        found = [
            (row, one.rule, one.level, one.since)
            for row, listed in findings.items()
            for one in listed
            if one.level <= Severity.S2 and one.rule not in _NO_INCIDENT
        ]
    return [
        OwnFinding(row, snapshot.rows[row].model, rule, level, since, snapshot.rows[row].runbook)
        for row, rule, level, since in found
    ]


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
