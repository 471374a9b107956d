"""``midwatch`` itself: prepares the console, or says why it cannot be opened here."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console.cli.bootstrap import Prepared, prepare
from console.cli.command_line import Parser, UsageError, add_console, add_shared, flags
from console.cli.main import ConsoleStart
from console.domain.text import ConsoleOptions
from console.domain.version import VERSION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from console.engine.client import EngineHandle
    from console.engine.write_service import Acting
    from console.settings.load import Loaded
    from console.settings.schema import SourceSettings
    from console.sources.base import Source

log = logging.getLogger(__name__)


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int | ConsoleStart:
    """Prepare the console; ``--plain`` prints instead."""
    parser = Parser("midwatch", "The console. `midwatch help` lists the commands.")
    parser.add_argument("--version", action="version", version=f"midwatch {VERSION}")
    add_console(parser)
    add_shared(parser)
    chosen = parser.parse_all(arguments)
    if not chosen.plain:
        require_terminal("midwatch status")
    prepared = prepare(flags(shared, chosen))
    if chosen.plain:
        from console.cli.status_command import watch_plain

        return watch_plain(prepared.engine())
    return ConsoleStart(
        prepared.loaded,
        replace(console_options(prepared.loaded, chosen, shared), notice=prepared.notice),
        engine_of(prepared),
    )


def require_terminal(instead: str) -> None:
    """Raise `UsageError` where there is no terminal to draw on."""
    dumb = os.environ.get("TERM", "") in ("dumb", "unknown")
    if sys.stdin.isatty() and sys.stdout.isatty() and not dumb:
        return
    none = f"TERM={os.environ['TERM']} cannot place a cursor" if dumb else "this is none"
    raise UsageError(
        f"the console needs a terminal and {none}; `{instead}` prints the same facts, "
        "and `midwatch --plain` keeps printing them"
    )


def engine_of(
    prepared: Prepared, make_source: Callable[[SourceSettings], Source] | None = None
) -> Callable[[], EngineHandle]:
    """Return what makes the engine after the first paint."""

    def make() -> EngineHandle:
        from console.engine.thread import EngineThread
        from console.reports.last_seen import keeper_of, place_of

        return EngineThread(
            lambda: prepared.engine(make_source),
            prepared.loaded.settings,
            lambda: _acting(prepared),
            keeper_of(place_of(sys.argv[1:], os.environ), prepared.resolver.known, log.warning),
        )

    return make


def _acting(prepared: Prepared) -> Acting:
    from console.engine.write_service import Acting

    return Acting(prepared.loaded, prepared.resolver, os.environ)


def console_options(
    loaded: Loaded, chosen: argparse.Namespace, shared: argparse.Namespace, title: str = ""
) -> ConsoleOptions:
    """Return how the console is to look, from settings, flags and NO_COLOR."""
    settings = loaded.settings
    return ConsoleOptions(
        theme=settings.theme,
        ascii=settings.ascii,
        mouse=settings.mouse,
        colour=not os.environ.get("NO_COLOR"),
        read_only=settings.writes == "never",
        write=loaded.armed_at_start,
        title=title,
        log_path=shared.log or "",
    )
