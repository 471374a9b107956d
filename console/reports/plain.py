"""Turns a Snapshot or its incidents into plain lines and small tables, and names the exit code."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from console.domain.severity import BreakerState, Severity
from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.evaluation.overrides import by_urgency, count, overrides_of, sentence_of
from console.metrics.units import format_age, format_signal
from console.reports.incident_document import deaf, listeners
from console.reports.status import EXIT_OK, EXIT_S1, EXIT_S2, EXIT_UNKNOWN, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import Override
    from console.domain.alert import Incident
    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Snapshot

_MARKS = {
    Severity.S1: "S1",
    Severity.S2: "S2",
    Severity.S3: "S3",
    Severity.S4: "S4",
    Severity.UNKNOWN: "?",
    Severity.UNJUDGED: "-",
    Severity.OK: "ok",
}
_TABLE_SIGNALS = (
    ("RPS", "requests_rate"),
    ("ERR%", "error_ratio"),
    ("P95", "latency_p95"),
    ("TTFT", "ttft_p95"),
    ("BURN1H", "burn_1h"),
    ("LOWC%", "low_confidence_ratio"),
    ("DRIFT", "drift_psi"),
    ("$/H", "cost_per_hour"),
)
_FIRST_TO_GO = ("TTFT", "$/H", "LOWC%", "RPS", "ERR%")
NO_MODEL = (
    "no model: what answers exports no metric that is recognised, such as model_requests_total or "
    "vllm:request_success_total. `midwatch lint-metrics URL` says what a /metrics URL gives, "
    "docs/profiles.md what is looked for."
)
_UNLIMITED = 10_000
_LONGEST_NAME = 40
_SHOWN_PENDING = 10


def plain(snapshot: Snapshot, rows: Sequence[int] | None = None) -> str:
    """Return the whole Snapshot as sentences, worst model first, healthy ones in one line each."""
    lines = [_headline(snapshot), *_source_lines(snapshot)]
    for row in in_order(snapshot, rows):
        lines += _model(snapshot, row)
    for dependency in snapshot.dependencies:
        if dependency.state not in ("ok", "unknown") or dependency.culprit:
            text = dependency.text or dependency.state
            lines.append(f"dependency {visible(dependency.name)}: {visible(text)}.")
    now = snapshot.taken_at
    held = by_urgency(_held_here(snapshot, rows), now)
    lines += [f"in force: {sentence_of(each, now)}." for each in held]
    if not snapshot.record.trusted:
        lines.append(f"in force is not known: {snapshot.record.summary(now)[0]}.")
    return "\n".join(lines) + "\n"


def _held_here(snapshot: Snapshot, rows: Sequence[int] | None) -> Sequence[Override]:
    """Return what is in force on the rows that are told, or anywhere."""
    if rows is None:
        return snapshot.overrides
    return tuple(dict.fromkeys(each for row in rows for each in overrides_of(snapshot, row)))


def table(snapshot: Snapshot, rows: Sequence[int] | None = None, width: int | None = None) -> str:
    """Return one line a model under a heading, worst first, then what is pending.

    Columns that do not fit into ``width`` are left out; never the owner and the age.
    """
    chosen = list(in_order(snapshot, rows))
    signals = list(_TABLE_SIGNALS)
    lines = _laid_out(snapshot, chosen, signals)
    for title in _FIRST_TO_GO:
        if width is None or max(map(len, lines)) <= width:
            break
        signals = [each for each in signals if each[0] != title]
        lines = _laid_out(snapshot, chosen, signals)
    waiting = [
        f"pending {visible(snapshot.rows[row].model, _LONGEST_NAME)}: {visible(finding.text)}"
        for row in chosen
        for finding in snapshot.pending.get(row, ())
    ]
    if len(waiting) > _SHOWN_PENDING:
        more = len(waiting) - _SHOWN_PENDING
        waiting = [*waiting[:_SHOWN_PENDING], f"and {more} more pending"]
    told = [
        part
        for line in _source_lines(snapshot)
        for part in textwrap.wrap(line, width or _UNLIMITED, subsequent_indent="  ")
    ]
    return "\n".join([_headline(snapshot), *told, *(lines if chosen else []), *waiting]) + "\n"


def _laid_out(
    snapshot: Snapshot, rows: Sequence[int], signals: Sequence[tuple[str, str]]
) -> list[str]:
    body = [_cells(snapshot, row, signals) for row in rows]
    heading = ["S", "MODEL", "T", "BRK", *(title for title, _ in signals), "OWNER", "AGE"]
    widths = [max(len(line[at]) for line in [heading, *body]) for at in range(len(heading))]
    left = {0, 1, 3, len(heading) - 2}
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [heading, *body]
    ]


def _headline(snapshot: Snapshot) -> str:
    up = [status for status in snapshot.sources if status.state == "up"]
    parts = [f"{timestamp(snapshot.taken_at)} {visible(snapshot.environment)}"]
    parts.append(f"sources {len(up)} of {len(snapshot.sources)}")
    parts += [
        f"{visible(status.name)} {status.state}"
        for status in snapshot.sources
        if status.state != "up"
    ]
    ages = [
        snapshot.taken_at - status.answered_at
        for status in snapshot.sources
        if status.answered_at is not None
    ]
    parts.append(f"data {format_age(max(ages))} old" if ages else "no data yet")
    models = len(snapshot.rows)
    parts.append("1 model" if models == 1 else f"{models} models")
    in_force, _ = count(snapshot, snapshot.taken_at)
    if in_force:
        parts.append(in_force)
    return ", ".join(parts)


def _source_lines(snapshot: Snapshot) -> list[str]:
    """Say why a source is away, what sources remark, and why there may be no model."""
    lines = []
    for status in (*snapshot.sources, *snapshot.places):
        start = f"source {visible(status.name)}"
        if status.error:
            lines.append(f"{start} {status.state}: {visible(status.error)}")
        lines += [f"{start}: {visible(remark)}" for remark in (*status.warnings, *status.infos)]
        lines += [f"{start} has what is not read: {visible(kind)}" for kind in status.unread]
    if not snapshot.rows and any(status.state == "up" for status in snapshot.sources):
        lines.append(NO_MODEL)
    return lines


def _model(snapshot: Snapshot, row: int) -> list[str]:
    known = snapshot.rows[row]
    where = f"tier {known.tier}" + (f" {visible(known.region)}" if known.region else "")
    planned = " planned" if row in snapshot.planned else ""
    planned += " recovering" if row in snapshot.recovering else ""
    start = f"{_MARKS[snapshot.severity(row)]}{planned} {visible(known.model)} {where}"
    findings = snapshot.findings.get(row, ())
    lines = [f"{start}: {'. '.join(_facts(snapshot, row))}."]
    lines += [
        f"   pending: {visible(finding.text)} ({finding.rule})."
        for finding in snapshot.pending.get(row, ())
    ]
    cause = snapshot.causes.get(row)
    if findings and cause is not None:
        lines.append(f"   cause: {visible(cause.text)}.")
    return lines


def _facts(snapshot: Snapshot, row: int) -> list[str]:
    known = snapshot.rows[row]
    findings = snapshot.findings.get(row, ())
    facts = [visible(finding.text) for finding in findings]
    breaker = snapshot.breaker(row)
    if breaker.state not in (BreakerState.CLOSED, BreakerState.UNKNOWN):
        facts.append(
            f"breaker {breaker.state.name.lower().replace('_', ' ')}, "
            f"{breaker.extent or breaker.state.verb}"
        )
    if not findings:
        facts.append(_without_findings(snapshot, row))
        return facts
    bad = snapshot.reading("bad_rate", row)
    if bad.value is not None:
        facts.append(f"{bad.value * 60:.0f} bad per minute")
    since = min(finding.since for finding in findings)
    owner = f"owner {visible(known.owner)}" if known.owner else "no owner known"
    facts.append(f"{owner}, for {format_age(snapshot.taken_at - since)}")
    return facts


def _without_findings(snapshot: Snapshot, row: int) -> str:
    if snapshot.severity(row) is Severity.UNKNOWN:
        return "no data"
    # Most rules are raised by the second look in a row, so that the first proves little.
    return "nothing wrong" if snapshot.tick > 1 else "nothing wrong at a first look"


def _cells(snapshot: Snapshot, row: int, signals: Sequence[tuple[str, str]]) -> list[str]:
    known = snapshot.rows[row]
    severity = snapshot.severity(row)
    findings = snapshot.findings.get(row, ())
    since = min((finding.since for finding in findings), default=None)
    return [
        _mark(severity, planned=row in snapshot.planned),
        visible(known.model, _LONGEST_NAME),
        str(known.tier),
        snapshot.breaker(row).state.code,
        *(_value(snapshot, signal, row) for _, signal in signals),
        visible(known.owner, 16) or "--",
        "" if since is None else format_age(snapshot.taken_at - since),
    ]


def _mark(severity: Severity, *, planned: bool) -> str:
    """Return the level, ``m`` beside it where what is held by hand explains the row."""
    mark = "" if severity is Severity.OK else _MARKS[severity]
    return f"{mark} m".strip() if planned else mark


def _value(snapshot: Snapshot, signal: str, row: int) -> str:
    reading = snapshot.reading(signal, row)
    match reading.state.label:
        case "ok":
            return format_signal(signal, reading.value)
        case "stale":
            return f"({format_signal(signal, reading.value)})"
        case "no_traffic":
            return "idle"
        case "too_few":
            return "few" if reading.n is None else f"n={reading.n:.0f}"
        case "error":
            return "err"
        case _:
            return "-"


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
    lines = [_headline_incidents(snapshot), *_places(snapshot)]
    for incident in snapshot.incidents:
        lines += _sentences(incident, snapshot.taken_at)
    return "\n".join(lines) + "\n"


def incidents_table(snapshot: Snapshot) -> str:
    """Return one line an incident under a heading, most urgent first."""
    rows = [_cells_incidents(incident, snapshot.taken_at) for incident in snapshot.incidents]
    lines = [_headline_incidents(snapshot), *_places(snapshot)]
    if rows:
        table = [_HEADINGS, *rows]
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEADINGS))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
    return "\n".join(lines) + "\n"


def _headline_incidents(snapshot: Snapshot) -> str:
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


def _cells_incidents(incident: Incident, now: float) -> tuple[str, ...]:
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
