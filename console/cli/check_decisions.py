"""Can each control that decisions are sent on to do what a decision asks of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.verbs import SENDS
from console.controls.declaration import declared, presets
from console.controls.protocol import ControlError
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.settings.schema import Settings

    Checked = tuple[str, bool, str]


def check_decisions(settings: Settings) -> Iterator[Checked]:
    """Yield (key path, well, sentence) of each place of ``models.NAME.decisions``; asks nobody."""
    for model, of_model in settings.models.items():
        for sink, control in of_model.decisions.items():
            key = f"models.{visible(model)}.decisions.{sink}"
            yield key, *_offers(settings, control, SENDS[sink].action)


def _offers(settings: Settings, control: str, action: str) -> tuple[bool, str]:
    """Tell whether a control offers an action, and in a sentence what it offers instead."""
    shown = f"controls.{visible(control)}"
    try:
        made = declared(control, settings.controls[control])
    except ControlError as fault:
        return False, f"{shown}: {visible(str(fault), 600)}"
    if action in made.actions:
        return True, f"{shown} offers {action}"
    found = ", ".join(visible(each, 40) for each in sorted(made.actions)) or "nothing"
    return False, (
        f"{shown} lacks what such a decision needs; found: {found}; allowed: a control that offers "
        f"{action}{_presets_with(action)}, or the table {shown}.actions.{action} of your own"
    )


def _presets_with(action: str) -> str:
    """Return which shipped presets and kinds offer an action, as the end of a sentence."""
    offering = [
        f"{name} with kind = {kind}"
        for name, preset in presets().items()
        for kind, of_kind in preset.kinds.items()
        if action in of_kind.actions
    ]
    return f" (preset {', '.join(offering)})" if offering else ""
