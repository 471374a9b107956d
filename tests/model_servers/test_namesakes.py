"""Real MLServer and Triton with a model of one name behind one Prometheus: two rows, two servers.

Each has its own numbers, and a trip of one leaves the other serving.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from tests.model_servers import servers
from tests.model_servers.test_scraped import traffic
from tests.support.prometheus_server import running_prometheus, wait_for_series

TENSOR = {"shape": [1], "datatype": "FP32", "data": [1.0]}
CONFIG = """
version = 1
environment = "test"
refresh = "1s"
operator = {{ name = "ana" }}
[journal]
url = "sqlite:///{folder}/j.db"
[[sources]]
name = "prom"
kind = "prometheus"
url = "{prometheus}"
[models.fraud]
profile = "triton"
controls = {{ breaker = "{control}" }}
[controls.unload]
driver = "http"
preset = "triton"
kind = "breaker"
targets = ["{triton}"]
vars = {{ model = "fraud" }}
[controls.other]
driver = "http"
preset = "mlserver"
kind = "breaker"
targets = ["{mlserver}"]
vars = {{ model = "fraud" }}
"""


@dataclass(frozen=True)
class Fleet:
    """Two servers with a ``fraud`` each, and the Prometheus that scrapes both."""

    mlserver: str
    triton: str
    prometheus: str

    def config(self, folder: Path, control: str = "unload") -> Path:
        path = folder / "c.toml"
        path.write_text(
            CONFIG.format(
                folder=folder,
                prometheus=self.prometheus,
                triton=self.triton,
                mlserver=self.mlserver,
                control=control,
            ),
            encoding="utf-8",
        )
        path.chmod(0o600)
        return path

    def serves(self, url: str, name: str) -> bool:
        try:
            servers.post(f"{url}/v2/models/fraud/infer", {"inputs": [{"name": name, **TENSOR}]})
        except urllib.error.HTTPError:
            return False
        return True


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder: Callable[[str], Path] = tmp_path_factory.mktemp
    ml_metrics, tri_metrics = free_port(), free_port()
    with ExitStack() as stack:
        ml = stack.enter_context(servers.mlserver(folder("ml"), "fraud", ml_metrics))
        tri = stack.enter_context(servers.triton(folder("tri"), "fraud", tri_metrics))
        url = stack.enter_context(
            running_prometheus(
                folder("prometheus"),
                targets={
                    "mlserver": [f"127.0.0.1:{ml_metrics}"],
                    "triton": [f"127.0.0.1:{tri_metrics}"],
                },
            )
        )
        made = Fleet(ml, tri, url)

        # MLServer is asked three times as often.
        def ask_ml(_: int) -> None:
            made.serves(ml, "x")

        def ask_tri(_: int) -> None:
            made.serves(tri, "IN")

        with traffic(ask_ml, ask_ml, ask_ml, ask_tri):
            wait_for_series(url, "rate(model_infer_request_success_total[5m]) > 0", seconds=120)
            wait_for_series(url, "rate(nv_inference_request_success[5m]) > 0", seconds=120)
            time.sleep(10.0)
        yield made


def midwatch(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", *words],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "MIDWATCH_REFRESH": "1s"},
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)["models"]}


def test_two_servers_are_two_rows_with_their_own_numbers(fleet: Fleet) -> None:
    found = rows(midwatch("--prometheus", fleet.prometheus, "status", "--json"))
    assert set(found) == {"fraud/mlserver", "fraud/triton"}
    assert {row["model"] for row in found.values()} == {"fraud"}
    rates = {name: row["signals"]["requests_rate"]["value"] for name, row in found.items()}
    assert rates["fraud/mlserver"] > 1.5 * rates["fraud/triton"] > 0, rates
    asked = midwatch("--prometheus", fleet.prometheus, "status", "fraud")
    assert asked.returncode == 7
    assert "fraud/mlserver, fraud/triton" in asked.stderr


def test_a_control_of_the_other_server_is_refused_and_nothing_is_sent(
    fleet: Fleet, tmp_path: Path
) -> None:
    config = fleet.config(tmp_path, control="other")
    done = midwatch("trip", "fraud", "--reason", "wrong one", "--yes", "--config", str(config))
    assert done.returncode == 7, done.stderr
    assert "acts on mlserver" in done.stderr
    assert "served by triton" in done.stderr
    assert fleet.serves(fleet.mlserver, "x")


def test_a_trip_touches_the_server_of_the_row_and_no_other(fleet: Fleet, tmp_path: Path) -> None:
    config = str(fleet.config(tmp_path))
    found = rows(midwatch("status", "--json", "--config", config))
    assert set(found) == {"fraud", "fraud/mlserver"}
    words = ("trip", "fraud", "--reason", "bad answers", "--ttl", "10m", "--yes")
    done = midwatch(*words, "--config", config)
    assert done.returncode == 0, done.stderr
    assert "server  triton" in done.stderr
    assert not fleet.serves(fleet.triton, "IN")
    assert fleet.serves(fleet.mlserver, "x")
