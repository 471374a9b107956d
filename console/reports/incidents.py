"""Incidents as words: one fact a line, or a small table; and the exit code that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.facts.text import visible
from console.reports.incident_document import deaf, listeners
from console.reports.status import EXIT_OK, EXIT_S1, EXIT_S2, EXIT_UNKNOWN
from console.reports.times import timestamp
from console.signals.units import format_age

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.alert import Incident
    from console.facts.samples import SourceStatus
    from console.facts.snapshot import Snapshot

_HEADINGS = ("ID", "S", "STATE", "AGE", "WHO", "ALERTS", "ABOUT", "WHAT")
_NAME_CHARACTERS = 40
_NAMED_ALERTS = 3
_NAMED_MODELS = 8


def incidents_exit_code(snapshot: Snapshot) -> int:
    """Return 2 for a firing S1, else 1 for a firing S2, else 3 for what is not known, else 0.

    Not known is a source or a place for alerts that is away or answered in part, none of them at
    all, and a firing alert whose severity is no word that is understood. What is silenced or
    inhibited does not count; what is acknowledged does.
    """
    levels = {one.severity for one in snapshot.incidents if one.open}
    if Severity.S1 in levels:
        return EXIT_S1
    if Severity.S2 in levels:
        return EXIT_S2
    blind = not listeners(snapshot) or bool(deaf(snapshot))
    return EXIT_UNKNOWN if blind or Severity.UNKNOWN in levels else EXIT_OK


def incidents_plain(snapshot: Snapshot) -> str:
    """Return every incident as sentences, most urgent first."""
    lines = [_headline(snapshot), *_places(snapshot)]
    for incident in snapshot.incidents:
        lines += _sentences(incident, snapshot.taken_at)
    return "\n".join(lines) + "\n"


def incidents_table(snapshot: Snapshot) -> str:
    """Return one line an incident under a heading, most urgent first."""
    rows = [_cells(incident, snapshot.taken_at) for incident in snapshot.incidents]
    lines = [_headline(snapshot), *_places(snapshot)]
    if rows:
        table = [_HEADINGS, *rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEADINGS))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
    return "\n".join(lines) + "\n"


def _headline(snapshot: Snapshot) -> str:
    counts = [
        f"{number} {state}"
        for state in ("firing", "pending", "suppressed", "resolved")
        if (number := sum(one.state == state for one in snapshot.incidents))
    ]
    flood = " | FLOOD: grouped by what models share" if _floods(snapshot.incidents) else ""
    known = ", ".join(counts) if counts else _nothing(snapshot)
    environment = visible(snapshot.environment, _NAME_CHARACTERS)
    return f"incidents {environment} {timestamp(snapshot.taken_at)}: {known}{flood}"


def _nothing(snapshot: Snapshot) -> str:
    """Say none only where every source and every place for alerts has just said so."""
    heard = listeners(snapshot)
    if not heard:
        return "not known, nothing is read"
    away = deaf(snapshot)
    if not away:
        return "none"
    asked = f"{len(away)} of {len(heard)} sources and places for alerts"
    return f"none is known, and {asked} did not answer in full"


def _floods(incidents: Sequence[Incident]) -> bool:
    return any(incident.flood for incident in incidents)


def _places(snapshot: Snapshot) -> list[str]:
    now = snapshot.taken_at
    lines = [_away("source", status, now) for status in snapshot.sources if status.state != "up"]
    lines += [line for status in snapshot.alert_sources for line in _place(status, now)]
    return list(dict.fromkeys(lines))


def _away(what: str, status: SourceStatus, now: float) -> str:
    name = visible(status.name, _NAME_CHARACTERS)
    age = "" if status.answered_at is None else f" for {format_age(now - status.answered_at)}"
    return f"{what} {name} {status.state}{age}: {visible(status.error or 'no answer')}"


def _place(status: SourceStatus, now: float) -> list[str]:
    name = visible(status.name, _NAME_CHARACTERS)
    lines = []
    if status.state != "up" and not status.infos:
        lines.append(_away("alerts", status, now))
    lines += [f"alerts {name}: {visible(note)}" for note in (*status.warnings, *status.infos)]
    return lines


def _sentences(incident: Incident, now: float) -> list[str]:
    head = f"incident {incident.id} {_level(incident)} {incident.state}"
    lines = [f"{head} since {timestamp(incident.since)}: {incident.title}"]
    if incident.stale_seconds is not None:
        lines.append(f"  stale: last confirmed {format_age(incident.stale_seconds)} ago")
    if incident.acked_by:
        until = "" if incident.acked_until is None else f" until {timestamp(incident.acked_until)}"
        lines.append(f"  acknowledged by {incident.acked_by}{until}")
    if incident.ends is not None:
        lines.append(f"  over since {timestamp(incident.ends)}")
    lines += [f"  {reason}" for reason in incident.suppressed_by]
    if incident.flapping:
        lines.append(f"  flapping: its alerts began {incident.starts_per_hour:.0f} times in 1h")
    if incident.dependency and incident.models:
        lines.append(f"  models: {_models(incident)}")
    for alert in incident.alerts:
        model = f" on {visible(alert.model, _NAME_CHARACTERS)}" if alert.model else ""
        said = f": {alert.summary}" if alert.summary else ""
        label = alert.severity_text or "no severity label"
        held = alert.acknowledgement
        whose = f", acknowledged by {held.by or 'somebody'}" if held is not None else ""
        lines.append(f"  alert {alert.name} ({label}) {alert.state}{whose}{model}{said}")
    if incident.runbook:
        lines.append(f"  runbook: {incident.runbook}")
    return lines


def _models(incident: Incident) -> str:
    shown = [visible(model, _NAME_CHARACTERS) for model in incident.models[:_NAMED_MODELS]]
    more = len(incident.models) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _cells(incident: Incident, now: float) -> tuple[str, ...]:
    names = list(dict.fromkeys(alert.name for alert in incident.alerts))
    more = f" +{len(names) - _NAMED_ALERTS}" if len(names) > _NAMED_ALERTS else ""
    notes = []
    if incident.stale_seconds is not None:
        notes.append(f"stale {format_age(incident.stale_seconds)}")
    if incident.flapping:
        notes.append(f"flapping {incident.starts_per_hour:.0f}/h")
    what = f"{', '.join(names[:_NAMED_ALERTS])}{more}"
    held = incident.suppressed_by[0] if incident.state == "suppressed" else incident.summary
    return (
        incident.id,
        _level(incident),
        incident.state,
        format_age(max(0.0, now - incident.since)),
        incident.acked_by or "--",
        str(len(incident.alerts)),
        incident.title,
        " · ".join(part for part in (what, *notes, held) if part),
    )


def _level(incident: Incident) -> str:
    return "?" if incident.severity is Severity.UNKNOWN else incident.severity.label
