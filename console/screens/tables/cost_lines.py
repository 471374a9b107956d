"""What models, teams, components and uses cost, as rows, bars and lines of the cost screen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from console.domain.text import visible
from console.evaluation.spend import WASTE_KINDS
from console.metrics.units import format_value
from console.reports.cost_document import change_text, forecast_text, line_notes, usd
from console.screens.spans import fitted, twins, width_of
from themes.glyphs import to_ascii
from widgets.canvas import spark
from widgets.grid_rows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.reports.cost_document import CostDocument, LineReport
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

LABEL_WIDTH = 8
DETAIL_LINES = 9
WIDE_FROM = 120
_NARROW_BAR, _WIDE_BAR = 12, 24
_FULL_RATIO = 1.25
"""A bar is as long as a quarter over its budget: what is over must be seen to be."""

_AMOUNTS = {
    "today": ("today_usd", 7),
    "month": ("month_usd", 7),
    "end": ("forecast_p50_usd", 7),
    "per_1k": ("per_1k_usd", 6),
    "useful": ("per_1k_useful_usd", 6),
}
"""Columns that are one amount of a line, and their width."""

_OVER_PACE, _LOUD_WASTE, _WATCHED_WASTE = 1.25, 0.15, 0.05


def cost_columns(width: int, by: str) -> tuple[Column, ...]:
    """Return the columns that fit a screen of this width."""
    wide = width >= WIDE_FROM
    bar = Column(
        "bar", "OF BUDGET" if by == "model" else "SHARE", _WIDE_BAR if wide else _NARROW_BAR
    )
    money = [
        Column("today", "TODAY", 7, "right"),
        Column("month", "MONTH", 7, "right"),
        Column("end", "ENDS AT", 7, "right"),
    ]
    if wide:
        money.append(Column("range", "P10..P90", 16, "right"))
    money += [Column("budget", "BUDGET", 6, "right"), bar, Column("pace", "PACE", 4, "right")]
    money.append(Column("per_1k", "$/1K", 6, "right"))
    if wide:
        money.append(Column("useful", "USEFUL", 6, "right"))
    money.append(Column("waste", "WASTE", 5, "right"))
    if wide:
        money += [Column(kind, kind.upper(), max(7, len(kind)), "right") for kind in WASTE_KINDS]
    used = sum(column.width + 1 for column in money)
    return (Column("name", by.upper(), max(10, min(32, width - used - 1))), *money)


def budget_bar(line: LineReport, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """Return a bar of the month, its end and the budget, and the role that colours it.

    Filled is what is spent, hatched what is still to come by the forecast; the bar's ``|`` is the
    budget, at four fifths of its width.
    """
    budget = line.budget_usd
    if budget is None or line.month_usd is None:
        return "", "dim"
    scale = width / (_FULL_RATIO * budget) if budget > 0 else width
    mark = min(width - 1, round(width / _FULL_RATIO))
    spent = min(width, round(max(0.0, line.month_usd) * scale))
    end = line.month_usd if line.forecast_p50_usd is None else line.forecast_p50_usd
    ends = min(width, round(max(0.0, end) * scale))
    cells = [glyphs.half_or_more] * spent + [glyphs.empty_bar] * max(0, ends - spent)
    cells += [" "] * (width - len(cells))
    cells[mark] = glyphs.bar
    if line.month_usd > budget:
        return "".join(cells), "s2"
    surely = line.forecast_p10_usd is not None and line.forecast_p10_usd > budget
    over = end > budget
    return "".join(cells), "s2" if surely else "s3" if over else "text"


def share_bar(part: float | None, whole: float | None, width: int, glyphs: Glyphs) -> str:
    """Return a bar of a part of a whole; something is never drawn as nothing."""
    if part is None or not whole or whole <= 0 or part <= 0:
        return ""
    cells = min(width, max(1, round(width * part / whole)))
    return glyphs.half_or_more * cells


class CostRows:
    """A document's lines as a table asks for them, the dearest month first."""

    def __init__(self, document: CostDocument, width: int, glyphs: Glyphs) -> None:
        self._document = document
        self._places = {line.name: place for place, line in enumerate(document.lines)}
        self._bar = _WIDE_BAR if width >= WIDE_FROM else _NARROW_BAR
        self._glyphs = glyphs

    def __len__(self) -> int:
        return len(self._document.lines)

    def key(self, index: int) -> str:
        """Return a line's name."""
        return self._document.lines[index].name

    def index(self, key: str) -> int | None:
        """Return where a line of that name stands."""
        return self._places.get(key)

    def line(self, key: str | None) -> LineReport | None:
        """Return a line by its name."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._document.lines[place]

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one line."""
        line = self._document.lines[index]
        made = (self._cell(line, key) for key in columns)
        if self._glyphs.name == "ascii":
            return tuple(Cell(to_ascii(cell.text), cell.role) for cell in made)
        return tuple(made)

    def _cell(self, line: LineReport, key: str) -> Cell:
        if key in _AMOUNTS:
            field, room = _AMOUNTS[key]
            unsure = "~" if line.reconciled is False and key in ("today", "month") else ""
            return _money(getattr(line, field), room, unsure)
        match key:
            case "name":
                return Cell(visible(line.name, 60), "title")
            case "range":
                known = line.forecast_p10_usd is not None and line.forecast_p90_usd is not None
                span = f"{usd(line.forecast_p10_usd)}..{usd(line.forecast_p90_usd)}"
                return Cell(span if known else "not known", "dim")
            case "budget":
                none = line.budget_usd is None
                return Cell("-", "dim") if none else _money(line.budget_usd, 6)
            case "bar":
                return Cell(*self._bar_of(line))
            case "pace":
                return _pace(line.pace)
            case "waste":
                return _waste(line.waste_ratio)
        if line.name in WASTE_KINDS and line.name != key:
            return Cell("", "dim")
        spent = line.waste_usd.get(key)
        return Cell("?", "dim") if spent is None else Cell(format_value(spent, "USD", 7), "text")

    def _bar_of(self, line: LineReport) -> tuple[str, str]:
        if self._document.by == "model":
            return budget_bar(line, self._bar, self._glyphs)
        total = self._document.total.month_usd
        return share_bar(line.month_usd, total, self._bar, self._glyphs), "text"


def _money(value: float | None, width: int, mark: str = "") -> Cell:
    if value is None:
        return Cell("?", "unknown")
    text = f"{mark}{format_value(value, 'USD', width - len(mark))}"
    return Cell(text, "s3" if mark or value < 0 else "text")


def _pace(pace: float | None) -> Cell:
    if pace is None:
        return Cell("-", "dim")
    return Cell(format_value(pace, "x", 4), "s3" if pace >= _OVER_PACE else "text")


def _waste(ratio: float | None) -> Cell:
    if ratio is None:
        return Cell("?", "dim")
    role = "s3" if ratio >= _LOUD_WASTE else "s4" if ratio >= _WATCHED_WASTE else "text"
    return Cell(format_value(ratio, "%", 5), role)


def cost_details(
    line: LineReport | None, document: CostDocument, width: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return nine lines: the line under the cursor, its waste, its notes, and what changed."""
    if line is None:
        lines: list[RunLine] = [
            [Run(glyphs.rule * width, "dim")],
            [Run("no line", "dim")],
            [],
            [],
            [],
        ]
    else:
        notes = "; ".join(line_notes(line)) or "nothing to remark"
        budget = "" if line.budget_usd is None else f" of a budget of {usd(line.budget_usd)}"
        lines = [
            _rule(visible(line.name, 60), document, width, glyphs),
            _labelled(
                "MONTH", f"{usd(line.month_usd)} so far{budget}, ends at {forecast_text(line)}"
            ),
            _days(line, document.by, glyphs),
            _waste_bars(line, width, glyphs),
            _labelled("NOTE", visible(notes, 300), "dim"),
        ]
    lines.append([Run("CHANGED ", "title"), Run("24 h against the same a week before", "dim")])
    lines += [
        [Run(f"  {visible(change.model, 40)} ", "text"), Run(change_text(change), "text")]
        for change in document.changes
    ]
    if not document.changes:
        lines.append([Run("  nothing by 2% or more that is known", "dim")])
    lines += [[] for _ in range(DETAIL_LINES - len(lines))]
    return twins([fitted(each, width, glyphs.ellipsis) for each in lines[:DETAIL_LINES]], glyphs)


def _rule(name: str, document: CostDocument, width: int, glyphs: Glyphs) -> RunLine:
    total = document.total
    left = Run(f" {name} ", "title")
    right = Run(f" all {usd(total.month_usd)}, ends at {forecast_text(total)} ", "dim")
    room = width - width_of([left, right]) - 4
    if room < 0:
        return [Run(glyphs.rule * 2, "dim"), left]
    rule = glyphs.rule
    return [Run(rule * 2, "dim"), left, Run(rule * room, "dim"), right, Run(rule * 2, "dim")]


def _labelled(label: str, text: str, role: str = "text") -> RunLine:
    return [Run(label.ljust(LABEL_WIDTH), "title"), Run(text, role)]


def _days(line: LineReport, by: str, glyphs: Glyphs) -> RunLine:
    """Draw the last 36 days from 0, with the cheapest and the dearest of them."""
    label = Run("DAYS".ljust(LABEL_WIDTH), "title")
    known = [usd_a_day for usd_a_day in line.days_usd if usd_a_day is not None]
    if not known:
        said = "no whole day before today is known" if by == "model" else "told of models alone: b"
        return [label, Run(said, "dim")]
    each = [math.nan if day is None else day for day in line.days_usd]
    steps: Literal["ascii", "unicode"] = "ascii" if glyphs.name == "ascii" else "unicode"
    drawn = spark(each, len(each), steps, low=0.0, high=max(known))
    said = f"  {usd(min(known))} to {usd(max(known))} a day, {len(known)} days"
    return [label, Run(drawn, "text"), Run(said, "dim")]


def _waste_bars(line: LineReport, width: int, glyphs: Glyphs) -> RunLine:
    """Draw each kind of waste beside its amount, to one scale."""
    label = Run("WASTE".ljust(LABEL_WIDTH), "title")
    if not line.waste_usd:
        return [label, Run("nobody tells what the money was used for", "dim")]
    most = max(line.waste_usd.values())
    if most <= 0:
        return [label, Run("none", "text")]
    runs: RunLine = [label]
    bar = 12 if width >= WIDE_FROM else 4
    for kind in WASTE_KINDS:
        spent = line.waste_usd.get(kind)
        if spent:
            drawn = share_bar(spent, most, bar, glyphs)
            runs += [Run(f"{kind} ", "dim"), Run(f"{drawn} ", "s4"), Run(f"{usd(spent)}  ", "text")]
    return runs
