"""One incident as a whole: what happened, what it cost, who works on it, what is left to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from console.facts.action import Measure
from console.facts.earlier import SameBefore

if TYPE_CHECKING:
    from console.facts.alert import Incident
    from console.facts.care import Care
    from console.facts.override import Override

EventKind = Literal[
    "change",  # a deploy, a configuration, a model version
    "signal",  # a rule began or ceased to hold
    "impact",  # users began or ceased to be hurt
    "detect",  # the first page-worthy rule or alert
    "auto",  # a breaker, a route or a limiter moved by itself
    "alert",  # another system's alert began or ended
    "ack",  # taken, renewed, released, snoozed
    "action",  # somebody changed the world; ``before``, ``after`` and ``effect`` say how
    "note",
    "page",  # an escalation
    "decision",
    "state",  # merged, severity given, closed, resolved
]


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of a timeline; ``at`` is Unix seconds, every text is harmless to show.

    ``source`` says what is the witness: the journal (``#10482``), an alert place, a metric.
    ``before``, ``after`` and ``effect`` belong to actions.
    """

    at: float
    kind: EventKind
    text: str
    by: str = ""
    source: str = ""
    op_id: str = ""
    before: str = ""
    after: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class IncidentImpact:
    """What an incident did to users and money from its beginning to ``until`` (Unix seconds).

    Counts are requests; ``lower_level`` was served by L2 or L3 and may have to be looked at again.
    ``excess_usd`` is spend above what is normal, ``budget_spent`` the share (0-1) of the error
    budget of the SLO window. What nobody measures says so and is never 0.
    """

    until: float
    refused: Measure = field(default_factory=Measure)
    failed: Measure = field(default_factory=Measure)
    lower_level: Measure = field(default_factory=Measure)
    reviews_added: Measure = field(default_factory=Measure)
    reviews_late: Measure = field(default_factory=Measure)
    excess_usd: Measure = field(default_factory=Measure)
    budget_spent: Measure = field(default_factory=Measure)
    regions: str = ""


@dataclass(frozen=True, slots=True)
class IncidentClock:
    """When what happened, in Unix seconds; None: not yet, or nobody knows.

    TTD, TTA, TTM and TTR are counted from ``impact_at``: to detection, to the first
    acknowledgement, to mitigation (users no longer hurt, something may still be in force), to
    the end of the incident.
    """

    impact_at: float | None = None
    detected_at: float | None = None
    acked_at: float | None = None
    mitigated_at: float | None = None
    resolved_at: float | None = None

    def since_impact(self, moment: float | None) -> float | None:
        """Return the seconds from the impact's beginning to ``moment``; None: one is not known."""
        if moment is None or self.impact_at is None:
            return None
        return max(0.0, moment - self.impact_at)


@dataclass(frozen=True, slots=True)
class UpdateDue:
    """When those who wait for word are to be told again; times in Unix seconds.

    ``last_at`` is the last word of a person, None: nobody has said anything. Without ``due_at``
    nothing is due and ``why`` says why, or nobody can tell and ``unknown`` says why.
    """

    due_at: float | None = None
    last_at: float | None = None
    every_seconds: float = 0.0
    why: str = ""
    unknown: str = ""

    def overdue_seconds(self, now: float) -> float | None:
        """Return for how long it is overdue, None while it is not."""
        late = -1.0 if self.due_at is None else now - self.due_at
        return late if late >= 0.0 else None


@dataclass(frozen=True, slots=True)
class CloseCheck:
    """One line of the close checklist; ``done`` None: not known, ``why`` says what it rests on."""

    id: str
    text: str
    done: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class IncidentView:
    """Everything the incident screen, the handover and the postmortem say of one incident.

    ``condition``, ``actions`` and ``needs`` are the CAN report, one sentence or a few each.
    ``events`` are oldest first. ``people`` is who and in which part. ``before`` are incidents of
    the past that are like it.
    """

    incident: Incident
    care: Care
    at: float
    events: tuple[TimelineEvent, ...] = ()
    condition: str = ""
    actions: str = ""
    needs: str = ""
    impact: IncidentImpact = field(default_factory=lambda: IncidentImpact(0.0))
    clock: IncidentClock = field(default_factory=IncidentClock)
    people: tuple[tuple[str, str], ...] = ()
    overrides: tuple[Override, ...] = ()
    checks: tuple[CloseCheck, ...] = ()
    update: UpdateDue = field(default_factory=lambda: UpdateDue(unknown="not looked for"))
    before: SameBefore = field(default_factory=lambda: SameBefore(unknown="not looked for"))
