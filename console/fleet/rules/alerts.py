"""Other systems call: a firing alert that names the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.fleet.rules.rule import Rule
from console.fleet.truth import Truth
from console.fleet.words import clock, name

if TYPE_CHECKING:
    from console.facts.alert import Alert
    from console.fleet.evidence import Evidence


def _fires(evidence: Evidence, level: Severity) -> Truth:
    """Judge that an alert of this level fires; none is only known where all places answered."""
    rows = evidence.mask(
        row for row, alerts in evidence.alerts.items() if _of(alerts, level) is not None
    )
    nowhere = ~rows if evidence.alerts_whole else evidence.mask(())
    return Truth(rows, nowhere)


def _of(alerts: tuple[Alert, ...], level: Severity) -> Alert | None:
    return next((alert for alert in alerts if alert.severity is level), None)


def _text(evidence: Evidence, row: int, level: Severity) -> str:
    alerts = evidence.alerts.get(row, ())
    first = _of(alerts, level)
    if first is None:
        return "an alert fired"
    others = sum(alert.severity is level for alert in alerts) - 1
    more = f", and {others} more" if others else ""
    said = f": {first.summary}" if first.summary else ""
    held = first.acknowledgement
    seen = f", acknowledged by {name(held.by or 'somebody')}" if held is not None else ""
    return f"alert {name(first.name)} fires since {clock(first.since)}{seen}{more}{said}"


def _page(evidence: Evidence) -> Truth:
    return _fires(evidence, Severity.S1)


def _page_text(evidence: Evidence, row: int) -> str:
    return _text(evidence, row, Severity.S1)


def _warning(evidence: Evidence) -> Truth:
    return _fires(evidence, Severity.S2)


def _warning_text(evidence: Evidence, row: int) -> str:
    return _text(evidence, row, Severity.S2)


RULES = (
    Rule(
        "alert_page",
        Severity.S1,
        "an alert with severity critical or page fires for the model; silenced and inhibited ones "
        "do not count, acknowledged ones do",
        ("alerts",),
        _page,
        _page_text,
        spans=True,
        opens_incident=False,
    ),
    Rule(
        "alert_warning",
        Severity.S2,
        "an alert with severity warning fires for the model; silenced and inhibited ones do not "
        "count, acknowledged ones do",
        ("alerts",),
        _warning,
        _warning_text,
        spans=True,
        opens_incident=False,
    ),
)
