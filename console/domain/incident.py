"""An incident as a whole: who holds it, notes, earlier ones like it, its view."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from console.domain.action import Measure
from console.domain.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.domain.action import Override
    from console.domain.alert import Incident

HoldKind = Literal["ack", "snooze"]
Verdict = Literal["useful", "noise", "unclear"]

INCIDENT_PREFIX = "inc:"
"""An incident as the target of an action and of journal entries: ``inc:ID``."""

CareVerb = Literal[
    "ack",  # take it, or hold it longer
    "release",  # let it go
    "snooze",
    "escalate",
    "merge",
    "severity",
    "note",
    "change",  # something changed in the world, of which no metric tells
    "close",
    "undo",  # take an ack, a snooze, a severity or a merge back within 30 s
]

CARE_VERBS: tuple[CareVerb, ...] = get_args(CareVerb)

LOCAL = "local"
"""What is shown as the place of a hold that only the journal knows of."""

NOTHING_TO_DECIDE = "HOLD"
"""What stands in the place of a decision where an incident asked for none."""

ACK_AGES_SECONDS = 4 * 3600.0
"""An acknowledgement older than this is an S3 of its own: somebody holds it and nothing moves."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An acknowledgement or a snooze as the journal tells it; times in Unix seconds.

    It has an owner, an age and an end, and is no silence of the alert's own. ``op_id`` is the
    operation that took it, ``account`` the login behind ``by``. ``place`` names the alert sources
    that know of it too, empty: only the journal does (shown as ``local``). ``certain`` is False
    where reading back could not tell whether they took it. ``title``, ``level``, ``models`` and
    ``dependency`` say what the incident was to whoever took it; names are raw.
    """

    op_id: str
    seq: int
    incident: str
    kind: HoldKind
    by: str
    account: str
    reason: str
    began_at: float
    ends_at: float
    next_check_at: float | None = None
    place: str = ""
    certain: bool = True
    title: str = ""
    level: str = ""
    models: tuple[str, ...] = ()
    dependency: str = ""

    @property
    def where(self) -> str:
        """Return which alert source knows of it, ``local`` where none does."""
        return self.place or LOCAL

    def left_seconds(self, now: float) -> float:
        """Return the seconds until it ends, negative when that is past."""
        return self.ends_at - now

    def age_seconds(self, now: float) -> float:
        """Return how long it has been held."""
        return max(0.0, now - self.began_at)


@dataclass(frozen=True, slots=True)
class IncidentNote:
    """One note; ``text`` is as it was typed."""

    at: float
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Escalation:
    """Whom somebody called for help, and why.

    ``through`` is the control that was told, "" where it stands in the record alone; ``became`` is
    "taken", "refused" or "unclear", ``said`` what the receiver answered.
    """

    at: float
    by: str
    to: tuple[str, ...]
    reason: str
    through: str = ""
    became: str = ""
    said: str = ""

    @property
    def words(self) -> str:
        """Return who was called and how far that got; what stands in the record called nobody."""
        names = ", ".join(self.to) or "nobody"
        if not self.through:
            return f"escalated to {names} (in the record alone)"
        return {
            "refused": f"tried to call {names} through {self.through}: refused, nobody was called",
            "taken": f"called {names} through {self.through} (taken, cannot be read back)",
        }.get(self.became, f"called {names} through {self.through} (not known whether it arrived)")


@dataclass(frozen=True, slots=True)
class Closing:
    """How an incident was closed: whether its page was useful, and what was decided on retraining.

    ``decision`` is a decision's id, or the word HOLD where nothing needed deciding.
    """

    at: float
    by: str
    verdict: Verdict
    reason: str
    decision: str = ""


@dataclass(frozen=True, slots=True)
class CareWish:
    """What somebody wants done about an incident; what a verb does not use is left alone.

    ``incident`` is an incident's id, or the model or ``dep:NAME`` whose incident is meant; for a
    change what changed (may be empty). ``reason`` is why, for a note and a change their text; an
    ack without one says "looking". ``ttl_seconds`` and ``next_check_seconds`` count from now.
    ``to`` are the names that an escalation calls, ``into`` the incident that is merged into,
    ``level`` "S1" to "S4". ``decision`` is a decision's id or HOLD. ``at`` is when something
    changed (Unix seconds, None: now), ``op_id`` what an undo takes back. ``confirmed`` says that a
    person was asked, which only a snooze of more than an hour needs.
    """

    verb: CareVerb
    incident: str = ""
    reason: str = ""
    ttl_seconds: float | None = None
    next_check_seconds: float | None = None
    to: tuple[str, ...] = ()
    into: str = ""
    level: str = ""
    verdict: str = ""
    decision: str = ""
    at: float | None = None
    op_id: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Care:
    """What people did about one incident since it began; ``incident`` is its id.

    ``level`` is the severity a person gave it, None: that of its alerts. ``merged_into`` is the
    incident it was merged into, ``merged`` are those merged into it. ``held_before`` are holds that
    ended. An incident's id returns with its cause: what was written before ``since`` belongs to an
    earlier occurrence and is not in here.
    """

    incident: str
    since: float
    hold: Hold | None = None
    held_before: tuple[Hold, ...] = ()
    level: Severity | None = None
    level_by: str = ""
    level_reason: str = ""
    merged_into: str = ""
    merged: tuple[str, ...] = ()
    notes: tuple[IncidentNote, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    closing: Closing | None = None


def holds_of(care: Mapping[str, Care]) -> tuple[Hold, ...]:
    """Return what is held now, the oldest first."""
    held = [each.hold for each in care.values() if each.hold is not None]
    return tuple(sorted(held, key=lambda one: (one.began_at, one.op_id)))


def hold_on(care: Mapping[str, Care], model: str) -> Hold | None:
    """Return the oldest hold on an incident that touches a model, None while nobody has one."""
    return next((each for each in holds_of(care) if model in each.models), None)


Likeness = Literal["dependency", "model and rule", "alert", "model"]
"""Why an earlier incident is held to be like one, the strongest reason first."""

LEFT_TO_DO = re.compile(r"\b(?:todo|follow[ -]?up|action item)\b", re.IGNORECASE)
"""The words by which people mark what is left to do, in a note or when they close an incident."""

BLOCKS = 24
BLOCK_SECONDS = 86400.0
"""A block is a day: what returns every night shows, and what flaps tonight is counted elsewhere."""


class Earlier(Struct, frozen=True, kw_only=True):
    """One earlier incident; times in Unix seconds, None: not on the record. Texts are harmless.

    ``shared`` names what it has in common with the later one: dependency, model or alert, and
    ``rule`` the rule where that is the same too. ``level`` is the worst it is known to have had.
    ``mitigated_at`` is when nobody was hurt any more, ``ended_at`` when it was closed or, where
    nobody closed it, when its alerts were first missed. ``verdict`` is empty where nobody judged
    its page. ``closing`` is what was said when it was closed, ``done`` what was done meanwhile:
    neither proves what mended it. ``decided`` are decisions on retraining because of it with where
    they stand now, ``left`` what somebody wrote that is to be done; whether it was done, no record
    tells.
    """

    id: str
    since: float
    alike: Likeness
    shared: str
    title: str = ""
    rule: str = ""
    level: Severity = Severity.UNKNOWN
    acked_at: float | None = None
    mitigated_at: float | None = None
    ended_at: float | None = None
    closed_by: str = ""
    verdict: str = ""
    closing: str = ""
    merged_into: str = ""
    done: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def took(self, moment: float | None) -> float | None:
        """Return the seconds from its beginning to ``moment``; None: that is not known."""
        return None if moment is None else max(0.0, moment - self.since)


class SameBefore(Struct, frozen=True, kw_only=True):
    """What the record knows of incidents like one, before it.

    ``earlier`` are the most alike first, the newest first of those, at most a few; ``begins`` is
    when each that is alike began, the one they are compared with included, oldest first.
    ``since`` is how far back the record was read (Unix seconds), None: nothing was ever written.
    ``unknown`` says why nothing is known; empty where the record was read. ``doubt`` is what may
    be missing all the same.
    """

    earlier: tuple[Earlier, ...] = ()
    begins: tuple[float, ...] = ()
    since: float | None = None
    unknown: str = ""
    doubt: str = ""

    @property
    def known(self) -> int:
        """How many there were before, those not told in full included."""
        return max(0, len(self.begins) - 1)

    def blocks(self, now: float) -> tuple[int | None, ...]:
        """Return how many began in each of the last 24 days, the newest last.

        A day counts back from ``now``. None is a day of which the record does not tell, or not
        all of it, unless it tells of some.
        """
        if self.unknown:
            return (None,) * BLOCKS
        first = now - BLOCKS * BLOCK_SECONDS
        counts = [0] * BLOCKS
        for at in self.begins:
            if first < at <= now:
                counts[min(BLOCKS - 1, int((at - first) / BLOCK_SECONDS))] += 1
        told_from = now if self.since is None else self.since
        return tuple(
            count if count or first + place * BLOCK_SECONDS >= told_from else None
            for place, count in enumerate(counts)
        )


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
