"""Turns a model's failed episodes into a failure report: JSON document and text blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from msgspec import Struct

from console.domain.blocks import Heading, Item, Paragraph, part
from console.domain.entry import number_of
from console.domain.timestamps import timestamp
from console.handover.sections import done_text
from console.metrics.units import format_value
from console.reports.episodes import Grid, absence, aligned, judged, runs
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from console.domain.blocks import Block
    from console.domain.entry import Entry
    from console.domain.model import ModelRow
    from console.domain.samples import Series
    from console.domain.snapshot import Change
    from console.reports.episodes import Judged, Run

    Floats = NDArray[np.float64]

SCHEMA: Final = "midwatch.failures/1"


class SpellReport(Struct, frozen=True, kw_only=True):
    """One spell in which a rule would have held.

    ``ended_at`` null: it still held at the end of the span. ``bad_requests`` null: not measured.
    ``rule`` is the fleet's rule where there is one of that name (docs/rules.md).
    """

    rule: str
    level: str
    what: str
    began_at: str
    ended_at: str | None
    seconds: float
    worst: str
    worst_at: str | None
    bad_requests: float | None
    before: str | None
    done: tuple[str, ...]


class BudgetReport(Struct, frozen=True, kw_only=True):
    """How available the model was; null where nobody measured. Ratios 0-1.

    ``known_ratio`` is the share of the span with numbers, ``budget_spent`` the bad requests over
    those the objective allows in this span. ``declared`` false: the default objective.
    """

    requests: float | None
    bad_requests: float | None
    availability: float | None
    objective: float
    declared: bool
    budget_spent: float | None
    known_ratio: float


class FailuresDocument(Struct, frozen=True, kw_only=True):
    """One model over one span; ``step_seconds`` is how far apart its points stand."""

    schema: Literal["midwatch.failures/1"]
    environment: str
    model: str
    tier: int
    version: str
    since: str
    until: str
    written_at: str
    step_seconds: float
    budget: BudgetReport
    spells: tuple[SpellReport, ...]
    not_judged: tuple[str, ...]


BEFORE_SECONDS = 2 * 3600.0
"""How far before a spell a change may lie and still be named beside it."""

AFTER_SECONDS = 1800.0
_LEAD_SECONDS = 300.0
_LEVELS = {"S1": 0, "S2": 1, "unknown": 2}


@dataclass(frozen=True, slots=True)
class FailureFacts:
    """What a failure report is made from; times in Unix seconds, ``step`` in seconds.

    ``series`` are those of `failure_rules.SIGNALS` by name, ``breakers`` gauges by dependency ("":
    the model's own). ``entries`` are the journal's about the model and what it depends on, oldest
    first, ``changes`` what consoles saw change.
    """

    environment: str
    row: ModelRow
    start: float
    end: float
    step: float
    now: float
    series: Mapping[str, Series]
    breakers: Mapping[str, Series] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()


def failures(facts: FailureFacts) -> FailuresDocument:
    """Return the report, its texts as they came: clean them before they are shown."""
    grid = Grid(facts.start, facts.end, facts.step)
    values = aligned(grid, facts.series)
    spells = [
        _spell(facts, grid, values, rule, run)
        for rule in judged(facts.row, grid, values, aligned(grid, facts.breakers))
        for run in runs(rule.hit, rule.clean, least=rule.least)
    ]
    spells.sort(key=lambda each: (each.began_at, _LEVELS.get(each.level, 9), each.rule))
    return FailuresDocument(
        schema=SCHEMA,
        environment=facts.environment,
        model=facts.row.model,
        tier=facts.row.tier,
        version=facts.row.version,
        since=timestamp(facts.start),
        until=timestamp(facts.end),
        written_at=timestamp(facts.now),
        step_seconds=facts.step,
        budget=_budget(facts, grid, values),
        spells=tuple(spells),
        not_judged=tuple(_not_judged(facts, grid, values)),
    )


def _spell(
    facts: FailureFacts, grid: Grid, values: Mapping[str, Floats], rule: Judged, run: Run
) -> SpellReport:
    began, ended = float(grid.times[run.first]), float(grid.times[run.last])
    worst, worst_at = _worst(grid, rule, run)
    return SpellReport(
        rule=rule.rule,
        level=rule.level,
        what=rule.what,
        began_at=timestamp(began),
        ended_at=None if run.open else timestamp(ended),
        seconds=ended - began + grid.step,
        worst=worst,
        worst_at=worst_at,
        bad_requests=grid.total(values["bad_rate"], run.first, run.last),
        before=_before(facts, began),
        done=tuple(_done(facts, began, ended)),
    )


def _worst(grid: Grid, rule: Judged, run: Run) -> tuple[str, str | None]:
    if rule.rule in ("no_data", "no_data_tier1"):
        return absence((run.last - run.first + 1) * grid.step), None
    part = rule.values[run.first : run.last + 1]
    if not np.isfinite(part).any():
        return "not known", None
    place = int(np.nanargmax(part))
    return rule.shown(float(part[place])), timestamp(float(grid.times[run.first + place]))


def _told_changes(facts: FailureFacts) -> Iterator[tuple[float, str]]:
    for change in facts.changes:
        yield change.at, f"{change.subject}: {change.text}"
    for entry in facts.entries:
        if entry.kind == "change":
            at = number_of(entry.details.get("at"))
            subject = entry.target or "the fleet"
            said = f"{subject}: {entry.why} (told by {entry.who.name})"
            yield entry.at if at is None else at, said
        elif entry.kind == "outcome":
            yield entry.at, f"{done_text(entry)} by {entry.who.name}"


def _before(facts: FailureFacts, began: float) -> str | None:
    """Return the newest change before a spell, a minute of slack for clocks; None: none known."""
    near = [
        (at, text)
        for at, text in _told_changes(facts)
        if began - BEFORE_SECONDS <= at <= began + facts.step
    ]
    if not near:
        return None
    at, text = max(near)
    return f"{timestamp(at)} {text}"


def _done(facts: FailureFacts, began: float, ended: float) -> Iterator[str]:
    for entry in facts.entries:
        if began - _LEAD_SECONDS <= entry.at <= ended + AFTER_SECONDS:
            if entry.kind == "outcome":
                yield f"{timestamp(entry.at)} {done_text(entry)} by {entry.who.name}"
            elif entry.kind in ("note", "decision", "ack", "escalate") and entry.why:
                yield f"{timestamp(entry.at)} {entry.kind} by {entry.who.name}: {entry.why}"


def _budget(facts: FailureFacts, grid: Grid, values: Mapping[str, Floats]) -> BudgetReport:
    last = len(grid) - 1
    requests = grid.total(values["requests_rate"], 0, last)
    bad = grid.total(values["bad_rate"], 0, last)
    goals = facts.row.objectives
    available = None if requests is None or bad is None or requests <= 0 else 1 - bad / requests
    allowed = None if requests is None else (1 - goals.availability_ratio) * requests
    return BudgetReport(
        requests=requests,
        bad_requests=bad,
        availability=available,
        objective=goals.availability_ratio,
        declared=goals.declared,
        budget_spent=None if bad is None or not allowed else bad / allowed,
        known_ratio=float(np.isfinite(values["requests_rate"]).mean()),
    )


def _not_judged(facts: FailureFacts, grid: Grid, values: Mapping[str, Floats]) -> Iterator[str]:
    yield from facts.unknown
    known = np.flatnonzero(np.isfinite(values["requests_rate"]))
    if len(known) and known[0] > 1:
        first = timestamp(float(grid.times[known[0]]))
        yield f"before {first}: nothing is kept that old, or there was no model yet"
    for name, each in values.items():
        if not np.isfinite(each).any():
            series = facts.series.get(name)
            why = series.error if series is not None and series.error else "no value in this span"
            yield f"{name}: {why}"
    if facts.row.objectives.latency_under_seconds is None:
        yield "latency: no latency objective is declared"
    if not facts.breakers:
        yield "breakers: nobody says how they were in this span"


_MANY_TIMES = 10.0
"""From here on a share of the budget is told as how many times, not in per cent."""


def failures_blocks(found: FailuresDocument) -> tuple[Block, ...]:
    """Return a failure report in its order of reading."""
    return tuple(_blocks(found))


def _blocks(found: FailuresDocument) -> Iterator[Block]:
    yield Heading(f"Failures of {found.model}, {found.environment}", level=1)
    version = f", version {found.version}" if found.version else ""
    yield Paragraph(
        f"Tier {found.tier}{version}. {found.since} to {found.until}, a point every "
        f"{format_duration(found.step_seconds)}. Written {found.written_at}; all times are UTC."
    )
    yield Paragraph(f"{_availability(found)}.", lead="Availability:")
    yield from part(
        "Spells",
        tuple(_spell_failures_text(each) for each in found.spells),
        "no rule of S1 or S2 that could be judged held in this span.",
    )
    yield from part(
        "Not judged", tuple(Item(each) for each in found.not_judged), "everything was judged."
    )


def _availability(found: FailuresDocument) -> str:
    budget = found.budget
    own = "" if budget.declared else " (the default ~)"
    if budget.availability is None or budget.requests is None or budget.bad_requests is None:
        return f"not known: too little was measured; the objective is {budget.objective:.3%}{own}"
    said = [
        f"{budget.availability:.3%} of {budget.requests:,.0f} requests",
        f"{budget.bad_requests:,.0f} were bad",
        f"the objective is {budget.objective:.3%}{own}",
    ]
    if budget.budget_spent is not None:
        whole = budget.budget_spent < _MANY_TIMES
        spent = format_value(budget.budget_spent, "%" if whole else "x")
        said.append(f"{spent} {'of ' if whole else ''}what it allows in this span is spent")
    if budget.known_ratio < 1.0:
        said.append(f"measured for {format_value(budget.known_ratio, '%')} of the time")
    return "; ".join(said)


def _spell_failures_text(each: SpellReport) -> Item:
    until = each.ended_at or "the end of the span, and still so"
    worst_at = f" at {each.worst_at}" if each.worst_at else ""
    bad = "not measured" if each.bad_requests is None else f"{each.bad_requests:,.0f}"
    below = [
        Item(f"{each.worst}{worst_at}", lead="Worst:"),
        Item(bad, lead="Bad requests:"),
        Item(each.before or "nothing known in the two hours before", lead="Changed before:"),
    ]
    below += [Item(done, lead="Done:") for done in each.done]
    if not each.done:
        below.append(Item("nothing on the record", lead="Done:"))
    lasted = format_duration(round(each.seconds))
    return Item(
        f"({each.rule}) {each.began_at} to {until}, {lasted}",
        lead=f"{each.level} {each.what}",
        below=tuple(below),
    )
