"""Parses arguments into flags, times and rows; the exit codes and the errors that lead to them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from console.domain.text import visible
from console.settings import durations
from console.settings.load import Flags
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.snapshot import Snapshot

OK = 0
FAILED = 1
S2 = 1
S1 = 2
UNKNOWN = 3
NOT_ALLOWED = 8
BAD_USAGE = 64
INTERNAL = 70
NO_OUTPUT = 74
BAD_CONFIG = 78
INTERRUPTED = 130
BROKEN_PIPE = 141


class UsageError(Exception):
    """The command line cannot be understood; the message says what was found and what is close."""


class CommandError(Exception):
    """The command cannot do what was asked; the message says why and what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


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


def parse_moment(text: str, flag: str, now: float) -> float:
    """Return the moment that a flag names, in Unix seconds; raises `UsageError`."""
    try:
        return durations.parse_moment(text, now)
    except ValueError as fault:
        raise UsageError(f"{flag}: {fault}") from fault


_SHOWN_NAMES = 8


def row_of(snapshot: Snapshot, model: str) -> int:
    """Return the row of a model; raises `CommandError` that says why there is none."""
    row = snapshot.index.get(model)
    if row is not None:
        return row
    away = [status for status in snapshot.sources if status.state != "up"]
    if away:
        reason = away[0].error or f"it is {away[0].state}"
        raise CommandError(
            f"model {visible(model)} is not known, and source {visible(away[0].name)} is away: "
            f"{visible(reason)}",
            UNKNOWN,
        )
    known = [row.model for row in snapshot.rows]
    if not known:
        raise CommandError(
            f"there is no model {visible(model)}, nor any other: the sources answer but know no "
            "model; docs/profiles.md says which metrics are recognised",
            BAD_USAGE,
        )
    more = ", …" if len(known) > _SHOWN_NAMES else ""
    hint = nearest(model, known) or (
        "models: " + ", ".join(visible(name, 60) for name in known[:_SHOWN_NAMES]) + more
    )
    raise CommandError(f"there is no model {visible(model)}; {hint}", BAD_USAGE)
