"""Parses arguments into flags, times and rows; the exit codes and the errors that lead to them."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from console.domain.text import visible
from console.settings import durations
from console.settings.load import Flags
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from console.domain.snapshot import Snapshot

T = TypeVar("T")

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
    """An argparse parser that names every fault at once as a `UsageError`, and ends no process."""

    def __init__(self, prog: str, description: str = "", *, add_help: bool = True) -> None:
        super().__init__(
            prog=prog,
            description=description,
            add_help=add_help,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.faults: list[str] = []

    def format_help(self) -> str:
        """Return the help, ended by the examples and exit codes of the command table."""
        from console.cli.command_table import COMMANDS, epilog

        name = self.prog.removeprefix("midwatch ")
        if name in COMMANDS:
            self.epilog = epilog(name)
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise the message, with the faults met before it, as a `UsageError`."""
        sentences = "\n  also: ".join(visible(each, 600) for each in (*self.faults, message))
        raise UsageError(f"{sentences}\ntry: {self.prog} --help")

    def parse_all(
        self,
        arguments: Sequence[str],
        *checks: Callable[[argparse.Namespace], object],
        also: Callable[[argparse.Namespace], Iterable[str]] | None = None,
    ) -> argparse.Namespace:
        """Parse every argument; one refusal names every fault.

        Each of ``checks`` raises `UsageError` for what it does not take. ``also`` is asked only
        where the command is refused anyway, for faults that are found more slowly.
        """
        self.faults.clear()
        found, rest = self.parse_known_args(list(arguments))
        self.faults += [self._unknown(each) for each in rest if each.startswith("-")] or [
            self._unknown(each) for each in rest[:1]
        ]
        for check in checks:
            try:
                check(found)
            except UsageError as fault:
                self.faults.append(str(fault))
        if self.faults and also is not None:
            self.faults += also(found)
        if self.faults:
            self.error(self.faults.pop())
        return found

    def value(self, convert: Callable[[str], T], flag: str = "") -> Callable[[str], T | None]:
        """Return a ``type=`` that keeps a wrong value as one of the faults and parses on.

        ``convert`` raises ``ValueError`` with the sentence; ``flag`` is named before it.
        """

        def typed(text: str) -> T | None:
            try:
                return convert(text)
            except ValueError as fault:
                self.faults.append(f"{flag} {visible(text, 40)}: {fault}" if flag else str(fault))
                return None

        return typed

    def actions(self) -> tuple[argparse.Action, ...]:
        """Return every argument and flag, but ``--help``."""
        return tuple(each for each in self._actions if each.dest != "help")

    def option(self, word: str) -> argparse.Action | None:
        """Return the flag that ``word`` is, with or without ``=value``; None for no flag."""
        return self._option_string_actions.get(word.partition("=")[0])

    def _unknown(self, argument: str) -> str:
        if not argument.startswith("-"):
            return f"unexpected argument {argument!r}"
        flag = argument.partition("=")[0]
        if flag in CONSOLE_FLAGS:
            return f"{flag} is a flag of the console; {self.prog} has none"
        known = [name for name in self._option_string_actions if name.startswith("--")]
        close = nearest(flag, known)
        return f"there is no flag {flag}" + (f"; {close}" if close else "")


CONSOLE_FLAGS = ("--write", "--read-only", "--theme", "--ascii", "--plain")


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
    group.add_argument(
        "--no-discovery",
        action="store_true",
        help="where nothing is configured, do not look for servers on this host's ports",
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
        discovery=not shared.no_discovery,
    )
    if console is None:
        return chosen
    return Flags(
        config=chosen.config,
        prometheus=chosen.prometheus,
        scrape=chosen.scrape,
        discovery=chosen.discovery,
        theme=console.theme,
        ascii=True if console.ascii else None,
        write=console.write,
        read_only=console.read_only,
    )


def moment(text: str) -> float:
    """Return a time as Unix seconds: ``12h`` ago, or a UTC time; raises ``ValueError``."""
    return durations.parse_moment(text, time.time())


def duration(
    shortest_seconds: float = 0.0, longest_seconds: float = math.inf, bounds: str = ""
) -> Callable[[str], float]:
    """Return what reads a duration in seconds within bounds; ``bounds`` says them in words."""

    def convert(text: str) -> float:
        seconds = durations.parse_duration(text)
        if not shortest_seconds <= seconds <= longest_seconds:
            raise ValueError(bounds)
        return seconds

    return convert


def one_of(words: Iterable[str], noun: str) -> Callable[[str], str]:
    """Return what takes one of ``words`` and else names the closest, or all of them."""
    known = tuple(words)

    def convert(text: str) -> str:
        if text in known:
            return text
        close = nearest(text, known) or f"there are {', '.join(known)}"
        raise ValueError(f"there is no {noun} {visible(text, 60)}; {close}")

    return convert


_SHOWN_NAMES = 8
AMBIGUOUS = 7
"""Exit code for a name that several rows bear."""


def row_of(snapshot: Snapshot, model: str) -> int:
    """Return the row of a model; raises `CommandError` that says why there is none."""
    from console.evaluation.row_identity import rows_named

    found = rows_named(snapshot.rows, model)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(visible(snapshot.rows[row].model, 60) for row in found[:_SHOWN_NAMES])
        raise CommandError(
            f"{visible(model)} is the name of {len(found)} rows: {names}; write one of these",
            AMBIGUOUS,
        )
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
