"""Every spell in which one model failed, over a span, with what came before and what was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.facts.entry import number_of
from console.reports.failure_rules import absence, judged
from console.reports.failures_document import (
    SCHEMA,
    BudgetReport,
    FailuresDocument,
    SpellReport,
)
from console.reports.handover_incidents import done_text
from console.reports.spells import Grid, aligned, runs
from console.reports.times import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from console.facts.entry import Entry
    from console.facts.model import ModelRow
    from console.facts.samples import Series
    from console.facts.snapshot import Change
    from console.reports.failure_rules import Judged
    from console.reports.spells import Run

    Floats = NDArray[np.float64]

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
