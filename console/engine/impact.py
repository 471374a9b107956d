"""Counts what an incident did to users and money over its span."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.domain.action import Measure
from console.domain.incident import IncidentImpact
from console.domain.text import visible
from console.incidents.event_log import allowed_ratio, impact_event
from console.metrics.labels import ExpressionError
from console.metrics.queries import OneModel, on_lower_level, over_span
from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from console.domain.incident import TimelineEvent
    from console.domain.model import ModelRow
    from console.domain.samples import Series
    from console.domain.severity import Route
    from console.metrics.queries import Query
    from console.sources.base import Source

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

LEAST_SPAN_SECONDS: Final = 60.0
NORMAL_SECONDS: Final = 6 * 3600.0
"""What is normal spend is that of so long before the incident."""

BUDGET_SECONDS: Final = 30 * 86400.0
CLEAN_SECONDS: Final = 1800.0
SHARE_SECONDS: Final = 300.0
MOST_MODELS: Final = 12
"""Of more models the harm is not counted; the sentence says which were."""

_POINTS = 240
_LEAST_STEP_SECONDS = 15.0
_MOST_INTERVALS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """What one model adds to a sum; without a value, why it is not known."""

    value: float | None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One model as it can be asked about: its row, the source and the route it has now."""

    row: ModelRow
    source: Source
    model: OneModel
    route: Route

    @property
    def name(self) -> str:
        """Return the model's name, harmless to show."""
        return visible(self.row.model, 60)


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when (Unix seconds), and the moment it is asked at."""

    begin: float
    until: float
    now: float

    @property
    def seconds(self) -> float:
        """Return its length, at least a minute: less holds no two samples."""
        return max(LEAST_SPAN_SECONDS, self.until - self.begin)


async def measure_impact(
    found: Sequence[Seen], missing: Sequence[tuple[str, str]], span: Span
) -> IncidentImpact:
    """Return the harm to the models of an incident over its span.

    ``missing`` are models nobody can be asked about, each with the reason. Counts are growths of
    counters over the span, as PromQL's rate gives them; nothing on a screen is added up.
    """
    asked = found[:MOST_MODELS]
    absent = [Part(None, f"{visible(name, 60)}: {why}") for name, why in missing]
    absent += [
        Part(None, f"{seen.name}: more models than are counted") for seen in found[MOST_MODELS:]
    ]

    async def each(count: Callable[[Seen, Span], Awaitable[Part]]) -> list[Part]:
        return [*await asyncio.gather(*(count(seen, span) for seen in asked)), *absent]

    kinds = (_refused, _failed, _lower, _reviews, _late, _excess)
    parts = await asyncio.gather(*(each(kind) for kind in kinds))
    units = ("requests", "requests", "requests", "reviews", "reviews", "USD")
    sums = [_sum(of, unit) for of, unit in zip(parts, units, strict=True)]
    budgets = await each(_budget)
    refused, failed, lower, reviews, late, excess = sums
    return IncidentImpact(
        span.until,
        refused=refused,
        failed=failed,
        lower_level=lower,
        reviews_added=reviews,
        reviews_late=late,
        excess_usd=excess,
        budget_spent=_worst(budgets),
        regions=regions_sentence([(seen.row, seen.route) for seen in asked]),
    )


async def clean_for_half_an_hour(seen: Seen, now: float) -> Part:
    """Return the share (0-1) of bad requests within the last 30 minutes."""
    return await _mean(seen, "error_ratio", CLEAN_SECONDS, 0.0, now)


async def hurt_events(seen: Seen, span: Span) -> tuple[TimelineEvent, ...]:
    """Return when users were hurt, as the source remembers it: for what no log of ours saw.

    Shares are those of 5 min, so an end is told up to so much late.
    """
    query = over_span(seen.model, "error_ratio", SHARE_SECONDS)
    if query is None:
        return ()
    step = max(_LEAST_STEP_SECONDS, (span.until - span.begin) / _POINTS)
    try:
        series = await seen.source.series(
            query, seen.model.series_value, span.begin, span.until, step
        )
    except SourceDown:
        return ()
    allowed = allowed_ratio(seen.row)
    with np.errstate(invalid="ignore"):
        spells = _runs(series, series.values > allowed, step, span.until)
    found: list[TimelineEvent] = []
    for begin, end in spells:
        ratio = float(series.values[np.searchsorted(series.times, begin)])
        found.append(impact_event(seen.row.model, begin, ratio=ratio))
        if end < span.until:
            found.append(impact_event(seen.row.model, end))
    return tuple(found)


def regions_sentence(routes: Sequence[tuple[ModelRow, Route]]) -> str:
    """Say whether traffic goes where it may; only of models that declare regions."""
    bound = [(row, route) for row, route in routes if row.allowed_regions]
    if not bound:
        return "No model of it declares allowed regions."
    unknown = [row for row, route in bound if not route.known or not route.region]
    out = [
        f"{visible(row.model, 60)} is served from {visible(route.region, 20)}, which is not allowed"
        for row, route in bound
        if route.region and route.region not in row.allowed_regions
    ]
    if out:
        return f"{'; '.join(out)}."
    if unknown:
        names = ", ".join(visible(row.model, 60) for row in unknown)
        return f"Nobody says from which region {names} is served."
    regions = sorted({visible(route.region, 20) for _, route in bound})
    return f"All traffic is served from {', '.join(regions)}, as allowed."


async def _refused(seen: Seen, span: Span) -> Part:
    return await _counted(seen, "refused_rate", span)


async def _failed(seen: Seen, span: Span) -> Part:
    name = "failed_rate" if "failed_rate" in seen.model.profile.signals else "bad_rate"
    return await _counted(seen, name, span)


async def _reviews(seen: Seen, span: Span) -> Part:
    return await _counted(seen, "review_rate", span)


async def _lower(seen: Seen, span: Span) -> Part:
    query = on_lower_level(seen.model)
    if query is None or not seen.route.known:
        return Part(None, f"{seen.name}: nobody tells where its traffic went")
    return await _within(seen, span, query, lambda values: values > 0, "served_rate")


async def _late(seen: Seen, span: Span) -> Part:
    """Count reviews that ended while the oldest was past its SLA: the oldest ends first."""
    sla = seen.row.review_sla_seconds
    if sla is None:
        return Part(None, f"{seen.name}: no review SLA is declared")
    query = over_span(seen.model, "review_oldest", 0.0)
    if query is None:
        return Part(None, f"{seen.name}: the age of reviews is not measured")
    return await _within(seen, span, query, lambda values: values > sla, "review_outcomes")


async def _excess(seen: Seen, span: Span) -> Part:
    """Return spend beyond what the six hours before cost in as much time."""
    spent = await _counted(seen, "cost_rate", span)
    ended_ago = span.now - span.begin
    normal = await _mean(seen, "cost_rate", NORMAL_SECONDS, ended_ago, span.now)
    if spent.value is None or normal.value is None:
        return spent if spent.value is None else normal
    return Part(spent.value - normal.value * span.seconds)


async def _budget(seen: Seen, span: Span) -> Part:
    """Return the share of the error budget: bad / ((1 - SLO) x requests of 30 d)."""
    bad = await _counted(seen, "bad_rate", span)
    rate = await _mean(seen, "requests_rate", BUDGET_SECONDS, 0.0, span.now)
    if bad.value is None or rate.value is None:
        return bad if bad.value is None else rate
    allowed = (1.0 - seen.row.objectives.availability_ratio) * rate.value * BUDGET_SECONDS
    if allowed <= 0.0:
        return Part(None, f"{seen.name}: its objective leaves no error budget")
    return Part(bad.value / allowed)


async def _counted(seen: Seen, name: str, span: Span) -> Part:
    """Return what a rate comes to over the span."""
    return await _amount(seen, name, span.begin, span.begin + span.seconds, span.now)


async def _amount(seen: Seen, name: str, begin: float, until: float, now: float) -> Part:
    seconds = max(LEAST_SPAN_SECONDS, until - begin)
    return await _asked(seen, name, seconds, max(0.0, now - until), now, times=seconds)


async def _mean(seen: Seen, name: str, seconds: float, ended_ago: float, now: float) -> Part:
    return await _asked(seen, name, seconds, ended_ago, now, times=None)


async def _asked(
    seen: Seen, name: str, seconds: float, ended_ago: float, now: float, *, times: float | None
) -> Part:
    """Ask one mean over a span; ``times`` turns a rate into what was counted."""
    try:
        query = over_span(seen.model, name, seconds, ended_ago)
        if query is None:
            return Part(None, f"{seen.name}: its server does not count {_WORDS.get(name, name)}")
        answer = await seen.source.ask_aside(query, now)
    except (SourceDown, ExpressionError) as fault:
        return Part(None, f"{seen.name}: {visible(str(fault), 160)}")
    if answer.error is not None:
        return Part(None, f"{seen.name}: {visible(answer.error, 160)}")
    values = answer.values[np.isfinite(answer.values)]
    if not len(values):
        short = f": {visible(answer.infos[0], 120)}" if answer.infos else ""
        return Part(None, f"{seen.name}: no {_WORDS.get(name, name)} in this time{short}")
    value = float(values.sum())
    if times is None:
        return Part(value)
    # A source with a short history covers less; before it nothing is known to have happened.
    return Part(value * min(times, answer.window_seconds or times))


async def _within(
    seen: Seen,
    span: Span,
    query: Query,
    holds: Callable[[Floats], Mask],
    counted: str,
) -> Part:
    """Count something only while a condition on another series holds."""
    step = max(_LEAST_STEP_SECONDS, span.seconds / _POINTS)
    try:
        series = await seen.source.series(
            query, seen.model.series_value, span.begin, span.until, step
        )
    except SourceDown as fault:
        return Part(None, f"{seen.name}: {visible(fault.sentence, 160)}")
    if series.error is not None:
        return Part(None, f"{seen.name}: {visible(series.error, 160)}")
    with np.errstate(invalid="ignore"):
        intervals = _runs(series, holds(series.values), step, span.until)
    if len(intervals) > _MOST_INTERVALS:
        intervals = [(intervals[0][0], intervals[-1][1])]
    parts = [await _amount(seen, counted, begin, end, span.now) for begin, end in intervals]
    unknown = next((part for part in parts if part.value is None), None)
    return unknown or Part(sum((part.value or 0.0 for part in parts), 0.0))


def _runs(series: Series, held: Mask, step: float, until: float) -> list[tuple[float, float]]:
    """Return from when to when a condition held, to the step."""
    found: list[tuple[float, float]] = []
    for at in series.times[held].tolist():
        end = min(at + step, until)
        if found and at - found[-1][1] < step / 2:
            found[-1] = (found[-1][0], end)
        elif end > at:
            found.append((at, end))
    return found


def _sum(parts: Sequence[Part], unit: str) -> Measure:
    known = [part.value for part in parts if part.value is not None]
    reasons = list(dict.fromkeys(part.unknown for part in parts if part.value is None))
    missing = "; ".join(reasons[:3]) + (f" and {len(reasons) - 3} more" if reasons[3:] else "")
    if not known:
        return Measure(unit=unit, unknown=missing or "no model of it is known here")
    return Measure(sum(known), unit, 0.0, unknown=f"without {missing}" if missing else "")


def _worst(parts: Sequence[Part]) -> Measure:
    """Return the largest share: a budget belongs to one model and is no sum."""
    summed = _sum(parts, "1")
    known = [part.value for part in parts if part.value is not None]
    return Measure(max(known), "1", 0.0, unknown=summed.unknown) if known else summed


_WORDS = {
    "refused_rate": "refused requests",
    "failed_rate": "failed requests",
    "bad_rate": "bad requests",
    "served_rate": "answered requests",
    "requests_rate": "requests",
    "review_rate": "reviews",
    "review_outcomes": "finished reviews",
    "cost_rate": "spend",
    "error_ratio": "share of bad requests",
}
