"""Whether this session may change the world, and the actions that one setting bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.gate import allowed
from console.actions.refusal import WritesNotAllowed
from console.actions.spec import ActionSpec
from console.facts.action import Guard

if TYPE_CHECKING:
    from console.actions.spec import ActionContext, Place
    from console.facts.action import Mode
    from console.settings.schema import Settings

ARMED_SECONDS = 1800.0
"""How long a console stays armed."""

_BOTH: frozenset[Place] = frozenset({"fleet", "model"})


def _needs_rows(context: ActionContext) -> str | None:
    return None if context.row_count else "there is no model to act on yet"


def _spec(
    verb: str, keys: tuple[str, ...], title: str, tooltip: str, danger: str, argument: str = ""
) -> ActionSpec:
    return ActionSpec(
        f"act.{verb.replace('-', '_')}",
        keys,
        title,
        tooltip,
        "Acting",
        places=_BOTH,
        danger=danger,  # type: ignore[arg-type]
        command=verb,
        argument=argument,
        disabled=_needs_rows,
    )


WRITES: tuple[ActionSpec, ...] = (
    _spec("trip", ("T",), "Trip", "Force the breaker open: every call is refused.", "C1"),
    _spec("half-open", ("K",), "Half-open", "Let a few probes pass and decide.", "C1"),
    _spec("reset", ("C",), "Close", "Force the breaker closed: every call passes.", "C2"),
    _spec("fallback", ("F",), "Fallback", "Let another rung of the ladder answer.", "C1", "NAME"),
    _spec("restore", ("B",), "Restore", "Let the model itself answer again.", "C1"),
    _spec("human", ("H",), "Human review", "Let people answer every request.", "C1"),
    _spec(
        "threshold", (), "Threshold", "Move the confidence under which people look.", "C2", "VALUE"
    ),
    _spec("rollback", (), "Roll back", "Let the version before serve again.", "C2"),
    _spec("disable", (), "Disable breaker", "Let the breaker refuse nothing.", "C2"),
    _spec("watch", (), "Watch only", "Let the breaker count and refuse nothing.", "C2"),
    _spec("end", ("E",), "End", "End the override in force, in its safe state.", "C1"),
    _spec("renew", (), "Renew", "Give the override in force another end.", "C1", "TTL"),
    _spec("undo", ("u",), "Undo", "Go back to the state seen before.", "C1"),
)
"""Every action that changes the world, for keys, palette, commands and the gate alike."""

WRITES_BY_VERB = {spec.command: spec for spec in WRITES}


def mode_of_command(settings: Settings) -> Mode:
    """Return what a headless command may do: its own confirmation stands for arming."""
    return "read_only" if settings.writes == "never" else "armed"


def require(verb: str, mode: Mode) -> None:
    """Raise `WritesNotAllowed` unless ``verb`` may change the world in this mode."""
    reason = allowed(WRITES_BY_VERB[verb], mode)
    if reason is not None:
        raise WritesNotAllowed((Guard("read_only", "forbid", reason),))
