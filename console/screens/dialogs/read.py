"""Boxes to read (help, explanation, sources) and the command palette."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from console.actions.registry import ACTIONS
from console.actions.write_gate import refusal
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.screens.base import ConsoleScreen
from console.screens.panels.footer import (
    FOR_THE_ROW,
    explanation_lines,
    fact_lines,
    help_lines,
    key_text,
)
from console.screens.panels.sidebar import source_lines
from console.screens.tables.fleet import BY_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.actions.keymap import Keymap
    from console.actions.spec import ActionSpec
    from console.screens.panels.footer import BoxLine


class RegistryCommands(Provider):
    """Offers every action that can be done here and now."""

    async def discover(self) -> Hits:
        """Offer all of them while nothing is typed."""
        for spec in self._possible():
            yield DiscoveryHit(self._title(spec), self._run(spec), help=Content(spec.tooltip).plain)

    async def search(self, query: str) -> Hits:
        """Offer those that match what is typed, the best first."""
        matcher = self.matcher(query)
        for spec in self._possible():
            score = matcher.match(self._title(spec))
            if score > 0:
                yield Hit(
                    score, matcher.highlight(self._title(spec)), self._run(spec), help=spec.tooltip
                )

    def _possible(self) -> Iterable[ActionSpec]:
        screen = self.screen
        if not isinstance(screen, ConsoleScreen):
            return ()
        context, mode = screen.context, screen.session.mode
        possible = [spec for spec in ACTIONS if refusal(spec, mode, context) is None]
        place = {group: number for number, group in enumerate(FOR_THE_ROW)}
        return sorted(possible, key=lambda spec: place.get(spec.group, len(place)))

    def _title(self, spec: ActionSpec) -> str:
        screen = self.screen
        return _title(spec, screen.session.keys) if isinstance(screen, ConsoleScreen) else ""

    def _run(self, spec: ActionSpec) -> _Run:
        return _Run(self.screen, spec)


class _Run:
    """Runs one action on the screen the palette was opened over."""

    def __init__(self, screen: object, spec: ActionSpec) -> None:
        self._screen = screen
        self._spec = spec

    def __call__(self) -> None:
        if isinstance(self._screen, ConsoleScreen):
            self._screen.ask(self._spec)


def _title(spec: ActionSpec, keys: Keymap) -> str:
    key = key_text(keys.first_key(spec.id)) if keys.first_key(spec.id) else f":{spec.command}"
    return f"{key.ljust(6)} {spec.title}"


def box(which: str, argument: str, screen: ConsoleScreen) -> tuple[str, list[BoxLine]]:
    """Return title and lines of the box ``which`` (help, explain, sources).

    Without lines the title is a sentence that says why there are none.
    """
    session = screen.session
    if which == "sources":
        return "Sources", source_lines(session.snapshot, session.clock(), session.glyphs)
    if which == "explain":
        return explanation_box(screen, argument)
    # A box is at most 100 cells wide and keeps two beside it, a frame and a margin free.
    width = max(30, min(screen.size.width - 8, 96))
    columns = [BY_KEY[key] for key in screen.column_keys if key in BY_KEY]
    keys = help_lines(screen.PLACE, session.keys, session.glyphs, width, columns)
    title = f"Keys on the {screen.PLACE} screen, and what its signs mean"
    if not (screen.chosen_signal or screen.chosen_fact):
        return title, keys
    about, lines = explanation_box(screen, "")
    return about, [*lines, "", title, "", *keys] if lines else keys


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
