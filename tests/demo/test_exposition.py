"""What the services say is what Prometheus' own parser understands."""

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.demo.catalogue import models_for
from console.demo.server_metrics import Block, Layout, Page, sorted_labels
from tests.demo.helpers import parse, run, service_of, simulation
from tests.support.pace import cost_in_paces


def test_every_page_parses_and_carries_the_simulations_values() -> None:
    world = simulation("story")
    run(world, 40)
    for service in world.services:
        page = Page([service.layout]).render([service.values]).decode()
        seen = parse(page)
        assert len(seen) == service.layout.width
        for series, value in zip(service.layout.series, service.values, strict=True):
            if value == value:
                assert seen[series] == value


def test_families_have_types_and_histograms_end_in_their_count() -> None:
    world = simulation()
    run(world, 20)
    for service in world.services:
        page = Page([service.layout]).render([service.values]).decode()
        for family in text_string_to_metric_families(page):
            assert family.type in ("counter", "gauge", "histogram", "summary")
            assert family.documentation
            if family.type != "histogram":
                continue
            buckets = [s.value for s in family.samples if s.name.endswith("_bucket")]
            assert buckets == sorted(buckets)
            (count,) = [s.value for s in family.samples if s.name.endswith("_count")]
            assert buckets[-1] == count


def test_several_models_share_a_page_without_repeating_a_family() -> None:
    world = simulation(models=20)
    run(world, 5)
    clones = world.services[12:]
    page = Page([s.layout for s in clones]).render([s.values for s in clones]).decode()
    types = [line for line in page.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    models = {
        sample.labels["model"]
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    assert models == {service.model.name for service in clones}


def test_a_hostile_label_is_escaped() -> None:
    name = 'a"b\\c\nd'
    block = Block("x_total", "counter", "x", (sorted_labels(("model", name)),))
    layout = Layout((block,))
    page = Page([layout]).render([np.zeros(layout.width)]).decode()
    (family,) = text_string_to_metric_families(page)
    assert family.samples[0].labels == {"model": name}


def test_the_two_servers_speak_their_own_names() -> None:
    world = simulation()
    run(world, 60)
    vllm, triton = service_of(world, "summarizer"), service_of(world, "embedder")
    names = {name for name, _ in vllm.layout.series}
    assert {
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc",
        "vllm:request_success_total",
        "vllm:e2e_request_latency_seconds_bucket",
        "vllm:time_to_first_token_seconds_bucket",
        "vllm:request_time_per_output_token_seconds_bucket",
        "vllm:prompt_tokens_total",
        "vllm:generation_tokens_total",
    } <= names
    assert all(dict(labels).get("model_name") == "summarizer" for _, labels in vllm.layout.series)
    names = {name for name, _ in triton.layout.series}
    assert {
        "nv_inference_request_success",
        "nv_inference_request_failure",
        "nv_inference_request_duration_us",
        "nv_inference_queue_duration_us",
        "nv_inference_pending_request_count",
        "nv_inference_request_summary_us",
    } <= names
    column = triton.layout.column(
        "nv_inference_request_summary_us",
        sorted_labels(("model", "embedder"), ("version", "3"), ("quantile", "0.95")),
    )
    assert 15_000 < triton.values[column] < 80_000


def test_what_a_model_leaves_out_is_not_there() -> None:
    world = simulation()
    names = {name for name, _ in service_of(world, "price-opt").layout.series}
    assert "model_requests_total" in names
    for missing in ("model_cost_usd_total", "model_attempts_total", "model_review_total"):
        assert missing not in names


def test_rendering_the_fleet_costs_little() -> None:
    world = simulation()
    run(world, 5)
    pages = [Page([service.layout]) for service in world.services]

    def render() -> None:
        for page, service in zip(pages, world.services, strict=True):
            page.render([service.values])

    assert cost_in_paces(render) < 30.0


@pytest.mark.parametrize("count", [0, 201, -3])
def test_a_silly_number_of_models_is_refused_in_words(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 200"):
        models_for(count)
