"""Computes what must be so before an incident is closed, and its condition, actions and needs;
pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from console.domain.action import Measure
from console.domain.incident import CloseCheck, UpdateDue
from console.domain.text import visible
from console.incidents.event_log import HURT_RATIO
from console.metrics.units import format_age, format_clock, format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.domain.action import Override
    from console.domain.alert import Incident
    from console.domain.incident import Care, IncidentClock, TimelineEvent
    from console.incidents.clock import HurtSpan

_NAMED = 3


@dataclass(frozen=True, slots=True)
class ModelState:
    """How one model of an incident stands now; ``model`` is harmless to show.

    ``bad_ratio`` is the share (0-1) of bad requests within the last 30 minutes; where it is None
    ``bad_unknown`` says why; ``bad_per_minute`` is how many there are now. ``level`` is the rung in
    force, empty where nobody tells; ``oldest`` is the age of the oldest waiting review, ``sla``
    how old it may get, both in seconds.
    """

    model: str
    bad_ratio: float | None = None
    bad_unknown: str = "not measured"
    bad_per_minute: float | None = None
    route: str = ""
    level: str = ""
    oldest: float | None = None
    sla: float | None = None
    has_reviews: bool = False

    @property
    def off_primary(self) -> bool:
        """Tell whether a rung below normal is known to be in force."""
        return self.level not in ("", "L0")


@dataclass(frozen=True, slots=True)
class CloseFacts:
    """What the checklist rests on; ``now`` is Unix seconds.

    ``lower_level`` counts requests served by L2 or L3. ``decisions`` are ids of decisions that
    name the incident. ``acked_by`` is who holds it in an alert server.
    """

    now: float
    care: Care
    models: tuple[ModelState, ...] = ()
    overrides: tuple[Override, ...] = ()
    lower_level: Measure = field(default_factory=Measure)
    decisions: tuple[str, ...] = ()
    acked_by: str = ""


def close_checks(facts: CloseFacts) -> tuple[CloseCheck, ...]:
    """Return the checklist in the order in which it is gone through; unknown is never done."""
    return (
        _clean(facts),
        _routes(facts),
        _overrides(facts),
        _reviews(facts),
        _lower(facts),
        _owner(facts),
        _verdict(facts),
        _decision(facts),
    )


def _clean(facts: CloseFacts) -> CloseCheck:
    text = f"bad requests under {format_value(HURT_RATIO, '%')} for 30 min"
    bad = [
        f"{one.model} {format_value(one.bad_ratio, '%')}"
        for one in facts.models
        if one.bad_ratio is not None and one.bad_ratio >= HURT_RATIO
    ]
    if bad:
        return CloseCheck("clean", text, False, f"over 30 min: {_few(bad)}")
    unknown = [one.bad_unknown for one in facts.models if one.bad_ratio is None]
    if unknown or not facts.models:
        return CloseCheck("clean", text, None, _few(unknown) or "no model of it is known here")
    worst = max((one.bad_ratio or 0.0 for one in facts.models), default=0.0)
    return CloseCheck("clean", text, True, f"{format_value(worst, '%')} over 30 min")


def _routes(facts: CloseFacts) -> CloseCheck:
    text = "all routes on primary"
    off = [f"{one.model} on {one.route} ({one.level})" for one in facts.models if one.off_primary]
    if off:
        return CloseCheck("routes", text, False, _few(off))
    unknown = [one.model for one in facts.models if not one.level]
    if unknown or not facts.models:
        return CloseCheck("routes", text, None, f"nobody tells the route of {_few(unknown) or '?'}")
    return CloseCheck("routes", text, True)


def _overrides(facts: CloseFacts) -> CloseCheck:
    held = [
        f"{visible(one.target, 60)} {visible(one.verb, 20)} {_left(one, facts.now)}"
        for one in facts.overrides
    ]
    return CloseCheck("overrides", "overrides ended", not held, _few(held))


def _left(override: Override, now: float) -> str:
    left = override.left_seconds(now)
    if left is None:
        return "without an end"
    return f"{format_age(left)} left" if left >= 0 else f"overdue {format_age(-left)}"


def _reviews(facts: CloseFacts) -> CloseCheck:
    text = "review queue within its SLA"
    reviewed = [one for one in facts.models if one.has_reviews]
    if not reviewed:
        return CloseCheck("reviews", text, True, "no model of it has a review queue here")
    late = [
        f"{one.model} {format_age(one.oldest)} of {format_age(one.sla)}"
        for one in reviewed
        if one.oldest is not None and one.sla is not None and one.oldest > one.sla
    ]
    if late:
        return CloseCheck("reviews", text, False, f"oldest: {_few(late)}")
    unknown = [one.model for one in reviewed if one.oldest is None or one.sla is None]
    if unknown:
        return CloseCheck("reviews", text, None, f"no age or no SLA of {_few(unknown)}")
    return CloseCheck("reviews", text, True)


def _lower(facts: CloseFacts) -> CloseCheck:
    text = "decisions made at L2 or L3 are listed"
    count = facts.lower_level
    if count.value is None:
        return CloseCheck("lower", text, None, count.unknown)
    if round(count.value) == 0:
        return CloseCheck("lower", text, True, "nothing was served by L2 or L3")
    said = (
        f"{format_value(float(round(count.value)), 'count')} answers by L2 or L3 to look at again"
    )
    return CloseCheck("lower", text, None, said)


def _owner(facts: CloseFacts) -> CloseCheck:
    hold = facts.care.hold
    by = facts.acked_by if hold is None else visible(hold.by, 60)
    return CloseCheck("owner", "somebody holds it", bool(by), by or "nobody does")


def _verdict(facts: CloseFacts) -> CloseCheck:
    closing = facts.care.closing
    if closing is None:
        return CloseCheck("verdict", "was the page useful?", None, "asked when it is closed")
    return CloseCheck("verdict", "was the page useful?", True, closing.verdict)


def _decision(facts: CloseFacts) -> CloseCheck:
    closing = facts.care.closing
    named = [closing.decision] if closing is not None and closing.decision else []
    found = [visible(one, 60) for one in (*named, *facts.decisions)]
    said = _few(list(dict.fromkeys(found)))
    return CloseCheck(
        "decision", "retraining decided", bool(found), said or "no decision names this incident"
    )


def _few(found: list[str]) -> str:
    more = len(found) - _NAMED
    return ", ".join(found[:_NAMED]) + (f" and {more} more" if more > 0 else "")


UPDATE_EVERY_SECONDS: Final = 1800.0
"""Every 20 to 30 minutes is the usual pace of incident response; the longer end, so that what is
called overdue is late by anybody's rule."""

_WORDS: Final = frozenset({"ack", "note", "state"})
_NO_WORDS: Final = ("released", "snooze released")
"""Whoever lets go of an incident has not said how it stands."""


def update_due(
    incident: Incident, care: Care, events: Iterable[TimelineEvent], problem: str = ""
) -> UpdateDue:
    """Return when the next word is due: half an hour after a person's last, or after the begin.

    A word is an acknowledgement, a note, or a change of state that a person made. ``problem`` says
    why nobody can tell what people said, empty where the record was read.
    """
    if not incident.open:
        return UpdateDue(every_seconds=UPDATE_EVERY_SECONDS, why=f"it is {incident.state}")
    if problem:
        return UpdateDue(every_seconds=UPDATE_EVERY_SECONDS, unknown=problem)
    last = max((event.at for event in events if _is_word(event)), default=None)
    begin = _begin(incident, care)
    due_at = (begin if last is None else max(last, begin)) + UPDATE_EVERY_SECONDS
    return UpdateDue(due_at, last, UPDATE_EVERY_SECONDS)


def _is_word(event: TimelineEvent) -> bool:
    return bool(event.by) and event.kind in _WORDS and not event.text.startswith(_NO_WORDS)


def _begin(incident: Incident, care: Care) -> float:
    """Return when it began, or began again after somebody had closed it."""
    if care.closing is None:
        return incident.since
    again = [
        alert.since
        for alert in incident.alerts
        if alert.state == "firing" and alert.since > care.closing.at
    ]
    return min(again, default=incident.since)


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
        names = _few_condition(list(dict.fromkeys(span.model for span in hurt)))
        rates = [one.bad_per_minute for one in facts.models if one.bad_per_minute is not None]
        now = f", {format_value(float(round(sum(rates))), 'count')} bad requests a minute"
        began = format_clock(hurt[0].began_at)
        return [f"Users of {names} are hurt since {began}{now if rates else ''}."]
    if facts.clock.mitigated_at is not None:
        return [f"Users are no longer hurt since {format_clock(facts.clock.mitigated_at)}."]
    return []


def _served(facts: CanFacts) -> list[str]:
    off = [f"{one.model} by {one.route} ({one.level})" for one in facts.models if one.off_primary]
    return [f"Served below normal: {_few_condition(off)}."] if off else []


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
        found.append(f"Stop the harm to users of {_few_condition(models)}: {means}.")
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


def _few_condition(found: list[str]) -> str:
    more = len(found) - _NAMED
    if more > 0:
        return f"{', '.join(found[:_NAMED])} and {more} more"
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)
