"""Three regions with 2,000 models beside sources that hang, answer pages, or send too much."""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from console.engine.service import Engine
from console.settings.endpoint_tables import SourceSettings
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.sources.expositions import Timeline, openmetrics
from tests.support.prometheus_server import running_prometheus
from tests.support.web import Reply, Request, page, web_server

if TYPE_CHECKING:
    from pathlib import Path

    from console.domain.snapshot import Snapshot

REGIONS, MODELS_A_REGION = ("eu", "us", "ap"), 667
LIMIT_SECONDS = 180.0
MOST_GROWTH_KIB = 1024 * 1024
"""Most of it is the servers of this test; one source that sent 50 MB took 3.8 GB by itself."""


def fleet(region: str, now: float) -> str:
    """Return ten minutes of a region's models, each with 2 requests a second."""
    times = tuple(now - 15 * back for back in range(40, -1, -1))
    values = tuple(30.0 * step for step in range(len(times)))
    models = (f"{region}-{number:04}" for number in range(MODELS_A_REGION))
    return openmetrics(
        [
            Timeline(
                "model_requests_total",
                (("job", "svc"), ("model", model), ("outcome", "success")),
                times,
                values,
            )
            for model in models
        ]
    )


def fifty_megabytes() -> Reply:
    series = b'{"metric":{"__name__":"model_requests_total","job":"%s"},"value":[1,"1"]}'
    body = b",".join([series % (b"x" * 4000)] * 12_500)
    whole = b'{"status":"success","data":{"resultType":"vector","result":[' + body + b"]}}"
    return Reply(whole, content_type="application/json")


def rates(snapshot: Snapshot) -> list[float]:
    """Return the rate of every row that has one."""
    read = (snapshot.reading("requests_rate", row) for row in range(len(snapshot.rows)))
    return [one.value for one in read if one.value is not None and one.state.name == "OK"]


async def test_one_bad_source_leaves_three_regions_with_two_thousand_models_alone(
    tmp_path: Path,
) -> None:
    now = float(int(time.time()))
    released, large = threading.Event(), fifty_megabytes()

    def hang(_: Request) -> Reply:
        released.wait(600.0)
        return Reply()

    sign_in = Reply(b"<!DOCTYPE html><html><head><title>Sign in</title></head>", 200, "text/html")
    careless = 'model_requests_total{model="careless",note="%s"} 3\n' % ("x" * 15_000_000)
    with ExitStack() as stack:
        stack.callback(released.set)
        sources = [
            SourceSettings(
                name=region,
                kind="prometheus",
                url=stack.enter_context(
                    running_prometheus(tmp_path / region, blocks=fleet(region, now))
                ),
            )
            for region in REGIONS
        ]
        bad = {
            "hung": web_server(hang),
            "page": web_server(lambda _: sign_in),
            "large": web_server(lambda _: large),
        }
        sources += [
            SourceSettings(
                name=name,
                kind="prometheus",
                url=stack.enter_context(server).url,
                timeout_seconds=2.0,
            )
            for name, server in bad.items()
        ]
        target = stack.enter_context(page(careless)).url
        sources.append(SourceSettings(name="label", kind="scrape", targets=(target,)))
        settings = Settings(sources=tuple(sources), refresh_seconds=5.0)
        engine = Engine(Loaded(settings, {}, None), clock=lambda: now)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        give_up_at = time.monotonic() + LIMIT_SECONDS
        try:
            while True:
                now += 0.001
                engine.refresh()
                snapshot = await engine.tick()
                told = {status.name: status for status in snapshot.sources}
                named = all(told[name].error for name in bad)
                whole = len(snapshot.rows) > len(REGIONS) * MODELS_A_REGION
                if named and whole and len(rates(snapshot)) >= len(REGIONS) * MODELS_A_REGION:
                    break
                assert time.monotonic() < give_up_at, told
                await asyncio.sleep(0.5)
        finally:
            released.set()
            await engine.close()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert set(map(round, rates(snapshot))) == {2}
    assert len(snapshot.rows) == len(REGIONS) * MODELS_A_REGION + 1
    assert [told[name].state for name in (*REGIONS, "label")] == ["up"] * 4
    assert {told[name].state for name in bad} == {"down"}
    assert "answers are too large" in (told["large"].error or "")
    assert 'titled "Sign in"' in (told["page"].error or "")
    assert "within 2 s" in (told["hung"].error or "") or "in time" in (told["hung"].error or "")
    assert "label longer than" in told["label"].warnings[0]
    assert grown < MOST_GROWTH_KIB
    asked = {name: told[name].queries for name in REGIONS}
    print(f"\nmodels {len(snapshot.rows)}, questions a round {asked}, grown {grown // 1024} MiB")
