"""What a confirm box says, line by line; pure, every text from elsewhere made visible."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.preview import preview_lines, request_lines
from console.domain.shift import NEAREST_SECONDS
from console.domain.text import visible
from console.screens.spans import age_text
from console.settings.durations import format_duration
from widgets.lines import Run
from widgets.text_width import cells_of, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from console.domain.action import Guard, PreparedAction
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

LABEL_WIDTH = 8
EndChoice = tuple[str, float]
"""An end to choose: its word, and seconds from now."""

_MARKS = {"forbid": ("cross", "s1"), "refuse": ("cross", "s2"), "warn": ("", "s3")}
_ASKED = ("ends", "reason", "class", "✗✗", "✗", "!")
_LAST_TO_GO = ("state", "moves", "effect", "room")


def end_choices(now: float, shift_end: float, zone: tzinfo | None) -> tuple[EndChoice, ...]:
    """Return the ends that can be chosen; ``shift_end`` is Unix seconds, told on ``zone``'s clock.

    The hour is shown, so that nobody is taken by surprise, and its zone where that is not plain.
    """
    local = datetime.fromtimestamp(shift_end, UTC).astimezone(zone)
    clock = f"{local:%H:%M}" if zone is None else f"{local:%H:%M %Z}"
    return (
        ("15m", 900.0),
        ("1h", 3600.0),
        ("4h", 14400.0),
        (f"shift end {clock}", max(NEAREST_SECONDS, float(round(shift_end - now)))),
    )


def labelled(
    label: str, text: str, width: int, role: str = "text", lines: int = 3
) -> list[RunLine]:
    """Return a label and its text, wrapped under itself."""
    pieces = wrap(text, max(10, width - LABEL_WIDTH), lines) or [""]
    return [
        [Run((label if number == 0 else "").ljust(LABEL_WIDTH), "dim"), Run(one, role)]
        for number, one in enumerate(pieces)
    ]


def refused_lines(sentences: Sequence[str], width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return why it is not done, the reason first."""
    lines: list[RunLine] = []
    for sentence in sentences:
        pieces = wrap(f"{glyphs.cross} refused: {visible(sentence, 600)}", width, 4)
        lines += [[Run(piece, "s2")] for piece in pieces]
    return [*lines, [], [Run("nothing was sent", "text")]]


def guard_lines(guards: Sequence[Guard], width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return every objection with its reason, the gravest first."""
    lines: list[RunLine] = []
    for guard in guards:
        glyph, role = _MARKS[guard.level]
        mark = glyphs.cross if glyph else "!"
        refused = "refused: " if guard.level == "forbid" else ""
        text = f"{refused}{visible(guard.sentence, 400)}"
        pieces = wrap(text, max(10, width - 2), 2)
        lines += [
            [Run(f"{mark} " if number == 0 else "  ", role), Run(piece, role)]
            for number, piece in enumerate(pieces)
        ]
    return lines


def fact_rows(prepared: PreparedAction, width: int) -> list[tuple[str, list[RunLine]]]:
    """Return the facts of one action by label, without what the box itself asks for."""
    rows = []
    for label, text in preview_lines(prepared):
        if label in _ASKED and not (label == "ends" and prepared.ttl_seconds is None):
            continue
        if label == "state" and prepared.already:
            text = f"{text}: already so, nothing would be sent"
        rows.append((label, labelled(label, text, width, lines=2)))
    calls = [call.shown.splitlines()[0] for each in prepared.changes for call in each.calls]
    if calls:
        more = f" and {len(calls) - 1} more" if len(calls) > 1 else ""
        rows.append(("call", labelled("call", visible(calls[0], 300) + more, width, "dim", 1)))
    return rows


def fitting(rows: Sequence[tuple[str, list[RunLine]]], room: int) -> list[RunLine]:
    """Return the rows that fit into ``room`` lines; what matters least goes first, and is told."""
    order = ("note", "proof", "call", "cost", "review", "region", "undo", "others", "ends")
    kept, gone = list(rows), 0
    for label in (*order, *_LAST_TO_GO):
        if sum(len(lines) for _, lines in kept) + (1 if gone else 0) <= room:
            break
        gone += sum(1 for one in kept if one[0] == label)
        kept = [one for one in kept if one[0] != label]
    lines = [line for _, each in kept for line in each]
    if gone:
        lines.append([Run(f"{gone} more, d shows them", "dim")])
    return lines


def many_lines(
    prepared: Mapping[str, PreparedAction], refused: Mapping[str, str], width: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return one line a target where several are acted on together, and what they add up to."""
    lines: list[RunLine] = []
    known = [one.blast.moved_per_minute.value for one in prepared.values()]
    rates = [rate for rate in known if rate is not None]
    unknown = len(known) - len(rates)
    total = f"{sum(rates):,.0f} req/min" + (f", {unknown} unknown" if unknown else "")
    lines += labelled("moves", f"{total} in {len(known)} models", width)
    for name, one in prepared.items():
        worst = one.guards[0] if one.guards else None
        role = _MARKS[worst.level][1] if worst is not None else "text"
        said = f"{visible(name, 40)}: {one.before} {glyphs.arrow} {one.wanted}"
        if worst is not None:
            said += f"  {visible(worst.sentence, 200)}"
        lines.append([Run("".ljust(LABEL_WIDTH)), Run(visible(said, 400), role)])
    for name, sentence in refused.items():
        said = f"{glyphs.cross} {visible(name, 40)} is left out: {visible(sentence, 300)}"
        lines.append([Run("".ljust(LABEL_WIDTH)), Run(said, "s2")])
    return lines


def exact_lines(prepared: Sequence[PreparedAction], width: int) -> list[RunLine]:
    """Return everything: the whole preview, exact requests, inverses, and the command line."""
    lines: list[RunLine] = []
    for one in prepared:
        lines.append([Run(f"{visible(one.title, 200)}  {one.op_id}", "title")])
        for label, text in preview_lines(one):
            lines += labelled(label, text, width, lines=8)
        for label, text in request_lines(one):
            lines += labelled(label, text, width, "text", lines=20)
        lines.append([])
    return lines[:-1]


def ends_line(
    choices: Sequence[tuple[str, float]], chosen: int, *, focused: bool, glyphs: Glyphs
) -> RunLine:
    """Return the ends to choose from, the chosen one in brackets."""
    line: RunLine = [Run("ends".ljust(LABEL_WIDTH), "dim")]
    for number, (word, _) in enumerate(choices):
        if number:
            line.append(Run(f" {glyphs.dot} ", "dim"))
        if number == chosen:
            line.append(Run(f"[ {word} ]", "cursor" if focused else "key"))
        else:
            line.append(Run(f"{number + 1} {word}", "text"))
    return line


def field_line(label: str, text: str, note: str, width: int, *, focused: bool) -> RunLine:
    """Return a line to type into; the end of the text stays in sight."""
    room = max(8, width - LABEL_WIDTH - len(note) - 4)
    shown = visible(text, 600)[-(room - 1) :]
    while cells_of(shown) >= room:
        shown = shown[1:]
    cursor = Run(" ", "cursor") if focused else Run("_", "dim")
    return [
        Run(label.ljust(LABEL_WIDTH), "dim"),
        Run("[", "key" if focused else "dim"),
        Run(shown, "prompt"),
        cursor,
        Run("_" * (room - cells_of(shown) - 1), "dim"),
        Run("] ", "key" if focused else "dim"),
        Run(note, "dim"),
    ]


def age_note(prepared_at: float, now: float) -> str:
    """Return how old what the box shows is."""
    return f"read {age_text(max(0.0, now - prepared_at))} ago"


def ttl_words(prepared: PreparedAction) -> str:
    """Return who ends it, in words for the line of ends."""
    words = {
        "service": "ended by the service itself",
        "keeper": "ended by the running keeper",
        "nobody": "NO END: nobody ends it; start midwatch keep",
        "": "",
    }
    steps = ", ".join(dict.fromkeys(step.action for step in prepared.end)) or "nothing planned"
    span = "" if prepared.ttl_seconds is None else format_duration(prepared.ttl_seconds)
    return f"in {span}: {steps}; {words[prepared.enforced_by]}"
