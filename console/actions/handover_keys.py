"""The keys of the handover: its screen, and what is written there; light to import."""

from __future__ import annotations

from console.actions.spec import ActionContext, ActionSpec, Place

_SCREEN: frozenset[Place] = frozenset({"handover"})


def _unwritable(context: ActionContext) -> str | None:
    return context.unwritable or None


WRITE = ActionSpec(
    "act.handover",
    ("W",),
    "Write handover",
    "Write this handover into the journal, for the next person to accept.",
    "Acting",
    places=_SCREEN,
    danger="C1",
    disabled=_unwritable,
    footer=1,
    footer_title="write it",
)
ACCEPT = ActionSpec(
    "act.accept",
    ("A",),
    "Accept handover",
    "Accept, from your own login, the newest handover that somebody else wrote.",
    "Acting",
    places=_SCREEN,
    danger="C1",
    disabled=_unwritable,
    footer=2,
    footer_title="accept",
)

OPEN = ActionSpec(
    "handover",
    ("h",),
    "Handover",
    "What this shift leaves to the next: read it, write it down, accept one.",
    "Looking closer",
    command="handover",
    argument="12h --to NAME",
)

HANDOVER: tuple[ActionSpec, ...] = (OPEN, WRITE, ACCEPT)
