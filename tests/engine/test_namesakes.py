"""Namesakes on a real Prometheus: each row has its own server's numbers, told apart or joined."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from console.domain.signals import ReadingState
from console.engine.service import Engine
from console.settings.schema import ModelSettings, Settings, SourceSettings
from console.sources.factory import plain_factory
from tests.engine.fakes import loaded
from tests.support.prometheus_server import running_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from console.domain.snapshot import Snapshot

NOW = 1_780_000_000.0
SPAN_SECONDS, STEP_SECONDS = 1800, 15

Counter = tuple[str, str, float]
"""A metric, its labels as text, its growth a second."""


def served(kind: str, model: str, rate: float, bad: float, where: str) -> list[Counter]:
    """Return the counters of one server: requests a second, and bad ones."""
    if kind == "triton":
        labels = f'model="{model}",version="1",{where}'
        return [
            ("nv_inference_request_success", labels, rate - bad),
            ("nv_inference_request_failure", f'reason="BACKEND",{labels}', bad),
        ]
    if kind == "mlserver":
        labels = f'model="{model}",version="v1",{where}'
        return [
            ("model_infer_request_success_total", labels, rate - bad),
            ("model_infer_request_failure_total", labels, bad),
        ]
    labels = f'model_name="{model}",{where}'
    return [
        ("request_preprocess_seconds_count", labels, rate),
        ("request_predict_seconds_count", labels, rate),
        ("request_postprocess_seconds_count", labels, rate - bad),
    ]


def openmetrics(counters: list[Counter]) -> str:
    lines = []
    for metric, labels, growth in sorted(counters):
        for second in range(0, SPAN_SECONDS + 1, STEP_SECONDS):
            at = NOW - SPAN_SECONDS + second
            lines.append(f"{metric}{{{labels}}} {1000 + growth * second} {at:.0f}")
    return "\n".join([*lines, ""])


def place(job: str, instance: str, namespace: str = "prod") -> str:
    return f'job="{job}",instance="{instance}",namespace="{namespace}"'


FLEET = [
    *served("triton", "fraud", 10.0, 0.0, place("triton", "10.0.0.1:8002")),
    *served("mlserver", "fraud", 40.0, 4.0, place("mlserver", "10.0.0.2:8082")),
    *served("kserve", "fraud", 2.0, 0.0, place("kserve", "10.0.0.3:8080")),
    *served("mlserver", "rank", 20.0, 2.0, place("mlserver", "10.0.0.4:8082")),
    *served("mlserver", "rank", 5.0, 0.0, place("mlserver", "10.0.1.4:8082", "staging")),
]
"""Three servers with a `fraud` each, and one kind with a `rank` in two namespaces."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("namesakes")
    with running_prometheus(folder, blocks=openmetrics(FLEET)) as served_at:
        yield served_at


def look(url: str, models: Mapping[str, ModelSettings] | None = None) -> Snapshot:
    source = SourceSettings(name="prom", kind="prometheus", url=url)
    return look_at(Settings(version=1, sources=(source,), models=dict(models or {})))


def look_at(settings: Settings) -> Snapshot:
    async def once() -> Snapshot:
        engine = Engine(loaded(settings), make_source=plain_factory(), clock=lambda: NOW)
        try:
            return await engine.once(remembers=False)
        finally:
            await engine.close()

    return asyncio.run(once())


def numbers(snapshot: Snapshot) -> dict[str, tuple[float, float | None]]:
    """Return requests a second and the bad share of each row, by its name."""
    found = {}
    for at, row in enumerate(snapshot.rows):
        rate, errors = (snapshot.reading(name, at) for name in ("requests_rate", "error_ratio"))
        assert rate.state is ReadingState.OK, (row.model, rate)
        bad = None if errors.value is None else round(errors.value, 6)
        found[row.model] = (round(rate.value or 0.0, 6), bad)
    return found


def test_every_namesake_is_a_row_with_its_own_numbers(url: str) -> None:
    snapshot = look(url)
    assert numbers(snapshot) == {
        "fraud/kserve": (2.0, 0.0),
        "fraud/mlserver": (40.0, 0.1),
        "fraud/triton": (10.0, 0.0),
        "rank/prod": (20.0, 0.1),
        "rank/staging": (5.0, 0.0),
    }
    assert [row.label for row in snapshot.rows] == ["fraud"] * 3 + ["rank"] * 2
    assert snapshot.rows[3].id == "rank@prom:mlserver:prod"
    assert snapshot.rows[3].served_by == "mlserver, prod (source prom)"


def test_a_match_that_is_a_list_makes_them_one_row_read_from_one_server(url: str) -> None:
    both = ({"model": "fraud"}, {"model_name": "fraud"})
    snapshot = look(url, {"fraud": ModelSettings(match=both, source="prom")})
    found = numbers(snapshot)
    assert sorted(found) == ["fraud", "rank/prod", "rank/staging"]
    assert found["fraud"] in {(2.0, 0.0), (40.0, 0.1), (10.0, 0.0)}, "never a sum of two"


def test_declarations_by_kind_and_namespace_take_one_each(url: str) -> None:
    declared = {
        "fraud": ModelSettings(profile="triton"),
        "rank-live": ModelSettings(match={"model": "rank", "namespace": "prod"}),
    }
    assert numbers(look(url, declared)) == {
        "fraud": (10.0, 0.0),
        "fraud/kserve": (2.0, 0.0),
        "fraud/mlserver": (40.0, 0.1),
        "rank-live": (20.0, 0.1),
        "rank/staging": (5.0, 0.0),
    }


def test_own_promql_seats_a_row_that_no_profile_knows(url: str) -> None:
    own = ModelSettings(
        match={"instance": "10.0.0.2:8082"},
        signals={"requests_rate": "sum(rate(model_infer_request_success_total{$match}[$window]))"},
    )
    assert numbers(look(url, {"by-hand": own}))["by-hand"] == (36.0, None)


def test_parts_of_one_model_by_any_label_have_their_own_numbers(url: str) -> None:
    parts = {
        "live": ModelSettings(match={"model": "rank", "instance": "10.0.0.4:8082"}),
        "trial": ModelSettings(match={"model": "rank", "instance": "10.0.1.4:8082"}),
        "fraud": ModelSettings(match={"model": "fraud", "job": "mlserver"}, profile="mlserver"),
    }
    found = numbers(look(url, parts))
    assert found["fraud"] == (40.0, 0.1)
    assert (found["live"], found["trial"]) == ((20.0, 0.1), (5.0, 0.0))


THIRTY = [f"model-{number:02}" for number in range(30)]


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two servers with the same thirty models, each scraped from processes of its own."""
    blocks = [
        openmetrics(
            [
                counter
                for at, model in enumerate(THIRTY)
                for counter in served("triton", model, rate, 0.0, place("triton", f"{net}.{at}:1"))
            ]
        )
        for net, rate in (("10.1.0", 4.0), ("10.2.0", 8.0))
    ]
    first = running_prometheus(tmp_path_factory.mktemp("eu"), blocks=blocks[0])
    second = running_prometheus(tmp_path_factory.mktemp("us"), blocks=blocks[1])
    with first as eu, second as us:
        yield eu, us


def test_two_regions_with_the_same_thirty_models_are_sixty_rows(regions: tuple[str, str]) -> None:
    eu, us = (
        SourceSettings(name=name, kind="prometheus", url=url)
        for name, url in zip(("eu", "us"), regions, strict=True)
    )
    found = numbers(look_at(Settings(version=1, sources=(eu, us))))
    assert found == {
        f"{model}/{region}": (rate, 0.0)
        for model in THIRTY
        for region, rate in (("eu", 4.0), ("us", 8.0))
    }


@pytest.mark.parametrize("how", ["urls", "ha", "fallback", "direct"])
def test_two_servers_declared_as_one_are_thirty_rows(regions: tuple[str, str], how: str) -> None:
    eu, us = regions
    first = SourceSettings(name="eu", kind="prometheus", url=eu)
    second = SourceSettings(name="us", kind="prometheus", url=us)
    sources = {
        "urls": (SourceSettings(name="eu", kind="prometheus", urls=(eu, us)),),
        "ha": (SourceSettings(name="eu", kind="prometheus", urls=(eu, us), ha=True),),
        "fallback": (replace(first, fallback="us"), second),
        "direct": (replace(first, fallback="direct"),),
    }[how]
    found = numbers(look_at(Settings(version=1, sources=sources)))
    assert found == dict.fromkeys(THIRTY, (4.0, 0.0)), "never a sum of both"


def test_check_asks_each_own_text_once_and_says_what_it_gave(url: str, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f"""
version = 1
[[sources]]
name = "prom"
kind = "prometheus"
url = "{url}"
[models.by-hand]
match = {{ instance = "10.0.0.2:8082" }}
[models.by-hand.signals]
queue_depth = "count(model_infer_request_success_total{{$match}})"
error_ratio = "sum(no_such_metric{{$match}})"
latency_p95 = "sum(model_infer_request_success_total{{$match}}"
""",
        encoding="utf-8",
    )
    config.chmod(0o600)
    command = [sys.executable, "-m", "console", "check", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout
    assert done.returncode != 0, said
    lines = {
        line.split("models.by-hand.signals.")[1].split()[0].rstrip(":"): line
        for line in said.splitlines()
        if "models.by-hand.signals." in line and "c.toml:" not in line
    }
    assert sorted(lines) == ["error_ratio", "latency_p95", "queue_depth"], said
    assert "no series" in lines["error_ratio"]
    assert "parse error" in lines["latency_p95"] or "refused" in lines["latency_p95"]
