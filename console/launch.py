"""Entry point: decides between the console and the command line; imports nothing heavy."""

from __future__ import annotations

import os
import sys

from console.domain.version import VERSION
from console.engine.gc_tuning import hold_off_collector
from console.reports import last_seen

TYPE_CHECKING = False  # typing would be a third of what a picture waits for
if TYPE_CHECKING:
    from console.cli.main import ConsoleStart


def main() -> int:
    """Run ``midwatch`` with the process's arguments and return its exit code."""
    arguments = sys.argv[1:]
    if not occupy_streams():
        return 74
    if arguments == ["--version"]:
        # Answered before argparse is imported: scripts ask this often and wait for it.
        try:
            sys.stdout.write(f"midwatch {VERSION}\n")
            sys.stdout.flush()
        except OSError as fault:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.stderr.write(f"midwatch: the output cannot be written: {fault.strerror}\n")
            return 74
        return 0
    hold_off_collector()
    seen = last_seen.paint(arguments, os.environ)
    try:
        from console.cli.main import run

        outcome = run(arguments)
        return outcome if isinstance(outcome, int) else open_console(outcome, seen)
    finally:
        if seen is not None:
            seen.take_back()


def occupy_streams() -> bool:
    """Put the null device where standard input, output or error is closed.

    A file opened later would get its number, and what is printed would end up in the journal.
    Returns False, having said so, where there is no output to write to.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is not None:
        return True
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr.write("midwatch: the output cannot be written: standard output is closed\n")
    return False


def open_console(start: ConsoleStart, seen: last_seen.Picture | None = None) -> int:
    """Open the console on what the command line prepared, and clean up after it.

    It draws over the last known screen where that was painted.
    """
    # Halves the time from key to paint during a refresh; Textual reads it once, at import.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    hold_off_collector()
    from console.app import run as run_console

    try:
        take_over = None if seen is None else seen.hand_over
        return run_console(start.loaded, start.options, start.engine, take_over, start.player)
    finally:
        start.close()
