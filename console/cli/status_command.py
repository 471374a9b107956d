"""``midwatch status``: how every model is, for people, pipes and scripts."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.bootstrap import prepare
from console.cli.command_line import Parser, add_shared, flags, row_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from console.domain.snapshot import Snapshot
    from console.engine.service import Engine


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch status", "How every model is. Takes two looks, one refresh apart.")
    made.add_argument("models", nargs="*", metavar="MODEL", help="only these models")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a document, see docs/status.schema.json")
    form.add_argument("--plain", action="store_true", help="one fact a line")
    made.add_argument("--watch", action="store_true", help="again at every refresh, until Ctrl-C")
    made.add_argument(
        "--instant",
        action="store_true",
        help="one look: rules that need a second are pending and not in the exit code",
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the status and return its exit code."""
    chosen = parser().parse_all(arguments)
    engine = prepare(flags(shared)).engine()
    return asyncio.run(_status(engine, chosen))


def watch_plain(engine: Engine) -> int:
    """Print plain status at every refresh until interrupted."""
    return asyncio.run(_status(engine, parser().parse_args(["--plain", "--watch"])))


async def _status(engine: Engine, chosen: argparse.Namespace) -> int:
    engine.on_problem = _tell
    try:
        show = _form(chosen)
        if chosen.watch:
            return await _watch(engine, chosen, show)
        began_at = time.monotonic()
        if chosen.instant:
            snapshot = await engine.once(remembers=False)
        else:
            snapshot = await engine.look_twice()
            _tell_of_slow_start(time.monotonic() - began_at, engine)
        rows = _rows(snapshot, chosen.models)
        sys.stdout.write(show(snapshot, rows))
        return _exit_code(snapshot, rows)
    finally:
        await engine.close()


async def _watch(
    engine: Engine,
    chosen: argparse.Namespace,
    show: Callable[[Snapshot, Sequence[int] | None], str],
) -> int:
    """Print every tick; ends only by an interrupt or a reader that left."""

    lost: list[OSError] = []

    def publish(snapshot: Snapshot) -> None:
        text = show(snapshot, _rows(snapshot, chosen.models, told=False))
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as fault:
            # The engine outlives faults of a tick; without a reader there is nothing to live for.
            lost.append(fault)
            engine.stop()

    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = asyncio.create_task(_reload(engine))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, reload)
    await engine.run(publish)
    if lost:
        raise lost[0]
    return command_line.OK


async def _reload(engine: Engine) -> None:
    """Read the configuration again, as the console does on the same signal."""
    outcome = await engine.reload()
    _tell("\n".join([outcome.sentence, *outcome.problems]))


def _form(chosen: argparse.Namespace) -> Callable[[Snapshot, Sequence[int] | None], str]:
    if chosen.json:
        from console.reports.status import as_json, document

        # A stream of documents is read line by line, a single one by people too.
        indent = None if chosen.watch else 2
        return lambda snapshot, rows: f"{as_json(document(snapshot, rows), indent=indent)}\n"
    from console.reports.plain import plain, table

    if chosen.plain:
        return plain
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return lambda snapshot, rows: table(snapshot, rows, width)


def _rows(snapshot: Snapshot, models: Sequence[str], *, told: bool = True) -> list[int] | None:
    """Return the rows of the named models, None for all; raises `CommandError` for a wrong name."""
    if not models:
        return None
    if told:
        return [row_of(snapshot, model) for model in models]
    return [snapshot.index[model] for model in models if model in snapshot.index]


def _exit_code(snapshot: Snapshot, rows: Sequence[int] | None) -> int:
    from console.reports.status import exit_code

    return exit_code(snapshot, rows)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"midwatch: {sentence}\n")


def _tell_of_slow_start(seconds: float, engine: Engine) -> None:
    if seconds > 5 * engine.settings.refresh_seconds:
        _tell(f"a source was slow: two looks took {seconds:.0f} s")
