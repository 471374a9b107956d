"""Lists every action once; keys, footer, help, palette, commands and docs are made from it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from console.actions.record_actions import CARE_WRITES, HANDOVER, LOOKS, ROW_PLACES
from console.actions.spec import ActionContext, ActionSpec, Place
from console.actions.write_actions import WRITES

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTINGS = (
    ActionSpec(
        "decisions",
        (),
        "Decisions",
        "Every retraining decision: what is due first, what was sent on, what came of it.",
        "Acting",
        command="decisions",
    ),
    ActionSpec(
        "money",
        ("$",),
        "Cost",
        "What was spent by model, team, component or use; budgets, forecasts, waste, changes.",
        "Looking closer",
        command="cost",
    ),
)

SUSPEND_KEY = "ctrl+z"

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

_MODEL: frozenset[Place] = frozenset({"model"})

GROUPS = (
    "Moving",
    "Finding",
    "Looking closer",
    "Acting",
    "Incidents",
    "Order",
    "Screen",
    "Console",
)
"""The groups of help and docs, in their order."""


def _needs_moves(context: ActionContext) -> str | None:
    return None if context.pending_moves else "no rows are waiting to move"


def _needs_column(context: ActionContext) -> str | None:
    if context.column or context.argument or context.place == "model":
        return needs_rows(context)
    return "choose a column with the left and right arrows first"


def _needs_model(context: ActionContext) -> str | None:
    return None if context.argument or context.model else _NO_MODEL


def _needs_engine(context: ActionContext) -> str | None:
    return None if context.has_engine else "the engine is still starting"


def _needs_arming(context: ActionContext) -> str | None:
    return _needs_engine(context) or context.unarmable or None


_FINDING = (
    ActionSpec(
        "filter",
        ("/",),
        "Filter",
        "Keep the rows that hold every word: text, s1 s2 s3 s4 ok unknown, or !word to leave out.",
        "Finding",
        places=_FLEET,
        command="filter",
        argument="WORDS",
        footer=10,
        footer_title="find",
    ),
    ActionSpec(
        "jump",
        ("o",),
        "Go to model",
        "Type the beginning of a name; the cursor goes there.",
        "Finding",
        places=_FLEET,
        command="jump",
        argument="MODEL",
        disabled=needs_rows,
    ),
    ActionSpec(
        "command",
        (":",),
        "Command",
        "Type a command; the same words as in this list.",
        "Finding",
        footer=11,
        footer_title="command",
    ),
    ActionSpec("palette", ("ctrl+p",), "Palette", "All commands that make sense here.", "Finding"),
)
_CLOSER = (
    *(
        ActionSpec(
            f"pane.{name}",
            (str(number),),
            f"{name.capitalize()} pane",
            "Show this pane; once more to give it the whole middle of the screen, and back.",
            "Looking closer",
            command="pane" if number == 1 else "",
            argument="NAME" if number == 1 else "",
            footer=12 if number == 1 else None,
            footer_title="pane",
            footer_places=ROW_PLACES,
            disabled=needs_rows,
        )
        for number, name in enumerate(("latency", "confidence", "drift", "cost"), start=1)
    ),
    ActionSpec(
        "range.longer",
        ("]", "+"),
        "Longer range",
        "15m, 1h, 6h, 24h on the time axis of charts.",
        "Looking closer",
        command="range",
        argument="15m|1h|6h|24h",
        footer=15,
        footer_title="range",
        footer_places=ROW_PLACES,
    ),
    ActionSpec(
        "range.shorter",
        ("[", "-"),
        "Shorter range",
        "24h, 6h, 1h, 15m on the time axis of charts.",
        "Looking closer",
    ),
    ActionSpec(
        "explain",
        ("x",),
        "Explain",
        "Formula, query, source, age and samples of the chosen column or signal.",
        "Looking closer",
        places=ROW_PLACES,
        command="explain",
        argument="SIGNAL",
        disabled=_needs_column,
    ),
    ActionSpec(
        "readiness",
        ("V",),
        "Readiness",
        "The 30 checks of production readiness: gaps first, what proves the rest and until when.",
        "Looking closer",
        command="readiness",
        argument="MODEL",
        footer=17,
        footer_title="ready",
        footer_places=ROW_PLACES,
        disabled=_needs_model,
    ),
    ActionSpec(
        "sources",
        ("s",),
        "Sources",
        "Each source: its state, age, errors, warnings, and what its queries cost.",
        "Looking closer",
        command="sources",
    ),
    ActionSpec(
        "help",
        ("?", "f1"),
        "Help",
        "The keys of this place; with a column or signal chosen, where its number comes from.",
        "Looking closer",
        command="help",
        footer=20,
        footer_title="help",
    ),
)
_ACTING = (
    ActionSpec(
        "arm",
        ("w",),
        "Arm",
        "Let this console change the world for 30 minutes; once more takes that back.",
        "Acting",
        command="arm",
        footer=9,
        footer_title="arm",
        disabled=_needs_arming,
    ),
    ActionSpec(
        "mark",
        ("space",),
        "Mark",
        "Mark the row, to act on several at once; that is class C3.",
        "Acting",
        places=_FLEET,
        command="mark",
        argument="MODEL",
        disabled=needs_rows,
    ),
    ActionSpec(
        "overrides",
        ("O",),
        "Overrides",
        "What is held by hand: who, why, until when, and what ends it.",
        "Acting",
        command="overrides",
        disabled=_needs_engine,
    ),
    ActionSpec(
        "journal",
        ("J",),
        "Journal",
        "The record of everything that was done, newest first.",
        "Acting",
        command="journal",
        disabled=_needs_engine,
    ),
)
_ORDER = (
    ActionSpec(
        "sort.next",
        (">", "."),
        "Sort by next column",
        "Sort by the column to the right; from rank, by the chosen one.",
        "Order",
        places=_FLEET,
        command="sort",
        argument="COLUMN",
    ),
    ActionSpec(
        "sort.previous",
        ("<", ","),
        "Sort by previous column",
        "Sort by the column to the left; before the first is rank.",
        "Order",
        places=_FLEET,
    ),
    ActionSpec(
        "sort.reverse",
        ("=",),
        "Reverse",
        "Turn the order round.",
        "Order",
        places=_FLEET,
        command="reverse",
    ),
    ActionSpec(
        "group",
        ("g",),
        "Group",
        "Keep rows together by tier, region, owner or dependency; then not.",
        "Order",
        places=_FLEET,
        command="group",
        argument="tier|region|owner|dependency|none",
        footer=16,
        footer_title="group",
    ),
    ActionSpec(
        "freeze",
        ("z",),
        "Freeze",
        "Hold rows and numbers still; the header lives on and says so.",
        "Order",
        places=_FLEET,
        command="freeze",
        footer=14,
        footer_title="freeze",
        disabled=needs_rows,
    ),
    ActionSpec(
        "order.apply",
        ("m",),
        "Apply moves",
        "Let rows that wait for the cursor take their places now.",
        "Order",
        places=_FLEET,
        command="apply",
        disabled=_needs_moves,
    ),
)
_SCREEN = (
    ActionSpec(
        "refresh",
        ("ctrl+r", "f5"),
        "Refresh now",
        "Ask the sources without waiting for the next tick.",
        "Screen",
        command="refresh",
        disabled=_needs_engine,
    ),
    ActionSpec(
        "theme.next",
        ("ctrl+t",),
        "Next theme",
        "dark, light, high-contrast, colour-blind, ansi, mono.",
        "Screen",
        command="theme",
        argument="NAME",
    ),
    ActionSpec(
        "copy",
        ("y",),
        "Copy name",
        "Put the model's name on the clipboard of your own terminal (OSC 52).",
        "Screen",
        command="copy",
        disabled=needs_rows,
    ),
    ActionSpec(
        "screenshot",
        (),
        "Screenshot",
        "Save the screen as an SVG picture; without a path, in the state directory.",
        "Screen",
        command="screenshot",
        argument="PATH",
    ),
)
_CONSOLE = (
    ActionSpec(
        "reload",
        (),
        "Reload",
        "Read the configuration again; a faulty one keeps the old and says why.",
        "Console",
        command="reload",
        disabled=_needs_engine,
    ),
    ActionSpec(
        "suspend",
        (SUSPEND_KEY,),
        "Suspend",
        "Stop and give the shell the terminal; its `fg` comes back.",
        "Console",
        command="suspend",
    ),
    ActionSpec(
        "quit",
        ("q", "ctrl+q", "ctrl+c"),
        "Quit",
        "Leave the console; nothing that runs is touched.",
        "Console",
        command="quit",
        footer=21,
        footer_title="quit",
    ),
)

ACTIONS: tuple[ActionSpec, ...] = (
    *MOVING,
    *_FINDING,
    *_CLOSER,
    *WRITES,
    *_ACTING,
    *CARE_WRITES,
    *LOOKS,
    *HANDOVER,
    *LISTINGS,
    *_ORDER,
    *_SCREEN,
    *_CONSOLE,
)

BY_ID: Mapping[str, ActionSpec] = MappingProxyType({spec.id: spec for spec in ACTIONS})

PANES = ("latency", "confidence", "drift", "cost")
"""The live panes in the order they always stand in."""
