"""The profiles that come with the program: found, asked and answered on true server texts."""

from __future__ import annotations

import math

import pytest

from console.domain.model import ModelRow, Objectives
from console.domain.signals import SIGNALS
from console.metrics.evaluate import evaluate
from console.metrics.expressions import is_answerable
from console.metrics.profile import (
    ProfileError,
    discovery_promql,
    models_promql,
    parse_profile,
    profile_of_metric,
    profiles,
)
from console.metrics.queries import Query
from console.metrics.query_plan import plan
from tests.metrics.fleet import NOW
from tests.metrics.stored import ListStore
from tests.metrics.test_against_prometheus import differences
from tests.support.prometheus_server import instant

SERVERS = ("litellm", "mlserver", "triton", "vllm")

# How each server's makers and users ask for these, written by hand and not by the algebra.
BY_HAND = {
    "vllm/requests_rate": "sum by (model_name) (rate(vllm:request_success_total[5m]))",
    "vllm/error_ratio": (
        'sum by (model_name) (rate(vllm:request_success_total{finished_reason=~"error|abort"}[5m]))'
        " / sum by (model_name) (rate(vllm:request_success_total[5m]))"
        " or 0 * sum by (model_name) (rate(vllm:request_success_total[5m]))"
    ),
    "vllm/latency_p95": (
        "histogram_quantile(0.95,"
        " sum by (model_name, le) (rate(vllm:e2e_request_latency_seconds_bucket[5m])))"
    ),
    "vllm/ttft_p95": (
        "histogram_quantile(0.95,"
        " sum by (model_name, le) (rate(vllm:time_to_first_token_seconds_bucket[5m])))"
    ),
    "vllm/tokens_rate": "sum by (model_name) (rate(vllm:generation_tokens_total[5m]))",
    "vllm/kv_cache": (
        "max by (model_name) (vllm:kv_cache_usage_perc or vllm:gpu_cache_usage_perc)"
    ),
    "vllm/queue_depth": "sum by (model_name) (vllm:num_requests_waiting)",
    "triton/requests_rate": (
        "sum by (model) (rate(nv_inference_request_success[5m]))"
        " + sum by (model) (rate(nv_inference_request_failure[5m]))"
    ),
    "triton/latency_mean": (
        "sum by (model) (rate(nv_inference_request_duration_us[5m]))"
        " / sum by (model) (rate(nv_inference_request_success[5m])) / 1e6"
    ),
    "triton/latency_p99": (
        'max by (model) (nv_inference_request_summary_us{quantile="0.99"}) / 1e6'
    ),
    "mlserver/error_ratio": (
        "sum by (model) (rate(model_infer_request_failure_total[5m]))"
        " / (sum by (model) (rate(model_infer_request_success_total[5m]))"
        ' + sum by (model) (rate(model_infer_request_failure_total{model!="nope"}[5m])))'
    ),
    "mlserver/latency_mean": (
        "sum by (model) (rate(model_infer_request_duration_sum[5m]))"
        " / sum by (model) (rate(model_infer_request_duration_count[5m]))"
    ),
    "mlserver/low_confidence_ratio<0.5": (
        'sum by (model_name) (rate(confidence_bucket{le="0.5"}[5m]))'
        " / sum by (model_name) (rate(confidence_count[5m]))"
    ),
    "litellm/error_ratio": (
        "(sum by (requested_model)"
        ' (rate(litellm_proxy_failed_requests_metric_total{requested_model!=""}[5m]))'
        " or 0 * sum by (requested_model)"
        ' (rate(litellm_proxy_total_requests_metric_total{requested_model!=""}[5m])))'
        " / sum by (requested_model)"
        ' (rate(litellm_proxy_total_requests_metric_total{requested_model!=""}[5m]))'
    ),
    "litellm/latency_p95": (
        "histogram_quantile(0.95,"
        " sum by (requested_model, le) (rate(litellm_request_total_latency_metric_bucket[5m])))"
    ),
    "litellm/tpot_p95": (
        "histogram_quantile(0.95, sum by (model_group, le)"
        " (rate(litellm_deployment_latency_per_output_token_bucket[5m])))"
    ),
    "litellm/tokens_rate": (
        "sum by (requested_model) (rate(litellm_output_tokens_metric_total[5m]))"
    ),
    "litellm/cost_per_hour": (
        "3600 * sum by (requested_model) (rate(litellm_spend_metric_total[5m]))"
    ),
}
SILENT = {
    # Options that the recorded servers had switched off or did not have.
    ("triton", "ttft_p95"),
    ("triton", "batch_size"),
    ("triton", "queue_time_mean"),
    ("mlserver", "queue_depth"),
    ("litellm", "cooldowns"),
    ("litellm", "tokens_in_rate"),
    ("litellm", "queue_time_p95"),
    ("litellm", "fallback_rate"),
    ("vllm", "tokens_in_rate"),
    ("vllm", "queue_time_p95"),
    ("vllm", "cache_hit_ratio"),
    ("vllm", "refused_rate"),
}


def queries(*names: str) -> tuple[Query, ...]:
    slow = Objectives(latency_under_seconds=1.0, declared=True)
    rows = [ModelRow("any", profile=name, objectives=slow) for name in names]
    return plan(names, rows, {}, NOW)


def test_every_system_of_the_catalogue_has_a_profile_that_says_what_it_lacks() -> None:
    assert {"midwatch", *SERVERS} < set(profiles())
    servers = [each for each in profiles().values() if each.role != "companion"]
    for profile in servers:
        if profile.name == "midwatch":
            continue
        assert profile.cites, profile.name
        for signal in ("requests_rate", "error_ratio", "latency_p95", "queue_depth"):
            told = signal in profile.signals or signal in profile.not_given
            assert told, f"{profile.name} says nothing of {signal}"


@pytest.mark.parametrize("name", SERVERS)
def test_samples_answer_as_a_server_does(
    prometheus: str, server_samples: ListStore, name: str
) -> None:
    problems = []
    answered = set()
    for query in queries(name):
        problems += differences(query, query.promql, prometheus, server_samples, NOW)
        if evaluate(query, server_samples, NOW).keys:
            answered.add(query.column)
    assert not problems, "\n".join(problems)
    defined = {s for s in profiles()[name].signals if s in SIGNALS}
    assert {(name, signal) for signal in defined - answered} <= SILENT


@pytest.mark.parametrize("id_", BY_HAND)
def test_numbers_are_those_asked_for_by_hand(prometheus: str, id_: str) -> None:
    query = next(query for query in queries(*SERVERS) if query.id == id_)
    ours = {tuple(labels.values()): v for labels, v in instant(prometheus, query.promql, NOW)}
    hand = {tuple(labels.values()): v for labels, v in instant(prometheus, BY_HAND[id_], NOW)}
    assert ours
    assert ours.keys() == hand.keys()
    for key, value in hand.items():
        assert ours[key] == pytest.approx(value, rel=1e-9, nan_ok=True)


def test_one_question_finds_every_profile(prometheus: str) -> None:
    answer = instant(prometheus, discovery_promql(), NOW)
    found = {(labels["__name__"], labels["job"]) for labels, _ in answer}
    kinds = {}
    for metric, job in found:
        profile = profile_of_metric(metric)
        assert profile is not None, metric
        kinds[job] = profile.name
    assert kinds == {
        "m": "midwatch",
        "vllm": "vllm",
        "vllm_before_renames": "vllm",
        "triton": "triton",
        "mlserver": "mlserver",
        "litellm": "litellm",
    }


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("vllm", {"tiny-llama", "old-llama"}),
        ("triton", {"fraud", "tokens"}),
        # "nope" was asked for and does not exist.
        ("mlserver", {"fraud", "iris"}),
        # "other" is the proxy's word for what it does not serve.
        ("litellm", {"chat-main", "chat-mock", "chat-dead", "chat-flaky"}),
    ],
)
def test_models_are_found_and_inventions_are_not(
    prometheus: str, name: str, models: set[str]
) -> None:
    profile = profiles()[name]
    answer = instant(prometheus, models_promql(profile), NOW)
    assert {labels[profile.model_label] for labels, _ in answer} == models


def test_values_that_mean_nothing() -> None:
    mlserver = profiles()["mlserver"]
    assert mlserver.value_of("v1.0.0") == "v1.0.0"
    assert [mlserver.value_of(text) for text in ("None", "", "default", "unknown")] == [None] * 4


def test_a_mean_is_never_called_a_percentile() -> None:
    for query in queries("midwatch", *SERVERS):
        percentile = query.column.partition("@")[0] in ("latency_p50", "latency_p95", "latency_p99")
        assert not (percentile and query.method == "mean"), query.id
        if query.column == "latency_mean":
            assert "quantile" not in query.method


def test_zero_errors_are_zero_and_silence_is_not(server_samples: ListStore) -> None:
    by_id = {query.id: query for query in queries(*SERVERS)}
    errors = evaluate(by_id["litellm/error_ratio"], server_samples, NOW)
    values = dict(zip(errors.keys, errors.values.tolist(), strict=True))
    # chat-mock never failed, so the proxy never made a failure series for it.
    assert values[("chat-mock",)] == 0.0
    assert values[("chat-dead",)] == 1.0
    psi = [query for query in queries("vllm") if query.column == "drift_psi"]
    assert psi == []
    null = evaluate(by_id["vllm/error_ratio"], ListStore(), NOW)
    assert null.keys == ()
    assert null.error is None


def test_a_percentile_in_the_top_bucket_equals_the_top(midwatch_samples: ListStore) -> None:
    by_id = {query.id: query for query in queries("midwatch")}
    top, p99 = (
        dict(zip(answer.keys, answer.values.tolist(), strict=True))
        for answer in (
            evaluate(by_id[f"midwatch/latency_{name}"], midwatch_samples, NOW)
            for name in ("top", "p99")
        )
    )
    assert top[("topheavy",)] == p99[("topheavy",)] == 0.4
    assert p99[("below-zero",)] <= top[("below-zero",)]


def test_bad_counts_leave_out_rejected_input(midwatch_samples: ListStore) -> None:
    store = ListStore()
    times = [NOW - 240.0 + 15 * place for place in range(16)]
    for outcome, step in (("success", 6), ("error", 2), ("refused", 1), ("rejected_input", 7)):
        labels = {"model": "m", "outcome": outcome}
        values = [float(step * place) for place in range(16)]
        store.add("model_requests_total", labels, times, values)
    ratio = next(query for query in queries("midwatch") if query.id == "midwatch/error_ratio")
    assert evaluate(ratio, store, NOW).values.tolist() == pytest.approx([3 / 16])
    bad = next(query for query in queries("midwatch") if query.id == "midwatch/bad_rate")
    assert evaluate(bad, store, NOW).values[0] > 0
    assert not math.isnan(evaluate(bad, midwatch_samples, NOW).values[0])


MINIMAL = """
name = "x"
title = "X"
signature = ["x_total"]
model_label = "model"
[signals.requests_rate]
expression = {kind = "rate", metric = "x_total"}
"""


def test_the_shortest_profile() -> None:
    profile = parse_profile(MINIMAL, "x.toml")
    assert is_answerable(profile.signals["requests_rate"].expression)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("requests_rate", "request_rate"), "did you mean requests_rate?"),
        (('kind = "rate"', 'kind = "rote"'), "rote"),
        (('"x_total"}', '"x total"}'), "'x total' is not a metric name"),
        (('"x_total"}', '"x_total", where = {outcome = "=~("}}'), "is not a regular expression"),
        (('"x_total"}', '"x_total", were = {}}'), "were"),
        (('title = "X"', "title = X"), "is not TOML"),
        (('["x_total"]', "[]"), "signature needs at least one"),
        (('"model"', '"mo-del"'), "'mo-del' is not a label name"),
        (("expression =", 'window = "5 minutes"\nexpression ='), "write 30s, 5m, 1h or 1d"),
        (('{kind = "rate", metric = "x_total"}', '{kind = "sum", terms = []}'), "at least one"),
        (
            ('"rate", metric = "x_total"', '"quantile", q = 95, histogram = "x"'),
            "from 0 to 1, not 95",
        ),
    ],
)
def test_a_faulty_profile_says_what_and_where(change: tuple[str, str], said: str) -> None:
    text = MINIMAL.replace(*change, 1) if change[0] != '"x_total"}' else MINIMAL.replace(*change)
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "x.toml")
    assert said in str(caught.value)
    assert str(caught.value).startswith("x.toml")
