"""The second page of the box of a decision: what many decisions do without; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.confirmlines import field_line, labelled
from widgets.cutting import cells_of, wrap
from widgets.lines import Run

if TYPE_CHECKING:
    from console.screens.decideform import DecideForm, Field
    from console.screens.runs import RunLine
    from themes.glyphs import Glyphs

_LABEL_WIDTH = 10
_WHOLE_LINES = 10
"""As many lines as the longest text of a field has."""


def page(form: DecideForm, width: int) -> list[RunLine]:
    """Return the fields; under the one with the focus what it is for, and a long text whole."""
    remarks: dict[Field, str] = {
        "approver": "another person",
        "options": "parted by ;",
        "trigger": "what prompted it",
        "incident": "its id",
    }
    lines: list[RunLine] = []
    for field in form.fields:
        text, focused = form.texts.get(field, ""), form.focus_on == field
        label, remark = field.ljust(_LABEL_WIDTH), remarks[field]
        lines.append(field_line(label, text, remark, width - 2, focused=focused))
        if focused:
            lines += [[Run(f"  {each}", "dim")] for each in wrap(_about(form, field), width - 2, 3)]
            if cells_of(text) > width - _LABEL_WIDTH - len(remark) - 6:
                whole = wrap(visible(text, 600), width - 2, _WHOLE_LINES)
                lines += [[Run(f"  {each}", "prompt")] for each in whole]
    said = visible(form.hint, width) if form.hint else ""
    return [*lines, [Run(said, "s3")], [Run("Enter goes on, Esc goes back to the question", "dim")]]


def _about(form: DecideForm, field: Field) -> str:
    match field:
        case "approver":
            tier = None if form.prepared is None else form.prepared.decision.tier
            always = "Tier 1 always asks one" + (
                ", and this model is tier 1." if tier == 1 else "."
            )
            return f"Who is asked to approve it, from another login. {always}"
        case "options":
            return "What else was considered; several are parted by ;"
        case "trigger":
            return "What prompted it. Left empty, it is the worst rule that holds."
        case _:
            here = f" This row's is {visible(form.here, 40)}." if form.here else ""
            return f"The incident it belongs to.{here}"


def summary(form: DecideForm, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what is written on the second page, or what can be, on the first."""
    count = len(form.options)
    told = [
        f"approver {visible(form.text('approver'), 60)}" if form.text("approver") else "",
        f"{count} option{'s' if count != 1 else ''}" if count else "",
        "trigger in own words" if form.text("trigger") else "",
        f"incident {visible(form.text('incident'), 40)}" if form.text("incident") else "",
    ]
    written = f" {glyphs.dot} ".join(each for each in told if each)
    if written:
        return labelled("more", written, width, lines=2)
    return labelled("more", "approver, options, trigger, incident", width, "dim", 1)
