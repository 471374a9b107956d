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

from console.cli import command_line as exits
from console.cli.command_line import CommandError, UsageError, split_shared
from console.cli.command_table import COMMANDS, overview
from console.domain.text import visible
from console.engine.gc_tuning import release_collector
from console.settings.problems import SettingsError, nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from types import FrameType

    from console.domain.text import ConsoleOptions
    from console.engine.client import EngineHandle
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


_ENDING = (signal.SIGTERM, signal.SIGHUP)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a disk, a quota or a lost device says when it takes no more."""


class _Module(Protocol):
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
        return _told(f"midwatch: {fault}", exits.BAD_USAGE)
    except SettingsError as fault:
        return _told(fault.render(), exits.BAD_CONFIG)
    except CommandError as fault:
        return _told(f"midwatch: {fault}", fault.code)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output left, as `head` does.
        _give_up_output()
        return exits.BROKEN_PIPE
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno in _FULL:
            _give_up_output()
            reason = visible(fault.strerror or "it is full").lower()
            return _told(f"midwatch: the output cannot be written: {reason}", exits.NO_OUTPUT)
        logging.getLogger(__name__).exception("the command failed")
        return _told(
            f"midwatch: this is a fault of midwatch itself: {visible(repr(fault))}; "
            "the same command with --log FILE writes the details there",
            exits.INTERNAL,
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
    shared, rest = split_shared(arguments)
    if shared.log:
        from console.cli.bootstrap import start_log

        start_log(shared.log)
    else:
        # Without a handler Python prints tracebacks on standard error, over a console's screen too.
        logging.getLogger().addHandler(logging.NullHandler())
    if not rest or rest[0].startswith("-"):
        if rest and rest[0] in ("-h", "--help"):
            print(overview())
            return exits.OK
        return _module("console_command").run(shared, rest)
    name = rest[0]
    if name == "help":
        print(overview())
        return exits.OK
    command = COMMANDS.get(name)
    if command is None:
        close = nearest(name, COMMANDS)
        hint = close or f"commands: {', '.join(COMMANDS)}"
        raise UsageError(f"there is no command {name!r}; {hint}")
    module = _module(command.module)
    release_collector()
    return module.run(shared, [*command.words, *rest[1:]])


def _module(name: str) -> _Module:
    return cast("_Module", importlib.import_module(f"console.cli.{name}"))


def _told(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code
