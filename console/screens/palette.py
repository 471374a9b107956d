"""The command palette, filled from the registry; imported when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from console.actions.registry import ACTIONS
from console.actions.write_gate import refusal
from console.screens.base import ConsoleScreen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.actions.spec import ActionSpec


class RegistryCommands(Provider):
    """Offers every action that can be done here and now."""

    async def discover(self) -> Hits:
        """Offer all of them while nothing is typed."""
        for spec in self._possible():
            yield DiscoveryHit(_title(spec), self._run(spec), help=Content(spec.tooltip).plain)

    async def search(self, query: str) -> Hits:
        """Offer those that match what is typed, the best first."""
        matcher = self.matcher(query)
        for spec in self._possible():
            score = matcher.match(_title(spec))
            if score > 0:
                yield Hit(
                    score, matcher.highlight(_title(spec)), self._run(spec), help=spec.tooltip
                )

    def _possible(self) -> Iterable[ActionSpec]:
        screen = self.screen
        if not isinstance(screen, ConsoleScreen):
            return ()
        context, mode = screen.context, screen.session.mode
        return [spec for spec in ACTIONS if refusal(spec, mode, context) is None]

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


def _title(spec: ActionSpec) -> str:
    return f"{spec.group}: {spec.title}"
