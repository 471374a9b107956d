"""Two model servers beside profile ``midwatch``: one speaks as vLLM does, one as Triton."""

from typing import Final

import numpy as np

from console.demo.requests import Batch
from console.demo.scenario import ModelSpec
from console.demo.series_layout import Block, Floats, Layout, sorted_labels

_ENGINE: Final = ("engine", "0")
_FINISHED: Final = (
    ("stop", "success", 0.86),
    ("length", "success", 0.14),
    ("abort", "success", 0.0),
    ("error", "error", 1.0),
    ("repetition", "success", 0.0),
)
_E2E_EDGES: Final = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
)  # fmt: skip
_FIRST_EDGES: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)  # fmt: skip
_TOKEN_EDGES: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
KV_CACHE_TOKENS: Final = 40_000.0
_QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)


def vllm_layout(model: ModelSpec) -> Layout:
    """Return the series of a vLLM server: ``vllm:`` names, ``model_name`` and ``engine`` labels."""
    base = (("model_name", model.name), _ENGINE)
    plain = (sorted_labels(*base),)

    def histogram(name: str, help_text: str, edges: tuple[float, ...]) -> Block:
        return Block(
            name, "histogram", help_text, plain, draw="buckets", population="worked", edges=edges
        )

    def gauge(name: str, help_text: str) -> Block:
        return Block(name, "gauge", help_text, plain)

    def counter(name: str, help_text: str) -> Block:
        return Block(name, "counter", help_text, plain, draw="count", population="worked")

    return Layout(
        (
            gauge("vllm:num_requests_running", "Number of requests in model execution batches."),
            gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed."),
            gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage."),
            counter("vllm:prompt_tokens_total", "Number of prefill tokens processed."),
            counter("vllm:generation_tokens_total", "Number of generation tokens processed."),
            counter("vllm:num_preemptions_total", "Cumulative number of preemptions."),
            Block(
                "vllm:request_success_total",
                "counter",
                "Count of successfully processed requests.",
                tuple(sorted_labels(*base, ("finished_reason", name)) for name, _, _ in _FINISHED),
                draw="outcomes",
                shares=tuple((outcome, share) for _, outcome, share in _FINISHED),
                long_term=True,
            ),
            Block(
                "vllm:admission_rejections_total",
                "counter",
                "Requests that were not let in.",
                tuple(
                    sorted_labels(("model_name", model.name), ("reason", reason))
                    for reason in ("max_num_queued_reqs", "max_num_queued_tokens")
                ),
                draw="outcomes",
                shares=(("refused", 1.0), ("refused", 0.0)),
            ),
            histogram(
                "vllm:time_to_first_token_seconds",
                "Histogram of time to first token in seconds.",
                _FIRST_EDGES,
            ),
            histogram(
                "vllm:request_time_per_output_token_seconds",
                "Histogram of time_per_output_token_seconds per request.",
                _TOKEN_EDGES,
            ),
            histogram(
                "vllm:e2e_request_latency_seconds",
                "Histogram of e2e request latency in seconds.",
                _E2E_EDGES,
            ),
        )
    )


def record_vllm(layout: Layout, values: Floats, batch: Batch) -> None:
    """Add a batch to a vLLM server's counters in place; outcomes are counted by the caller."""
    layout.observe(values, "vllm:e2e_request_latency_seconds", batch.durations)
    if batch.first_token_seconds is None or batch.token_seconds is None:
        return
    layout.observe(values, "vllm:time_to_first_token_seconds", batch.first_token_seconds)
    layout.observe(values, "vllm:request_time_per_output_token_seconds", batch.token_seconds)
    if batch.prompt_tokens is not None and batch.output_tokens is not None:
        values[layout.slices["vllm:prompt_tokens_total"]] += batch.prompt_tokens.sum()
        values[layout.slices["vllm:generation_tokens_total"]] += batch.output_tokens.sum()


def triton_layout(model: ModelSpec) -> Layout:
    """Return the series of a Triton server with summary latencies, in microseconds."""
    base = (("model", model.name), ("version", model.version))
    plain = (sorted_labels(*base),)

    def amount(name: str, help_text: str) -> Block:
        return Block(name, "counter", help_text, plain, draw="amount", population="worked")

    reasons = (("REJECTED", "refused"), ("CANCELED", ""), ("BACKEND", "error"), ("OTHER", ""))
    return Layout(
        (
            Block(
                "nv_inference_request_success",
                "counter",
                "Number of successful inference requests, all batch sizes",
                plain,
                draw="outcomes",
                shares=(("success", 1.0),),
                long_term=True,
            ),
            Block(
                "nv_inference_request_failure",
                "counter",
                "Number of failed inference requests, all batch sizes",
                tuple(sorted_labels(*base, ("reason", reason)) for reason, _ in reasons),
                draw="outcomes",
                shares=tuple(
                    (outcome or "refused", 1.0 if outcome else 0.0) for _, outcome in reasons
                ),
                long_term=True,
            ),
            Block(
                "nv_inference_count",
                "counter",
                "Number of inferences performed (does not include cached requests)",
                plain,
                draw="count",
                population="worked",
            ),
            Block(
                "nv_inference_exec_count",
                "counter",
                "Number of model executions performed (does not include cached requests)",
                plain,
                draw="count",
                population="worked",
            ),
            amount(
                "nv_inference_request_duration_us",
                "Cumulative inference request duration in microseconds (includes cached requests)",
            ),
            amount(
                "nv_inference_queue_duration_us",
                "Cumulative inference queuing duration in microseconds (includes cached requests)",
            ),
            amount(
                "nv_inference_compute_infer_duration_us",
                "Cumulative compute inference duration in microseconds",
            ),
            Block(
                "nv_inference_pending_request_count",
                "gauge",
                "Instantaneous number of pending requests awaiting execution per-model.",
                plain,
            ),
            Block(
                "nv_inference_request_summary_us",
                "summary",
                "Summary of inference request duration in microseconds",
                tuple(sorted_labels(*base, ("quantile", f"{q:g}")) for q in _QUANTILES),
            ),
        )
    )


def record_triton(layout: Layout, values: Floats, batch: Batch) -> None:
    """Add a batch to a Triton server's counters in place; outcomes are counted by the caller."""
    if batch.waits is None or batch.size == 0:
        return
    values[layout.slices["nv_inference_count"]] += batch.size
    # Dynamic batching: about four requests run as one execution.
    values[layout.slices["nv_inference_exec_count"]] += max(1, batch.size // 4)
    waited = float(batch.waits.sum())
    total = float(batch.durations.sum())
    values[layout.slices["nv_inference_request_duration_us"]] += np.rint(total * 1e6)
    values[layout.slices["nv_inference_queue_duration_us"]] += np.rint(waited * 1e6)
    values[layout.slices["nv_inference_compute_infer_duration_us"]] += np.rint(
        (total - waited) * 1e6
    )


def triton_summary(durations: Floats) -> Floats:
    """Return the quantiles of the summary for durations in seconds, in microseconds."""
    summary: Floats = np.rint(np.quantile(durations, _QUANTILES) * 1e6)
    return summary
