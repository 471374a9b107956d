"""What people did about an incident: who holds it, until when, what was said, how it was closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.facts.severity import Severity

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
    """Whom somebody called for help, and why."""

    at: float
    by: str
    to: tuple[str, ...]
    reason: str


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
