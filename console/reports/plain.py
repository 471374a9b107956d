"""A Snapshot as words: one fact a line for pipes and screen readers, and a small table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from console.facts.severity import BreakerState, Severity
from console.facts.text import visible
from console.fleet.force import by_urgency, count, overrides_of, sentence_of
from console.reports.status import in_order
from console.reports.times import timestamp
from console.signals.units import format_age, format_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.override import Override
    from console.facts.snapshot import Snapshot

_MARKS = {
    Severity.S1: "S1",
    Severity.S2: "S2",
    Severity.S3: "S3",
    Severity.S4: "S4",
    Severity.UNKNOWN: "?",
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
    if not snapshot.rows and any(status.state == "up" for status in snapshot.sources):
        lines.append(NO_MODEL)
    return lines


def _model(snapshot: Snapshot, row: int) -> list[str]:
    known = snapshot.rows[row]
    where = f"tier {known.tier}" + (f" {visible(known.region)}" if known.region else "")
    planned = " planned" if row in snapshot.planned else ""
    start = f"{_MARKS[snapshot.severity(row)]}{planned} {visible(known.model)} {where}"
    findings = snapshot.findings.get(row, ())
    lines = [f"{start}: {'. '.join(_facts(snapshot, row))}."]
    lines += [
        f"   pending: {visible(finding.text)} ({finding.rule})."
        for finding in snapshot.pending.get(row, ())
    ]
    if findings:
        lines += [
            f"   cause: {visible(dependency.text)}."
            for dependency in snapshot.dependencies
            if dependency.culprit and known.model in dependency.models and dependency.text
        ]
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
