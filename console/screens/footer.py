"""The bottom line: the keys of this place, from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.gate import refusal
from console.actions.registry import ACTIONS
from console.screens.runs import Piece, RunLine, keys_that_fit
from widgets.lines import Run

if TYPE_CHECKING:
    from console.actions.keymap import Keymap
    from console.actions.spec import ActionContext, ActionSpec, Mode, Place
    from themes.glyphs import Glyphs

_SHOWN_KEYS = {
    "enter": "Enter", "escape": "Esc", "tab": "Tab", "shift+tab": "S-Tab", "pageup": "PgUp",
    "pagedown": "PgDn", "home": "Home", "end": "End", "up": "↑", "down": "↓", "left": "←",
    "right": "→", "space": "Space",
}  # fmt: skip


def key_text(key: str) -> str:
    """Return a key as it is printed on keyboards and in manuals."""
    if key in _SHOWN_KEYS:
        return _SHOWN_KEYS[key]
    if key.startswith("ctrl+"):
        return f"^{key[5:].upper()}"
    return key.upper() if key.startswith("f") and key[1:].isdecimal() else key


def footer_line(
    context: ActionContext, mode: Mode, keys: Keymap, width: int, glyphs: Glyphs
) -> RunLine:
    """Return the keys worth knowing here; what cannot be done now stays, dimmed."""
    specs = sorted(
        (spec for spec in ACTIONS if _belongs(spec, context.place)),
        key=lambda spec: spec.footer or 0,
    )
    pieces = [_piece(spec, context, mode, keys) for spec in specs if keys.first_key(spec.id)]
    return keys_that_fit(pieces, width, glyphs)


def _belongs(spec: ActionSpec, place: Place) -> bool:
    if spec.footer is None or not spec.in_place(place):
        return False
    return spec.footer_places is None or place in spec.footer_places


def _piece(spec: ActionSpec, context: ActionContext, mode: Mode, keys: Keymap) -> Piece:
    shown = _pair(spec, keys) or key_text(keys.first_key(spec.id))
    off = refusal(spec, mode, context) is not None
    rank = {"help": 0, "quit": 1, "model.open": 2, "back": 2}.get(spec.id, (spec.footer or 0) + 2)
    return Piece(
        (
            Run(shown, "dim" if off else "key"),
            Run(f" {spec.footer_title or spec.title.lower()}", "dim"),
        ),
        rank,
    )


def _pair(spec: ActionSpec, keys: Keymap) -> str:
    """Return two keys told as one: up and down, 1-4, longer and shorter."""
    if spec.id == "cursor.up":
        down = keys.first_key("cursor.down")
        return f"{key_text(keys.first_key(spec.id))}{key_text(down)}" if down else ""
    if spec.id == "pane.latency":
        last = keys.first_key("pane.cost")
        return f"{keys.first_key(spec.id)}-{last}" if last else ""
    if spec.id == "range.longer":
        shorter = keys.first_key("range.shorter")
        return f"{shorter} {keys.first_key(spec.id)}" if shorter else ""
    return ""
