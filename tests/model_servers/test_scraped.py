"""Real MLServer and Triton under traffic, scraped by a real Prometheus, read with no configuration.

The profiles name metrics; here the servers themselves write them, and the values shown are those
that the catalogue's own PromQL gives at the same moment.
"""

import json
import math
import os
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from tests.model_servers import servers
from tests.support.prometheus_server import instant, running_prometheus, wait_for_series

TRAFFIC_SECONDS = 12.0
EVERY_SECONDS = 0.05

# What each server's own documentation would ask; W is the window that the reading tells.
CATALOGUE = {
    ("echo-ml", "requests_rate"): (
        "sum by (model) (rate(model_infer_request_success_total[W])) "
        "+ sum by (model) (rate(model_infer_request_failure_total[W]))"
    ),
    ("echo-ml", "error_ratio"): (
        "sum by (model) (rate(model_infer_request_failure_total[W])) "
        "/ (sum by (model) (rate(model_infer_request_success_total[W])) "
        "+ sum by (model) (rate(model_infer_request_failure_total[W])))"
    ),
    ("echo-ml", "latency_mean"): (
        "sum by (model) (rate(model_infer_request_duration_sum[W])) "
        "/ sum by (model) (rate(model_infer_request_duration_count[W]))"
    ),
    ("echo-tri", "requests_rate"): (
        "sum by (model) (rate(nv_inference_request_success[W])) "
        "+ sum by (model) (rate(nv_inference_request_failure[W]))"
    ),
    ("echo-tri", "latency_mean"): (
        "sum by (model) (rate(nv_inference_request_duration_us[W])) "
        "/ sum by (model) (rate(nv_inference_request_success[W])) / 1e6"
    ),
    ("echo-tri", "latency_p95"): (
        'max by (model) (nv_inference_request_summary_us{quantile="0.95"}) / 1e6'
    ),
}


def _ask(url: str, body: Mapping[str, object]) -> None:
    """Send one inference; a refusal is part of the traffic."""
    try:
        servers.post(url, body)
    except urllib.error.HTTPError:
        return


@contextmanager
def traffic(*asks: Callable[[int], None]) -> Iterator[None]:
    """Ask on and on, in a thread for each of ``asks``, while the block runs."""
    over = threading.Event()

    def run(ask: Callable[[int], None]) -> None:
        number = 0
        while not over.wait(EVERY_SECONDS):
            ask(number)
            number += 1

    threads = [threading.Thread(target=run, args=(ask,), daemon=True) for ask in asks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10)


@dataclass(frozen=True)
class Seen:
    """What ``midwatch status --json`` said of the servers, and where they were asked about."""

    models: dict[str, Any]
    prometheus: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder: Callable[[str], Path] = tmp_path_factory.mktemp
    ml_metrics, tri_metrics = free_port(), free_port()
    with ExitStack() as stack:
        ml = stack.enter_context(servers.mlserver(folder("ml"), "echo-ml", ml_metrics))
        tri = stack.enter_context(servers.triton(folder("tri"), "echo-tri", tri_metrics))
        tensor = {"shape": [1], "datatype": "FP32", "data": [1.0]}

        def ask_ml(number: int) -> None:
            asked = {"id": "no" if number % 4 == 3 else "yes", "inputs": [{"name": "x", **tensor}]}
            _ask(f"{ml}/v2/models/echo-ml/infer", asked)

        def ask_tri(number: int) -> None:
            _ask(f"{tri}/v2/models/echo-tri/infer", {"inputs": [{"name": "IN", **tensor}]})

        url = stack.enter_context(
            running_prometheus(
                folder("prometheus"),
                targets={
                    "mlserver": [f"127.0.0.1:{ml_metrics}"],
                    "triton": [f"127.0.0.1:{tri_metrics}"],
                },
            )
        )
        with traffic(ask_ml, ask_tri):
            wait_for_series(url, "rate(model_infer_request_failure_total[5m]) > 0", seconds=60)
            wait_for_series(url, "rate(nv_inference_request_success[5m]) > 0", seconds=60)
            time.sleep(TRAFFIC_SECONDS)
        done = subprocess.run(
            [sys.executable, "-m", "console", "--prometheus", url, "status", "--json"],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env={**os.environ, "MIDWATCH_REFRESH": "1s"},
        )
        assert done.stdout, done.stderr
        found = {model["model"]: model for model in json.loads(done.stdout)["models"]}
        yield Seen(found, url)


def test_both_servers_are_found_with_nothing_but_an_address(seen: Seen) -> None:
    assert set(seen.models) == {"echo-ml", "echo-tri"}
    assert {model["profile"] for model in seen.models.values()} == {"mlserver", "triton"}


@pytest.mark.parametrize(("model", "signal"), CATALOGUE)
def test_a_value_is_what_the_catalogue_s_own_promql_gives(
    seen: Seen, model: str, signal: str
) -> None:
    reading = seen.models[model]["signals"][signal]
    assert reading["state"] == "ok", reading
    at = datetime.fromisoformat(reading["at"]).timestamp()
    promql = CATALOGUE[model, signal].replace("[W]", f"[{reading.get('window')}]")
    ((_, expected),) = instant(seen.prometheus, promql, at)
    # Times in JSON are whole seconds, and a rate grows by what a part of a second adds.
    tolerance = 0.1 if signal == "requests_rate" else 0.01
    assert math.isclose(reading["value"], expected, rel_tol=tolerance), signal
    assert expected > 0


def test_the_refused_quarter_is_seen(seen: Seen) -> None:
    reading = seen.models["echo-ml"]["signals"]["error_ratio"]
    assert 0.2 < reading["value"] < 0.3
