"""What can be done to a model or a dependency: the verbs, and the control that carries each out."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.actions.record_actions import INCIDENT_PLACES
from console.actions.spec import ActionContext, ActionSpec, Danger, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.domain.entry import ConfirmClass

DEFAULT_TTL_SECONDS = 3600.0
LONGEST_TTL_SECONDS = 7 * 86400.0
SHORTEST_TTL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    ``roles`` are the control roles that can carry it out, first wins; ``action`` is the control's
    action. ``holds`` tells that the state is held by hand and so must have an end. ``risky`` is a
    change that lets more harm through: on tier 1 it needs a second person. ``safe_end`` is the
    action that leads to the safe state where the state seen before is not safe by itself.
    ``serves`` is False where nothing that answers requests is touched, so that no traffic counts.
    """

    name: str
    title: str
    roles: tuple[str, ...]
    action: str
    confirm_class: ConfirmClass
    holds: bool = False
    risky: bool = False
    safe_end: str = ""
    for_dependency: bool = False
    effect: str = ""
    serves: bool = True


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        verb.name: verb
        for verb in (
            Verb(
                "trip",
                "Force open the breaker of",
                ("breaker",),
                "trip",
                "C1",
                holds=True,
                safe_end="half-open",
                for_dependency=True,
                effect="every call is refused",
            ),
            Verb(
                "half-open",
                "Half-open the breaker of",
                ("breaker",),
                "half-open",
                "C1",
                for_dependency=True,
                effect="a few probes pass and decide; the rest is refused",
            ),
            Verb(
                "reset",
                "Force closed the breaker of",
                ("breaker",),
                "reset",
                "C2",
                risky=True,
                for_dependency=True,
                effect="every call passes again",
            ),
            Verb(
                "disable",
                "Disable the breaker of",
                ("breaker",),
                "disable",
                "C2",
                holds=True,
                risky=True,
                safe_end="half-open",
                for_dependency=True,
                effect="nothing is ever refused: unprotected",
            ),
            Verb(
                "watch",
                "Only watch with the breaker of",
                ("breaker",),
                "watch",
                "C2",
                holds=True,
                risky=True,
                safe_end="half-open",
                for_dependency=True,
                effect="failures are counted, nothing is refused",
            ),
            Verb(
                "fallback",
                "Switch",
                ("route",),
                "fallback",
                "C1",
                holds=True,
                effect="another rung of the ladder answers",
            ),
            Verb(
                "restore",
                "Restore",
                ("route", "human"),
                "restore",
                "C1",
                effect="the model itself answers again",
            ),
            Verb(
                "human",
                "Send to people everything for",
                ("human", "route"),
                "human",
                "C1",
                holds=True,
                effect="people answer every request",
            ),
            Verb(
                "threshold",
                "Move the confidence threshold of",
                ("threshold",),
                "threshold",
                "C2",
                holds=True,
                effect="answers with less confidence go to people",
            ),
            Verb(
                "rollback",
                "Roll back",
                ("route",),
                "rollback",
                "C2",
                effect="the version before serves again",
            ),
        )
    }
)
"""Every verb by name; the names are the commands."""

SENDS: Mapping[str, Verb] = MappingProxyType(
    {
        verb.name: verb
        for verb in (
            Verb(
                "tags",
                "Tag in the registry",
                (),
                "tag",
                "C1",
                effect="the registry says what was decided; nothing that serves changes",
                serves=False,
            ),
            Verb(
                "alias",
                "Move the registry's alias of",
                (),
                "alias",
                "C2",
                effect="servers that load by the alias take the other version when they load again",
                serves=False,
            ),
            Verb(
                "annotate",
                "Mark on the charts a decision about",
                (),
                "annotate",
                "C1",
                effect="charts show when it was decided; nothing that serves changes",
                serves=False,
            ),
            Verb(
                "retrain",
                "Start the retraining of",
                (),
                "retrain",
                "C1",
                effect="training begins where it is done; nothing that serves changes yet",
                serves=False,
            ),
        )
    }
)
"""Where a decision is sent on, by the name of the sink; each asks its control for its action."""

_ACTION_VERBS = {verb.action: verb for verb in (*VERBS.values(), *SENDS.values())}


def slot_of(verb: str) -> str:
    """Return what a verb holds by hand; two overrides of one slot of a target exclude each other.

    People are one more place that traffic goes to, so ``human`` holds the route.
    """
    found = VERBS.get(verb)
    role = found.roles[0] if found is not None else verb
    return "route" if role == "human" else role


def verb_of_action(action: str) -> Verb | None:
    """Return the verb that a control's action stands for, None for one without a verb."""
    return _ACTION_VERBS.get(action)


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
    _spec(
        "trip",
        ("T",),
        "Trip",
        "Force the breaker open: every call is refused; :trip dep:NAME does it to a dependency.",
        "C1",
        "TARGET",
        5,
        "trip",
    ),
    _spec(
        "half-open", ("K",), "Half-open", "Let a few probes pass and decide.", "C1", "TARGET", 13,
        "half",
    ),
    _spec("reset", ("C",), "Close", "Force the breaker closed: every call passes.", "C2", "TARGET"),
    _spec(
        "fallback", ("F",), "Fallback", "Let another rung of the ladder answer.", "C1", "NAME", 6,
        "fallb",
    ),
    _spec("restore", ("R",), "Restore", "Let the model itself answer again.", "C1", "MODEL"),
    _spec(
        "human", ("H",), "Human review", "Let people answer every request.", "C1", "MODEL", 7,
        "human",
    ),
    _spec(
        "threshold", (), "Threshold", "Move the confidence under which people look.", "C2", "VALUE"
    ),
    _spec("rollback", (), "Roll back", "Let the version before serve again.", "C2", "MODEL"),
    _spec("disable", (), "Disable breaker", "Let the breaker refuse nothing.", "C2", "TARGET"),
    _spec("watch", (), "Watch only", "Let the breaker count and refuse nothing.", "C2", "TARGET"),
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
