"""Runs the embedded fleet: real HTTP on loopback, one background thread, history included."""

import asyncio
import logging
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

import numpy as np

from console.demo import http_server as controls
from console.demo.backfill import (
    COARSE_SECONDS,
    DRAWN_SPAN_SECONDS,
    FINE_SECONDS,
    FINE_SPAN_SECONDS,
    MIDDLE_SECONDS,
    MIDDLE_SPAN_SECONDS,
    Axis,
    Teller,
)
from console.demo.catalogue import CLONES_PER_SERVICE, base_models, models_for
from console.demo.config import config_toml, path_of, reference_file
from console.demo.http_server import LOOPBACK, Request, Response, open_listener
from console.demo.scenario import ModelSpec, scenario_named
from console.demo.server_metrics import CONTENT_TYPE, Floats, Labels, Page
from console.demo.service import Service, Simulation


@dataclass(frozen=True)
class HistoryBlock:
    """Samples of many series at the same times.

    ``times`` (T) are Unix seconds, ``series`` entries are (target URL, name, sorted labels without
    instance and job), ``values`` is (len(series), T).
    """

    step_seconds: float
    times: Floats
    series: list[tuple[str, str, Labels]]
    values: Floats


class History:
    """The time before the start for every service; the services are left as it ends."""

    def __init__(self, simulation: Simulation) -> None:
        self._axis = Axis(simulation.now)
        self._models = [service.model.name for service in simulation.services]
        self._series = [service.layout.series for service in simulation.services]
        self._tales = [
            Teller(simulation, service, self._axis).tell() for service in simulation.services
        ]

    def blocks(self, target_of: Mapping[str, str]) -> Iterator[HistoryBlock]:
        """Yield the three tiers, coarse to fine; ``target_of`` gives each model's metrics URL."""
        yield self._long(target_of)
        yield self._short(target_of, MIDDLE_SECONDS, MIDDLE_SPAN_SECONDS)
        yield self._short(target_of, FINE_SECONDS, FINE_SPAN_SECONDS)

    def _long(self, target_of: Mapping[str, str]) -> HistoryBlock:
        axis = self._axis
        places = axis.places(COARSE_SECONDS, DRAWN_SPAN_SECONDS)[1:]
        series: list[tuple[str, str, Labels]] = []
        rows: list[Floats] = []
        for model, names, tale in zip(self._models, self._series, self._tales, strict=True):
            series.extend((target_of[model], *names[column]) for column in tale.coarse_columns)
            later = tale.values[places][:, tale.coarse_columns]
            rows.append(np.concatenate((tale.coarse, later)).T)
        times = np.concatenate((axis.coarse, axis.edges[places]))
        return HistoryBlock(COARSE_SECONDS, times, series, np.concatenate(rows))

    def _short(self, target_of: Mapping[str, str], step: float, span: float) -> HistoryBlock:
        places = self._axis.places(step, span)
        series = [
            (target_of[model], name, labels)
            for model, names in zip(self._models, self._series, strict=True)
            for name, labels in names
        ]
        values = np.concatenate([tale.values[places].T for tale in self._tales])
        return HistoryBlock(step, self._axis.edges[places], series, values)


__all__ = ["DemoError", "DemoFleet", "HistoryBlock", "ServiceAddress"]

STEP_SECONDS = 1.0
_PORT_LIMIT = 65535
_log = logging.getLogger(__name__)


class DemoError(Exception):
    """The demo cannot start or go on; the text is a sentence with what to do."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where one simulated service listens; ``url`` has no path."""

    name: str
    url: str
    profile: str

    @property
    def metrics_url(self) -> str:
        """The address of its metrics."""
        return f"{self.url}/metrics"


class _Endpoint:
    """What one listener answers: metrics of its models, their controls, and a word of health."""

    def __init__(self, fleet: "DemoFleet", name: str, services: Sequence[Service]) -> None:
        self.name = name
        self.services = services
        self.profile = services[0].model.profile
        self._fleet = fleet
        self._page = Page([service.layout for service in services])
        self._controllable = {
            service.model.name: service for service in services if self.profile == "midwatch"
        }

    def __call__(self, request: Request) -> Response:
        simulation = self._fleet.simulation
        if self._fleet.failure is not None:
            return Response(500, f"the simulation stopped: {self._fleet.failure}\n".encode())
        if request.path.startswith("/control/") and self._controllable:
            return controls.answer(self._controllable, request, simulation.now)
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"only GET is answered here\n", headers={"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            return self._metrics(simulation)
        if request.path in ("/", "/healthz"):
            return Response(200, f"{self.name} ok\n".encode())
        return Response(404, b"there is /metrics, /healthz, and /control/ where it applies\n")

    def _metrics(self, simulation: Simulation) -> Response:
        if any(
            simulation.story.metrics_away(service.model.name, simulation.story_seconds)
            for service in self.services
        ):
            return Response(503, b"the service is restarting\n")
        body = self._page.render([service.values for service in self.services])
        return Response(200, body, CONTENT_TYPE)


class DemoFleet:
    """Simulated model services with ``/metrics`` and controls, and the history before them.

    ``speed`` scales the story, not the arrivals. ``clock`` gives Unix seconds. Raises
    ``ValueError`` for a scenario, number of models or speed that cannot be.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        models: int | None = None,
        scenario: str = "story",
        speed: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.models: tuple[ModelSpec, ...] = models_for(models)
        self.services: tuple[ServiceAddress, ...] = ()
        self.failure: str | None = None
        self._clock = clock
        self.simulation = Simulation(
            self.models,
            seed=seed,
            scenario=scenario_named(scenario),
            now=clock(),
            speed=speed,
        )
        self._history: History | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._place: tempfile.TemporaryDirectory[str] | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The ``/metrics`` URLs, empty before the start."""
        return tuple(service.metrics_url for service in self.services)

    @property
    def place(self) -> Path | None:
        """The directory of the demo's own record while it runs."""
        return None if self._place is None else Path(self._place.name)

    def start(self, port: int = 0) -> None:
        """Write the history, open the listeners and let time run.

        ``port`` above 0 asks for consecutive ports from there. Raises ``DemoError`` when a port is
        taken or the fleet is running.
        """
        if self._thread is not None:
            raise DemoError("the demo fleet is already running; stop it first")
        self.simulation.restart(self._clock())
        self._history = History(self.simulation)
        ready = threading.Event()
        problems: list[Exception] = []

        def run() -> None:
            try:
                asyncio.run(self._run(port, ready))
            except (OSError, DemoError) as error:
                problems.append(error)
                ready.set()

        self._thread = threading.Thread(target=run, name="demo-fleet", daemon=True)
        self._thread.start()
        ready.wait()
        # What is done to simulated models must not stand in the operator's own record.
        self._place = tempfile.TemporaryDirectory(prefix="midwatch-demo-journal-")
        if problems:
            self._place.cleanup()
            self._place = None
            self._thread.join()
            self._thread = None
            raise DemoError(
                f"the demo cannot listen on {LOOPBACK}, ports from {port}: {problems[0]}; "
                "choose another with --port, or leave it out"
            ) from problems[0]

    def stop(self) -> None:
        """Close the listeners and end the thread; does nothing when not running."""
        if self._thread is None:
            return
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._thread = None
        if self._place is not None:
            self._place.cleanup()
            self._place = None

    def history(self) -> Iterator[HistoryBlock]:
        """Return everything before the start, coarse to fine; raises ``DemoError`` before it."""
        if self._history is None:
            raise DemoError("the demo has no history before it is started")
        by_model = {
            service.model.name: address.metrics_url
            for endpoint, address in zip(self._endpoints(), self.services, strict=True)
            for service in endpoint
        }
        return self._history.blocks(by_model)

    def config_toml(self, *, prometheus_url: str | None = None, references: bool = False) -> str:
        """Return a complete configuration: the fleet's own targets, or a Prometheus with them.

        With ``references`` it names the files of `reference_files`, to be put beside it.
        """
        control_urls = {
            service.model.name: address.url
            for endpoint, address in zip(self._endpoints(), self.services, strict=False)
            for service in endpoint
            if address.profile == "midwatch"
        }
        journal_url = None
        if self._place is not None:
            journal_url = f"sqlite:///{self._place.name}/journal.db"
        return config_toml(
            self.models,
            self.targets,
            prometheus_url,
            control_urls,
            references=references,
            journal_url=journal_url,
        )

    def reference_files(self) -> dict[str, bytes]:
        """Return frozen score distributions by their path beside the configuration."""
        now = self.simulation.now
        paths = ((path_of(model), model) for model in self.models)
        return {path: reference_file(model, now) for path, model in paths if path is not None}

    def _endpoints(self) -> list[list[Service]]:
        """Return the services of each listener: one model each, clones several together."""
        alone = len(base_models())
        services = list(self.simulation.services)
        groups = [[service] for service in services[:alone]]
        clones = services[alone:]
        groups += [
            clones[start : start + CLONES_PER_SERVICE]
            for start in range(0, len(clones), CLONES_PER_SERVICE)
        ]
        return groups

    async def _run(self, port: int, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        listeners: list[asyncio.Server] = []
        addresses: list[ServiceAddress] = []
        try:
            for place, group in enumerate(self._endpoints()):
                name = group[0].model.name if len(group) == 1 else f"{group[0].model.name}-and-more"
                endpoint = _Endpoint(self, name, group)
                asked = port + place if port else 0
                if asked > _PORT_LIMIT:
                    raise DemoError(f"there is no port {asked}")
                listener = await open_listener(endpoint, asked)
                listeners.append(listener)
                number = listener.sockets[0].getsockname()[1]
                addresses.append(
                    ServiceAddress(name, f"http://{LOOPBACK}:{number}", endpoint.profile)
                )
            self.services = tuple(addresses)
            ready.set()
            await self._live(self._ended)
        finally:
            for listener in listeners:
                listener.close()

    async def _live(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                self.simulation.step(self._clock())
            except Exception as error:  # noqa: BLE001
                # Whatever it is, a traceback from this thread would be drawn over the console. The
                # services answer 500 with the reason instead, so the viewer learns of it.
                _log.exception("the demo's simulation failed")
                self.failure = f"{type(error).__name__}: {error}"
                await ended.wait()
                return
            try:
                async with asyncio.timeout(STEP_SECONDS):
                    await ended.wait()
            except TimeoutError:
                continue


def serve(
    fleet: DemoFleet,
    *,
    port: int = 0,
    output: TextIO | None = None,
    notes: TextIO | None = None,
) -> int:
    """Run ``fleet`` until SIGINT or SIGTERM; return the exit code 0.

    The configuration goes to ``output`` (stdout), so it can be redirected into a file; the list
    of addresses goes to ``notes`` (stderr). Raises ``DemoError`` when a port is taken. Call it from
    the main thread: it waits for signals.
    """
    output = sys.stdout if output is None else output
    notes = sys.stderr if notes is None else notes
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        fleet.start(port)
        for service in fleet.services:
            notes.write(f"{service.name:<16} {service.profile:<9} {service.metrics_url}\n")
        notes.write("Ctrl-C ends the fleet. The configuration for it is on standard output.\n")
        notes.flush()
        output.write(fleet.config_toml())
        output.flush()
        ended.wait()
    finally:
        fleet.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
