"""Series of profile ``midwatch``: names, labels, buckets, and how requests become numbers."""

from typing import Final

import numpy as np

from console.demo.requests import Batch, Calls
from console.demo.scenario import Backend, ModelSpec
from console.demo.server_metrics import Block, Floats, Labels, Layout, sorted_labels

OUTCOMES: Final = ("success", "error", "refused", "rejected_input")
USES: Final = ("useful", "retry", "failed", "fallback", "idle", "discarded")
REVIEW_OUTCOMES: Final = ("approved", "corrected", "rejected")
CALL_OUTCOMES: Final = ("success", "error", "timeout", "retry")
HUMAN_ROUTE: Final = "human"
REFUSE_ROUTE: Final = "refuse"

DURATION_EDGES: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.5, 0.75,
    1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 40.0,
)  # fmt: skip
CALL_EDGES: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.4, 0.5, 1.0, 2.5, 5.0)
TOKEN_SECONDS_EDGES: Final = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.06, 0.1)
CONFIDENCE_EDGES: Final = tuple(round(0.05 * step, 2) for step in range(1, 21))
SCORE_EDGES: Final = tuple(round(0.1 * step, 1) for step in range(1, 11))

COSTS: Final = (
    *(("inference", use) for use in USES),
    ("integration", "useful"),
    ("integration", "retry"),
    ("integration", "failed"),
    ("retraining", "useful"),
)


def base_labels(model: ModelSpec) -> tuple[tuple[str, str], ...]:
    """Return the labels that every series of the model carries."""
    return (("model", model.name), ("version", model.version))


def drift_labels(model: ModelSpec) -> list[Labels]:
    """Return the drift gauges' labels but ``measure``: the prediction, then each feature."""
    base = base_labels(model)
    kinds = [("prediction", ""), *(("feature", name) for name in model.features)]
    return [sorted_labels(*base, ("feature", name), ("kind", kind)) for kind, name in kinds]


def route_targets(model: ModelSpec) -> list[tuple[str, str, str]]:
    """Return (target, level, region) of every route that the model's service accepts."""
    backends = [("primary", "L0", model.region)]
    backends += [(backend.name, backend.level, backend.region) for backend in model.fallbacks]
    return [
        *backends,
        (HUMAN_ROUTE, "L4", model.region),
        (REFUSE_ROUTE, "L5", model.region),
    ]


def layout_for(model: ModelSpec) -> Layout:
    """Return the series of a model in profile ``midwatch``, without what it leaves out."""
    blocks = [*_request_blocks(model), *_token_blocks(model)]
    if "attempts" not in model.omits:
        blocks += _dependency_blocks(model)
    if "confidence" not in model.omits:
        blocks += _prediction_blocks(model)
    blocks += _drift_blocks(model)
    if "review" not in model.omits and model.reviewers_per_second > 0:
        blocks += _review_blocks(model)
    if "cost" not in model.omits:
        blocks.append(_cost_block(model))
    blocks += _state_blocks(model)
    return Layout(tuple(blocks))


def _request_blocks(model: ModelSpec) -> list[Block]:
    base = base_labels(model)
    return [
        Block(
            "model_requests_total",
            "counter",
            "Requests by what became of them.",
            tuple(sorted_labels(*base, ("outcome", outcome)) for outcome in OUTCOMES),
            draw="outcomes",
            shares=tuple((outcome, 1.0) for outcome in OUTCOMES),
            long_term=True,
        ),
        Block(
            "model_request_duration_seconds",
            "histogram",
            "Duration of requests that were worked on; refused ones are not in it.",
            (sorted_labels(*base),),
            draw="buckets",
            population="worked",
            edges=DURATION_EDGES,
        ),
    ]


def _token_blocks(model: ModelSpec) -> list[Block]:
    if model.primary.tokens is None:
        return []
    base = base_labels(model)
    return [
        Block(
            "model_tokens_total",
            "counter",
            "Tokens read and written.",
            tuple(sorted_labels(*base, ("kind", kind)) for kind in ("prompt", "output")),
            draw="count",
            population="worked",
        ),
        Block(
            "model_time_to_first_token_seconds",
            "histogram",
            "Time to the first token, queueing included.",
            (sorted_labels(*base),),
            draw="buckets",
            population="worked",
            edges=DURATION_EDGES,
        ),
        Block(
            "model_time_per_output_token_seconds",
            "histogram",
            "Mean time between output tokens of a request.",
            (sorted_labels(*base),),
            draw="buckets",
            population="worked",
            edges=TOKEN_SECONDS_EDGES,
        ),
    ]


def _dependency_blocks(model: ModelSpec) -> list[Block]:
    base = base_labels(model)
    names = model.dependencies
    blocks = [
        Block(
            "model_attempts_total",
            "counter",
            "Attempts at a dependency; an empty one is the model's own inference.",
            tuple(sorted_labels(*base, ("dependency", name)) for name in (names or ("",))),
            draw="count",
            population="worked",
        )
    ]
    if names:
        blocks.append(
            Block(
                "model_dependency_requests_total",
                "counter",
                "Attempts by outcome; retry counts again those beyond the first of a request.",
                tuple(
                    sorted_labels(*base, ("dependency", name), ("outcome", outcome))
                    for name in names
                    for outcome in CALL_OUTCOMES
                ),
                draw="count",
                population="worked",
            )
        )
    blocks += [
        Block(
            "model_dependency_duration_seconds",
            "histogram",
            "Duration of one attempt at a dependency.",
            (sorted_labels(*base, ("dependency", name)),),
            draw="buckets",
            population="attempts",
            edges=CALL_EDGES,
        )
        for name in names
    ]
    return blocks


def _prediction_blocks(model: ModelSpec) -> list[Block]:
    base = base_labels(model)
    return [
        Block(
            "model_prediction_confidence",
            "histogram",
            "Highest class probability of an answer.",
            (sorted_labels(*base),),
            draw="buckets",
            population="answered",
            edges=CONFIDENCE_EDGES,
        ),
        Block(
            "model_prediction_score",
            "histogram",
            "Score of an answer.",
            (sorted_labels(*base),),
            draw="buckets",
            population="answered",
            edges=SCORE_EDGES,
        ),
    ]


def _drift_blocks(model: ModelSpec) -> list[Block]:
    base = base_labels(model)
    kinds = drift_labels(model)
    features = tuple(sorted_labels(*base, ("feature", name)) for name in model.features)
    return [
        Block(
            "model_drift",
            "gauge",
            "Distance of the last hour from the frozen reference.",
            tuple(sorted_labels(*labels, ("measure", "psi")) for labels in kinds),
        ),
        Block("model_drift_samples", "gauge", "Samples behind model_drift.", tuple(kinds)),
        Block(
            "model_input_nulls_total",
            "counter",
            "Inputs that were missing.",
            features,
            draw="count",
            population="worked",
        ),
        Block(
            "model_input_values_total",
            "counter",
            "Inputs that were expected.",
            features,
            draw="count",
            population="worked",
        ),
    ]


def _review_blocks(model: ModelSpec) -> list[Block]:
    base = base_labels(model)
    plain = (sorted_labels(*base),)
    return [
        Block(
            "model_review_total",
            "counter",
            "Answers that a person has reviewed.",
            tuple(sorted_labels(*base, ("outcome", outcome)) for outcome in REVIEW_OUTCOMES),
        ),
        Block("model_review_queue_depth", "gauge", "Answers waiting for a person.", plain),
        Block("model_review_oldest_seconds", "gauge", "Age of the oldest waiting answer.", plain),
        Block(
            "model_review_capacity_per_second", "gauge", "Answers that all reviewers clear.", plain
        ),
    ]


def _cost_block(model: ModelSpec) -> Block:
    base = base_labels(model)
    team = ("team", model.owner or "unassigned")
    return Block(
        "model_cost_usd_total",
        "counter",
        "Spend, split by component and by what it was good for.",
        tuple(
            sorted_labels(*base, team, ("component", component), ("use", use))
            for component, use in COSTS
        ),
        draw="amount",
        population="worked",
        long_term=True,
    )


def _state_blocks(model: ModelSpec) -> list[Block]:
    base = base_labels(model)
    plain = (sorted_labels(*base),)
    blocks = [
        Block(
            "model_circuit_breaker_state",
            "gauge",
            "0 closed, 1 open, 2 half-open, 3 disabled, 4 forced open, 5 metrics only.",
            tuple(sorted_labels(*base, ("dependency", name)) for name in ("", *model.dependencies)),
        ),
        Block(
            "model_route",
            "gauge",
            "1 for the route in force.",
            tuple(
                sorted_labels(*base, ("target", target), ("level", level), ("region", region))
                for target, level, region in route_targets(model)
            ),
        ),
        Block(
            "model_confidence_threshold",
            "gauge",
            "Answers with a confidence below it go to review.",
            plain,
        ),
        Block(
            "model_info",
            "gauge",
            "What is deployed.",
            (
                sorted_labels(
                    *base,
                    ("region", model.region),
                    ("data_snapshot", f"{model.trained_at}-{model.region}"),
                    ("code", f"{model.name}-{model.version}"),
                    ("trained_at", model.trained_at),
                    ("framework", model.framework),
                ),
            ),
        ),
    ]
    if "saturation" not in model.omits:
        blocks += [
            Block("model_in_flight_requests", "gauge", "Requests being worked on.", plain),
            Block("model_queue_depth", "gauge", "Requests waiting for a worker.", plain),
            Block("model_saturation_ratio", "gauge", "Busy share of the workers.", plain),
        ]
    return blocks


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
