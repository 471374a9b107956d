"""Plots and failure reports of a real Prometheus that remembers two hours with one outage."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from console.cli.main import run as run_here
from tests.support.prometheus_server import PrometheusServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Say = Callable[..., tuple[int, str, str]]

STEP_SECONDS = 15.0
SPAN_SECONDS = 2 * 3600.0
RATE = 10.0
OUTAGE_BEGAN_SECONDS, OUTAGE_SECONDS = 2400.0, 600.0
"""How long ago it began, and how long it lasted."""


def memory(now: float) -> str:
    """Return OpenMetrics text of one model: ten requests a second, 60% of them bad for a while."""
    served = bad = slow = 0.0
    counts: dict[str, list[str]] = {"success": [], "error": [], "fast": [], "all": [], "state": []}
    for step in range(int(SPAN_SECONDS / STEP_SECONDS)):
        at = now - SPAN_SECONDS + step * STEP_SECONDS
        out = now - OUTAGE_BEGAN_SECONDS <= at < now - OUTAGE_BEGAN_SECONDS + OUTAGE_SECONDS
        new = RATE * STEP_SECONDS
        bad += 0.6 * new if out else 0.0
        served += 0.4 * new if out else new
        slow += 0.5 * new if out else 0.0
        for name, value in (
            ("success", served), ("error", bad), ("fast", served + bad - slow),
            ("all", served + bad), ("state", 1.0 if out else 0.0),
        ):  # fmt: skip
            counts[name].append(f"{value} {at:.3f}")
    label = 'model="fraud-scorer"'
    lines = ["# TYPE model_requests counter"]
    for outcome in ("success", "error"):
        lines += [
            f'model_requests_total{{{label},outcome="{outcome}"}} {each}'
            for each in counts[outcome]
        ]
    lines.append("# TYPE model_request_duration_seconds histogram")
    for edge, name in (("0.4", "fast"), ("5.0", "all"), ("+Inf", "all")):
        lines += [
            f'model_request_duration_seconds_bucket{{{label},le="{edge}"}} {each}'
            for each in counts[name]
        ]
    lines.append("# TYPE model_circuit_breaker_state gauge")
    lines += [
        f'model_circuit_breaker_state{{{label},dependency="feature-store-eu"}} {each}'
        for each in counts["state"]
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    server = PrometheusServer(tmp_path_factory.mktemp("past"), blocks=memory(time.time())).start()
    yield server
    server.stop()


@pytest.fixture
def say(prometheus: PrometheusServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    path = tmp_path / "c.toml"
    path.write_text(
        f'version = 1\nenvironment = "test"\nrefresh = "1s"\n'
        f'[journal]\nurl = "sqlite:///{tmp_path}/j/journal.db"\n'
        f'[[sources]]\nname = "prom"\nkind = "prometheus"\nurl = "{prometheus.url}"\n'
        "[dependencies.feature-store-eu]\n"
        "[models.fraud-scorer]\ntier = 1\n"
        'dependencies = ["feature-store-eu"]\n'
        'slo = { availability = 0.999, latency = { under = "400ms", share = 0.99 } }\n'
    )
    path.chmod(0o600)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run_here(["--config", str(path), *arguments])
        assert isinstance(code, int)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


@pytest.mark.parametrize("signal", ["error_ratio", "latency_p95", "requests_rate", "burn_1h"])
def test_any_signal_is_drawn_over_its_range(say: Say, signal: str) -> None:
    code, out, err = say("plot", "fraud-scorer", signal, "--range", "90m")
    assert code == 0, err
    assert out.startswith(" " * 3)
    assert "fraud-scorer" in out.splitlines()[0]
    assert len(out.splitlines()) == 18


def test_no_data_is_a_sentence_with_what_would_fill_it(say: Say) -> None:
    code, out, err = say("plot", "fraud-scorer", "drift_psi", "--range", "1h")
    assert (code, out) == (1, "")
    assert "fraud-scorer" in err
    assert "drift" in err
    code, _, err = say("plot", "fraud-scorer", "latency_p59")
    assert code == 64
    assert 'did you mean "latency_p99"?' in err
    assert say("plot", "fraud-scorer", "error_ratio", "--range", "soon")[0] == 64


def test_the_outage_is_found_in_what_prometheus_remembers(say: Say) -> None:
    code, out, err = say("failures", "fraud-scorer", "--since", "110m", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["schema"] == "midwatch.failures/1"
    spells = {each["rule"]: each for each in document["spells"]}
    assert {"burn_page_fast", "dependency_breaker", "latency_slo"} <= set(spells)
    breaker = spells["dependency_breaker"]
    assert breaker["worst"] == "OPEN"
    assert breaker["what"] == "breaker of feature-store-eu open"
    assert breaker["seconds"] == pytest.approx(OUTAGE_SECONDS, abs=90.0)
    burn = spells["burn_page_fast"]
    assert burn["level"] == "S1"
    assert burn["bad_requests"] == pytest.approx(0.6 * RATE * OUTAGE_SECONDS, rel=0.25)
    budget = document["budget"]
    assert budget["availability"] == pytest.approx(1 - 3600 / (RATE * 110 * 60), abs=0.01)
    assert any(each.startswith("low_confidence_ratio") for each in document["not_judged"])


def test_what_was_done_stands_beside_the_spell(say: Say) -> None:
    assert say("note", "--change", "config push 8812", "--at", "42m", "--yes")[0] == 0
    code, out, err = say("failures", "fraud-scorer", "--since", "110m")
    assert code == 0, err
    assert "**Changed before:**" in out
    assert "config push 8812" in out
