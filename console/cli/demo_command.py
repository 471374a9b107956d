"""``midwatch demo``: the simulated fleet, and the console on it."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console.cli.bootstrap import prepare
from console.cli.command_line import (
    CommandError,
    Parser,
    UsageError,
    add_console,
    add_shared,
    flags,
)
from console.cli.console_command import console_options, engine_of, require_terminal
from console.cli.main import ConsoleStart

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from console.demo.demo_fleet import DemoFleet
    from console.engine.client import EngineHandle
    from console.settings.schema import SourceSettings
    from console.sources.base import Source

TITLE = "DEMO — simulation"


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch demo", "A simulated fleet on this machine, and the console on it.")
    made.add_argument("--models", type=int, metavar="N", help="how many models")
    made.add_argument("--scenario", default="story", metavar="NAME", help="story, calm or outage")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="the same N, the same story")
    made.add_argument("--speed", type=float, default=1.0, metavar="X", help="pace of the story")
    made.add_argument(
        "--real-prometheus", action="store_true", help="put the installed prometheus between them"
    )
    made.add_argument("--serve", action="store_true", help="only the services; prints their URLs")
    made.add_argument("--port", type=int, default=0, metavar="N", help="first port, with --serve")
    add_console(made)
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int | ConsoleStart:
    """Start the fleet; serve it, print it, or hand back a console on it."""
    chosen = parser().parse_all(arguments)
    if shared.config or shared.prometheus or shared.scrape:
        raise UsageError("the demo brings its own configuration; leave out --config and sources")
    if chosen.port and not chosen.serve:
        raise UsageError("--port goes with --serve")
    if chosen.serve and chosen.real_prometheus:
        raise UsageError(
            "--serve starts the services alone, --real-prometheus stands between them and the "
            "console; leave one out"
        )
    if not (chosen.serve or chosen.plain):
        require_terminal("midwatch demo --plain")
    if not (chosen.serve or chosen.plain or chosen.real_prometheus):
        return _watch_soon(shared, chosen)
    fleet = _fleet(chosen)
    if chosen.serve:
        return _serve(fleet, chosen.port)
    return _watch(fleet, shared, chosen)


def _fleet(chosen: argparse.Namespace) -> DemoFleet:
    from console.demo.demo_fleet import DemoFleet

    try:
        return DemoFleet(
            seed=chosen.seed, models=chosen.models, scenario=chosen.scenario, speed=chosen.speed
        )
    except ValueError as fault:
        raise UsageError(str(fault)) from fault


def _serve(fleet: DemoFleet, port: int) -> int:
    from console.demo.demo_fleet import DemoError, serve

    try:
        return serve(fleet, port=port)
    except DemoError as fault:
        raise CommandError(str(fault)) from fault


def _start(fleet: DemoFleet) -> None:
    from console.demo.demo_fleet import DemoError

    try:
        fleet.start()
    except DemoError as fault:
        raise CommandError(str(fault)) from fault


def _watch(
    fleet: DemoFleet, shared: argparse.Namespace, chosen: argparse.Namespace
) -> int | ConsoleStart:
    _start(fleet)
    closing: list[Callable[[], None]] = [fleet.stop]

    def close() -> None:
        with ExitStack() as ends:
            # Every one is run, whatever happens to another.
            for end in closing:
                ends.callback(end)
            closing.clear()

    try:
        prometheus_url = _real_prometheus(fleet, closing) if chosen.real_prometheus else None
        config = _write_config(
            fleet.config_toml(prometheus_url=prometheus_url, references=True),
            fleet.reference_files(),
            closing,
        )
        prepared = prepare(replace(flags(shared, chosen), config=config))
        make_source = _with_history(fleet, prepared.loaded.settings.refresh_seconds)
        if chosen.plain:
            from console.cli.status_command import watch_plain

            try:
                return watch_plain(prepared.engine(make_source))
            finally:
                close()
    except BaseException:
        close()
        raise
    return ConsoleStart(
        prepared.loaded,
        console_options(prepared.loaded, chosen, shared, TITLE),
        engine_of(prepared, make_source),
        close,
    )


def _watch_soon(shared: argparse.Namespace, chosen: argparse.Namespace) -> ConsoleStart:
    """Return a console whose fleet is simulated after the first frame, in the engine's start.

    Until then it has the head of the demo's configuration, which says all that a frame shows.
    """
    from console.demo.catalogue import CONFIG_HEAD, models_for
    from console.demo.scenario import check_speed, scenario_named

    try:
        models_for(chosen.models)
        scenario_named(chosen.scenario)
        check_speed(chosen.speed)
    except ValueError as fault:
        raise UsageError(str(fault)) from fault
    closing: list[Callable[[], None]] = []
    lock, ended = threading.Lock(), threading.Event()
    head = "\n".join((*CONFIG_HEAD, ""))
    config = _write_config(head, {}, closing)
    asked = replace(flags(shared, chosen), config=config, discovery=False)

    def close() -> None:
        ended.set()
        with lock, ExitStack() as ends:
            for end in closing:
                ends.callback(end)
            closing.clear()

    def engine() -> EngineHandle:
        with lock:
            if ended.is_set():
                raise CommandError("the demo has ended")
            fleet = _fleet(chosen)
            _start(fleet)
            closing.append(fleet.stop)
            _write_beside(config.parent, fleet.reference_files())
            config.write_text(fleet.config_toml(references=True), encoding="utf-8")
            prepared = prepare(asked)
        make_source = _with_history(fleet, prepared.loaded.settings.refresh_seconds)
        return engine_of(prepared, make_source)()

    try:
        loaded = prepare(asked, needs_source=False, warns=False).loaded
        options = console_options(loaded, chosen, shared, TITLE)
    except BaseException:
        close()
        raise
    return ConsoleStart(loaded, options, engine, close)


def _real_prometheus(fleet: DemoFleet, closing: list[Callable[[], None]]) -> str:
    from console.demo.demo_fleet import DemoError
    from console.demo.prometheus_server import RealPrometheus

    sys.stderr.write("starting prometheus and writing the fleet's history into it…\n")
    try:
        server = RealPrometheus(fleet)
        closing.append(server.stop)
        server.start()
    except DemoError as fault:
        raise CommandError(str(fault)) from fault
    return server.url


def _write_config(
    text: str, beside: Mapping[str, bytes], closing: list[Callable[[], None]]
) -> Path:
    """Write the demo's configuration where a reload can read it again; gone at the end."""
    directory = tempfile.TemporaryDirectory(prefix="midwatch-demo-")
    closing.append(directory.cleanup)
    _write_beside(Path(directory.name), beside)
    path = Path(directory.name) / "config.toml"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def _write_beside(directory: Path, beside: Mapping[str, bytes]) -> None:
    for name, content in beside.items():
        file_beside = directory / name
        file_beside.parent.mkdir(mode=0o700, exist_ok=True)
        file_beside.write_bytes(content)


def _with_history(fleet: DemoFleet, interval_seconds: float) -> Callable[[SourceSettings], Source]:
    """Return what makes the demo's source: a scrape source knows the past from the first tick."""

    def make(settings: SourceSettings) -> Source:
        from console.sources.factory import build_source
        from console.sources.scrape import ScrapeSource

        source = build_source(settings, None, interval_seconds=interval_seconds)
        if isinstance(source, ScrapeSource):
            source.preload(fleet.history())
        return source

    return make
