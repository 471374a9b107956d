"""Drift of one model from a real Prometheus: the reference taken, declared, and measured by."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from console.engine.service import Engine
from console.evaluation.drift import psi, shares
from console.settings.load import Flags, load
from tests.support.prometheus_server import PrometheusServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EDGES = ("0.2", "0.4", "0.6", "0.8", "1.0")
CALM, MOVED = (40, 30, 15, 10, 5), (20, 20, 20, 20, 20)
STEP_SECONDS, PAST_SECONDS, MOVED_SECONDS = 60, 4 * 3600, 7500
"""The scores moved a little more than two hours ago: both windows see only what came after."""


def openmetrics(now: float) -> str:
    """Four hours of two replicas of one model: requests and a score histogram."""
    lines = []
    for replica in ("0", "1"):
        where = f'model="risk \\"A\\"",instance="{replica}:1",job="risk"'
        counts = np.zeros(len(EDGES))
        start = int(now) - PAST_SECONDS
        for at in range(start, int(now) + STEP_SECONDS, STEP_SECONDS):
            below = np.cumsum(counts)
            for edge, value in zip((*EDGES, "+Inf"), (*below, below[-1]), strict=True):
                lines.append((f'model_prediction_score_bucket{{{where},le="{edge}"}}', value, at))
            lines.append((f'model_requests_total{{{where},outcome="success"}}', below[-1], at))
            counts += np.array(MOVED if at > now - MOVED_SECONDS else CALM) / 2
    lines.sort()
    return "\n".join(f"{name} {float(value)!r} {at}" for name, value, at in lines)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    made = PrometheusServer(tmp_path_factory.mktemp("drift"), blocks=openmetrics(time.time()))
    try:
        yield made.start()
    finally:
        made.stop()


def midwatch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def config(server: PrometheusServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("declared") / "config.toml"
    path.write_text(
        'version = 1\nrefresh = "1s"\n[[sources]]\nname = "prom"\nkind = "prometheus"\n'
        f'url = "{server.url}"\n[models."risk \\"A\\""]\ndrift = {{ reference = "refs/r.json" }}\n'
    )
    path.chmod(0o600)
    return path


def test_from_the_first_reference_to_a_finding(server: PrometheusServer, config: Path) -> None:
    model, target = 'risk "A"', config.parent / "refs" / "r.json"
    assert midwatch("--config", str(config), "check", "--offline").returncode == 78

    made = midwatch("reference", model, "--config", str(config), "-o", str(target), "--range", "4h")
    assert made.returncode == 0, made.stderr
    assert "sha256" in made.stderr
    written: dict[str, Any] = json.loads(target.read_text())
    assert written["model"] == model
    assert written["upper_edges"] == [float(edge) for edge in EDGES]
    assert written["n"] == sum(written["counts"]) == pytest.approx(240 * 100, rel=0.03)

    again = midwatch("reference", model, "--config", str(config), "-o", str(target))
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert json.loads(target.read_text()) == written

    # What the model's owner would have taken before it moved.
    target.write_text(json.dumps({**written, "counts": [size * 200 for size in CALM], "n": 20_000}))
    checked = midwatch("--config", str(config), "check")
    assert checked.returncode == 0, checked.stdout
    assert "refs/r.json, n=20000, 5 bins" in checked.stdout

    told = midwatch("--config", str(config), "status", "--json", "--instant")
    (row,) = json.loads(told.stdout)["models"]
    found = row["signals"]["drift_psi"]
    p, _ = shares([float(size) for size in CALM])
    q, _ = shares([float(size) for size in MOVED])
    assert found["state"] == "ok"
    assert found["value"] == pytest.approx(psi(p, q), rel=0.02)
    assert found["n"] == pytest.approx(6000, rel=0.03)
    assert found["method"].startswith("PSI of scores against refs/r.json (n=20000, ")
    assert "drift_alone" in {rule["rule"] for rule in row["rules"]}


async def test_the_curve_shows_when_it_moved(server: PrometheusServer, config: Path) -> None:
    loaded = load(Flags(config=config), {"HOME": str(config.parent)})
    engine = Engine(loaded)
    try:
        await engine.once(remembers=False)
        (series,) = (await engine.series('risk "A"', ("drift_psi",), 3 * 3600, 60)).series
        found = await engine.distribution('risk "A"')
    finally:
        await engine.close()
    assert series.error is None
    known = series.values[np.isfinite(series.values)]
    assert len(known) > 40
    assert known[0] < 0.02
    assert known[-1] == pytest.approx(0.46, abs=0.03)
    assert np.isfinite(found.now_shares).all()
    assert found.now_shares == pytest.approx((0.2,) * 5, abs=0.01)
