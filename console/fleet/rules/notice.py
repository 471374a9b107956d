"""Worth knowing: trials that run, and changes of the last hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.fleet.routes import is_trial
from console.fleet.rules.rule import Rule
from console.fleet.truth import certain
from console.fleet.words import clock, name

if TYPE_CHECKING:
    from console.fleet.evidence import Evidence
    from console.fleet.truth import Truth

CHANGE_SECONDS = 3600.0


def _trial(evidence: Evidence) -> Truth:
    return certain(evidence.routes.trial | evidence.mask(evidence.versions))


def _trial_text(evidence: Evidence, row: int) -> str:
    route = evidence.route(row)
    if is_trial(route):
        return f"{name(route.target)} is running"
    versions = ", ".join(name(version) for version in evidence.versions.get(row, ())[:4])
    return f"several versions serve: {versions}"


def _changed(evidence: Evidence) -> Truth:
    return certain(evidence.now - evidence.changed_at <= CHANGE_SECONDS)


def _changed_text(evidence: Evidence, row: int) -> str:
    return f"version, code or data changed at {clock(float(evidence.changed_at[row]))}"


RULES = (
    Rule(
        "canary",
        Severity.S4,
        "the route is a canary or shadow, or several versions serve",
        ("route", "versions"),
        _trial,
        _trial_text,
    ),
    Rule(
        "changed",
        Severity.S4,
        "version, code or data changed within the last hour",
        ("info",),
        _changed,
        _changed_text,
    ),
)
