"""A confirm box drawn from its form: facts, objections, answers, and the keys always in sight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.confirmlines import (
    age_note,
    ends_line,
    exact_lines,
    fact_rows,
    field_line,
    fitting,
    guard_lines,
    labelled,
    many_lines,
    refused_lines,
    ttl_words,
)
from console.screens.values import age_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.screens.confirmform import ConfirmForm
    from console.screens.runs import RunLine
    from themes.glyphs import Glyphs


def head(form: ConfirmForm, width: int, glyphs: Glyphs) -> str:
    """Return the title with the class at its right end."""
    level = f"class {form.confirm_class}" if form.confirm_class else ""
    gap = width - len(form.title) - len(level) - 8
    return f"{form.title} {glyphs.rule * max(1, gap)} {level}" if level else form.title


def note(form: ConfirmForm, now: float) -> str:
    """Return how old the facts are, and the keys that are not of the form."""
    if form.phase not in ("asking", "checking"):
        return "Esc cancels"
    age = age_note(min(one.prepared_at for one in form.prepared.values()), now)
    return f"{age}  d exact request  Tab fields  Esc cancels"


def exact(form: ConfirmForm, width: int) -> list[RunLine]:
    """Return everything that would be sent, and the ways back."""
    return exact_lines(list(form.prepared.values()), width)


def question(
    form: ConfirmForm,
    width: int,
    height: int,
    glyphs: Glyphs,
    *,
    confirm_key: str,
    shared: bool,
    waits_seconds: float,
) -> list[RunLine]:
    """Return the lines of the box, at most ``height``; ``shared`` lets a second person be asked."""
    keys = buttons(form, confirm_key)
    if form.phase == "reading":
        names = ", ".join(visible(one.target or one.ends_op, 60) for one in form.requests)
        return [[Run(f"reading the control of {names}{glyphs.ellipsis}", "dim")], [], keys]
    if form.phase == "refused":
        sentences = [text for one in form.refused.values() for text in one.sentences]
        return [*refused_lines(sentences, width, glyphs), [], keys]
    below = [
        *_answers(form, width, glyphs),
        *_confirmation(form, width, confirm_key, shared=shared, waits_seconds=waits_seconds),
        keys,
    ]
    if form.many:
        refused = {name: one.sentences[0] for name, one in form.refused.items()}
        facts = many_lines(form.prepared, refused, width, glyphs)
        return [*facts[: max(2, height - len(below))], *below]
    objections = guard_lines(form.first.guards, width, glyphs)
    room = height - len(below) - len(objections)
    facts = fitting(fact_rows(form.first, width), max(2, room))
    # A refusal is read first; otherwise first what happens, then what speaks against it.
    above = [*objections, *facts] if form.forbidden else [*facts, *objections]
    return [*above, *below]


def _answers(form: ConfirmForm, width: int, glyphs: Glyphs) -> list[RunLine]:
    lines: list[RunLine] = []
    if form.holds:
        focused = form.focus_on == "ends"
        lines.append(ends_line(form.choices, form.chosen, focused=focused, glyphs=glyphs))
        if form.first.ttl_seconds is not None:
            role = "s2" if form.first.enforced_by == "nobody" else "dim"
            seconds = form.choices[form.chosen][1]
            words = ttl_words(replace(form.first, ttl_seconds=seconds))
            lines += labelled("", words, width, role, 2)
    remark = "(suggested)" if form.suggested else "(required)"
    focused = form.focus_on == "reason"
    return [*lines, field_line("reason", form.reason, remark, width, focused=focused)]


def _confirmation(
    form: ConfirmForm, width: int, confirm_key: str, *, shared: bool, waits_seconds: float
) -> list[RunLine]:
    if form.phase == "approved":
        by = visible(form.approver, 60)
        sends = [Run(confirm_key, "key"), Run(" sends it", "text")]
        return [[Run(f"approved by {by}: ", "ok"), *sends], []]
    if form.phase == "waiting":
        left = age_text(max(0.0, waits_seconds))
        return [
            [Run(f"waiting {left} for a second person, who runs from another login:", "s3")],
            [Run(f"midwatch approve {form.first.op_id}", "key")],
            [],
        ]
    lines: list[RunLine] = []
    if form.confirm_class in ("C2", "C3"):
        name = Run(visible(form.must_type, 80), "key")
        lines.append([Run("type ", "text"), name, Run(" and press Enter:", "text")])
        focused = form.focus_on == "typed"
        lines.append(field_line("", form.typed, "", width, focused=focused))
    if form.confirm_class == "C3":
        asks = "p asks a second person, or give" if shared else "no shared journal: give"
        text = f"{asks} a break-glass reason, flagged in the handover:"
        lines.append([Run(text, "text")])
        focused = form.focus_on == "glass"
        lines.append(field_line("glass", form.glass, "", width, focused=focused))
    hint: RunLine = [Run(visible(form.hint, 300), "s3")] if form.hint else []
    return [*lines, hint]


def buttons(form: ConfirmForm, confirm_key: str) -> RunLine:
    """Return the last line: Cancel, and the key that says yes where one key is enough."""
    line: RunLine = [
        Run("     "),
        Run("[ Cancel ]", "cursor" if form.focus_on == "cancel" else "dim"),
    ]
    if form.phase == "checking":
        return [*line, Run("      looking once more, then sending…", "s3")]
    if form.phase != "asking" or form.confirm_class not in ("C0", "C1") or form.forbidden:
        return line
    role = "key" if form.live else "dim"
    return [
        *line,
        Run("      press ", "text" if form.live else "dim"),
        Run(confirm_key, role),
        Run(f' = "{form.title[:60]}"', role),
    ]
