"""One bad replica of four is named within two minutes, on a virtual clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from console.domain.severity import Severity
from console.engine.service import Engine
from console.settings.load import Loaded
from console.settings.schema import Settings, SourceSettings
from console.sources.scrape import ScrapeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.domain.snapshot import Snapshot

BEGAN_AT = 1_790_000_000.0
TURNS_AT = BEGAN_AT + 300.0
TICK_SECONDS = 5.0
EDGES = (0.1, 0.5, 1.0, 5.0)
RATE = 4.0


@dataclass
class Page:
    """One vLLM server whose requests take ``well`` seconds, and ``ill`` from `TURNS_AT` on."""

    clock: Callable[[], float]
    ill_seconds: float = 0.3
    failed_share: float = 0.0
    waiting: float = 1.0

    async def get(
        self,
        path_or_url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        return self

    async def aclose(self) -> None:
        pass

    status, elapsed_seconds = 200, 0.01

    @property
    def body(self) -> bytes:
        now = self.clock()
        before = RATE * (min(now, TURNS_AT) - BEGAN_AT + 60.0)
        after = RATE * max(0.0, now - TURNS_AT)
        failed = after * self.failed_share
        well = before + after - failed
        label = 'model_name="llama"'
        lines = [
            f"vllm:num_requests_running{{{label}}} 2",
            f"vllm:num_requests_waiting{{{label}}} {self.waiting if after else 1.0}",
            f'vllm:request_success_total{{{label},finished_reason="stop"}} {well}',
            f'vllm:request_success_total{{{label},finished_reason="error"}} {failed}',
        ]
        for edge in (*EDGES, float("inf")):
            below = before * (edge >= 0.3) + after * (edge >= self.ill_seconds)
            le = "+Inf" if edge == float("inf") else edge
            lines.append(f'vllm:e2e_request_latency_seconds_bucket{{{label},le="{le}"}} {below}')
        lines.append(f"vllm:e2e_request_latency_seconds_count{{{label}}} {before + after}")
        lines.append(
            f"vllm:e2e_request_latency_seconds_sum{{{label}}} "
            f"{0.3 * before + self.ill_seconds * after}"
        )
        return ("\n".join(lines) + "\n").encode()


async def watch(seconds: float, **ill: float) -> tuple[list[Snapshot], float | None]:
    """Return the ticks, and how long after `TURNS_AT` the rule was raised first."""
    now = [BEGAN_AT]
    targets = {
        f"http://10.0.0.{host}:8000/metrics": Page(lambda: now[0], **(ill if host == 3 else {}))
        for host in range(1, 5)
    }
    source = ScrapeSource("direct", targets, interval_seconds=TICK_SECONDS)
    declared = SourceSettings(name="direct", kind="scrape", targets=tuple(targets))
    engine = Engine(
        Loaded(Settings(sources=(declared,)), {}, None), sources=[source], clock=lambda: now[0]
    )
    ticks: list[Snapshot] = []
    found = None
    while now[0] < TURNS_AT + seconds:
        ticks.append(await engine.once())
        rules = {each.rule for each in ticks[-1].findings.get(0, ())}
        if found is None and "replica_outlier" in rules:
            found = now[0] - TURNS_AT
        now[0] += TICK_SECONDS
    await engine.close()
    return ticks, found


@pytest.mark.parametrize(
    ("ill", "says"),
    [
        ({"ill_seconds": 3.0}, "1 of 4 slow: 10.0.0.3:8000 p95"),
        ({"failed_share": 0.3}, "1 of 4 failing: 10.0.0.3:8000 errors 30%"),
        ({"waiting": 40.0}, "1 of 4 queueing: 10.0.0.3:8000 waiting 40"),
    ],
    ids=["slow", "failing", "queueing"],
)
def test_one_bad_replica_of_four_is_named_within_two_minutes(
    ill: dict[str, float], says: str
) -> None:
    ticks, found = asyncio.run(watch(130.0, **ill))
    assert found is not None
    assert 0 <= found <= 120.0
    newest = ticks[-1]
    (finding,) = [each for each in newest.findings[0] if each.rule == "replica_outlier"]
    assert says in finding.text
    assert finding.level is Severity.S3
    listed = {each.place: each for each in newest.replicas[0]}
    assert len(listed) == 4
    assert [place for place, each in listed.items() if each.odd] == ["10.0.0.3:8000"]
    assert listed["10.0.0.1:8000"].values["requests_rate"] == pytest.approx(RATE, rel=0.05)


def test_four_alike_are_no_news() -> None:
    ticks, found = asyncio.run(watch(60.0))
    assert found is None
    assert len(ticks[-1].replicas[0]) == 4
