"""Midwatch's own rules as a source of alerts, followed from look to look as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.alert import OWN_SOURCE
from console.facts.severity import Severity
from console.fleet.rules.registry import RULES
from console.fleet.views import FindingsView
from console.incidents.grouping import SourceTracks
from console.incidents.memory import Tracks
from console.incidents.own import OwnFinding, own_alerts

if TYPE_CHECKING:
    from console.facts.alert import Alert
    from console.facts.snapshot import Snapshot

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
