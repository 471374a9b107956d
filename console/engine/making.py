"""Sources made from settings; one that cannot be made is shown as down, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.samples import Series, SourceStatus
from console.facts.text import visible
from console.sources.protocol import Discovery, SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.facts.samples import Answer
    from console.settings.schema import SourceSettings
    from console.settings.secrets import SecretResolver
    from console.signals.profile import Profile
    from console.signals.query import Query
    from console.sources.protocol import Source


class BrokenSource:
    """Stands for a source that cannot be made (a CA file that is not there, a bad URL)."""

    def __init__(self, name: str, kind: str, sentence: str) -> None:
        self.name = name
        self.kind = kind
        self._sentence = sentence

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    def status(self) -> SourceStatus:
        """Say down, and why."""
        return SourceStatus(self.name, self.kind, state="down", error=self._sentence)

    async def aclose(self) -> None:
        """Hold nothing, let go of nothing."""


def plain_factory(
    resolver: SecretResolver | None = None, *, interval_seconds: float = 5.0
) -> Callable[[SourceSettings], Source]:
    """Return what makes each source as its settings say, secrets from ``resolver``."""
    from console.sources.build import build_source

    return lambda settings: build_source(settings, resolver, interval_seconds=interval_seconds)


def made_or_broken(make: Callable[[SourceSettings], Source], settings: SourceSettings) -> Source:
    """Make one source; a fault in its settings leaves the others alone."""
    try:
        return make(settings)
    except (OSError, ValueError) as fault:
        sentence = f"this source cannot be set up: {visible(str(fault))}"
        return BrokenSource(settings.name, settings.kind, sentence)
