"""What a postmortem is made from, gathered by a running engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.engine.handle import Refused
from console.facts.text import visible
from console.journal import JournalError, Question
from console.reports.incident_signals import MOST_MODELS, signals_of, span_of
from console.reports.postmortem import PostmortemFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.engine.records import Records
    from console.engine.service import Engine
    from console.facts.incident_view import IncidentView
    from console.facts.samples import Series

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
