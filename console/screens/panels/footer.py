"""The bottom line of keys and the help text, both from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.registry import ACTIONS, GROUPS
from console.actions.write_gate import refusal
from console.domain.signals import ReadingState
from console.domain.text import visible
from console.screens.spans import Piece, RunLine, age_text, clock_text, keys_that_fit, twins
from widgets.lines import Run
from widgets.text_width import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.keymap import Keymap
    from console.actions.spec import ActionContext, ActionSpec, Mode, Place
    from console.engine.client import Explanation
    from console.screens.tables.fleet import FleetColumn
    from themes.glyphs import Glyphs

    BoxLine = str | RunLine

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


_LAST_TO_GO = {
    "help": 0, "quit": 1, "model.open": 2, "back": 2,
    "arm": 3, "incident.open": 3, "filter": 3, "command": 3,
}  # fmt: skip
"""Keys that stand in the narrowest footer: without them nobody finds the others."""


def _piece(spec: ActionSpec, context: ActionContext, mode: Mode, keys: Keymap) -> Piece:
    shown = _pair(spec, keys) or key_text(keys.first_key(spec.id))
    off = refusal(spec, mode, context) is not None
    rank = _LAST_TO_GO.get(spec.id, (spec.footer or 0) + 3)
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


KEY_WIDTH = 16

_STATE_SENTENCES = {
    ReadingState.OK: "measured",
    ReadingState.NO_DATA: "no data: the source has no such series",
    ReadingState.NO_TRAFFIC: "no traffic: the series is there and says 0/0",
    ReadingState.TOO_FEW: "too few samples to mean anything",
    ReadingState.STALE: "stale: the last known value; the source has not answered since",
    ReadingState.ERROR: "the source refused or failed this question",
}


FOR_THE_ROW = ("Acting", "Incidents", "Looking closer", "Finding")
"""Groups of actions that concern what is under the cursor; they are told before the others."""


def help_lines(
    place: Place,
    keys: Keymap,
    glyphs: Glyphs,
    width: int = 76,
    columns: Sequence[FleetColumn] = (),
) -> list[BoxLine]:
    """Return the legend of a screen, then its keys by group, for lines of ``width`` cells.

    ``columns`` are those that are shown: the legend tells each of them.
    """
    lines: list[BoxLine] = _legend(glyphs)
    if columns:
        lines += ["", [Run("Columns", "title")]]
    for column in columns:
        for number, text in enumerate(wrap(column.meaning, max(20, width - KEY_WIDTH), 4)):
            label = column.title if number == 0 else ""
            lines.append([Run(label.ljust(KEY_WIDTH), "key"), Run(text, "text")])
    lines.append("")
    rest = (group for group in GROUPS if group not in FOR_THE_ROW)
    for group in (*FOR_THE_ROW, *rest):
        specs = [one for one in ACTIONS if one.group == group and one.in_place(place)]
        if not specs:
            continue
        lines += [[Run(group, "title")]]
        for spec in specs:
            shown = " ".join(key_text(key) for key in keys.keys[spec.id][:3])
            command = f" Also :{spec.command} {spec.argument}".rstrip() if spec.command else ""
            said = f"{spec.title}: {spec.tooltip}{command}"
            pieces = wrap(said, max(20, width - KEY_WIDTH), 6)
            for number, text in enumerate(pieces):
                label = (shown or "-") if number == 0 else ""
                lines.append([Run(label.ljust(KEY_WIDTH - 1) + " ", "key"), Run(text, "text")])
        lines.append("")
    return in_glyphs(lines, glyphs)


def _legend(glyphs: Glyphs) -> list[BoxLine]:
    marks = glyphs.severity
    facts = (
        (marks["s1"], "s1", "act now"),
        (marks["s2"], "s2", "degraded but answering"),
        (marks["s3"], "s3", "today"),
        (marks["s4"], "s4", "notice"),
        (marks["unknown"], "unknown", "nobody can say; never shown as ok"),
        (marks["unjudged"], "unjudged", "not judged: no traffic, or too little to tell"),
        (
            f"{marks['over_s1']} {marks['over_s2']}",
            "recovering",
            "over for users; watch, then close",
        ),
        (marks["planned"], "planned", "planned: an owned override explains it"),
        ("–", "dim", "no data: no such series"),
        ("idle", "dim", "no traffic: 0/0"),
        ("n<200 few", "dim", "too few samples for a verdict"),
        ("1.9s*", "dim", "last known value; the source is away"),
        ("err", "error", "the source refused this question"),
        ("?", "unknown", "the row's source says nothing about it"),
        ("!", "text", "a rule about this cell holds"),
        ("~", "text", "a default, not a declared promise"),
    )
    lines: list[BoxLine] = [[Run("Marks", "title")]]
    lines += [[Run(mark.ljust(KEY_WIDTH), role), Run(text, "text")] for mark, role, text in facts]
    return lines


def explanation_lines(told: Explanation, glyphs: Glyphs) -> list[BoxLine]:
    """Return where one number comes from, or why there is none."""
    sentence = _STATE_SENTENCES[told.state]
    lines: list[BoxLine] = [
        [Run(visible(told.value_text, 60) or "no value", "title"), Run(f"   {sentence}", "text")],
        "",
    ]
    window = "an instant" if told.window_seconds is None else age_text(told.window_seconds)
    rows = [
        ("model", told.model),
        ("signal", f"{told.signal}  ({told.unit})"),
        ("formula", told.formula),
        ("method", told.method),
        ("window", window),
        ("samples", "unknown" if told.n is None else f"n = {told.n:.0f}"),
        ("measured", _measured(told)),
        ("source", f"{told.source or 'none'}, profile {told.profile or 'none'}"),
    ]
    lines += [_row(label, text) for label, text in rows if text]
    if told.promql:
        lines += ["", [Run("query", "dim")]]
        lines += [visible(line, 4000) for line in told.promql.splitlines()[:40]]
    if told.hint:
        lines += ["", [Run("to fill it", "dim")]]
        lines += [visible(line, 1000) for line in told.hint.splitlines()[:10]]
    return in_glyphs(lines, glyphs)


def _measured(told: Explanation) -> str:
    if told.at is None:
        return "never"
    age = "" if told.age_seconds is None else f", {age_text(told.age_seconds)} ago"
    return f"{clock_text(told.at)}Z{age}"


def _row(label: str, text: str) -> RunLine:
    return [Run(label.ljust(10), "dim"), Run(visible(text, 300), "text")]


def fact_lines(column: FleetColumn, glyphs: Glyphs) -> list[BoxLine]:
    """Return what a column shows that is not a measured signal."""
    lines: list[BoxLine] = [[Run(column.title, "title")], "", f"{column.meaning}."]
    return in_glyphs(lines, glyphs)


def in_glyphs(lines: Sequence[BoxLine], glyphs: Glyphs) -> list[BoxLine]:
    """Return the lines of a box in the characters of this set."""
    out: list[BoxLine] = []
    for line in lines:
        if isinstance(line, str):
            out.append(twins([[Run(line)]], glyphs)[0][0].text)
        else:
            out.append(twins([line], glyphs)[0])
    return out
