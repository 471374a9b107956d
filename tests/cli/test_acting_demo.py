"""On the demo's real services: what is done to them shows in their own numbers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from pathlib import Path

    from console.demo.demo_fleet import DemoFleet
    from tests.cli.conftest import Run

WHY = ("--reason", "shown in a test")


@pytest.fixture
def acting(own_fleet: DemoFleet, tmp_path: Path) -> tuple[str, str]:
    return "--config", _config(own_fleet, tmp_path, held_by_keeper=False)


def _config(fleet: DemoFleet, tmp_path: Path, *, held_by_keeper: bool) -> str:
    """Return a configuration; with ``held_by_keeper`` the route's own end is not used."""
    text = fleet.config_toml()
    if held_by_keeper:
        text += """
[controls."fraud-scorer-route".actions.fallback]
label = "Send traffic to another rung"
class = "A"
desired = ["${to}"]
method = "PUT"
path = "/control/route"
json = { target = "${to}", by = "${by}", reason = "${reason}" }
if_match = "etag"
"""
    path = tmp_path / "demo.toml"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def metrics(fleet: DemoFleet, model: str) -> dict[tuple[str, ...], float]:
    """Return the service's own counts of outcomes and the route that is active."""
    url = next(each.metrics_url for each in fleet.services if each.name == model)
    with urllib.request.urlopen(url, timeout=5) as answer:
        page = answer.read().decode()
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == "model_requests_total":
                key = ("outcome", sample.labels["outcome"])
                found[key] = found.get(key, 0.0) + sample.value
            if sample.name == "model_route" and sample.value > 0:
                found["route", sample.labels["target"]] = sample.value
    return found


def refused_in(fleet: DemoFleet, seconds: float) -> float:
    before = metrics(fleet, "fraud-scorer")[("outcome", "refused")]
    time.sleep(seconds)
    return metrics(fleet, "fraud-scorer")[("outcome", "refused")] - before


def test_a_trip_refuses_and_a_fallback_moves_the_traffic(
    run: Run, own_fleet: DemoFleet, acting: tuple[str, str]
) -> None:
    assert refused_in(own_fleet, 2.0) == 0
    done = run("trip", "fraud-scorer", *WHY, "--yes", "--json", *acting)
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["enforced_by"] == "service"
    assert document["class"] == "C1"
    # How many come in the seconds since the start is chance; that it was measured is not.
    assert document["blast"]["moved_per_minute"]["value"] is not None
    assert refused_in(own_fleet, 3.0) > 5
    moved = run("fallback", "fraud-scorer", "--to", "fraud-small", *WHY, "--yes", *acting)
    assert moved.code == 0, moved.err
    assert ("route", "fraud-small") in metrics(own_fleet, "fraud-scorer")
    time.sleep(1.5)  # the step under way may still refuse
    assert refused_in(own_fleet, 2.0) == 0
    back = run("end", document["op"], *WHY, "--yes", *acting)
    assert back.code == 0, back.err
    assert run("journal", "verify", *acting).code == 0


def test_a_dependency_is_tripped_in_every_service_that_calls_it(
    run: Run, acting: tuple[str, str]
) -> None:
    done = run("trip", "dep:feature-store-eu", *WHY, "--yes", "--json", *acting)
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["outcome"]["total"] == 3
    assert set(document["outcome"]["after"].values()) == {"FORCED_OPEN"}
    assert document["blast"]["models"] == ["churn-ranker", "fraud-scorer", "kyc-vision"]
    assert run("half-open", "dep:feature-store-eu", *WHY, "--yes", *acting).code == 0


def test_the_keeper_alone_returns_the_traffic_after_a_kill(
    run: Run, own_fleet: DemoFleet, tmp_path: Path
) -> None:
    config = ("--config", _config(own_fleet, tmp_path, held_by_keeper=True))
    command = [sys.executable, "-m", "console"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    words = ("fallback", "fraud-scorer", "--to", "fraud-small", "--ttl", "8s", "--instant", "--yes")
    acting = subprocess.Popen(
        [*command, *words, *WHY, *config], env=environment, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30.0
    while ("route", "fraud-small") not in metrics(own_fleet, "fraud-scorer"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    acting.send_signal(signal.SIGKILL)
    acting.wait(10)
    keeper = subprocess.Popen(
        [*command, "keep", "--every", "1s", *config], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        # What was killed between intent and outcome still holds its lease for a while.
        deadline = time.monotonic() + 45.0
        while ("route", "fraud-small") in metrics(own_fleet, "fraud-scorer"):
            assert time.monotonic() < deadline, "the keeper never returned the traffic"
            time.sleep(0.2)
        assert ("route", "primary") in metrics(own_fleet, "fraud-scorer")
    finally:
        keeper.terminate()
        keeper.wait(10)
    assert "nothing is held" in run("overrides", *config).err
    assert run("journal", "verify", *config).code == 0
