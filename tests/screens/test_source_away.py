"""The running console while its Prometheus is killed and hung: stale, awake, recovering."""

import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.cli.loading import prepare
from console.engine.thread import EngineThread
from console.facts.options import ConsoleOptions
from console.settings.load import Flags
from tests.engine.replay import openmetrics
from tests.screens.support import fleet, part, until
from tests.support.prometheus_server import PrometheusServer


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


async def answers_keys(pilot: Pilot[None], app: MidwatchApp) -> None:
    """Open the help and close it again, sooner than the two seconds a query may take."""
    for key, boxed in (("question_mark", True), ("escape", False)):
        pressed_at = time.monotonic()
        await pilot.press(key)
        await until(pilot, lambda boxed=boxed: (app.screen is not fleet(app)) is boxed, key)  # type: ignore[misc]
        assert time.monotonic() - pressed_at < 2.0


async def test_a_console_outlives_its_source_and_recovers_without_a_key(
    server: PrometheusServer, tmp_path: Path
) -> None:
    app = console_on(server.url, tmp_path)

    def header() -> str:
        return part(app, "#header")

    def up() -> bool:
        snapshot = app.session.snapshot
        return (
            snapshot is not None
            and bool(snapshot.rows)
            and all(source.state == "up" for source in snapshot.sources)
        )

    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, up, "the first numbers never came")
        rows = len(fleet(app).grid.rows)
        assert rows >= 2
        for end, begin in ((server.hang, server.resume), (server.kill, server.start)):
            end()
            await until(pilot, lambda: "!prom" in header(), f"not said: {header()}")
            assert len(fleet(app).grid.rows) == rows, "the last values stay"
            await answers_keys(pilot, app)
            begin()
            await until(pilot, up, f"it never recovered: {header()}")
            await until(pilot, lambda: "!prom" not in header(), header())
