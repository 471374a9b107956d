"""Gathers what postmortems and handovers are made from."""

from __future__ import annotations

import asyncio
import re
from math import isfinite
from typing import TYPE_CHECKING

from console.domain.entry import JournalHead
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.engine.client import Refused
from console.evaluation.rules.rule_list import RULES
from console.handover.handover_document import OPEN_STATES, ShiftFacts
from console.handover.record import NEWEST
from console.journal import JournalError, Question
from console.reports.postmortem import PostmortemFacts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from console.domain.entry import Entry, Record
    from console.domain.incident import IncidentView
    from console.domain.proof import ModelReadiness
    from console.domain.samples import Series
    from console.domain.snapshot import Snapshot
    from console.engine.journal_tail import Records
    from console.engine.service import Engine

    View = Callable[[str], Awaitable[IncidentView | Refused]]

ALWAYS = ("error_ratio", "latency_p95")
AROUND_SECONDS = 600.0
"""How much of the time before and after an incident is shown, so that normal can be seen."""

MOST_MODELS = 2

_BY_ID = {rule.id: rule for rule in RULES}
_WORD = re.compile(r"[a-z][a-z0-9_]+")


def span_of(view: IncidentView, now: float) -> tuple[float, float]:
    """Return begin and end of what is shown (Unix seconds), never past ``now``."""
    moments = [view.incident.since, *(event.at for event in view.events)]
    if view.clock.impact_at is not None:
        moments.append(view.clock.impact_at)
    ended = view.clock.resolved_at if view.clock.resolved_at is not None else view.incident.ends
    start = min(moments) - AROUND_SECONDS
    return start, min(now, (now if ended is None else ended) + AROUND_SECONDS)


def signals_of(view: IncidentView) -> tuple[str, ...]:
    """Return the signals to draw: errors, latency, and the one that detected the incident."""
    said = [event.text for event in view.events if event.kind in ("detect", "signal")]
    said += [alert.name for alert in view.incident.alerts]
    detected = (
        signal
        for text in said
        for word in _WORD.findall(text)
        if word in _BY_ID and (signal := signal_of_rule(word))
    )
    return tuple(dict.fromkeys((*ALWAYS, *detected)))[: len(ALWAYS) + 1]


def signal_of_rule(rule_id: str) -> str:
    """Return the signal that a rule judges first, empty for one that judges none."""
    rule = _BY_ID[rule_id]
    if rule_id.startswith("burn_"):
        return f"burn_{rule.needs[0].partition('@')[2]}"
    names = (need.partition("@")[0] for need in rule.needs)
    return next((name for name in names if name in SIGNALS), "")


CELLS = 150
"""Points of each chart's line."""


async def postmortem_facts(
    engine: Engine, records: Records, incident: str, now: float
) -> PostmortemFacts | Refused:
    """Return what is known of an incident at ``now`` (Unix seconds), or why nothing is."""
    view = await engine.incident_view(incident)
    if isinstance(view, Refused):
        return view
    unknown: tuple[str, ...] = ()
    try:
        entries = await records.entries(Question(incident=incident))
    except JournalError as fault:
        entries, unknown = None, (f"what the journal says: {visible(fault.sentence, 300)}",)
    snapshot = engine.latest
    return PostmortemFacts(
        environment=engine.settings.environment,
        view=view,
        now=now,
        entries=entries or (),
        decisions=() if snapshot is None else snapshot.decisions,
        series=await incident_series(engine, view, now),
        unknown=unknown,
    )


async def incident_series(
    engine: Engine, view: IncidentView, now: float
) -> tuple[tuple[str, Series], ...]:
    """Return (model, signal over the incident's span) of the models it hurt worst."""
    start, end = span_of(view, now)
    found: list[tuple[str, Series]] = []
    for model in _worst_first(engine, view.incident.models)[:MOST_MODELS]:
        answer = await engine.series_between(model, signals_of(view), start, end, CELLS)
        found += [(model, each) for each in answer.series]
    return tuple(found)


def _worst_first(engine: Engine, models: Sequence[str]) -> list[str]:
    """Return the models that are known now, the worst row first."""
    snapshot = engine.latest
    if snapshot is None:
        return list(models)
    names = [snapshot.rows[row].model for row in snapshot.order.tolist()]
    return [name for name in names if name in models]


VIEW_SECONDS = 20.0
MOST_VIEWS = 12
"""How many incidents are gathered as a whole; the rest are told from their alerts."""

MOST_ENTRIES = 5000


async def shift_facts(
    snapshot: Snapshot | None, environment: str, records: Records, view: View, since: float
) -> ShiftFacts:
    """Return what is known since ``since`` (Unix seconds); what cannot be had says why."""
    if snapshot is None:
        problem = "nothing was read yet"
        return ShiftFacts(environment, None, journal_problem=problem)
    views = await _viewed(snapshot, view)
    record = snapshot.record
    try:
        found = await records.entries(Question(since=since, newest=MOST_ENTRIES))
        handovers = await records.entries(
            Question(kinds=("handover", "handover_accepted"), newest=NEWEST)
        )
    except JournalError as fault:
        return ShiftFacts(
            snapshot.environment,
            snapshot,
            views=views,
            journal_place=record.place,
            journal_problem=visible(fault.sentence, 400),
        )
    entries = found or ()
    return ShiftFacts(
        snapshot.environment,
        snapshot,
        entries=entries,
        handovers=handovers or (),
        views=views,
        decisions=snapshot.decisions,
        head=_head(record),
        journal_place=record.place,
        journal_problem="it is not read here" if found is None and record.state == "off" else "",
        entries_from=entries[0].at if len(entries) >= MOST_ENTRIES else None,
    )


def _head(record: Record) -> JournalHead | None:
    """Return the journal's end as it was followed to; what is broken is no end."""
    newest: Entry | None = next(iter(record.entries), None)
    if newest is None or newest.seq != record.head_seq:
        return None
    return JournalHead(chain=newest.chain, seq=newest.seq, hash=newest.hash, at=newest.at)


async def _viewed(snapshot: Snapshot, view: View) -> dict[str, IncidentView]:
    """Return the open incidents as a whole, as many as can be had in time."""
    views: dict[str, IncidentView] = {}
    listed = [one.id for one in snapshot.incidents if one.state in OPEN_STATES]
    try:
        async with asyncio.timeout(VIEW_SECONDS):
            for incident in listed[:MOST_VIEWS]:
                found = await view(incident)
                if not isinstance(found, Refused):
                    views[incident] = found
    except TimeoutError:
        return views  # the handover names those that are missing
    return views


PAST_SECONDS = 7 * 86400.0
PAST_CELLS = 336
BUSY, BUSY_SECONDS = "requests_count@30m", 1800.0
"""What the peak is taken from: a rate over a minute, looked at now and then, would miss it."""

_TOGETHER = 4
"""How many models' past is asked for at once."""


async def readiness_of(
    engine: Engine, records: Records, models: Sequence[str], now: float
) -> tuple[ModelReadiness, ...]:
    """Judge the readiness of models by name, of all rows where none is named, in their order."""
    from console.readiness.checks import assess
    from console.readiness.subject import Past, Subject

    snapshot = engine.latest
    if snapshot is None:
        return ()
    chain = await records.verify() if snapshot.record.state == "open" else None
    wanted = [row for row, model in enumerate(snapshot.rows) if not models or model.model in models]
    few = asyncio.Semaphore(_TOGETHER)

    async def past(row: int) -> Past:
        model = snapshot.rows[row]
        signals = (
            *((BUSY,) if model.fallbacks else ()),
            *(("review_oldest",) if model.review_sla_seconds is not None else ()),
        )
        if not signals:
            return Past()
        async with few:
            answer = await engine.series_between(
                model.model, signals, now - PAST_SECONDS, now, PAST_CELLS
            )
        known = {each.signal: each for each in answer.series if each.error is None}
        busiest = _highest(known.get(BUSY))
        return Past(
            peak_per_second=None if busiest is None else busiest / BUSY_SECONDS,
            oldest_review_seconds=_highest(known.get("review_oldest")),
            span_seconds=max((_covered(each) for each in known.values()), default=0.0),
        )

    pasts = await asyncio.gather(*(past(row) for row in wanted))
    return tuple(
        assess(
            Subject(
                snapshot=snapshot,
                row=row,
                settings=engine.settings,
                proofs=snapshot.proofs,
                now=now,
                past=each,
                chain=chain,
            )
        )
        for row, each in zip(wanted, pasts, strict=True)
    )


def _highest(series: Series | None) -> float | None:
    """Return the highest finite value of a series, None where there is none."""
    if series is None:
        return None
    known = [value for value in series.values.tolist() if isfinite(value)]
    return max(known, default=None)


def _covered(series: Series) -> float:
    """Return the seconds between the first and the last finite value."""
    pairs = zip(series.times.tolist(), series.values.tolist(), strict=True)
    known = [at for at, value in pairs if isfinite(value)]
    return known[-1] - known[0] if known else 0.0
