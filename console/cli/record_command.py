"""``midwatch record FILE`` and ``midwatch replay FILE``: the console kept, and shown again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.bootstrap import Prepared, prepare
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, duration, flags
from console.cli.console_command import require_terminal
from console.cli.main import ConsoleStart
from console.domain.text import ConsoleOptions, visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.domain.snapshot import Snapshot
    from console.engine.recording import Recording, Redactor

FASTEST = 1000.0


def parser(command: str) -> Parser:
    """Return the parser of record or replay."""
    if command == "record":
        made = Parser("midwatch record", "Keep every tick of the console in a file.")
        made.add_argument("file", metavar="FILE", help="the file to make; it must not be there yet")
        made.add_argument(
            "--for", dest="limit", metavar="TIME", type=made.value(duration(), "--for"),
            help="end by itself after so long (default: Ctrl+C ends it)",
        )  # fmt: skip
        made.add_argument("--names", action="store_true", help="leave people's names in it")
    else:
        made = Parser("midwatch replay", "Show a recording as if it were now; changes nothing.")
        made.add_argument("file", metavar="FILE", help="a recording")
        made.add_argument("--speed", metavar="X", type=float, default=1.0, help="pace; 30 is 30x")
        made.add_argument(
            "--at", metavar="TIME", default="", help="begin there: 03:12 (UTC) or ISO 8601"
        )
        made.add_argument("--theme", metavar="T", default="dark", help="colours")
        made.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
        made.add_argument(
            "--plain", action="store_true", help="print the tick at --at, or the last one, and end"
        )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int | ConsoleStart:
    """Record until it is ended, or hand back a console on a recording."""
    command, *rest = arguments
    chosen = parser(command).parse_all(rest)
    if command == "replay":
        return _replay(shared, chosen)
    return asyncio.run(_record(prepare(flags(shared)), chosen))


async def _record(prepared: Prepared, chosen: argparse.Namespace) -> int:
    from console.engine.recording import Writer, header_of

    settings = prepared.loaded.settings
    redactor = _redactor(prepared, named=chosen.names)
    try:
        writer = Writer(Path(chosen.file), header_of(settings, redactor.words), redactor)
    except OSError as fault:
        raise CommandError(f"{visible(chosen.file)} cannot be made: {fault.strerror}") from fault
    engine = prepared.engine()
    engine.on_problem = lambda sentence: _tell(sentence)
    ends = time.monotonic() + (chosen.limit or float("inf"))
    count = 0

    def keep(snapshot: Snapshot) -> None:
        nonlocal count
        try:
            writer.add(snapshot)
        except OSError as fault:
            _tell(f"the recording ends: {fault.strerror}")
            engine.stop()
            return
        count += 1
        if time.monotonic() >= ends:
            engine.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, engine.stop)
    _tell(f"recording into {visible(chosen.file)}, without {redactor.words}; Ctrl+C ends it")
    try:
        await engine.run(keep)
    finally:
        await engine.close()
        writer.close()
    _tell(f"{count} ticks, {writer.written / 1e6:.1f} MB: {visible(chosen.file)}")
    return 0 if count else 1


def _redactor(prepared: Prepared, *, named: bool) -> Redactor:
    from console.engine.recording import Redactor

    return Redactor(prepared.resolver.known, named=named)


def _open(path: Path) -> Recording:
    from console.engine.recording import open_recording
    from console.engine.recording_codec import BadRecording

    try:
        return open_recording(path)
    except BadRecording as fault:
        raise CommandError(str(fault)) from fault
    except OSError as fault:
        raise CommandError(f"{visible(str(path))} cannot be read: {fault.strerror}") from fault


def _replay(shared: argparse.Namespace, chosen: argparse.Namespace) -> int | ConsoleStart:
    if not 0.0 <= chosen.speed <= FASTEST:
        raise UsageError(f"--speed is between 0 (paused) and {FASTEST:g}")
    if not chosen.plain:
        require_terminal("midwatch replay --plain")
    from console.engine.replay import ReplayEngine, moment_of, settings_of
    from console.settings.load import Loaded

    recording = _open(Path(chosen.file))
    at = moment_of(chosen.at, recording) if chosen.at else None
    if chosen.at and at is None:
        raise UsageError(f"--at takes 03:12, 03:12:21 or ISO 8601, not {visible(chosen.at, 40)}")
    if chosen.plain:
        return _print(recording, at)
    engine = ReplayEngine(recording, speed=chosen.speed, at=at)
    options = ConsoleOptions(
        theme=chosen.theme,
        ascii=chosen.ascii,
        mouse=False,
        colour=not os.environ.get("NO_COLOR"),
        read_only=True,
        write=False,
        title=engine.words,
        log_path=shared.log or "",
    )
    return ConsoleStart(
        Loaded(settings_of(recording), {}, None), options, lambda: engine, player=engine
    )


def _print(recording: Recording, at: float | None) -> int:
    from console.engine.recording_codec import BadRecording
    from console.reports.plain import plain

    number = len(recording.moments) - 1 if at is None else recording.number_at(at)
    try:
        snapshot = recording.read(number).snapshot
    except BadRecording as fault:
        raise CommandError(str(fault)) from fault
    assert snapshot is not None
    for sentence in recording.lost:
        _tell(sentence)
    sys.stdout.write(f"REPLAY {number + 1}/{len(recording.moments)}\n{plain(snapshot, None)}")
    return 0


def _tell(sentence: str) -> None:
    sys.stderr.write(f"midwatch: {visible(sentence, 500)}\n")
