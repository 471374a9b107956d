"""Asks the sources what every model spent today, this month, and on the same day a week ago."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Answer
from console.domain.signals import ReadingState
from console.domain.text import visible
from console.engine.row_assignment import join
from console.evaluation.cost import DAY_SECONDS, MOST_RESETS_A_DAY
from console.evaluation.derive import Asked, share_by_now, spending
from console.evaluation.spend import SpendFacts
from console.metrics.labels import ExpressionError
from console.metrics.units import format_age
from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.domain.snapshot import Snapshot
    from console.engine.query_planner import Desk
    from console.evaluation.spend import Share, Span
    from console.metrics.queries import Query
    from console.sources.base import Source

WEEK_SECONDS = 7 * DAY_SECONDS
MINUTE_SECONDS = 60.0
_LABELS = ("team", "component", "use")
_ACCEPTED = ("approved", "corrected")


class UnknownMonthError(ValueError):
    """A month that is none, or that has not begun; the message says what is understood."""


def month_span(text: str, now: float) -> tuple[float, float]:
    """Return when a month (``2026-11``, empty for this one) begins and ends, in Unix seconds.

    Raises `UnknownMonthError`.
    """
    moment = datetime.fromtimestamp(now, UTC)
    year, month = moment.year, moment.month
    if text:
        try:
            asked = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        except ValueError as fault:
            raise UnknownMonthError("is no month; write it as 2026-11") from fault
        year, month = asked.year, asked.month
    begin = datetime(year, month, 1, tzinfo=UTC)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    if begin.timestamp() > now:
        raise UnknownMonthError("has not begun")
    return begin.timestamp(), after.timestamp()


def spans_of(at: float, begin: float, end: float) -> dict[str, tuple[float, float]]:
    """Return length and age (seconds) of what is asked at ``at``, a whole minute, by span."""
    if end <= at:
        return {"month": (end - begin, at - end)}
    spans = {"month": (at - begin, 0.0), "today": (at % DAY_SECONDS, 0.0)}
    spans |= {"day": (DAY_SECONDS, 0.0), "day_before": (DAY_SECONDS, WEEK_SECONDS)}
    return {name: span for name, span in spans.items() if span[0] > 0}


async def spend_facts(
    desk: Desk,
    source_of: Callable[[str], Source | None],
    snapshot: Snapshot,
    now: float,
    month: str = "",
) -> SpendFacts:
    """Return what the rows of ``snapshot`` spent in a month (``2026-11``; empty: this one).

    Asked of the last whole minute, so that today begins at midnight and not a second beside it.
    Never raises for a source that is away: its rows are unknown, with the reason. Raises
    `UnknownMonthError`.
    """
    begin, end = month_span(month, now)
    at = now - now % MINUTE_SECONDS
    spans = spans_of(at, begin, end)
    found = _Found(desk, spans)
    places = [(name, source_of(name)) for name in {s.source for s in desk.board.seating.seats}]
    await asyncio.gather(
        *(_ask_source(found, source, name, at, spans) for name, source in places if source)
    )
    is_current = end > at
    rows = snapshot.rows
    found.drop_falling()
    unknown = {
        row: found.reason(row)
        for row in range(len(rows))
        if not found.amounts.get("cost_by@month", {}).get(row)
    }
    if is_current:
        doubted = {row: why for row, why in unknown.items() if found.is_falling(row)}
        others = {row: why for row, why in unknown.items() if row not in doubted}
        unknown = doubted | _from_columns(found, snapshot, others)
    asked = Asked(desk.observe(), len(rows))
    days = spending(asked, None, now, len(rows)) if is_current else None
    share = share_by_now(asked, days) if days is not None else None
    flat = now % DAY_SECONDS / DAY_SECONDS
    pace = {
        row: value
        for row in range(len(rows))
        if is_current and (value := snapshot.reading("cost_pace", row).value) is not None
    }
    return SpendFacts(
        at=at,
        begin=begin,
        end=end,
        rows=rows,
        usd={
            span: {row: dict(shares) for row, shares in found.amounts[name].items()}
            for span in ("month", "today", "day", "day_before")
            if (name := f"cost_by@{span}") in found.amounts
        },
        requests=found.totals("requests_rate"),
        tokens=found.totals("tokens_rate", "tokens_in_rate"),
        succeeded=found.totals("served_rate").get("month", {}),
        rejected=found.rejected,
        young=found.young,
        unknown=unknown,
        pace=pace,
        days=None if days is None else days.days,
        gone=None if share is None else np.where(np.isfinite(share), share, flat),
    )


class _Found:
    """What sources answered, by row: amounts by column and share, and why there is none."""

    def __init__(self, desk: Desk, spans: Mapping[str, tuple[float, float]]) -> None:
        self.desk = desk
        self._spans = spans
        self._falling: dict[int, str] = {}
        self.amounts: dict[str, dict[int, dict[Share, float]]] = {}
        self.rejected: dict[int, float] = {}
        self.young: dict[int, float] = {}
        self.problems: dict[int, str] = {}
        self._voices: dict[tuple[str, int], str] = {}

    def take(self, source: str, query: Query, answer: Answer) -> None:
        """Add one answer; of two voices about a row the preferred one, which comes first."""
        rows_of = self.desk.board.rows_of(source, query)
        if answer.error is not None or answer.withheld or answer.history_seconds is not None:
            self._excuse(rows_of, query, answer)
        joined = join(answer.keys, rows_of, query.models)
        into = self.amounts.setdefault(query.column, {})
        for entry, row in zip(joined.entries.tolist(), joined.rows.tolist(), strict=True):
            usd = float(answer.values[entry])
            voice = self._voices.setdefault((query.column, row), query.profile)
            if not np.isfinite(usd) or voice != query.profile:
                continue
            if query.column.startswith(("cost_resets", "cost_least")):
                self._judge_counter(query.column, row, usd)
                continue
            key = answer.keys[entry]
            told = dict(zip(query.by[1:], key[1:], strict=True))
            if query.column.startswith("review_outcomes"):
                if told.get("outcome") not in _ACCEPTED:
                    self.rejected[row] = self.rejected.get(row, 0.0) + usd
                continue
            team, component, use = (visible(told.get(name, ""), 60) for name in _LABELS)
            shares = into.setdefault(row, {})
            share = (team, component, use)
            shares[share] = shares.get(share, 0.0) + usd
            if query.column == "cost_by@month" and key[0] in answer.young:
                self.young[row] = answer.young[key[0]]

    def _judge_counter(self, column: str, row: int, value: float) -> None:
        name, _, span = column.partition("@")
        days = self._spans[span][0] / DAY_SECONDS
        if name == "cost_least" and value < 0:
            self._falling[row] = "its cost counter is negative, so nothing can be added up"
        elif name == "cost_resets" and value > MOST_RESETS_A_DAY * max(1.0, days):
            self._falling.setdefault(
                row, f"its cost counter went back {value:.0f} times in {days:.0f} d"
            )

    def drop_falling(self) -> None:
        """Forget amounts of counters that fall: growth taken from them is many times too much."""
        for row, reason in self._falling.items():
            self.problems[row] = reason
            for column, rows in self.amounts.items():
                if column.startswith("cost_by"):
                    rows.pop(row, None)

    def totals(self, *names: str) -> dict[Span, dict[int, float]]:
        """Return the sum of several measurements by span and row, of rows that have them all."""
        found: dict[Span, dict[int, float]] = {}
        span: Span
        for span in ("month", "day", "day_before"):
            columns = [c for n in names if (c := self.amounts.get(f"{n}@{span}")) is not None]
            if not columns:
                continue
            rows = set(columns[0]).intersection(*columns[1:])
            found[span] = {
                row: sum(sum(column[row].values()) for column in columns) for row in rows
            }
        return found

    def is_falling(self, row: int) -> bool:
        """Tell whether a row's cost counter falls."""
        return row in self._falling

    def reason(self, row: int) -> str:
        """Say why nothing is known of a row's spend."""
        seat = self.desk.board.seating.seats[row]
        if not seat.source:
            return "no source offers this model"
        profile = visible(seat.profile, 40)
        return self.problems.get(row, f"its server ({profile}) tells no cost; declare its price")

    def _excuse(self, rows_of: Mapping[str, tuple[int, ...]], query: Query, answer: Answer) -> None:
        if query.column != "cost_by@month":
            return
        for value, rows in rows_of.items():
            seconds = answer.withheld.get(value, answer.history_seconds)
            for row in rows:
                if answer.error is not None:
                    self.problems[row] = visible(answer.error, 160)
                elif seconds is not None:
                    self.problems[row] = f"history {format_age(seconds)}, less than the month"


async def _ask_source(
    found: _Found, source: Source, name: str, at: float, spans: Mapping[str, tuple[float, float]]
) -> None:
    queries = found.desk.amount_questions(name, spans)
    answers = await asyncio.gather(*(_ask(source, query, at) for query in queries))
    for query, answer in zip(queries, answers, strict=True):
        found.take(name, query, answer)


async def _ask(source: Source, query: Query, at: float) -> Answer:
    try:
        return await source.ask_aside(query, at)
    except (SourceDown, ExpressionError) as fault:
        return Answer(query.id, (), np.empty(0), at, error=str(fault))


def _from_columns(found: _Found, snapshot: Snapshot, unknown: Mapping[int, str]) -> dict[int, str]:
    """Fill in rows whose spend is told in another way, such as an operator's own PromQL."""
    left: dict[int, str] = {}
    nobody: Share = ("", "", "")
    for row, reason in unknown.items():
        month = snapshot.reading("cost_month", row)
        if month.state is not ReadingState.OK or month.value is None:
            left[row] = reason
            continue
        found.amounts.setdefault("cost_by@month", {})[row] = {nobody: month.value}
        today = snapshot.reading("cost_today", row)
        if today.state is ReadingState.OK and today.value is not None:
            found.amounts.setdefault("cost_by@today", {})[row] = {nobody: today.value}
    return left
