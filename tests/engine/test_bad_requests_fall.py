"""What a key did is seen at once: BAD/m falls within two ticks of a fallback, on the real demo."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from console.demo.demo_fleet import DemoFleet
from console.engine.service import Engine
from console.settings.load import Flags, Loaded, load
from console.sources.factory import build_source
from console.sources.scrape import ScrapeSource
from tests.engine.test_demo_stream import put

if TYPE_CHECKING:
    from pathlib import Path

    from console.domain.snapshot import Snapshot
    from console.settings.schema import SourceSettings
    from console.sources.base import Source

TICK_SECONDS = 5.0
MODEL = "fraud-scorer"


class Hands:
    """A clock that a test moves; services and console go by it."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))
        self.fleet = DemoFleet(scenario="calm", seed=3, clock=lambda: self.now)

    async def tick(self, engine: Engine, times: int = 1) -> Snapshot:
        for _ in range(times):
            self.now += TICK_SECONDS
            while self.fleet.simulation.now < self.now - 1.0:
                await asyncio.sleep(0.01)
            snapshot = await engine.once()
        return snapshot


def engine_on(hands: Hands, directory: Path) -> Engine:
    config = directory / "config.toml"
    config.write_text(hands.fleet.config_toml())
    config.chmod(0o600)
    found = load(Flags(config=config), {"HOME": str(directory)})
    settings = msgspec.structs.replace(found.settings, refresh_seconds=TICK_SECONDS)

    def make(declared: SourceSettings) -> Source:
        source = build_source(declared, None, interval_seconds=TICK_SECONDS)
        assert isinstance(source, ScrapeSource)
        source.preload(hands.fleet.history())
        return source

    return Engine(
        Loaded(settings, found.origins, found.path), make_source=make, clock=lambda: hands.now
    )


def a_minute(snapshot: Snapshot, signal: str = "bad_rate") -> float:
    reading = snapshot.reading(signal, snapshot.index[MODEL])
    assert reading.value is not None
    assert reading.window_seconds == 30.0
    return reading.value * 60.0


async def test_bad_requests_fall_within_two_ticks_of_a_fallback(tmp_path: Path) -> None:
    hands = Hands()
    hands.fleet.start()
    engine = engine_on(hands, tmp_path)
    try:
        await hands.tick(engine)
        url = next(each.url for each in hands.fleet.services if each.name == MODEL)
        await asyncio.to_thread(put, f"{url}/control/breaker", {"state": "FORCED_OPEN"})
        before = await hands.tick(engine, 8)
        refused = a_minute(before)
        assert refused == pytest.approx(a_minute(before, "requests_rate"), rel=0.05)
        assert refused > 100

        route: dict[str, object] = {"target": "fraud-small", "level": "L2"}
        await asyncio.to_thread(put, f"{url}/control/route", route)
        assert a_minute(await hands.tick(engine, 2)) < 0.8 * refused
        assert a_minute(await hands.tick(engine, 10)) < 0.1 * refused
    finally:
        await engine.close()
        hands.fleet.stop()
