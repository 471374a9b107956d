"""Which signals tell of an incident, and over which span they are shown; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.engine.client import Refused
from console.evaluation.rules.rule_list import RULES
from console.journal import JournalError, Question
from console.reports.postmortem import PostmortemFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.incident import IncidentView
    from console.domain.samples import Series
    from console.engine.journal_tail import Records
    from console.engine.service import Engine

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
