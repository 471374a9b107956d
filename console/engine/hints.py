"""What would fill an empty reading: the metric or the setting, in one sentence."""

from __future__ import annotations

from console.facts.reading import ReadingState

_REQUESTS = "export model_requests_total with the label outcome"
_DURATION = "export the histogram model_request_duration_seconds"
_CONFIDENCE = "export the histogram model_prediction_confidence"
_COST = "export model_cost_usd_total"
_DRIFT = 'export model_drift{kind="prediction",measure="psi"} with model_drift_samples'

_METRICS: dict[str, str] = {
    "requests_rate": _REQUESTS,
    "bad_rate": _REQUESTS,
    "error_ratio": _REQUESTS,
    "attempts_per_request": "export model_attempts_total with the label dependency",
    "tokens_rate": "a language-model server's token counter gives it; a classifier has none",
    "latency_p50": _DURATION,
    "latency_p95": _DURATION,
    "latency_p99": _DURATION,
    "latency_mean": _DURATION,
    "ttft_p95": "a language-model server's time-to-first-token histogram gives it",
    "tpot_p95": "a language-model server's time-per-output-token histogram gives it",
    "saturation": "set own PromQL in signals.saturation: the busy share of capacity",
    "kv_cache": "a language-model server's KV-cache gauge gives it",
    "queue_depth": "a model server's waiting-requests gauge gives it",
    "in_flight": "a model server's running-requests gauge gives it",
    "confidence_mean": _CONFIDENCE,
    "low_confidence_ratio": _CONFIDENCE
    + ", with the threshold of models.NAME.confidence on a bucket edge",
    "review_rate": "export model_review_total",
    "review_depth": "export model_review_queue_depth",
    "review_oldest": "export model_review_oldest_seconds",
    "review_rho": "set models.NAME.review.capacity_per_second, or export "
    "model_review_capacity_per_second",
    "ece": "it needs labels: set own PromQL in signals.ece",
    "drift_psi": _DRIFT,
    "drift_features": 'export model_drift{kind="feature",measure="psi"} with the label feature',
    "prediction_drift": _DRIFT,
    "null_ratio": "export model_input_nulls_total and model_input_values_total",
    "cost_per_hour": _COST,
    "cost_today": _COST,
    "cost_month": _COST,
    "cost_per_1k": _COST + ", or set models.NAME.cost.per_1k_requests",
    "cost_pace": "set models.NAME.cost.budget_month, and " + _COST,
    "spend_burn": "set models.NAME.cost.budget_month, and " + _COST,
    "waste_ratio": _COST + " with the label use",
    "budget_left": _REQUESTS,
}


def hint(signal: str, model: str, state: ReadingState) -> str:
    """Return what to do about a reading that is not a value; empty when it is one."""
    match state:
        case ReadingState.OK:
            return ""
        case ReadingState.NO_TRAFFIC:
            return "nothing was asked of the model in this window"
        case ReadingState.TOO_FEW:
            return "there are too few samples behind it to mean anything; it fills by itself"
        case ReadingState.STALE:
            return "the source does not answer; this is the last known value"
        case ReadingState.ERROR:
            return "the source refused this question; see its error"
        case _:
            known = _METRICS.get(signal, _REQUESTS if signal.startswith("burn_") else "")
            return known.replace("NAME", model)
