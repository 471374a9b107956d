"""Moving about: the cursor, columns, views, opening and going back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.spec import ActionContext, ActionSpec

if TYPE_CHECKING:
    from console.actions.spec import Place

_FLEET: frozenset[Place] = frozenset({"fleet"})
_VIEWED: frozenset[Place] = frozenset({"model", "incident"})
_CLOSED: frozenset[Place] = frozenset({"model", "incidents", "incident"})

_NO_MODEL = "there is no model to act on yet"


def needs_rows(context: ActionContext) -> str | None:
    """Return why there is nothing under the cursor."""
    if context.row_count:
        return None
    return "no incident is listed" if context.place == "incidents" else _NO_MODEL


MOVING: tuple[ActionSpec, ...] = (
    ActionSpec(
        "cursor.up", ("up", "k"), "Up", "One row up.", "Moving", footer=1, footer_title="move"
    ),
    ActionSpec("cursor.down", ("down", "j"), "Down", "One row down.", "Moving"),
    ActionSpec("cursor.page_up", ("pageup", "ctrl+u"), "Page up", "One screen up.", "Moving"),
    ActionSpec(
        "cursor.page_down", ("pagedown", "ctrl+d"), "Page down", "One screen down.", "Moving"
    ),
    ActionSpec("cursor.first", ("home",), "First", "The first row.", "Moving"),
    ActionSpec("cursor.last", ("end",), "Last", "The last row.", "Moving"),
    ActionSpec(
        "column.left",
        ("left",),
        "Column left",
        "Choose the column to the left, for sorting and for ?.",
        "Moving",
        places=_FLEET,
    ),
    ActionSpec(
        "column.right",
        ("right",),
        "Column right",
        "Choose the column to the right, for sorting and for ?.",
        "Moving",
        places=_FLEET,
    ),
    ActionSpec(
        "model.open",
        ("enter",),
        "Open",
        "Everything about what is under the cursor; on a model, where a number comes from.",
        "Moving",
        command="open",
        argument="MODEL",
        footer=2,
        footer_title="model",
        footer_places=_FLEET,
        disabled=needs_rows,
    ),
    ActionSpec(
        "back",
        ("escape",),
        "Back",
        "Close what is open; on the fleet screen, clear pane, column and filter in this order.",
        "Moving",
        command="back",
        footer=3,
        footer_title="back",
        footer_places=_CLOSED,
    ),
    ActionSpec(
        "view.next",
        ("tab",),
        "Next view",
        "Signals, charts, distribution, lineage, events; of an incident timeline, facts, checks.",
        "Moving",
        places=_VIEWED,
        command="view",
        argument="NAME",
        footer=4,
        footer_title="view",
    ),
    ActionSpec(
        "view.previous",
        ("shift+tab",),
        "Previous view",
        "The same views, backwards.",
        "Moving",
        places=_VIEWED,
    ),
)
