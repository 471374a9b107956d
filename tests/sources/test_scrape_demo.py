"""The scrape source on the demo's fleet: history, live scrapes, and what a tick costs."""

from __future__ import annotations

import time

import pytest

from console.demo.demo_fleet import DemoFleet
from console.domain.model import ModelRow
from console.metrics.profile import profiles
from console.metrics.query_plan import plan
from console.settings.endpoint_tables import SourceSettings
from console.sources.factory import build_source
from console.sources.scrape import ScrapeSource
from tests.support.pace import pace_seconds

TICK_PACES = 90.0
"""What one tick may cost, in `pace_seconds`; 20 measured."""


async def test_the_demo_fleet_is_whole_from_the_first_tick_and_cheap_to_evaluate() -> None:
    fleet = DemoFleet(seed=3)
    fleet.start()
    try:
        source = build_source(SourceSettings(name="demo", kind="scrape", targets=fleet.targets))
        assert isinstance(source, ScrapeSource)
        source.preload(fleet.history())
        now = time.time()
        found = await source.discover(profiles(), now)
        rows = [ModelRow(model=seen.model, profile=seen.profile) for seen in found.models]
        queries = plan(found.profiles, rows, {}, now)
        answers = {answer.query_id: answer for answer in await source.ask(queries, now)}
        every_tick = [query for query in queries if query.cadence == "tick"]
        spent, paces = [], []
        for _ in range(9):
            paces.append(pace_seconds())
            began = time.thread_time()
            # The same moment again: nothing is scraped, everything is evaluated anew.
            await source.ask(every_tick, now)
            spent.append(time.thread_time() - began)
        await source.aclose()
    finally:
        fleet.stop()

    assert len(found.models) >= 9
    assert found.warnings == ()
    assert set(found.profiles) == {"midwatch", "vllm", "triton"}
    assert [answer.error for answer in answers.values() if answer.error] == []
    month = answers["midwatch/cost_month"]
    assert len(month.keys) >= 5
    assert (month.values > 0).all()
    burn = answers["midwatch/error_ratio@3d"]
    assert len(burn.keys) >= 7
    assert ((burn.values >= 0) & (burn.values < 0.5)).all()
    assert min(spent) < TICK_PACES * min(paces)
    assert source.samples.nbytes / source.samples.series_count < 20_000


async def test_live_counters_continue_the_history_without_a_jump() -> None:
    fleet = DemoFleet(seed=3, scenario="calm")
    fleet.start()
    try:
        source = build_source(
            SourceSettings(name="demo", kind="scrape", targets=fleet.targets), interval_seconds=2.0
        )
        assert isinstance(source, ScrapeSource)
        source.preload(fleet.history())
        now = time.time()
        found = await source.discover(profiles(), now)
        rows = [ModelRow(model=seen.model, profile=seen.profile) for seen in found.models]
        (query,) = [q for q in plan(["midwatch"], rows, {}, now) if q.column == "requests_rate"]
        (before,) = await source.ask([query], now)
        time.sleep(2.1)
        (after,) = await source.ask([query], time.time())
        await source.aclose()
    finally:
        fleet.stop()

    assert after.keys is before.keys
    for one, other in zip(before.values, after.values, strict=True):
        # A minute of the smallest model is some ten requests, and a busy machine scrapes late; a
        # counter that does not continue the history would be off by the history's whole height.
        assert other == pytest.approx(one, rel=0.6, abs=0.2)
