"""Which signals tell of an incident, and over which span they are shown; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.facts.signals import SIGNALS
from console.fleet.rules.registry import RULES

if TYPE_CHECKING:
    from console.facts.incident_view import IncidentView

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
