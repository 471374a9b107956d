"""Profile ``midwatch``: how requests that were worked on become numbers in the model's series."""

import numpy as np

from console.demo.layout import Floats, Layout
from console.demo.midwatch_layout import CALL_OUTCOMES
from console.demo.requests import Batch, Calls
from console.demo.specs import Backend, ModelSpec


def record(
    layout: Layout,
    values: Floats,
    model: ModelSpec,
    backend: Backend,
    batch: Batch,
    to_review: int,
) -> None:
    """Add a batch that was worked on to ``values`` in place; outcomes are counted by the caller."""
    layout.observe(values, "model_request_duration_seconds", batch.durations)
    layout.observe(values, "model_prediction_confidence", batch.confidence)
    layout.observe(values, "model_prediction_score", batch.scores)
    _record_tokens(layout, values, batch)
    _record_inputs(layout, values, model, batch)
    attempts = layout.columns("model_attempts_total")
    if attempts is not None and backend is model.primary:
        if batch.calls:
            for place, calls in enumerate(batch.calls):
                _record_calls(layout, values, model, place, calls)
        else:
            values[attempts.start] += batch.size
    costs = layout.columns("model_cost_usd_total")
    if costs is not None:
        values[costs] += _costs(model, backend, batch, to_review)


def _record_calls(
    layout: Layout, values: Floats, model: ModelSpec, place: int, calls: Calls
) -> None:
    values[layout.slices["model_attempts_total"].start + place] += calls.attempts
    start = layout.slices["model_dependency_requests_total"].start + place * len(CALL_OUTCOMES)
    retries = calls.attempts - calls.asked
    values[start : start + len(CALL_OUTCOMES)] += (
        calls.answered,
        calls.errors,
        calls.timeouts,
        retries,
    )
    layout.observe(values, f"model_dependency_duration_seconds {calls.dependency}", calls.durations)


def _record_tokens(layout: Layout, values: Floats, batch: Batch) -> None:
    where = layout.columns("model_tokens_total")
    if where is None or batch.prompt_tokens is None or batch.output_tokens is None:
        return
    values[where] += (batch.prompt_tokens.sum(), batch.output_tokens.sum())
    if batch.first_token_seconds is not None and batch.token_seconds is not None:
        layout.observe(values, "model_time_to_first_token_seconds", batch.first_token_seconds)
        layout.observe(values, "model_time_per_output_token_seconds", batch.token_seconds)


def _record_inputs(layout: Layout, values: Floats, model: ModelSpec, batch: Batch) -> None:
    where = layout.columns("model_input_values_total")
    if where is None:
        return
    values[where] += batch.size
    nulls = layout.slices["model_input_nulls_total"]
    for call, calls in zip(model.primary.calls, batch.calls, strict=False):
        missing = int(np.count_nonzero(calls.missing))
        if missing:
            for feature in call.features:
                values[nulls.start + model.features.index(feature)] += missing


def _costs(model: ModelSpec, backend: Backend, batch: Batch, to_review: int) -> tuple[float, ...]:
    """Return USD by (component, use) in the order of ``COSTS``; what time costs is not in it.

    The price of an answer that goes to a person counts when that person has decided.
    """
    prices = request_prices(backend, batch)
    failed = float(prices[batch.failed].sum())
    answered = batch.size - batch.errors
    good = float(prices.sum()) - failed
    good *= 1.0 - to_review / answered if answered else 0.0
    if backend is not model.primary:
        return (0.0, 0.0, failed, good, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    retry, useful_calls, retry_calls, lost_calls = _call_costs(backend, batch, float(prices.sum()))
    return (good, retry, failed, 0.0, 0.0, 0.0, useful_calls, retry_calls, lost_calls, 0.0)


def _call_costs(
    backend: Backend, batch: Batch, inference_usd: float
) -> tuple[float, float, float, float]:
    """Return USD of retried inference, and of calls that were useful, repeated, and in vain."""
    worker_second_usd = backend.hourly_usd / 3600.0 / backend.workers
    retry = useful_calls = retry_calls = lost_calls = 0.0
    for calls in batch.calls:
        repeated = calls.attempts - calls.asked
        if calls.attempts:
            # A held worker costs while it waits for a retry: that time is the price of retrying.
            share = repeated / calls.attempts
            retry += float(calls.durations.sum()) * share * worker_second_usd
        if backend.tokens is not None and batch.size:
            retry += 0.35 * repeated * inference_usd / batch.size
        useful_calls += calls.answered * calls.attempt_usd
        retry_calls += repeated * calls.attempt_usd
        lost_calls += (calls.asked - calls.answered) * calls.attempt_usd
    return retry, useful_calls, retry_calls, lost_calls


def request_prices(backend: Backend, batch: Batch) -> Floats:
    """Return the USD of each request's own inference."""
    tokens = backend.tokens
    prices: Floats = np.full(batch.size, backend.request_usd)
    if tokens is not None and batch.prompt_tokens is not None and batch.output_tokens is not None:
        prices += batch.prompt_tokens * (tokens.prompt_usd_per_million / 1e6)
        prices += batch.output_tokens * (tokens.output_usd_per_million / 1e6)
    return prices
