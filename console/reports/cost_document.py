"""Turns what was spent into the document, the table and the CSV of ``midwatch cost``."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.evaluation.spend import (
    WASTE_KINDS,
    known_days,
    spend_changes,
    spend_lines,
    total_line,
)
from console.metrics.units import format_age, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.evaluation.spend import Grouping, SpendChange, SpendFacts, SpendLine

SCHEMA: Final = "midwatch.cost/1"
UNKNOWN_TEXT = "?"
DIFFERS_MARK = "~"
_LONGEST_NAME = 40


class LineReport(Struct, frozen=True, kw_only=True):
    """What one model, team, component or use cost, in USD; null is not known.

    ``reconciled_ratio`` is tokens x declared price over what was reported, ``reconciled`` whether
    that is within 2%; both null without prices. ``history_seconds`` is set where a model is
    younger than the month: its amounts are all it ever spent. ``days_usd`` are a model's last
    36 days, oldest first.
    """

    name: str
    today_usd: float | None
    month_usd: float | None
    forecast_p10_usd: float | None
    forecast_p50_usd: float | None
    forecast_p90_usd: float | None
    forecast_note: str
    budget_usd: float | None
    pace: float | None
    per_1k_usd: float | None
    per_1k_useful_usd: float | None
    waste_ratio: float | None
    waste_usd: dict[str, float]
    reconciled: bool | None
    reconciled_ratio: float | None
    history_seconds: float | None
    days_usd: tuple[float | None, ...]
    unknown: str


class ChangeReport(Struct, frozen=True, kw_only=True):
    """How a model's spend of 24 hours changed against the same 24 hours a week before.

    ``parts_usd`` add up to ``change_usd``; ``cause`` is the part behind at least half of it.
    """

    model: str
    before_usd: float
    after_usd: float
    change_usd: float
    cause: str
    parts_usd: dict[str, float]


class CostDocument(Struct, frozen=True, kw_only=True):
    """``midwatch cost --json``: extended, never renamed."""

    schema: str = SCHEMA
    environment: str
    at: str
    month: str
    by: str
    lines: tuple[LineReport, ...]
    total: LineReport
    changes: tuple[ChangeReport, ...]


def cost_document(
    facts: SpendFacts, by: Grouping, rows: Sequence[int], environment: str
) -> CostDocument:
    """Return what the rows (indices of the facts') spent, by model, team, component or use."""
    return CostDocument(
        environment=environment,
        at=timestamp(facts.at),
        month=datetime.fromtimestamp(facts.begin, UTC).strftime("%Y-%m"),
        by=by,
        lines=tuple(
            _line(line, known_days(facts, line.rows) if by == "model" else ())
            for line in spend_lines(facts, by, rows)
        ),
        total=_line(
            total_line(facts, rows), known_days(facts, [r for r in rows if r not in facts.unknown])
        ),
        changes=tuple(_change(each) for each in spend_changes(facts, rows)),
    )


def _line(line: SpendLine, days: tuple[float | None, ...]) -> LineReport:
    end = line.month_end
    return LineReport(
        name=line.name,
        today_usd=line.today_usd,
        month_usd=line.month_usd,
        forecast_p10_usd=end.p10_usd,
        forecast_p50_usd=end.p50_usd,
        forecast_p90_usd=end.p90_usd,
        forecast_note=end.note,
        budget_usd=line.budget_usd,
        pace=line.pace,
        per_1k_usd=line.per_1k_usd,
        per_1k_useful_usd=line.per_1k_useful_usd,
        waste_ratio=line.waste_ratio,
        waste_usd=dict(line.waste_usd),
        reconciled=None if line.reconciled is None else not line.differs,
        reconciled_ratio=line.reconciled,
        history_seconds=line.young_seconds,
        days_usd=days,
        unknown=line.unknown,
    )


def _change(change: SpendChange) -> ChangeReport:
    return ChangeReport(
        model=change.model,
        before_usd=change.before_usd,
        after_usd=change.after_usd,
        change_usd=change.change_usd,
        cause=change.cause,
        parts_usd=dict(change.parts),
    )


def usd(value: float | None) -> str:
    """Write an amount as the screens do; what is not known is ``?``."""
    return UNKNOWN_TEXT if value is None else shown(value, "USD")


def signed_usd(value: float) -> str:
    """Write a change with its sign."""
    text = shown(value, "USD")
    return text if text.startswith("-") else f"+{text}"


def forecast_text(line: LineReport) -> str:
    """Write the month's end: P50 and, where it is known, P10 to P90."""
    if line.forecast_p50_usd is None:
        return UNKNOWN_TEXT
    if line.forecast_p10_usd is None or line.forecast_p90_usd is None:
        return usd(line.forecast_p50_usd)
    span = f"{usd(line.forecast_p10_usd)}..{usd(line.forecast_p90_usd)}"
    return f"{usd(line.forecast_p50_usd)} ({span})"


def change_text(change: ChangeReport) -> str:
    """Say in one line how a model's day changed and what from."""
    before, after = usd(change.before_usd), usd(change.after_usd)
    parts = ", ".join(f"{word} {signed_usd(part)}" for word, part in change.parts_usd.items())
    cause = "mostly " if change.cause and len(change.parts_usd) > 1 else ""
    return f"{signed_usd(change.change_usd)} a day ({before} to {after}): {cause}{parts}"


def line_notes(line: LineReport) -> list[str]:
    """Return what has to be said of a line beside its numbers."""
    notes = []
    if line.unknown:
        notes.append(f"not known: {line.unknown}" if line.month_usd is None else line.unknown)
    if line.history_seconds is not None:
        notes.append(f"its first spend was {format_age(line.history_seconds)} ago")
    if line.forecast_note:
        notes.append(f"forecast {line.forecast_note}")
    if line.reconciled is False and line.reconciled_ratio is not None:
        notes.append(
            f"tokens x price come to {shown(line.reconciled_ratio, '%')} of what it reports"
        )
    return notes


_TITLES = ("TODAY", "MONTH", "FORECAST (P10..P90)", "BUDGET", "PACE", "$/1K", "USEFUL", "WASTE")


def cost_table(document: CostDocument) -> str:
    """Return the document for people: a table, waste by kind, notes, and what changed."""
    lines = (*document.lines, document.total) if len(document.lines) != 1 else document.lines
    cells = [(document.by.upper(), *_TITLES), *(_cells(line) for line in lines)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    text = [f"spend of {document.month}, {document.environment}, at {document.at}"]
    text += [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    text += _waste_lines(document.total)
    for line in document.lines:
        for note in line_notes(line):
            text.append(f"  {visible(line.name, _LONGEST_NAME)}: {visible(note, 300)}")
    if document.changes:
        text.append("largest changes: the last 24 h against the same a week before")
        text += [
            f"  {visible(change.model, _LONGEST_NAME)}: {change_text(change)}"
            for change in document.changes
        ]
    return "\n".join(text) + "\n"


def _waste_lines(total: LineReport) -> list[str]:
    spent = [
        f"{kind} {usd(total.waste_usd[kind])}" for kind in WASTE_KINDS if total.waste_usd.get(kind)
    ]
    return [f"waste of the month: {', '.join(spent)}"] if spent else []


def _cells(line: LineReport) -> tuple[str, ...]:
    mark = DIFFERS_MARK if line.reconciled is False else ""
    return (
        visible(line.name, _LONGEST_NAME),
        f"{mark}{usd(line.today_usd)}",
        f"{mark}{usd(line.month_usd)}",
        forecast_text(line),
        "-" if line.budget_usd is None else usd(line.budget_usd),
        "-" if line.pace is None else shown(line.pace, "x"),
        usd(line.per_1k_usd),
        usd(line.per_1k_useful_usd),
        UNKNOWN_TEXT if line.waste_ratio is None else shown(line.waste_ratio, "%"),
    )


CSV_COLUMNS = tuple(
    name
    for name in LineReport.__struct_fields__
    if name not in ("waste_usd", "days_usd", "unknown")
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cost_csv(document: CostDocument) -> str:
    """Return the lines as CSV, amounts unrounded, an empty cell for what is not known."""
    into = io.StringIO()
    writer = csv.writer(into, lineterminator="\n")
    waste = [f"waste_{kind}_usd" for kind in WASTE_KINDS]
    writer.writerow(("month", "at", "by", *CSV_COLUMNS, *waste, "unknown"))
    for line in document.lines:
        values = [getattr(line, name) for name in CSV_COLUMNS]
        kinds = [line.waste_usd.get(kind) for kind in WASTE_KINDS]
        writer.writerow(
            _cell(value)
            for value in (document.month, document.at, document.by, *values, *kinds, line.unknown)
        )
    return into.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    text = visible(str(value), 300)
    # A spreadsheet runs what begins like a formula; a name from outside must not.
    return f"'{text}" if text.startswith(_FORMULA) else text
