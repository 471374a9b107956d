"""Whether this session may change the world, and the actions that one setting bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.gate import ARMED_SECONDS, allowed
from console.actions.refusal import WritesNotAllowed
from console.actions.writes import WRITES, WRITES_BY_VERB
from console.facts.action import Guard

if TYPE_CHECKING:
    from console.facts.action import Mode
    from console.settings.schema import Settings

__all__ = ["ARMED_SECONDS", "WRITES", "WRITES_BY_VERB", "mode_of_command", "require"]


def mode_of_command(settings: Settings) -> Mode:
    """Return what a headless command may do: its own confirmation stands for arming."""
    return "read_only" if settings.writes == "never" else "armed"


def require(verb: str, mode: Mode) -> None:
    """Raise `WritesNotAllowed` unless ``verb`` may change the world in this mode."""
    reason = allowed(WRITES_BY_VERB[verb], mode)
    if reason is not None:
        raise WritesNotAllowed((Guard("read_only", "forbid", reason),))
