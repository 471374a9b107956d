"""Prometheus ends in the middle of a night: last values, another server, its targets, and back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from console.engine import standby_order
from console.engine.service import Engine
from console.http import resilience
from console.settings.endpoint_tables import SourceSettings
from console.settings.load import Loaded
from console.settings.schema import Settings
from console.sources import direct_standby
from console.sources.base import SourceDown
from tests.support.prometheus_server import PrometheusServer, wait_for_series
from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.domain.snapshot import Snapshot

LIMIT_SECONDS = 120.0
REQUESTS_A_SECOND = 20.0
BEGAN = time.time()


def service(_: Request) -> Reply:
    """Return a model server's page whose counter grows by itself."""
    grown = REQUESTS_A_SECOND * (time.time() - BEGAN) + 1000.0
    return Reply(
        f"# TYPE model_requests_total counter\n"
        f'model_requests_total{{model="fraud",outcome="success"}} {grown}\n'.encode()
    )


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[PrometheusServer, PrometheusServer]]:
    with web_server(service) as page:
        target = f"{page.url}/metrics"
        made = [PrometheusServer(tmp_path / name, targets={"fraud-job": [target]}) for name in "ab"]
        try:
            for server in made:
                server.start()
            for server in made:
                wait_for_series(server.url, "rate(model_requests_total[1m]) > 0", seconds=60.0)
            yield made[0], made[1]
        finally:
            for server in made:
                server.stop()


class Night:
    """Ticks an engine as its loop does, and notes who spoke for the row, each change once."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.steps: list[str] = []

    async def until(self, holds: Callable[[Snapshot], bool]) -> Snapshot:
        give_up_at = time.monotonic() + LIMIT_SECONDS
        while True:
            snapshot = await self.engine.tick()
            self._note(snapshot)
            if holds(snapshot):
                return snapshot
            told = [(s.name, s.state, s.error, s.warnings, s.standby) for s in snapshot.sources]
            assert time.monotonic() < give_up_at, (self.steps, told)
            await asyncio.sleep(0.5)

    def _note(self, snapshot: Snapshot) -> None:
        if not snapshot.rows:
            return
        row = snapshot.rows[0]
        speaker = next((s for s in snapshot.sources if s.name == row.source), None)
        rate = snapshot.reading("requests_rate", 0)
        how = speaker.standby if speaker is not None and speaker.standby == "direct" else ""
        step = f"{row.source} {how} {rate.state.name.lower()}".replace("  ", " ")
        if not self.steps or self.steps[-1] != step:
            self.steps.append(step)


def speaks(source: str, standby: str = "", state: str = "OK") -> Callable[[Snapshot], bool]:
    """Return whether this source speaks for the row with a rate that is right."""

    def holds(snapshot: Snapshot) -> bool:
        if not snapshot.rows or snapshot.rows[0].source != source:
            return False
        status = next(each for each in snapshot.sources if each.name == source)
        rate = snapshot.reading("requests_rate", 0)
        if status.standby != standby or rate.state.name != state:
            return False
        return rate.value is not None and abs(rate.value - REQUESTS_A_SECOND) < 5.0

    return holds


async def test_it_degrades_in_named_steps_and_comes_back_without_flapping(
    servers: tuple[PrometheusServer, PrometheusServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_standby, "STALE_FIRST_SECONDS", 3.0)
    monkeypatch.setattr(direct_standby, "BACK_SECONDS", 2.0)
    monkeypatch.setattr(standby_order, "HELD_SECONDS", 2.0)
    monkeypatch.setattr(resilience, "BREAKER_CAP_SECONDS", 1.0)
    first, second = servers
    sources = (
        SourceSettings(name="a", kind="prometheus", url=first.url, fallback="b"),
        SourceSettings(name="b", kind="prometheus", url=second.url, fallback="direct"),
    )
    settings = Settings(sources=sources, refresh_seconds=1.0)
    night = Night(Engine(Loaded(settings, {}, None)))
    try:
        await night.until(speaks("a"))

        first.kill()
        snapshot = await night.until(speaks("b"))
        away = next(each for each in snapshot.sources if each.name == "a")
        assert away.state in ("stale", "down")
        assert away.standby == "b"
        assert len(snapshot.rows) == 1

        second.kill()
        snapshot = await night.until(speaks("b", "direct"))
        direct = next(each for each in snapshot.sources if each.name == "b")
        assert direct.state == "up"
        assert "1 target is read directly" in direct.warnings[0]
        assert "refused" in direct.warnings[0]
        assert snapshot.rows[0].model == "fraud"

        second.start()
        await night.until(speaks("b"))
        first.start()
        await night.until(speaks("a"))
        # A while later it still is where it belongs.
        for _ in range(5):
            await night.until(speaks("a"))
    finally:
        await night.engine.close()

    since = night.steps.index("a ok")
    assert night.steps[since:] == [
        *("a ok", "a stale", "b ok", "b stale", "b direct ok", "b ok", "a ok")
    ]


async def test_targets_get_the_labels_the_server_gives_them(tmp_path: Path) -> None:
    with web_server(service) as page:
        server = PrometheusServer(tmp_path, targets={"fraud-job": [f"{page.url}/metrics"]}).start()
        try:
            wait_for_series(server.url, "model_requests_total", seconds=60.0)
            from console.metrics.profile import profiles
            from console.sources.factory import build_source

            source = build_source(
                SourceSettings(name="a", kind="prometheus", url=server.url, fallback="direct")
            )
            assert isinstance(source, direct_standby.DirectStandby)
            now = time.time()
            await source.discover(profiles(), now)
            server.kill()
            asked_at = now + direct_standby.STALE_FIRST_SECONDS
            with pytest.raises(SourceDown):
                await source.ask([], now + 1.0)
            found = await source.discover(profiles(), asked_at + 2.0)
            assert [model.server for model in found.models] == ["fraud-job"]
            assert source.status().standby == "direct"
            await source.aclose()
        finally:
            server.stop()
