"""How many questions a tick asks, and how long the loop stands still to read a large answer."""

from __future__ import annotations

import asyncio
import json
import time

from console.domain.model import ModelRow
from console.metrics.query_plan import plan
from console.sources.prom_api import instant_vector, open_body
from tests.benchmarks.measure import Benchmark, Row

_SERIES = 60_000


def _rows(count: int) -> tuple[ModelRow, ...]:
    return tuple(ModelRow(f"model-{n:05d}", "prom", "midwatch") for n in range(count))


def queries(slowed: bool) -> list[Row]:
    """Count the queries of a tick at 10 and at 5,000 models."""
    del slowed  # A count does not depend on speed.
    few = [query for query in plan(["midwatch"], _rows(10), {}, 1e9) if query.cadence == "tick"]
    many = [query for query in plan(["midwatch"], _rows(5000), {}, 1e9) if query.cadence == "tick"]
    return [
        Row(
            "queries a tick, 5,000 models of one profile",
            str(len(many)),
            "the same at 10 models",
            len(many) / len(few),
            1.0,
            f"{len(few)} at 10 models",
        )
    ]


def _large_answer() -> bytes:
    result = [
        {
            "metric": {
                "model": f"model-{number:05d}",
                "instance": f"10.0.0.{number % 250}:9100",
                "job": "models",
                "pod": f"model-{number:05d}-7d9c5b6f8d-{number % 97:05d}",
            },
            "value": [1795420735.499, repr(0.1 + number / _SERIES)],
        }
        for number in range(_SERIES)
    ]
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": result}}
    ).encode()


async def _longest_stall(body: bytes, slowed: bool) -> float:
    longest = 0.0
    done = False

    async def heartbeat() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    beat = asyncio.create_task(heartbeat())
    await asyncio.sleep(0.01)
    if slowed:
        time.sleep(0.1)
    vector = await instant_vector(open_body(body))
    assert len(vector.values) == _SERIES
    done = True
    await beat
    return longest


def decode_stall(slowed: bool) -> list[Row]:
    """Compare the longest stall while a 12 MB answer is read with decoding it in one call."""
    body = _large_answer()
    started = time.perf_counter()
    json.loads(body)
    whole = time.perf_counter() - started
    figure = min(asyncio.run(_longest_stall(body, slowed)) for _ in range(3))
    return [
        Row(
            f"longest stall while {len(body) / 1e6:.0f} MB of answer are decoded",
            f"{figure * 1000:.1f} ms",
            "<=20 ms",
            figure / whole,
            0.25,
            f"json.loads in one call {whole * 1000:.0f} ms",
        )
    ]


BENCHMARKS = (Benchmark("queries", queries, timed=False), Benchmark("decode_stall", decode_stall))
