"""The whole stream against a real Prometheus: its own values, and its death survived."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from console.domain.signals import Reading, ReadingState
from console.engine.service import Engine
from console.engine.thread import EngineThread
from console.settings.load import Flags, load
from tests.engine.replay import openmetrics
from tests.support.prometheus_server import PrometheusServer, instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.domain.snapshot import Snapshot

SERVERS = ("vllm", "triton", "mlserver", "litellm")

# What each server's own documentation would ask, by profile and signal; one series a model.
CATALOGUE = {
    ("vllm", "requests_rate"): "sum by (model_name) (rate(vllm:request_success_total[5m]))",
    ("vllm", "latency_p95"): (
        "histogram_quantile(0.95, sum by (model_name, le) "
        "(rate(vllm:e2e_request_latency_seconds_bucket[5m])))"
    ),
    ("vllm", "ttft_p95"): (
        "histogram_quantile(0.95, sum by (model_name, le) "
        "(rate(vllm:time_to_first_token_seconds_bucket[5m])))"
    ),
    ("vllm", "tokens_rate"): "sum by (model_name) (rate(vllm:generation_tokens_total[5m]))",
    ("vllm", "queue_depth"): "sum by (model_name) (vllm:num_requests_waiting)",
    ("triton", "requests_rate"): (
        "sum by (model) (rate(nv_inference_request_success[5m])) "
        "+ sum by (model) (rate(nv_inference_request_failure[5m]))"
    ),
    ("triton", "error_ratio"): (
        'sum by (model) (rate(nv_inference_request_failure{reason!="CANCELED"}[5m])) '
        "/ (sum by (model) (rate(nv_inference_request_success[5m])) "
        "+ sum by (model) (rate(nv_inference_request_failure[5m])))"
    ),
    ("triton", "latency_mean"): (
        "sum by (model) (rate(nv_inference_request_duration_us[5m])) "
        "/ sum by (model) (rate(nv_inference_request_success[5m])) / 1e6"
    ),
    ("mlserver", "requests_rate"): (
        "sum by (model) (rate(model_infer_request_success_total[5m])) "
        "+ sum by (model) (rate(model_infer_request_failure_total[5m]))"
    ),
    ("mlserver", "latency_mean"): (
        "sum by (model) (rate(model_infer_request_duration_sum[5m])) "
        "/ sum by (model) (rate(model_infer_request_duration_count[5m]))"
    ),
    ("litellm", "requests_rate"): (
        "sum by (requested_model) (rate(litellm_proxy_total_requests_metric_total"
        '{requested_model!="",route!~"/metrics.*"}[5m]))'
    ),
    ("litellm", "latency_p95"): (
        "histogram_quantile(0.95, sum by (requested_model, le) "
        "(rate(litellm_request_total_latency_metric_bucket[5m])))"
    ),
    ("litellm", "cost_per_hour"): (
        "3600 * sum by (requested_model) (rate(litellm_spend_metric_total[5m]))"
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    directory = tmp_path_factory.mktemp("replayed")
    made = PrometheusServer(directory, blocks=openmetrics(SERVERS, time.time()))
    try:
        yield made.start()
    finally:
        made.stop()


@dataclass(frozen=True)
class Told:
    """What ``midwatch --prometheus URL status --json`` said, and what it had to import."""

    code: int
    modules: frozenset[str]
    models: dict[str, Any]
    sources: dict[str, Any]


@pytest.fixture(scope="module")
def told(server: PrometheusServer) -> Told:
    program = (
        "import sys, json; from console.launch import main; code = main(); "
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--prometheus", server.url, "status", "--json"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, "MIDWATCH_REFRESH": "1s"},
    )
    assert done.stdout, done.stderr
    code, modules = json.loads(done.stderr.splitlines()[-1])
    found = json.loads(done.stdout)
    return Told(
        code,
        frozenset(modules),
        {model["model"]: model for model in found["models"]},
        {source["name"]: source for source in found["sources"]},
    )


def test_every_model_of_every_server_is_listed(told: Told) -> None:
    profiles = {model["profile"] for model in told.models.values()}
    assert profiles == set(SERVERS)
    assert told.sources["prometheus"]["state"] == "up"
    assert told.code in (0, 1, 2, 3)


@pytest.mark.parametrize(("profile", "signal"), CATALOGUE)
def test_values_are_those_of_the_servers_own_documentation(
    told: Told, server: PrometheusServer, profile: str, signal: str
) -> None:
    expected = {
        next(iter(labels.values()), ""): value
        for labels, value in instant(server.url, CATALOGUE[profile, signal])
    }
    compared = 0
    for name, model in told.models.items():
        if model["profile"] != profile or name not in expected:
            continue
        found = model["signals"][signal]
        if found["state"] == "too_few":
            continue
        if math.isnan(expected[name]):
            assert found["state"] == "no_traffic"
            continue
        assert found["state"] == "ok", found
        assert found["value"] == pytest.approx(expected[name], rel=1e-6, abs=1e-12)
        compared += 1
    assert compared


def test_forty_minutes_of_history_give_no_burn_of_an_hour(told: Told) -> None:
    for model in told.models.values():
        signals = model["signals"]
        if signals["burn_5m"]["state"] == "no_data":
            continue
        for name in ("burn_1h", "burn_6h", "burn_3d", "budget_left"):
            assert (signals[name]["value"], signals[name]["state"]) == (None, "no_data")
            assert signals[name]["reason"] in ("history 38m", "history 39m", "history 40m")
    notes = told.sources["prometheus"]["warnings"]
    # The window of what is counted since midnight is the shortest of them just before one o'clock.
    told_of = re.compile(r": no data for windows of (1h|[345]\dm) and longer")
    assert any(told_of.search(note) for note in notes)


def test_status_loads_neither_textual_nor_pandas(told: Told) -> None:
    loaded = set(told.modules)
    assert not loaded & {"textual", "pandas", "plotext", "keyring", "requests", "console.demo"}


@pytest.mark.parametrize("signal", ["requests_rate", "burn_5m"])
def test_a_chart_of_the_past_in_the_shell(server: PrometheusServer, signal: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m console plot chat-main {signal} --range 20m "
        f"--prometheus {server.url}".split(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "chat-main" in lines[0]
    assert len(lines) > 10


def test_init_writes_down_what_the_server_has(server: PrometheusServer, tmp_path: Path) -> None:
    target = tmp_path / "made.toml"
    done = subprocess.run(
        [sys.executable, "-m", "console", "init", "--prometheus", server.url, "-o", str(target)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert load(Flags(config=target), {"HOME": str(tmp_path)}).settings.sources
    assert '# [models."chat-main"]' in target.read_text()
    assert "job litellm: litellm" in target.read_text()


class Watch:
    """Snapshots of a running engine, waited for by what they say."""

    def __init__(self, handle: EngineThread) -> None:
        self.handle = handle
        self._news = threading.Condition()
        self.problems: list[str] = []
        handle.start(self._take, self.problems.append)

    def _take(self, snapshot: Snapshot) -> None:
        with self._news:
            self._news.notify_all()

    def until(self, holds: Callable[[Snapshot], bool], seconds: float) -> Snapshot:
        """Return the first Snapshot for which ``holds``; fail after ``seconds``."""
        give_up_at = time.monotonic() + seconds
        with self._news:
            while time.monotonic() < give_up_at:
                latest = self.handle.latest
                if latest is not None and holds(latest):
                    return latest
                self._news.wait(0.2)
        last = self.handle.latest
        raise AssertionError(f"never seen; last: {last and last.sources}, {self.problems}")


def live(snapshot: Snapshot) -> bool:
    return bool(snapshot.rows) and states_of(snapshot)[0] == "up" and shown(snapshot).known


def lost(snapshot: Snapshot) -> bool:
    return bool(snapshot.rows) and states_of(snapshot)[0] in ("stale", "down")


def states_of(snapshot: Snapshot) -> list[str]:
    return [status.state for status in snapshot.sources]


def shown(snapshot: Snapshot) -> Reading:
    return snapshot.reading("requests_rate", snapshot.index["chat-main"])


def test_a_killed_and_a_hung_server_leave_stale_values_and_come_back_by_themselves(
    server: PrometheusServer, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'version = 1\nrefresh = "1s"\n[[sources]]\nname = "prom"\nkind = "prometheus"\n'
        f'url = "{server.url}"\ntimeout = "1s"\n'
    )
    config.chmod(0o600)
    loaded = load(Flags(config=config), {"HOME": str(tmp_path)})
    handle = EngineThread(lambda: Engine(loaded), loaded.settings)
    watch = Watch(handle)
    try:
        value = shown(watch.until(live, 20)).value

        server.kill()
        dead = watch.until(lost, 15)
        assert dead.sources[0].error
        assert shown(dead).state is ReadingState.STALE
        assert shown(dead).value == pytest.approx(value)
        server.start()
        watch.until(live, 30)

        server.hang()
        hung = watch.until(lost, 15)
        assert shown(hung).state is ReadingState.STALE
        before = time.monotonic()
        assert len(handle.history("chat-main", "requests_rate", 60).values)
        assert handle.explain("chat-main", "requests_rate").promql
        assert time.monotonic() - before < 5.0
        server.resume()
        watch.until(live, 30)
    finally:
        handle.stop()
