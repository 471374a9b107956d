"""From "where does this number come from?" to the box that says it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from console.facts.signals import SIGNALS
from console.facts.text import visible
from console.screens.columns import BY_KEY
from console.screens.helptext import explanation_lines, fact_lines

if TYPE_CHECKING:
    from console.screens.base import ConsoleScreen
    from console.screens.helptext import BoxLine


def explanation_box(screen: ConsoleScreen, asked: str) -> tuple[str, list[BoxLine]]:
    """Return title and lines of the explanation; without lines the title says why there is none.

    ``asked`` is a signal or a column; empty takes what is chosen on the screen.
    """
    session, model = screen.session, screen.context.model
    signal = asked.lower() or screen.chosen_signal
    column = BY_KEY.get(signal) or next(
        (one for one in BY_KEY.values() if one.title.lower() == signal), None
    )
    if column is not None:
        signal = column.signal
    if not asked and not signal and screen.chosen_fact:
        column = BY_KEY[screen.chosen_fact]
    if column is not None and not signal:
        return column.title, fact_lines(column, session.glyphs)
    if signal not in SIGNALS:
        near = get_close_matches(signal, SIGNALS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"there is no signal {visible(signal, 40)}{hint}", []
    if session.engine is None:
        return "the engine is still starting", []
    if not model:
        return "there is no model under the cursor", []
    told = session.engine.explain(model, signal)
    title = f"{SIGNALS[signal].title} of {visible(model, 60)}"
    return title, explanation_lines(told, session.glyphs)
