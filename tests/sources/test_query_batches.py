"""Questions asked together give, on a real server, what each gives by itself."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from console.domain.model import ModelRow
from console.domain.samples import Answer
from console.http import Endpoint, Wire
from console.metrics.query_plan import plan
from console.sources.prom_api import Vector
from console.sources.prometheus import PrometheusSource
from console.sources.query_batches import (
    MARK,
    MOST_CHARACTERS,
    MOST_SERIES,
    MOST_TOGETHER,
    batches,
    parted,
)
from tests.engine.fakes import query
from tests.engine.replay import openmetrics
from tests.support.prometheus_server import running_prometheus
from tests.support.victoria_server import running_victoria

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from console.metrics.queries import Query

KINDS = ("vllm", "triton", "mlserver", "litellm")


def asked(now: float) -> list[Query]:
    rows = tuple(
        ModelRow(f"{kind}-{number}", "prom", kind) for kind in KINDS for number in range(3)
    )
    return [each for each in plan(KINDS, rows, {}, now) if each.cadence == "tick"]


class Counting(Wire):
    """Counts what is sent."""

    sent = 0

    async def post_form(self, path: str, fields: Any, **more: Any) -> Any:
        type(self).sent += 1
        return await super().post_form(path, fields, **more)


async def answers(url: str, queries: Sequence[Query], now: float, *, joins: bool) -> list[Answer]:
    source = PrometheusSource("prom", Counting(Endpoint((url,))), joins=joins)
    try:
        return await source.ask(queries, now)
    finally:
        await source.aclose()


def numbers(answer: Answer) -> dict[tuple[str, ...], float]:
    return dict(zip(answer.keys, answer.values.tolist(), strict=True))


async def compare(url: str, queries: Sequence[Query], now: float) -> int:
    """Compare both ways to ask; return how many queries the common one took."""
    singly = await answers(url, queries, now, joins=False)
    Counting.sent = 0
    together = await answers(url, queries, now, joins=True)
    assert any(answer.keys for answer in singly)
    for question, one, other in zip(queries, singly, together, strict=True):
        assert (one.query_id, one.error) == (other.query_id, other.error) == (question.id, None)
        expected, found = numbers(one), numbers(other)
        assert found.keys() == expected.keys(), question.id
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-9, equal_nan=True)
    return Counting.sent


@pytest.fixture(scope="module")
def now() -> float:
    return float(int(time.time()))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, now: float) -> Iterator[str]:
    with running_prometheus(tmp_path_factory.mktemp("p"), blocks=openmetrics(KINDS, now)) as url:
        yield url


async def test_prometheus_answers_questions_together_as_one_by_one(
    prometheus: str, now: float
) -> None:
    queries = asked(now)
    assert len(queries) > 50
    assert await compare(prometheus, queries, now) < len(queries) / 5


async def test_victoria_metrics_answers_questions_together_as_one_by_one(
    tmp_path: Path, now: float
) -> None:
    with running_victoria(tmp_path, openmetrics(KINDS, now)) as url:
        assert await compare(url, asked(now), now) < 20


async def test_one_question_that_is_refused_costs_no_other_its_answer(
    prometheus: str, now: float
) -> None:
    good = asked(now)[:6]
    bad = replace(good[2], id="bad", promql="vector(1) * on (nothing vector(2)")
    source = PrometheusSource("prom", Counting(Endpoint((prometheus,))), joins=True)
    Counting.sent = 0
    first = await source.ask([*good, bad], now)
    assert [answer.error is None for answer in first] == [True] * 6 + [False]
    assert Counting.sent == 1 + 7
    Counting.sent = 0
    again = await source.ask([*good, bad], now + 5.0)
    assert [answer.error is None for answer in again] == [True] * 6 + [False]
    assert Counting.sent == 7, "they are not put together again at once"
    await source.aclose()


def test_a_large_fleet_and_what_may_be_no_vector_are_asked_one_by_one(now: float) -> None:
    queries = asked(now)
    few = batches(queries, 12, frozenset())
    assert sorted(place for group in few for place in group) == list(range(len(queries)))
    assert max(len(group) for group in few) == MOST_TOGETHER
    for group in few:
        assert len(group) == 1 or sum(len(queries[p].promql) for p in group) <= MOST_CHARACTERS
    assert len(batches(queries, MOST_SERIES + 1, frozenset())) == len(queries)
    own = query("own")
    assert batches([queries[0], own, queries[1]], 3, frozenset()) == [[0, 2], [1]]
    assert batches(queries[:3], 3, frozenset({queries[1].id})) == [[0, 2], [1]]


def test_an_answer_that_cannot_be_told_apart_is_not_guessed() -> None:
    labels: list[dict[str, str]] = [{"model": "a", MARK: "1"}, {"model": "b", MARK: "0"}]
    found = parted(Vector([dict(one) for one in labels], np.array([1.0, 2.0]), 0), 3)
    assert found is not None
    assert [part.labels for part in found] == [[{"model": "b"}], [{"model": "a"}], []]
    assert [part.values.tolist() for part in found] == [[2.0], [1.0], []]
    assert parted(Vector([dict(one) for one in labels], np.array([1.0, 2.0]), 1), 3) is None
    assert parted(Vector([dict(one) for one in labels], np.array([1.0, 2.0]), 0), 1) is None
    assert parted(Vector([{"model": "a"}], np.array([1.0]), 0), 1) is None
