"""Condition, actions, needs: an incident in sentences one would send to a colleague; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.text import visible
from console.metrics.units import format_age, format_clock, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import Override
    from console.domain.alert import Incident
    from console.domain.incident import Care, CloseCheck, IncidentClock, TimelineEvent
    from console.incidents.checklist import ModelState
    from console.incidents.clock import HurtSpan

_NAMED = 3
_TOLD_ACTIONS = 3
WATCH_SECONDS = 1800.0
"""So long an incident is watched after users were last hurt."""


@dataclass(frozen=True, slots=True)
class CanFacts:
    """What the sentences are made of; ``now`` is Unix seconds.

    ``cause`` is what is known of the dependency it is about, as a clause; ``events`` are the
    timeline's, oldest first.
    """

    now: float
    incident: Incident
    care: Care
    clock: IncidentClock
    spans: Sequence[HurtSpan] = ()
    models: Sequence[ModelState] = ()
    events: Sequence[TimelineEvent] = ()
    checks: Sequence[CloseCheck] = ()
    overrides: Sequence[Override] = ()
    cause: str = ""


def condition(facts: CanFacts) -> str:
    """Say how it is: what fails since when and why, who is hurt, what answers instead."""
    incident = facts.incident
    level = facts.care.level or incident.severity
    about = visible(incident.title, 80)
    if incident.state == "resolved":
        ends = f" at {format_clock(incident.ends)}" if incident.ends is not None else ""
        sentences = [f"{level.label} on {about} is over: nothing fires any more{ends}."]
    else:
        what = f": {_trimmed(incident.summary)}" if incident.summary else ""
        sentences = [f"{level.label} on {about} since {format_clock(incident.since)}{what}."]
        if facts.cause:
            sentences.append(f"Cause: {_trimmed(facts.cause)}.")
    return " ".join([*sentences, *_harm(facts), *_served(facts)])


def actions(facts: CanFacts) -> str:
    """Say what was done, the last three by name, and who holds it."""
    done = [event for event in facts.events if event.kind == "action" and event.by]
    told = [f"{format_clock(event.at)} {event.by}: {_trimmed(event.text)}." for event in done]
    more = len(told) - _TOLD_ACTIONS
    said = " ".join(told[-_TOLD_ACTIONS:])
    if more > 0:
        said = f"{more} earlier. {said}"
    hold = facts.care.hold
    holder = visible(hold.by, 60) if hold is not None else facts.incident.acked_by
    if hold is not None:
        held = f"{holder} holds it since {format_clock(hold.began_at)}."
    else:
        held = f"{holder} holds it." if holder else ""
    return " ".join(part for part in (said or "Nothing was changed yet.", held) if part)


def needs(facts: CanFacts) -> str:
    """Say what has to happen next, the most urgent first, at most three things."""
    wanted = [*_urgent(facts), *_waiting(facts)]
    if not wanted:
        wanted = ["Close it, and say whether the page was useful."]
    return " ".join(wanted[:_NAMED])


def people(
    incident: Incident, care: Care, events: Sequence[TimelineEvent]
) -> tuple[tuple[str, str], ...]:
    """Return who had which part: holder, called, acted, noted; each person's parts together."""
    parts: dict[str, dict[str, None]] = {}

    def add(name: str, part: str) -> None:
        if name:
            parts.setdefault(visible(name, 60), {})[part] = None

    if care.hold is not None:
        add(care.hold.by, "holds it")
    elif incident.acked_by:
        add(incident.acked_by, "holds it")
    for hold in care.held_before:
        add(hold.by, "held it")
    for escalation in care.escalations:
        for name in escalation.to:
            add(name, "called")
    words = {"action": "acted", "note": "wrote notes", "change": "told of a change"}
    for event in events:
        if event.kind in words:
            add(event.by, words[event.kind])
        elif event.kind in ("page", "decision", "state"):
            add(event.by, {"page": "called others", "decision": "decided"}.get(event.kind, "led"))
    return tuple((name, ", ".join(found)) for name, found in parts.items())


def _harm(facts: CanFacts) -> list[str]:
    hurt = [span for span in facts.spans if span.ended_at is None]
    if hurt:
        names = _few(list(dict.fromkeys(span.model for span in hurt)))
        rates = [one.bad_per_minute for one in facts.models if one.bad_per_minute is not None]
        now = f", {format_value(float(round(sum(rates))), 'count')} bad requests a minute"
        began = format_clock(hurt[0].began_at)
        return [f"Users of {names} are hurt since {began}{now if rates else ''}."]
    if facts.clock.mitigated_at is not None:
        return [f"Users are no longer hurt since {format_clock(facts.clock.mitigated_at)}."]
    return []


def _served(facts: CanFacts) -> list[str]:
    off = [f"{one.model} by {one.route} ({one.level})" for one in facts.models if one.off_primary]
    return [f"Served below normal: {_few(off)}."] if off else []


def _urgent(facts: CanFacts) -> list[str]:
    """Return what is missing while it lasts: somebody who holds it, and an end of the harm."""
    if facts.incident.state == "resolved":
        return []
    found = []
    if facts.care.hold is None and not facts.incident.acked_by:
        found.append("Somebody has to take it.")
    hurt = [span for span in facts.spans if span.ended_at is None]
    if hurt:
        models = list(dict.fromkeys(span.model for span in hurt))
        means = "fallback, human review or a trip" if not facts.overrides else "the next rung"
        found.append(f"Stop the harm to users of {_few(models)}: {means}.")
        if facts.incident.dependency:
            found.append(f"{visible(facts.incident.dependency, 60)} has to recover.")
    return found


def _waiting(facts: CanFacts) -> list[str]:
    """Return what is left once users are no longer hurt."""
    open_checks = {check.id: check for check in facts.checks if check.done is False}
    found = []
    mitigated = facts.clock.mitigated_at
    if "clean" in open_checks and mitigated is not None:
        until = mitigated + WATCH_SECONDS
        found.append(f"Watch until {format_clock(until)} that bad requests stay under 0.1%.")
    for override in facts.overrides:
        left = override.left_seconds(facts.now)
        when = "it has no end" if left is None else f"it ends in {format_age(max(0.0, left))}"
        what = f"{visible(override.verb, 20)} {visible(override.target, 60)}"
        found.append(f"End or renew {what}, {when}.")
    if "reviews" in open_checks:
        found.append(f"The review queue is late, {open_checks['reviews'].why}.")
    if facts.incident.state == "resolved" and "decision" in open_checks:
        found.append("Decide on retraining: HOLD where nothing needs it.")
    return found


def _trimmed(text: str) -> str:
    return visible(text, 200).rstrip(". ")


def _few(found: list[str]) -> str:
    more = len(found) - _NAMED
    if more > 0:
        return f"{', '.join(found[:_NAMED])} and {more} more"
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)
