"""The same timestamped samples in a real Prometheus and in our store give the same numbers.

Counter resets, gaps, ended series, NaN, empty histograms and histograms whose every observation is
beyond the last finite edge are all among the samples.
"""

from __future__ import annotations

import json
import math
import random
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.domain.model import ModelRow, Objectives
from console.metrics.evaluate import evaluate
from console.metrics.query_plan import plan
from console.sources.sample_store import Shelf
from console.sources.stored_samples import Samples
from tests.sources.expositions import Timeline, openmetrics
from tests.support.prometheus_server import running_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.metrics.query_plan import Query

    Labels = tuple[tuple[str, str], ...]

STEP_SECONDS = 60.0
STEPS = 180
EXTRA = (("instance", "a:1"), ("job", "svc"))
EDGES = ("0.1", "0.25", "0.4", "0.5", "0.6", "1", "+Inf")
MODELS = {
    # share of observations by bucket; how often the counter starts anew; how likely a gap is
    "steady": ((4, 3, 2, 1, 1, 1, 0), 0.0, 0.0),
    "restarts": ((1, 1, 1, 1, 1, 1, 1), 0.03, 0.0),
    "gappy": ((0, 0, 5, 0, 0, 1, 0), 0.0, 0.3),
    "beyond": ((0, 0, 0, 0, 0, 0, 9), 0.0, 0.0),
    "silent": ((0, 0, 0, 0, 0, 0, 0), 0.0, 0.0),
    "worst": ((1, 0, 2, 0, 3, 0, 1), 0.05, 0.2),
}


def labelled(model: str, **more: str) -> Labels:
    return tuple(sorted({"model": model, **more}.items()))


def counts(rng: random.Random, weight: float, restarts: frozenset[int]) -> list[float]:
    """Return a counter over all steps: its growth is random, and it starts anew at ``restarts``."""
    total, values = 0.0, []
    for step in range(STEPS):
        total = 0.0 if step in restarts else total + weight * rng.randrange(0, 8)
        values.append(total)
    return values


def timelines(start: float) -> list[Timeline]:
    """Return three hours of every metric of the midwatch profile for all models."""
    rng = random.Random(7)
    every: list[Timeline] = []
    for model, (shape, restart_share, gap_share) in MODELS.items():
        restarts = frozenset(step for step in range(STEPS) if rng.random() < restart_share)
        steps = [step for step in range(STEPS) if rng.random() >= gap_share]
        found: list[tuple[str, Labels, list[float]]] = []

        def add(name: str, labels: Labels, values: list[float], into=found) -> None:
            into.append((name, labels, values))

        outcomes = ("success", "error", "refused") if model != "gappy" else ("success",)
        for outcome, weight in zip(outcomes, (9.0, 1.0, 0.5), strict=False):
            weight = 0.0 if model == "silent" else weight
            values = counts(rng, weight, restarts)
            add("model_requests_total", labelled(model, outcome=outcome, version="1"), values)
        add("model_attempts_total", labelled(model, dependency="db"), counts(rng, 3.0, restarts))
        for use in ("useful", "retry"):
            values = counts(rng, 0.01, restarts)
            labels = labelled(model, component="inference", team="t", use=use)
            add("model_cost_usd_total", labels, values)
        for name in ("model_request_duration_seconds", "model_prediction_confidence"):
            buckets = np.cumsum([counts(rng, weight, restarts) for weight in shape], axis=0)
            for edge, values in zip(EDGES, buckets.tolist(), strict=True):
                add(f"{name}_bucket", labelled(model, le=edge), values)
            add(f"{name}_count", labelled(model), buckets[-1].tolist())
            add(f"{name}_sum", labelled(model), (buckets[-1] * 0.3).tolist())
        depth = [math.nan if rng.random() < 0.1 else float(rng.randrange(50)) for _ in range(STEPS)]
        add("model_review_queue_depth", labelled(model), depth)
        for feature in ("age", "amount"):
            labels = labelled(model, feature=feature, kind="feature", measure="psi")
            add("model_drift", labels, [rng.random() / 2 for _ in range(STEPS)])
        add("model_route", labelled(model, level="L0", region="eu", target="p"), [1.0] * STEPS)
        add("model_circuit_breaker_state", labelled(model, dependency="db"), [2.0] * STEPS)
        times = tuple(start + STEP_SECONDS * step for step in steps)
        every += [
            Timeline(name, labels, times, tuple(values[step] for step in steps))
            for name, labels, values in found
        ]
    return every


def store_of(lines: list[Timeline]) -> Samples:
    """Put timelines through the store as scrapes; a series that has a gap has a target of its own.

    Otherwise a gap would be an ended series, which a text without staleness marks cannot say.
    """
    shelves = []
    for model in MODELS:
        shelf = Shelf(EXTRA, 5.0, lambda name: name.endswith("_total"))
        mine = [line for line in lines if ("model", model) in line.labels]
        rows = shelf.rows_of((line.name, line.labels) for line in mine)
        values = np.array([line.values for line in mine])
        for column, at in enumerate(mine[0].times):
            shelf.append(at, rows, values[:, column])
        shelves.append(shelf)
    return Samples(shelves)


@pytest.fixture(scope="module")
def start() -> float:
    # Blocks of the database are cut at even hours; an odd start crosses one.
    return 1_763_869_233.125


@pytest.fixture(scope="module")
def lines(start: float) -> list[Timeline]:
    return timelines(start)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, lines: list[Timeline]) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(directory, blocks=openmetrics(lines, EXTRA)) as found:
        yield found


def asked(now: float) -> list[Query]:
    rows = [
        ModelRow(model=model, profile="midwatch", objectives=Objectives(latency_under_seconds=0.25))
        for model in MODELS
    ]
    queries = plan(["midwatch"], rows, {}, now)
    # Tiers keep less than a server, so windows end where the middle tier has every sample.
    return [query for query in queries if (query.window_seconds or 0.0) <= 2 * 3600.0]


def from_server(url: str, query: Query, at: float) -> dict[tuple[str, ...], float]:
    fields = urllib.parse.urlencode({"query": query.promql, "time": f"{at:.3f}"}).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query", data=fields, timeout=10) as answer:
        series = json.load(answer)["data"]["result"]
    return {
        tuple(one["metric"].get(label, "") for label in query.by): float(one["value"][1])
        for one in series
    }


@pytest.mark.parametrize("after_seconds", [7200.0, 9007.0, 10739.875, 10740.0, 10801.5])
def test_every_question_of_the_plan_gives_the_same_numbers(
    url: str, lines: list[Timeline], start: float, after_seconds: float
) -> None:
    at = start + after_seconds
    samples = store_of([_until(line, at) for line in lines])
    filled = 0
    for query in asked(at):
        answer = evaluate(query, samples, at)
        ours = dict(zip(answer.keys, answer.values.tolist(), strict=True))
        theirs = from_server(url, query, at)
        assert set(ours) == set(theirs), query.promql
        for key, value in theirs.items():
            np.testing.assert_allclose(
                ours[key], value, rtol=1e-9, err_msg=f"{query.promql} of {key}"
            )
        filled += bool(theirs)
    assert filled > 35


def _until(line: Timeline, at: float) -> Timeline:
    """Cut a timeline where a console that asks at ``at`` would stand."""
    kept = sum(time <= at for time in line.times)
    return Timeline(line.name, line.labels, line.times[:kept], line.values[:kept])
