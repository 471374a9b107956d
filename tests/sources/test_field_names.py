"""Reports from the field: names of other releases, and labels that a target takes away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from console.domain.model import ModelRow
from console.metrics.profile import profiles
from console.metrics.query_plan import plan
from console.sources.scrape import ScrapeSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOW = 1_790_000_000.0
STEP_SECONDS = 15.0


@dataclass
class Page:
    """One target; the text is made anew at every look, ``grown`` seconds after the first."""

    text: Callable[[float], str]
    grown: float = 0.0
    status: int = 200
    elapsed_seconds: float = 0.01

    async def get(
        self,
        path_or_url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        return self

    async def aclose(self) -> None:
        pass

    @property
    def body(self) -> bytes:
        return self.text(self.grown).encode()


async def read(*texts: Callable[[float], str]) -> dict[str, dict[str, float]]:
    """Return what each model's columns come to after three scrapes, by model and column."""
    pages = {f"http://h{place}:80/metrics": Page(text) for place, text in enumerate(texts)}
    source = ScrapeSource("direct", pages, interval_seconds=STEP_SECONDS)
    found = None
    for look in range(3):
        for page in pages.values():
            page.grown = look * STEP_SECONDS
        found = await source.discover(profiles(), NOW + look * STEP_SECONDS)
    assert found is not None
    rows = [ModelRow(each.series_value, profile=each.profile) for each in found.models]
    names = sorted({each.profile for each in found.models})
    queries = plan(names, rows, {}, NOW, known={**profiles(), **found.written})
    answers = await source.ask(queries, NOW + 2 * STEP_SECONDS)
    values: dict[str, dict[str, float]] = {}
    for query, answer in zip(queries, answers, strict=True):
        if not query.labelled:
            for key, value in zip(answer.keys, answer.values.tolist(), strict=True):
                values.setdefault(key[0], {})[query.column] = value
    await source.aclose()
    return values


@pytest.mark.parametrize("prefix", ["vllm:", "vllm_", "ray_vllm_"])
def test_vllm_is_known_under_any_prefix_and_separator(prefix: str) -> None:
    def text(grown: float) -> str:
        label = '{model_name="org/base-8b",engine="0"}'
        return (
            f"{prefix}num_requests_running{label} 3\n"
            f"{prefix}num_requests_waiting{label} 1\n"
            f"{prefix}kv_cache_usage_perc{label} 0.42\n"
        )

    found = asyncio.run(read(text))["org/base-8b"]
    assert found["queue_depth"] == 1.0
    assert found["kv_cache"] == pytest.approx(0.42)


def test_a_half_finished_rollout_shows_the_worst_cache_and_the_whole_queue() -> None:
    def old(grown: float) -> str:
        label = '{model_name="rollout",engine="0"}'
        return (
            f"vllm:gpu_cache_usage_perc{label} 0.99\nvllm:num_requests_running{label} 3\n"
            f"vllm:num_requests_waiting{label} 40\n"
        )

    def new(grown: float) -> str:
        label = '{model_name="rollout",engine="0"}'
        return (
            f"vllm:kv_cache_usage_perc{label} 0.1\nvllm:num_requests_running{label} 3\n"
            f"vllm:num_requests_waiting{label} 0\n"
        )

    found = asyncio.run(read(old, new))["rollout"]
    assert found["kv_cache"] == pytest.approx(0.99)
    assert found["queue_depth"] == 40.0


def test_the_servers_own_word_counts_where_a_target_label_took_the_models_name() -> None:
    def text(grown: float) -> str:
        lines = []
        for model, rate in (("ocr_det", 5.0), ("ocr_rec", 2.0)):
            labels = f'model="ocr",exported_model="{model}",version="1"'
            lines.append(f"nv_inference_request_success{{{labels}}} {100 + rate * grown}")
            lines.append(f"nv_inference_request_failure{{{labels}}} 1")
        return "\n".join(lines) + "\n"

    found = asyncio.run(read(text))
    assert set(found) >= {"ocr_det", "ocr_rec"}
    assert "ocr" not in found
    assert found["ocr_det"]["requests_rate"] == pytest.approx(5.0, rel=0.01)
    assert found["ocr_rec"]["requests_rate"] == pytest.approx(2.0, rel=0.01)
