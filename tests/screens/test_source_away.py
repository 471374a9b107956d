"""The running console while its Prometheus is killed, hung or talks nonsense: it goes on."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.cli.bootstrap import prepare
from console.domain.signals import ReadingState
from console.domain.text import ConsoleOptions
from console.engine.thread import EngineThread
from console.settings.load import Flags
from tests.engine.replay import openmetrics
from tests.screens.support import fleet, part, picture, until
from tests.support.prometheus_server import PrometheusServer
from tests.support.web import Reply, faulty_proxy


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrometheusServer]:
    made = PrometheusServer(
        tmp_path / "server", blocks=openmetrics(("vllm", "triton"), time.time())
    )
    try:
        yield made.start()
    finally:
        made.stop()


def console_on(url: str, tmp_path: Path) -> MidwatchApp:
    config = tmp_path / "config.toml"
    config.write_text(
        'version = 1\nrefresh = "1s"\n[[sources]]\nname = "prom"\nkind = "prometheus"\n'
        f'url = "{url}"\ntimeout = "2s"\n'
    )
    config.chmod(0o600)
    prepared = prepare(Flags(config=config))
    settings = prepared.loaded.settings
    return MidwatchApp(
        prepared.loaded,
        ConsoleOptions(),
        lambda: EngineThread(prepared.engine, settings),
        zone=UTC,
    )


async def answers_keys(pilot: Pilot[None], app: MidwatchApp) -> float:
    """Open the help and close it again; return the seconds it took."""
    pressed_at = time.monotonic()
    for key, boxed in (("question_mark", True), ("escape", False)):
        await pilot.press(key)
        await until(pilot, lambda boxed=boxed: (app.screen is not fleet(app)) is boxed, key)  # type: ignore[misc]
    return time.monotonic() - pressed_at


class Watched:
    """A console whose source fails and comes back, and what must hold meanwhile."""

    def __init__(self, pilot: Pilot[None], app: MidwatchApp) -> None:
        self.pilot, self.app = pilot, app
        self.rows = 0
        self.keys_seconds = 0.0

    def header(self) -> str:
        return part(self.app, "#header")

    def up(self) -> bool:
        snapshot = self.app.session.snapshot
        return (
            snapshot is not None
            and bool(snapshot.rows)
            and all(source.state == "up" for source in snapshot.sources)
        )

    def states(self) -> set[ReadingState]:
        """Return what the models' traffic readings are worth."""
        snapshot = self.app.session.snapshot
        assert snapshot is not None
        column = snapshot.columns["requests_rate"]
        return {column.reading(row).state for row in range(len(snapshot.rows))}

    def stale(self) -> bool:
        """Return whether the last values are called stale, every one of them."""
        return self.states() == {ReadingState.STALE}

    async def begin(self) -> None:
        await until(self.pilot, self.up, "the first numbers never came")
        self.rows = len(fleet(self.app).grid.rows)
        assert self.rows >= 2
        self.keys_seconds = await answers_keys(self.pilot, self.app)

    async def goes_stale_and_stays_awake(self) -> None:
        await until(self.pilot, lambda: "!prom" in self.header(), f"not said: {self.header()}")
        await until(self.pilot, self.stale, f"not stale: {self.states()}")
        assert len(fleet(self.app).grid.rows) == self.rows, "the last values stay"
        # A query may take two seconds: keys that waited for one each would take four.
        assert await answers_keys(self.pilot, self.app) < 1.5 + 2 * self.keys_seconds

    async def recovers(self) -> None:
        await until(self.pilot, self.up, f"it never recovered: {self.header()}")
        await until(self.pilot, lambda: "!prom" not in self.header(), self.header())
        assert not self.stale()


async def test_a_console_outlives_its_source_and_recovers_without_a_key(
    server: PrometheusServer, tmp_path: Path
) -> None:
    app = console_on(server.url, tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        watched = Watched(pilot, app)
        await watched.begin()
        for end, begin in ((server.hang, server.resume), (server.kill, server.start)):
            end()
            await watched.goes_stale_and_stays_awake()
            begin()
            await watched.recovers()


def cut_off(reply: Reply) -> Reply:
    """Say the whole length, send half of it and hang up."""
    return replace(reply, cut_to=len(reply.body) // 2)


SPOILT: dict[str, tuple[Callable[[Reply], Reply], str]] = {
    "500": (lambda _: Reply(b'{"status":"error","error":"[/x] \x1b[2J"}', 500), "500"),
    "a gateway's page": (lambda _: Reply(b"<html>[/foo] bad gateway", 502), "502"),
    "cut off": (cut_off, "broke off its answer"),
    "half a document": (lambda reply: replace(reply, body=reply.body[:-7]), "was truncated"),
}
"""What a proxy makes of every answer, and a word of what the sources screen says of it."""


@pytest.mark.parametrize("name", SPOILT)
async def test_a_console_outlives_answers_that_are_no_answers(
    name: str, server: PrometheusServer, tmp_path: Path
) -> None:
    spoil, said = SPOILT[name]
    with faulty_proxy(server.url) as proxy:
        app = console_on(proxy.url, tmp_path)
        async with app.run_test(size=(120, 36)) as pilot:
            watched = Watched(pilot, app)
            await watched.begin()
            proxy.spoil = spoil
            await watched.goes_stale_and_stays_awake()
            await pilot.press("s")
            await until(pilot, lambda: said in "\n".join(picture(app)), f"{said} not said")
            assert "\x1b" not in "".join(picture(app))
            await pilot.press("escape")
            proxy.spoil = None
            await watched.recovers()
