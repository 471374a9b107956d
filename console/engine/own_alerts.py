"""Midwatch's own rules as a source of alerts, followed from look to look as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.alert import OWN_SOURCE
from console.facts.severity import Severity
from console.fleet.moves import rule_moves
from console.fleet.rules.registry import RULES
from console.fleet.views import FindingsView
from console.incidents.grouping import SourceTracks
from console.incidents.log import Noted, rule_event
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
