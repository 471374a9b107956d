"""Arming: how long this console may change the world, under the one ``writes`` setting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.actions.gate_of_writes import ARMED_SECONDS
from console.actions.refusal import WritesNotAllowed
from console.facts.action import Guard

if TYPE_CHECKING:
    from console.facts.action import Mode
    from console.settings.schema import Settings

NEVER = 'the configuration says writes = "never"; no flag or key can raise it'
READ_ONLY = "this console was started with --read-only"


@dataclass(frozen=True, slots=True)
class Arming:
    """Whether this session may change the world, and until when (Unix seconds)."""

    forbidden: str = ""
    always: bool = False
    until: float = 0.0

    @classmethod
    def start(
        cls, settings: Settings, now: float, *, write: bool = False, read_only: bool = False
    ) -> Arming:
        """Return the state at start; ``write`` and ``read_only`` are the flags of those names."""
        if settings.writes == "never":
            return cls(forbidden=NEVER)
        if read_only:
            return cls(forbidden=READ_ONLY)
        if settings.writes == "open":
            return cls(always=True)
        return cls(until=now + ARMED_SECONDS if write else 0.0)

    def mode(self, now: float) -> Mode:
        """Return what may be done at ``now``."""
        if self.forbidden:
            return "read_only"
        if self.always:
            return "open"
        return "armed" if now < self.until else "read_only"

    def left_seconds(self, now: float) -> float | None:
        """Return how long it stays armed; 0 when it is not, None when it always is."""
        if self.always and not self.forbidden:
            return None
        return 0.0 if self.forbidden else max(0.0, self.until - now)

    def armed(self, now: float) -> Arming:
        """Return it armed for 30 minutes from ``now``; raises `WritesNotAllowed`."""
        if self.forbidden:
            raise WritesNotAllowed((Guard("read_only", "forbid", self.forbidden),))
        return self if self.always else replace(self, until=now + ARMED_SECONDS)

    def disarmed(self) -> Arming:
        """Return it no longer armed."""
        return replace(self, always=False, until=0.0)
