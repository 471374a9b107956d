"""One change of the world from request to outcome, overrides, and refusals, as frozen values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.domain.control import JsonValue, PreparedChange
    from console.domain.entry import ConfirmClass, Json

OutcomeKind = Literal[
    "applied", "no_op", "rejected", "failed", "unverified", "partial", "superseded", "diverged"
]
"""``diverged``: what was sent led to a state that is neither the one before nor the one wanted."""

MAY_HAVE_CHANGED: tuple[OutcomeKind, ...] = ("applied", "partial", "unverified", "diverged")
"""Outcomes after which the world may not be as it was before."""

GuardLevel = Literal["warn", "refuse", "forbid"]
"""``warn`` is shown, ``refuse`` needs break-glass, ``forbid`` nothing overrules."""

Enforcer = Literal["", "service", "keeper", "nobody"]
"""Who ends an override when it is due; empty: there is nothing to end."""

Purpose = Literal["", "end", "renew", "undo"]
"""What a request does to the override it names; empty: it stands for itself."""

Mode = Literal["read_only", "armed", "open"]


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """What somebody wants done, and why.

    ``verb`` is a name of `console.actions.verbs`, ``target`` a model or ``dep:NAME``. ``to`` is a
    rung of the ladder, ``value`` a confidence threshold (0–1), ``ttl_seconds`` None takes the
    verb's usual end. ``ends_op`` names the operation that this request ends, renews or undoes,
    ``decision`` the retraining decision that is sent on; ``verb`` is then where to.
    """

    verb: str
    target: str
    reason: str
    ttl_seconds: float | None = None
    to: str = ""
    value: float | None = None
    incident: str = ""
    purpose: Purpose = ""
    ends_op: str = ""
    drill: bool = False
    decision: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit, age in seconds and samples; without a value, why it is unknown."""

    value: float | None = None
    unit: str = ""
    age_seconds: float | None = None
    n: float | None = None
    unknown: str = "not measured"


@dataclass(frozen=True, slots=True)
class Blast:
    """Whom and what a change touches.

    ``server`` says what serves the row. Rates are a minute, shares 0–1, money USD an hour.
    ``room_enough`` and ``region_allowed`` None mean not known. ``review_rho`` is arrivals over
    capacity once the change is in force.
    """

    models: tuple[str, ...] = ()
    server: str = ""
    moved_per_minute: Measure = field(default_factory=Measure)
    fleet_share: Measure = field(default_factory=Measure)
    tier: int | None = None
    tier_share: Measure = field(default_factory=Measure)
    dependants: tuple[str, ...] = ()
    effect: str = ""
    bad_per_minute: Measure = field(default_factory=Measure)
    room_name: str = ""
    room_per_minute: Measure = field(default_factory=Measure)
    room_enough: bool | None = None
    room_health: str = ""
    review_arrivals_per_minute: Measure = field(default_factory=Measure)
    review_capacity_per_minute: Measure = field(default_factory=Measure)
    review_rho: float | None = None
    cost_per_hour: Measure = field(default_factory=Measure)
    region_from: str = ""
    region_to: str = ""
    region_allowed: bool | None = None
    consent: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """One objection with its stable id and the sentence that gives the reason."""

    id: str
    level: GuardLevel
    sentence: str


@dataclass(frozen=True, slots=True)
class Step:
    """One way to leave a state: an action of a control on some targets, with its variables."""

    control: str
    action: str
    variables: tuple[tuple[str, JsonValue], ...] = ()
    targets: tuple[str, ...] = ()
    shown: str = ""


@dataclass(frozen=True, slots=True)
class PreparedAction:
    """A change ready to be shown, confirmed and sent.

    ``seen_seq`` is the newest entry of the journal when it was prepared. ``digest`` names what is
    asked for, so that a second person confirms exactly this. ``end`` leads to the safe state that
    follows, ``undo`` to the state seen; ``ttl_seconds`` None has nothing to end. ``care`` is what
    stands in the journal about an incident once it is done.
    """

    op_id: str
    request: ActionRequest
    title: str
    prepared_at: float
    seen_seq: int
    changes: tuple[PreparedChange, ...]
    before: str
    wanted: str
    confirm_class: ConfirmClass
    guards: tuple[Guard, ...]
    blast: Blast
    others: tuple[str, ...]
    ttl_seconds: float | None
    enforced_by: Enforcer
    end: tuple[Step, ...]
    undo: tuple[Step, ...]
    undo_problem: str
    command_line: str
    digest: str
    care: Mapping[str, Json] = field(default_factory=dict)

    @property
    def already(self) -> bool:
        """Tell whether everything is as asked for, so that nothing needs sending."""
        return bool(self.changes) and all(each.already for each in self.changes)

    @property
    def forbidden(self) -> tuple[Guard, ...]:
        """Return the objections that nothing overrules."""
        return tuple(guard for guard in self.guards if guard.level == "forbid")

    @property
    def refused(self) -> tuple[Guard, ...]:
        """Return the objections that only break-glass overrules."""
        return tuple(guard for guard in self.guards if guard.level == "refuse")

    @property
    def unproven(self) -> tuple[str, ...]:
        """Return on what the controls rest that no real server of ours has shown."""
        return tuple(
            f"{each.control}: unproven, {each.proof.sentence}"
            for each in self.changes
            if each.proof.unproven
        )


@dataclass(frozen=True, slots=True)
class Together:
    """Several operations that one second person confirms as one: each one's id and digest."""

    members: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, actions: Iterable[PreparedAction]) -> Together:
        """Return the set of exactly these."""
        return cls(tuple((one.op_id, one.digest) for one in actions))

    @property
    def op_id(self) -> str:
        """The id that the set is approved under: its first operation's."""
        return self.members[0][0]

    @property
    def digest(self) -> str:
        """SHA-256 over every id and digest in their order: one more, one less, and it differs."""
        said = "\n".join(f"{op_id} {digest}" for op_id, digest in self.members)
        return hashlib.sha256(f"together\n{said}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How a person said yes.

    ``typed`` is the target's name as typed (C2), ``approved_by`` the second person's account (C3),
    ``break_glass`` the reason for going without, ``by_yes`` that ``--yes`` stood for the asking.
    ``together`` is the set that the second person confirmed, None for this operation alone.
    """

    yes: bool = False
    typed: str = ""
    approved_by: str = ""
    break_glass: str = ""
    by_yes: bool = False
    together: Together | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change, judged by reading the world back; ``after`` are states by target.

    ``watch_until`` (Unix seconds) is set where the service took the change and does not show it
    yet: until then it may still come true. ``recorded`` is False where the journal could not take
    the outcome.
    """

    op_id: str
    kind: OutcomeKind
    sentence: str
    done: int = 0
    total: int = 0
    after: tuple[tuple[str, str], ...] = ()
    at: float = 0.0
    ends_at: float | None = None
    unknown_targets: tuple[str, ...] = ()
    watch_until: float | None = None
    recorded: bool = True

    @property
    def in_force(self) -> bool:
        """Tell whether the change is, or may be, in force on some target as far as was read.

        What reads as before is not in force, though it may still come (``watch_until``).
        """
        if self.kind == "unverified":
            return self.watch_until is None or bool(self.unknown_targets)
        return self.kind in ("applied", "partial")


class ActionRefused(Exception):
    """A guard speaks against it; nothing was sent. ``guards`` say which, each with its reason."""

    def __init__(self, guards: tuple[Guard, ...]) -> None:
        super().__init__("; ".join(guard.sentence for guard in guards))
        self.guards = guards

    @classmethod
    def forbidden(cls, guard: str, sentence: str) -> ActionRefused:
        """Return the refusal by one objection that nothing overrules."""
        return cls((Guard(guard, "forbid", sentence),))


class WritesNotAllowed(ActionRefused):
    """This session may not change the world."""


class NotConfirmed(ActionRefused):
    """The confirmation does not reach what the class of the change asks for."""


CLOCK_SLACK_SECONDS = 60.0
"""How far two hosts' clocks may stand apart before what one wrote counts as from the future."""

WARN_SECONDS = 300.0
"""How long before its end an override begins to say so."""

OverrideState = Literal["in force", "ends soon", "overdue", "no end"]


@dataclass(frozen=True, slots=True)
class Override:
    """One override in force, as the journal tells it; times in Unix seconds.

    ``op_id`` is the operation that began it, ``seq`` that entry. ``enforced_by`` says who ends it,
    ``end`` how. ``certain`` is False where reading back could not tell whether it took hold, and
    ``lost`` the state it was found in instead, before its end. ``kept`` tells whether a keeper
    lived when the journal was last read, None where that is not known. ``row`` is the id of the
    row that was meant, empty for what was written without one.
    """

    op_id: str
    seq: int
    verb: str
    target: str
    wanted: str
    controls: tuple[str, ...]
    by: str
    reason: str
    began_at: float
    ends_at: float | None
    enforced_by: Enforcer
    end: tuple[Step, ...]
    undo: tuple[Step, ...]
    desired: tuple[str, ...] = ()
    incident: str = ""
    certain: bool = True
    drill: bool = False
    to: str = ""
    value: float | None = None
    lost: str = ""
    kept: bool | None = None
    row: str = ""

    def left_seconds(self, now: float) -> float | None:
        """Return the seconds until it ends, negative when overdue, None without an end."""
        return None if self.ends_at is None else self.ends_at - now

    def ahead_seconds(self, now: float) -> float:
        """Return how far its beginning lies ahead of ``now``; 0 for less than two clocks differ."""
        ahead = self.began_at - now
        return ahead if ahead > CLOCK_SLACK_SECONDS else 0.0

    def enforcer(self, *, keeper_lives: bool | None = None) -> Enforcer:
        """Return who ends it as things are now.

        ``keeper_lives`` None takes what was last read; where nothing was, who was to end it when
        it began.
        """
        lives = self.kept if keeper_lives is None else keeper_lives
        if self.enforced_by == "service" or lives is None:
            return self.enforced_by
        return "keeper" if lives else "nobody"

    def state(self, now: float, *, keeper_lives: bool | None = None) -> OverrideState:
        """Return how it stands at ``now``; ``keeper_lives`` as for `enforcer`."""
        left = self.left_seconds(now)
        if left is None:
            return "no end"
        if left < 0:
            return "overdue"
        if self.enforcer(keeper_lives=keeper_lives) not in ("service", "keeper"):
            return "no end"
        return "ends soon" if left <= WARN_SECONDS else "in force"

    @property
    def ends_in(self) -> str:
        """Return the state that follows, in words."""
        return ", ".join(dict.fromkeys(step.action for step in self.end)) or "nothing planned"
