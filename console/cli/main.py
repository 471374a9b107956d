"""Runs a command line: arguments in, an exit code or a console ready to be opened out."""

from __future__ import annotations

import errno
import importlib
import io
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from msgspec import Struct

from console.cli import command_line
from console.cli.command_line import CONSOLE_FLAGS, CommandError, UsageError, split_shared
from console.cli.command_table import COMMANDS, overview
from console.domain.text import visible
from console.domain.version import VERSION
from console.engine.gc_tuning import release_collector
from console.settings.problems import SettingsError, nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from types import FrameType

    from console.cli.command_line import Parser
    from console.cli.command_table import Command
    from console.domain.text import ConsoleOptions
    from console.engine.client import EngineHandle, Player
    from console.settings.load import Loaded


def _nothing() -> None:
    return None


class ConsoleStart(Struct, frozen=True):
    """A console ready to be opened.

    ``engine`` makes the engine and is called after the first paint, because what it imports is
    slow; ``close`` ends what the command started for it (the demo's fleet). ``player`` is there
    in a replay alone.
    """

    loaded: Loaded
    options: ConsoleOptions
    engine: Callable[[], EngineHandle]
    close: Callable[[], None] = _nothing
    player: Player | None = None


_ENDING = (signal.SIGTERM, signal.SIGHUP)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a disk, a quota or a lost device says when it takes no more."""


class _Module(Protocol):
    def parser(self, *words: str) -> Parser:
        """Return the parser of the command that ``words`` name."""

    def run(self, shared: argparse.Namespace, arguments: Sequence[str]) -> int | ConsoleStart:
        """Do the command."""


def run(arguments: Sequence[str]) -> int | ConsoleStart:
    """Run what ``arguments`` ask for; the console is prepared and handed back to be opened."""
    for number in _ENDING:
        # As an exception, so that servers that were started are ended and files are removed.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        # In the C locale a name or an arrow must not end the command; it is shown escaped.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        outcome = _dispatch(arguments)
        sys.stdout.flush()
    except UsageError as fault:
        return _told(f"midwatch: {fault}", command_line.BAD_USAGE)
    except SettingsError as fault:
        return _told(fault.render(), command_line.BAD_CONFIG)
    except CommandError as fault:
        return _told(f"midwatch: {fault}", fault.code)
    except KeyboardInterrupt:
        return command_line.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output left, as `head` does.
        _give_up_output()
        return command_line.BROKEN_PIPE
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in _FULL:
            _give_up_output()
            reason = visible(fault.strerror or "it is full").lower()
            return _told(
                f"midwatch: the output cannot be written: {reason}", command_line.NO_OUTPUT
            )
        logging.getLogger(__name__).exception("the command failed")
        return _told(
            f"midwatch: this is a fault of midwatch itself: {visible(repr(fault))}; "
            "the same command with --log FILE writes the details there",
            command_line.INTERNAL,
        )
    return outcome


def _give_up_output() -> None:
    """Send what is still to be written nowhere, or Python would complain once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    for each in _ENDING:
        # A terminal that closes sends one after the other; the second must not cut short the
        # removal of files that the first began.
        signal.signal(each, _already_ending)
    raise SystemExit(128 + number)


def _already_ending(_number: int, _frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN this is not handed on to the programs that are started."""


def _dispatch(arguments: Sequence[str]) -> int | ConsoleStart:
    if arguments[:1] == ["__complete"]:
        # Asked by a shell at each Tab: the words are not this command's own.
        from console.cli.completion_command import complete

        return complete(arguments[1:])
    shared, rest = split_shared(arguments)
    if shared.log:
        from console.cli.bootstrap import start_log

        start_log(shared.log)
    else:
        # Without a handler Python prints tracebacks on standard error, over a console's screen too.
        logging.getLogger().addHandler(logging.NullHandler())
    before, name, after = split_command(rest)
    if name is None:
        if before[:1] in (["-h"], ["--help"]):
            print(overview())
            return command_line.OK
        return _module("console_command").run(shared, before)
    if name == "version":
        print(f"midwatch {VERSION}")
        return command_line.OK
    if name == "help":
        if not after:
            print(overview())
            return command_line.OK
        name, before, after = after[0], [], ["--help"]
    command = COMMANDS.get(name)
    if command is None:
        close = nearest(name, [*COMMANDS, "version", "help"])
        hint = close or f"commands: {', '.join(COMMANDS)}"
        raise UsageError(f"there is no command {visible(name, 60)!r}; {hint}")
    module = _module(command.module)
    release_collector()
    return module.run(shared, [*command.words, *before, *after])


def split_command(words: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Return the flags before a command's name, the name (None for the console), what follows."""
    before: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        if rest[0].partition("=")[0] not in CONSOLE_FLAGS:
            # For the console's own parser, which names the flag that is close.
            return [*before, *rest], None, []
        before.append(rest.pop(0))
        if before[-1] == "--theme" and rest:
            before.append(rest.pop(0))
    return before, (rest[0] if rest else None), rest[1:]


def parser_of(command: Command) -> Parser:
    """Return the parser of one command, for its help, its manual page and its completion."""
    return _module(command.module).parser(*command.words)


def _module(name: str) -> _Module:
    return cast("_Module", importlib.import_module(f"console.cli.{name}"))


def _told(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code
