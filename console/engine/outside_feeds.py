"""Reads alerts, deploys, configuration changes and registries, each in its own rhythm."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.alert import OWN_SOURCE
from console.domain.model import Registered
from console.domain.samples import SourceStatus
from console.domain.severity import Severity
from console.domain.text import visible
from console.engine.polling import PlaceDesk, PlacePoller
from console.evaluation.changes import rule_moves
from console.evaluation.lazy_views import FindingsView
from console.evaluation.rules.rule_list import RULES
from console.http.resilience import WireError
from console.incidents.alert_memory import OwnFinding, Tracks, own_alerts
from console.incidents.annotations import ToldChanges, build_annotations
from console.incidents.clock import Occurrences
from console.incidents.event_log import Noted, rule_event
from console.incidents.feeds import AlertAnswer, alert_settings, build_reader
from console.incidents.grouping import (
    FleetNames,
    SourceTracks,
    fleet_names,
    group,
    surroundings,
)
from console.sources.mlflow import MlflowReader, RegistryUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from console.domain.alert import Alert, Incident
    from console.domain.model import ModelRow
    from console.domain.snapshot import Change, Dependency, Snapshot
    from console.evaluation.observations import Observed
    from console.http.endpoint import SecretLookup
    from console.incidents.annotations import GrafanaAnnotations
    from console.incidents.feeds import AlertReader
    from console.incidents.grouping import Grouped
    from console.settings.endpoint_tables import RegistrySettings
    from console.settings.schema import AlertSettings, ChangeSettings, Settings

    MakeReader = Callable[[AlertSettings, bool], AlertReader]
    MakeTeller = Callable[[ChangeSettings], GrafanaAnnotations]
    MakeRegistry = Callable[[str, RegistrySettings], MlflowReader]

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
        self._names: tuple[Sequence[ModelRow], Settings, FleetNames] | None = None
        self._make = make or reader_factory()
        super().__init__([self._poller(*each) for each in alert_settings(settings)])
        self._own = OwnAlerts()
        self._blamed: Mapping[str, str] = {}
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
            return observed
        refresh_seconds = self._settings.refresh_seconds
        around = surroundings(rows, dependencies, self._settings, called=self._called(rows))
        known = [poller.known(now, refresh_seconds) for poller in self._pollers]
        statuses = [poller.status(now, refresh_seconds) for poller in self._pollers]
        found = group(known, around, now)
        return replace(
            observed,
            incidents=found.incidents,
            flood=found.flood,
            alert_sources=tuple(statuses),
            alerts_whole=_whole(statuses),
        )

    def _called(self, rows: Sequence[ModelRow]) -> FleetNames:
        """Return what the rows are called, made anew only for other rows or settings."""
        known = self._names
        if known is None or known[0] is not rows or known[1] is not self._settings:
            known = self._names = rows, self._settings, fleet_names(rows, self._settings)
        return known[2]

    def gather(self, snapshot: Snapshot, *, remembers: bool = True) -> Snapshot:
        """Return a Snapshot with all incidents: other systems' alerts and what its own rules call.

        Grouped anew, by the dependencies that the same judgement blames. One that an incident is
        about stays to blame while the incident is listed, so that no incident changes its name
        because the cause is over before its traces are.
        """
        now = snapshot.taken_at
        known = [poller.known(now, self._settings.refresh_seconds) for poller in self._pollers]
        known.append(self._own.take(snapshot, remembers=remembers))
        around = surroundings(
            snapshot.rows,
            snapshot.dependencies,
            self._settings,
            snapshot.causes,
            self._called(snapshot.rows),
        )
        blamed = self._blamed if remembers else {}
        around = replace(around, causes={**blamed, **around.causes})
        found = group(known, around, now, self._grouped if remembers else None)
        occurrences = self._occurrences if remembers else Occurrences()
        if remembers:
            self._grouped, self._blamed = found, _blamed(found.incidents)
        listed = occurrences.follow(found.incidents, snapshot.record.entries, now)
        return replace(snapshot, incidents=listed)

    def _poller(self, settings: AlertSettings, declared: bool) -> AlertPoller:
        return AlertPoller(settings, declared, self._make)


def _blamed(incidents: Sequence[Incident]) -> dict[str, str]:
    """Return the dependency under which the alerts of each model stand."""
    return {
        alert.model: incident.dependency
        for incident in incidents
        if incident.dependency and not incident.flood
        for alert in incident.alerts
        if alert.model and not alert.dependency
    }


def _whole(statuses: Sequence[SourceStatus]) -> bool:
    """Tell whether every place that offers alerts, and at least one does, answered in full."""
    offering = [status for status in statuses if not status.infos]
    return bool(offering) and all(
        status.state == "up" and not status.warnings for status in offering
    )


def reader_factory(resolver: SecretLookup | None = None) -> MakeReader:
    """Return what makes each reader as its settings say, secrets from ``resolver``."""
    return lambda settings, optional: build_reader(settings, resolver, optional=optional)


CADENCE_SECONDS = 60.0
"""How often a place is asked: a deploy is not missed by a minute, and dashboards are spared."""


class ChangePoller(PlacePoller[ToldChanges]):
    """One place that tells of changes."""

    def __init__(self, settings: ChangeSettings, make: MakeTeller) -> None:
        super().__init__(settings.name, settings.kind, "place for changes", lambda: make(settings))
        self.settings = settings
        self.changes: tuple[Change, ...] = ()

    def take(self, answer: ToldChanges, now: float) -> None:
        """Keep what was told of the last day."""
        self.changes, self.warnings = answer.changes, answer.warnings


class ChangeDesk(PlaceDesk[ChangePoller]):
    """All places that tell of changes."""

    def __init__(self, settings: Settings, make: MakeTeller | None = None) -> None:
        self._make = make or teller_factory()
        super().__init__([ChangePoller(each, self._make) for each in settings.changes])

    @property
    def cadence_seconds(self) -> float:
        """How often each place is asked."""
        return CADENCE_SECONDS

    async def configure(self, settings: Settings) -> None:
        """Take new settings; a place whose settings did not change keeps what it knows."""
        same = [(poller.settings, poller) for poller in self._pollers]
        await self.replace_with(
            [
                next((one for had, one in same if had == declared), None)
                or ChangePoller(declared, self._make)
                for declared in settings.changes
            ]
        )

    def observe(self, observed: Observed, now: float) -> Observed:
        """Add what was told, and how every place is doing at ``now`` (Unix seconds)."""
        if not self._pollers:
            return observed
        return replace(
            observed,
            told=tuple(change for poller in self._pollers for change in poller.changes),
            change_sources=tuple(poller.status(now, CADENCE_SECONDS) for poller in self._pollers),
        )


def teller_factory(resolver: SecretLookup | None = None) -> MakeTeller:
    """Return what makes each reader as its settings say, secrets from ``resolver``."""
    return lambda settings: build_annotations(settings, resolver)


log = logging.getLogger(__name__)


class _Poller:
    """One registered model: never asked twice at once, and kept as last told."""

    def __init__(self, model: str, settings: RegistrySettings, make: MakeRegistry) -> None:
        self.settings = settings
        self.known = Registered(settings.name or model, alias=settings.alias or "")
        self._reader: MlflowReader | None = None
        self._serving = ""
        self._asked_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        try:
            self._reader = make(model, settings)
        except (OSError, ValueError) as fault:
            self.known = replace(self.known, problem=f"it cannot be set up: {visible(str(fault))}")

    def start(self, serving: str, now: float) -> asyncio.Task[None] | None:
        """Begin to read where that is due, or where another version serves than was asked about."""
        busy = self._task is not None and not self._task.done()
        due = now - self._asked_at >= CADENCE_SECONDS or serving != self._serving
        if self._reader is None or busy or not due:
            return None
        self._asked_at, self._serving = now, serving
        self._task = asyncio.create_task(self._read(self._reader, serving, now))
        return self._task

    async def close(self) -> None:
        """End the reading under way and close every connection."""
        task, reader = self._task, self._reader
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if reader is not None:
            await reader.aclose()

    async def _read(self, reader: MlflowReader, serving: str, now: float) -> None:
        try:
            self.known = await reader.read(serving, now)
        except (WireError, RegistryUnreadable) as fault:
            self.known = replace(self.known, problem=visible(str(fault), 300))
        except Exception as fault:
            # A fault of the console's own must not end the loop; it is told as a gap.
            log.exception("reading a registry failed")
            self.known = replace(self.known, problem=f"a fault inside: {visible(repr(fault), 200)}")


class Registries:
    """Every model that declares where it is registered."""

    def __init__(self, settings: Settings, make: MakeRegistry | None = None) -> None:
        self._make = make or registry_factory()
        self._pollers = self._of(settings, {})

    def start(self, rows: Iterable[ModelRow], now: float) -> list[asyncio.Task[None]]:
        """Begin what is due at ``now`` (Unix seconds), and return it."""
        if not self._pollers:
            return []
        serving = {row.model: row.version for row in rows}
        began = [one.start(serving.get(model, ""), now) for model, one in self._pollers.items()]
        return [task for task in began if task is not None]

    @property
    def known(self) -> Mapping[str, Registered]:
        """What each registry said last, by model."""
        return {model: one.known for model, one in self._pollers.items()}

    async def configure(self, settings: Settings) -> None:
        """Take new settings; what did not change keeps what it knows."""
        before, self._pollers = self._pollers, self._of(settings, self._pollers)
        for model, one in before.items():
            if self._pollers.get(model) is not one:
                await one.close()

    async def close(self) -> None:
        """Let go of every registry."""
        for one in self._pollers.values():
            await one.close()

    def _of(self, settings: Settings, kept: Mapping[str, _Poller]) -> dict[str, _Poller]:
        made: dict[str, _Poller] = {}
        for model, declared in settings.models.items():
            if declared.registry is None:
                continue
            before = kept.get(model)
            same = before is not None and before.settings == declared.registry
            made[model] = (
                before
                if before is not None and same
                else _Poller(model, declared.registry, self._make)
            )
        return made


def registry_factory(resolver: SecretLookup | None = None) -> MakeRegistry:
    """Return what makes each reader as its settings say, secrets from ``resolver``."""

    def make(model: str, settings: RegistrySettings) -> MlflowReader:
        from console.http.client import Wire
        from console.http.endpoint import Endpoint

        endpoint = Endpoint(
            urls=(settings.url,),
            auth=settings.auth,
            ca_file=settings.ca_file,
            timeout_seconds=settings.timeout_seconds,
        )
        wire = Wire(endpoint, resolver, max_bytes=MAX_BYTES)
        return MlflowReader(settings.name or model, settings.alias or "", wire)

    return make


MAX_BYTES = 4 * 1024 * 1024
"""The largest answer that is read: a run may carry thousands of tags."""
