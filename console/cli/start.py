"""What the command line hands to the entry point when the console is to be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.handle import EngineHandle
    from console.facts.options import ConsoleOptions
    from console.settings.load import Loaded


def _nothing() -> None:
    return None


class ConsoleStart(Struct, frozen=True):
    """A console ready to be opened.

    ``engine`` makes the engine and is called after the first paint, because what it imports is
    slow; ``close`` ends what the command started for it (the demo's fleet).
    """

    loaded: Loaded
    options: ConsoleOptions
    engine: Callable[[], EngineHandle]
    close: Callable[[], None] = _nothing
