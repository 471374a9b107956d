"""The one gate before every action that changes the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.actions.spec import ActionContext, ActionSpec, Mode


def allowed(spec: ActionSpec, mode: Mode) -> str | None:
    """Return None when ``spec`` may run in this mode, or the sentence that refuses it.

    Keys, palette, commands and direct calls all pass here; hiding a key protects nothing.
    """
    if not spec.writes or mode in ("armed", "open"):
        return None
    return f"{spec.title} changes the world and this session is read-only"


def refusal(spec: ActionSpec, mode: Mode, context: ActionContext) -> str | None:
    """Return why ``spec`` cannot run now: the gate first, then its place, then its own reason."""
    if (reason := allowed(spec, mode)) is not None:
        return reason
    if not spec.in_place(context.place):
        return f"{spec.title} is not for this screen"
    return spec.disabled(context)
