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
    ``lost`` the state it was found in instead, before its end.
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

    def left_seconds(self, now: float) -> float | None:
        """Return the seconds until it ends, negative when overdue, None without an end."""
        return None if self.ends_at is None else self.ends_at - now

    def state(self, now: float) -> OverrideState:
        """Return how it stands at ``now``."""
        left = self.left_seconds(now)
        if left is None:
            return "no end"
        if left < 0:
            return "overdue"
        if self.enforced_by == "nobody":
            return "no end"
        return "ends soon" if left <= WARN_SECONDS else "in force"

    @property
    def ends_in(self) -> str:
        """Return the state that follows, in words."""
        return ", ".join(dict.fromkeys(step.action for step in self.end)) or "nothing planned"
