"""A real Prometheus that scrapes the fleet and knows its past."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from console.demo.demo_fleet import DemoError, DemoFleet
from console.demo.prometheus_server import RealPrometheus, openmetrics_parts
from tests.conftest import require_binary


def ask(url: str, query: str) -> list[tuple[dict[str, str], float]]:
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        document = json.load(answer)
    return [(found["metric"], float(found["value"][1])) for found in document["data"]["result"]]


def test_it_scrapes_the_fleet_and_has_its_history() -> None:
    require_binary("prometheus")
    require_binary("promtool")
    fleet = DemoFleet(models=3, scenario="calm")
    fleet.start()
    server = RealPrometheus(fleet, history_days=1)
    server.start()
    try:
        pid = server.pid
        assert pid is not None
        hour = ask(server.url, 'increase(model_requests_total{outcome="success"}[1h])')
        assert {labels["model"] for labels, _ in hour} == {model.name for model in fleet.models}
        assert all(labels["job"] == "demo" for labels, _ in hour)
        instances = {labels["instance"] for labels, _ in hour}
        assert instances == {urllib.parse.urlsplit(target).netloc for target in fleet.targets}
        assert all(value > 100 for _, value in hour)
        deadline = time.monotonic() + 20
        while len(ask(server.url, "up == 1")) < 3 and time.monotonic() < deadline:
            time.sleep(0.5)
        assert len(ask(server.url, "up == 1")) == 3
        # Live samples join imported ones in one series, and no counter falls where they meet.
        resets = ask(server.url, "resets(model_requests_total[20h])")
        assert resets
        assert all(value == 0 for _, value in resets)
        assert len(resets) == len(ask(server.url, "model_requests_total"))
        p95 = "histogram_quantile(0.95, rate(model_request_duration_seconds_bucket[10m]))"
        assert all(0 < value < 30 for _, value in ask(server.url, p95))
    finally:
        server.stop()
        fleet.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    require_binary("prometheus")
    require_binary("promtool")
    code = (
        "import time\n"
        "from console.demo.demo_fleet import DemoFleet\n"
        "from console.demo.prometheus_server import RealPrometheus\n"
        "fleet = DemoFleet(models=1)\n"
        "fleet.start()\n"
        "server = RealPrometheus(fleet, history_days=0.25)\n"
        "server.start()\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    assert list(tmp_path.iterdir())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_missing_program_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match="apt install prometheus"):
        RealPrometheus(DemoFleet(models=1))


def test_a_failing_program_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("prometheus", "promtool"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'out of luck' >&2\nexit 3\n")
        program.chmod(0o755)
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("tempfile.tempdir", str(home))
    fleet = DemoFleet(models=1, scenario="calm")
    fleet.start()
    server = RealPrometheus(fleet, history_days=0.5)
    with pytest.raises(DemoError, match="out of luck"):
        server.start()
    fleet.stop()
    assert list(home.iterdir()) == []


def test_parts_cover_the_history_once_and_in_order() -> None:
    fleet = DemoFleet(models=1, scenario="calm")
    fleet.start()
    blocks = list(fleet.history())
    fleet.stop()
    latest: dict[str, float] = {}
    samples = 0
    for part in openmetrics_parts(blocks):
        *lines, end = part.splitlines()
        assert end == "# EOF"
        for line in lines:
            series, _, at = line.rsplit(" ", 2)
            assert float(at) > latest.get(series, 0.0)
            latest[series] = float(at)
            samples += 1
    assert set(latest.values()) == {round(float(blocks[-1].times[-1]), 3)}
    assert samples > len(blocks[1].series) * (345 + 91)


def test_served_alone_it_prints_a_configuration_and_ends_on_sigterm() -> None:
    code = (
        "from console.demo.demo_fleet import DemoFleet\n"
        "from console.demo.demo_fleet import serve\n"
        "raise SystemExit(serve(DemoFleet(models=2)))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("[dependencies"):
            break
    process.send_signal(signal.SIGTERM)
    rest, notes = process.communicate(timeout=20)
    config = tomllib.loads("".join(lines) + rest)
    assert len(config["sources"][0]["targets"]) == 2
    assert config["sources"][0]["targets"][0] in notes
    assert process.returncode == 0
