"""A state held by hand, with its author and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from console.facts.action import Enforcer, Step

WARN_SECONDS = 300.0
"""How long before its end an override begins to say so."""

OverrideState = Literal["in force", "ends soon", "overdue", "no end"]


@dataclass(frozen=True, slots=True)
class Override:
    """One override in force, as the journal tells it; times in Unix seconds.

    ``op_id`` is the operation that began it, ``seq`` that entry. ``enforced_by`` says who ends it,
    ``end`` how. ``certain`` is False where reading back could not tell whether it took hold, and
    ``lost`` the state it was found in instead, before its end. ``kept`` tells whether a keeper
    lived when the journal was last read, None where that is not known.
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

    def left_seconds(self, now: float) -> float | None:
        """Return the seconds until it ends, negative when overdue, None without an end."""
        return None if self.ends_at is None else self.ends_at - now

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
