"""Runs a command line: arguments in, an exit code or a console ready to be opened out; the
command table.
"""

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
from console.cli.command_line import CommandError, UsageError, split_shared
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


class Command(Struct, frozen=True):
    """One command; its module under ``console.cli`` has ``run(shared, arguments)``.

    ``words`` go before the arguments, where one module does several commands.
    """

    name: str
    module: str
    summary: str
    words: tuple[str, ...] = ()


COMMANDS = {
    command.name: command
    for command in (
        Command("status", "status_command", "how every model is, once or again and again"),
        Command("check", "check_command", "validate the configuration, sources and secrets"),
        Command("incidents", "incidents_command", "what alerts fire, grouped by what they share"),
        *(
            Command(name, "incident_verbs_command", summary, (name,))
            for name, summary in (
                ("ack", "take an incident: it has an owner, an age and an end"),
                ("release", "let an incident go that somebody has"),
                ("snooze", "look at an incident later"),
                ("escalate", "write down who is called for help"),
                ("merge", "put an incident into the one it belongs to"),
                ("severity", "give an incident another level"),
                ("note", "write something down about an incident, or a change of the world"),
                ("close", "close an incident: was its page useful, what was decided"),
            )
        ),
        Command("init", "init_command", "look what is there and write a commented configuration"),
        Command("demo", "demo_command", "a simulated fleet and the console on it, nothing needed"),
        Command("plot", "plot_command", "a chart of one signal in the shell"),
        Command("reference", "reference_command", "freeze score shares to measure drift by"),
        *(
            Command(name, "control_command", summary, (name,))
            for name, summary in (
                ("trip", "force a breaker open: every call is refused"),
                ("half-open", "let a breaker probe"),
                ("reset", "force a breaker closed: every call passes"),
                ("disable", "let a breaker refuse nothing: unprotected"),
                ("watch", "let a breaker count failures and refuse nothing"),
                ("fallback", "let another rung of the ladder answer"),
                ("human", "let people answer every request"),
                ("restore", "let the model itself answer again"),
                ("rollback", "let the version before serve again"),
                ("threshold", "move the confidence threshold for human review"),
            )
        ),
        *(
            Command(name, "overrides_command", summary, (name,))
            for name, summary in (
                ("overrides", "what is held by hand, whose, and when it ends"),
                ("renew", "give an override another end"),
                ("end", "end an override now, in its safe state"),
                ("undo", "go back to the state seen before an action"),
                ("resolve", "say what is true of an action that could not be verified"),
            )
        ),
        Command("approve", "approve_command", "confirm, as the second person, what waits for one"),
        Command("decide", "decide_command", "write a retraining decision, its evidence frozen"),
        Command("decisions", "decisions_command", "what was decided, what is due, what came of it"),
        Command(
            "handover", "handover_command", "what this shift leaves to the next, accepted by name"
        ),
        Command(
            "postmortem", "postmortem_command", "an incident after the fact, told without blame"
        ),
        Command("failures", "failures_command", "every spell in which a model failed, over a span"),
        Command("drill", "drill_command", "an action and its way back on purpose, in the record"),
        Command("keep", "keep_command", "end overrides when they are due; the headless keeper"),
        Command("lease", "lease_command", "who acts on what now, and breaking what holds on"),
        Command("journal", "journal_command", "list, show, verify, export or prune the record"),
        Command("lint-metrics", "lint_command", "say which signals a /metrics endpoint gives"),
        Command("secret", "secret_command", "set, test or list secrets; never prints a value"),
    )
}


def overview() -> str:
    """Return the help of ``midwatch`` itself."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: midwatch [flags]              the console",
            "       midwatch COMMAND [flags]      a headless command",
            "",
            "The on-call console for models in production.",
            "",
            "commands:",
            *lines,
            "",
            "flags of the console:",
            "  --write --read-only --theme T --ascii --plain --version",
            "flags of every command, before or after its name:",
            "  --config FILE --prometheus URL --scrape URL --log FILE",
            "",
            "midwatch COMMAND --help says more.",
        ]
    )


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
            return command_line.OK
        return _module("console_command").run(shared, rest)
    name = rest[0]
    if name == "help":
        print(overview())
        return command_line.OK
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
