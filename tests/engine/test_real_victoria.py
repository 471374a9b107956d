"""A real VictoriaMetrics, which speaks the same API and is not the same: no NaN, other windows."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.replay import openmetrics
from tests.engine.test_real_prometheus import CATALOGUE
from tests.support.prometheus_server import instant
from tests.support.victoria_server import running_victoria

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = ("vllm", "triton", "mlserver", "litellm")


def asleep(now: float) -> str:
    """Return samples of an MLServer model that was asked once, long ago, and of none since."""
    where = '{instance="asleep:1",job="mlserver",model="asleep",version="v1"}'
    counters = ("infer_request_success_total", "infer_request_duration_sum")
    return "\n".join(
        f"model_{counter}{where} 5 {at}"
        for counter in (*counters, "infer_request_duration_count")
        for at in range(int(now) - 2400, int(now) + 120, 15)
    )


@dataclass(frozen=True)
class Told:
    """What ``midwatch status --json`` said of a VictoriaMetrics, and where that is."""

    models: dict[tuple[str, str], Any]
    url: str


def midwatch(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", "--prometheus", url, *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, "MIDWATCH_REFRESH": "1s"},
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    now = time.time()
    samples = f"{openmetrics(SERVERS, now)}\n{asleep(now)}"
    with running_victoria(tmp_path_factory.mktemp("victoria"), samples) as url:
        done = midwatch(url, "status", "--json")
        assert done.stdout, done.stderr
        models = json.loads(done.stdout)["models"]
        yield Told({(one["profile"], one["model"]): one for one in models}, url)


def test_every_server_s_models_are_found(told: Told) -> None:
    assert {profile for profile, _ in told.models} == set(SERVERS)


def values_of(url: str, promql: str) -> dict[str, float]:
    return {next(iter(labels.values()), ""): value for labels, value in instant(url, promql)}


@pytest.mark.parametrize(("profile", "signal"), CATALOGUE)
def test_values_are_those_it_gives_to_the_servers_own_promql(
    told: Told, profile: str, signal: str
) -> None:
    expected = values_of(told.url, CATALOGUE[profile, signal])
    compared = 0
    for name, value in expected.items():
        reading = told.models.get((profile, name), {"signals": {}})["signals"].get(signal)
        if reading is None or reading["state"] == "too_few":
            continue
        assert reading["state"] == "ok", (name, reading)
        assert math.isclose(reading["value"], value, rel_tol=0.02), name
        compared += 1
    assert compared > 0


def test_an_idle_model_is_idle_although_the_server_leaves_its_ratios_out(told: Told) -> None:
    assert values_of(told.url, "vector(0) / vector(0)") == {}
    signals = told.models["mlserver", "asleep"]["signals"]
    assert (signals["requests_rate"]["state"], signals["requests_rate"]["value"]) == ("ok", 0)
    for name in ("error_ratio", "latency_mean", "burn_5m"):
        assert (signals[name]["state"], signals[name]["value"]) == ("no_traffic", None), name
    assert signals["latency_p95"]["state"] == "no_data", "MLServer has no percentiles"


def test_a_curve_is_drawn(told: Told) -> None:
    done = midwatch(told.url, "plot", "chat-main", "requests_rate", "--range", "20m")
    assert done.returncode == 0, done.stderr
    assert "chat-main" in done.stdout.splitlines()[0]
    assert "no data" not in done.stdout
