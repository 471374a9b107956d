"""Lists every action that changes the world, for keys, palette, commands and the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.record_actions import INCIDENT_PLACES
from console.actions.spec import ActionContext, ActionSpec, Danger, Place
from console.actions.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Callable


_BOTH: frozenset[Place] = frozenset({"fleet", "model"})


def _possible(verb: str) -> Callable[[ActionContext], str | None]:
    """Return what says why ``verb`` cannot be done to the rows it would be done to."""

    def reason(context: ActionContext) -> str | None:
        if context.unwritable:
            return context.unwritable
        if _names_another(verb, context):
            return None
        if not context.row_count:
            return "there is no model to act on yet"
        return None if context.marked_count else context.unable.get(verb)

    return reason


def _names_another(verb: str, context: ActionContext) -> bool:
    """Tell whether what was typed names its target, so that the row's own state is not asked."""
    words = context.argument.split()
    if not words or words[0].startswith("--") or words[0] == context.model:
        return False
    return verb != "threshold" or len(words) > 1  # a threshold alone is one for the row


def _needs_a_model(context: ActionContext) -> str | None:
    if context.unwritable:
        return context.unwritable
    return None if context.row_count else "there is no model to decide about yet"


def _of_an_operation(context: ActionContext) -> str | None:
    return context.unwritable or None


def _spec(
    verb: str,
    keys: tuple[str, ...],
    title: str,
    tooltip: str,
    danger: Danger,
    argument: str = "",
    footer: int | None = None,
    footer_title: str = "",
) -> ActionSpec:
    return ActionSpec(
        f"act.{verb.replace('-', '_')}",
        keys,
        title,
        tooltip,
        "Acting",
        places=_BOTH | INCIDENT_PLACES if verb == "undo" else _BOTH,
        danger=danger,
        command=verb,
        argument=argument,
        footer=footer,
        footer_title=footer_title,
        disabled=_of_an_operation if verb in ("end", "renew", "undo") else _possible(verb),
    )


DECIDE = ActionSpec(
    "act.decide",
    ("D",),
    "Decide",
    "Write down what is decided about retraining, with the evidence as it is now.",
    "Acting",
    places=_BOTH,
    danger="C1",
    command="decide",
    argument="DECISION",
    footer=12,
    footer_title="decide",
    disabled=_needs_a_model,
)
"""Writing a decision or its outcome, and sending it on, for the same gate as every action."""

WRITES: tuple[ActionSpec, ...] = (
    *(
        _spec(
            verb.name,
            verb.keys,
            verb.label,
            verb.tooltip,
            verb.confirm_class or "none",
            verb.argument,
            verb.footer,
            verb.footer_title,
        )
        for verb in VERBS.values()
    ),
    _spec("end", ("E",), "End", "End the override in force, in its safe state.", "C1", "OP"),
    _spec("renew", (), "Renew", "Give the override in force another end.", "C1", "OP"),
    _spec(
        "undo",
        ("u",),
        "Undo",
        "Go back to the state before your last action, or before :undo OP.",
        "C1",
        "OP",
        8,
    ),
    DECIDE,
)  # fmt: skip

WRITES_BY_VERB = {spec.command: spec for spec in WRITES}
