"""The command line taken apart: flags of every command first, then the command's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from console.cli.exits import UsageError
from console.facts.text import visible
from console.settings.load import Flags
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


class Parser(argparse.ArgumentParser):
    """An argparse parser that raises `UsageError` instead of ending the process."""

    def __init__(self, prog: str, description: str = "", *, add_help: bool = True) -> None:
        super().__init__(prog=prog, description=description, add_help=add_help, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise the message as a `UsageError`."""
        raise UsageError(f"{visible(message)}\ntry: {self.prog} --help")

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse every argument; one that is not known is an error with the nearest flag."""
        found, rest = self.parse_known_args(list(arguments))
        if rest:
            self.error(self._unknown(rest[0]))
        return found

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"unexpected argument {argument!r}"
        flag = argument.partition("=")[0]
        known = [name for name in self._option_string_actions if name.startswith("--")]
        close = nearest(flag, known)
        return f"there is no flag {flag}" + (f"; {close}" if close else "")


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Add the flags that every command takes."""
    group = parser.add_argument_group("flags of every command, before or after its name")
    group.add_argument("--config", metavar="FILE", help="the configuration file")
    group.add_argument(
        "--prometheus",
        metavar="URL",
        action="append",
        default=[],
        help="read a server that speaks the Prometheus API (repeatable)",
    )
    group.add_argument(
        "--scrape",
        metavar="URL",
        action="append",
        default=[],
        help="read a /metrics endpoint directly, no server needed (repeatable)",
    )
    group.add_argument("--log", metavar="FILE", help="write a log there; it holds no secrets")


def add_console(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the console itself."""
    group = parser.add_argument_group("flags of the console")
    group.add_argument("--write", action="store_true", help="start with writes armed")
    group.add_argument("--read-only", action="store_true", help="no action can be sent")
    group.add_argument(
        "--theme", metavar="T", help="dark, light, high-contrast, colour-blind, ansi"
    )
    group.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    group.add_argument(
        "--plain", action="store_true", help="one fact a line, no redraw; for pipes and readers"
    )


def split_shared(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Take the flags of every command out of ``arguments``, wherever they stand."""
    parser = Parser("midwatch", add_help=False)
    add_shared(parser)
    return parser.parse_known_args(list(arguments))


def flags(shared: argparse.Namespace, console: argparse.Namespace | None = None) -> Flags:
    """Return the flags as the settings want them."""
    chosen: Flags = Flags(
        config=Path(shared.config) if shared.config else None,
        prometheus=tuple(shared.prometheus),
        scrape=tuple(shared.scrape),
    )
    if console is None:
        return chosen
    return Flags(
        config=chosen.config,
        prometheus=chosen.prometheus,
        scrape=chosen.scrape,
        theme=console.theme,
        ascii=True if console.ascii else None,
        write=console.write,
        read_only=console.read_only,
    )
