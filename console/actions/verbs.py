"""What can be done to a model or a dependency: the verbs, and the control that carries each out."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.domain.entry import ConfirmClass

DEFAULT_TTL_SECONDS = 3600.0
LONGEST_TTL_SECONDS = 7 * 86400.0
SHORTEST_TTL_SECONDS = 1.0


class Verb(Struct, frozen=True):
    """One verb.

    ``roles`` are the control roles that can carry it out, first wins; ``action`` is the control's
    action. ``holds`` tells that the state is held by hand and so must have an end. ``risky`` is a
    change that lets more harm through: on tier 1 it needs a second person. ``safe_end`` is the
    action that leads to the safe state where the state seen before is not safe by itself.
    ``serves`` is False where nothing that answers requests is touched, so that no traffic counts.
    ``keys``, ``label``, ``tooltip``, ``argument`` and ``footer`` are how the console offers it.
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
    keys: tuple[str, ...] = ()
    label: str = ""
    tooltip: str = ""
    argument: str = ""
    footer: int | None = None
    footer_title: str = ""


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
                keys=("T",),
                label="Trip",
                tooltip=(
                    "Force the breaker open: every call is refused; :trip dep:NAME does it to a "
                    "dependency."
                ),
                argument="TARGET",
                footer=5,
                footer_title="trip",
            ),
            Verb(
                "half-open",
                "Half-open the breaker of",
                ("breaker",),
                "half-open",
                "C1",
                for_dependency=True,
                effect="a few probes pass and decide; the rest is refused",
                keys=("K",),
                label="Half-open",
                tooltip="Let a few probes pass and decide.",
                argument="TARGET",
                footer=13,
                footer_title="half",
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
                keys=("C",),
                label="Close",
                tooltip="Force the breaker closed: every call passes.",
                argument="TARGET",
            ),
            Verb(
                "fallback",
                "Switch",
                ("route",),
                "fallback",
                "C1",
                holds=True,
                effect="another rung of the ladder answers",
                keys=("F",),
                label="Fallback",
                tooltip="Let another rung of the ladder answer.",
                argument="NAME",
                footer=6,
                footer_title="fallb",
            ),
            Verb(
                "restore",
                "Restore",
                ("route", "human"),
                "restore",
                "C1",
                effect="the model itself answers again",
                keys=("R",),
                label="Restore",
                tooltip="Let the model itself answer again.",
                argument="MODEL",
            ),
            Verb(
                "human",
                "Send to people everything for",
                ("human", "route"),
                "human",
                "C1",
                holds=True,
                effect="people answer every request",
                keys=("H",),
                label="Human review",
                tooltip="Let people answer every request.",
                argument="MODEL",
                footer=7,
                footer_title="human",
            ),
            Verb(
                "threshold",
                "Move the confidence threshold of",
                ("threshold",),
                "threshold",
                "C2",
                holds=True,
                effect="answers with less confidence go to people",
                keys=(),
                label="Threshold",
                tooltip="Move the confidence under which people look.",
                argument="VALUE",
            ),
            Verb(
                "rollback",
                "Roll back",
                ("route",),
                "rollback",
                "C2",
                effect="the version before serves again",
                keys=(),
                label="Roll back",
                tooltip="Let the version before serve again.",
                argument="MODEL",
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
                keys=(),
                label="Disable breaker",
                tooltip="Let the breaker refuse nothing.",
                argument="TARGET",
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
                keys=(),
                label="Watch only",
                tooltip="Let the breaker count and refuse nothing.",
                argument="TARGET",
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
