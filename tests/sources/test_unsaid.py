"""What a server that leaves 0/0 out did not say of idle models is put back, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.domain.samples import Answer
from console.metrics.expressions import Quantile, Rate, Ratio, Scaled
from console.metrics.queries import Query
from console.sources.prom_api import Unsaid
from tests.engine.fakes import answer, failure, query

RATE = Rate(metric="asked_total")
TRAFFIC = query("requests_rate", expression=RATE)
RATIO = query("error_ratio", expression=Ratio(of=Rate(metric="failed_total"), to=RATE))


def put_back(unsaid: Unsaid, *pairs: tuple[Query, Answer]) -> list[dict[str, float]]:
    """Return the values of each answer by model."""
    whole = unsaid.put_back(
        [asked for asked, _ in pairs], [told for _, told in pairs], lambda _, keys: keys
    )
    return [dict(zip((key[0] for key in one.keys), one.values, strict=True)) for one in whole]


@pytest.fixture
def unsaid() -> Unsaid:
    made = Unsaid()
    made.learn(0)
    return made


def test_an_idle_model_has_no_traffic_and_an_unmeasured_one_no_data(unsaid: Unsaid) -> None:
    _, ratio = put_back(
        unsaid,
        (TRAFFIC, answer(TRAFFIC, {"busy": 2.0, "idle": 0.0})),
        (RATIO, answer(RATIO, {"busy": 0.1})),
    )
    assert ratio == {"busy": 0.1, "idle": pytest.approx(np.nan, nan_ok=True)}


def test_who_is_idle_is_remembered_for_questions_that_come_less_often(unsaid: Unsaid) -> None:
    put_back(unsaid, (TRAFFIC, answer(TRAFFIC, {"a": 0.0, "b": 0.0})))
    (ratio,) = put_back(unsaid, (RATIO, answer(RATIO, {})))
    assert set(ratio) == {"a", "b"}
    put_back(unsaid, (TRAFFIC, answer(TRAFFIC, {"a": 0.0, "b": 1.0})))
    (ratio,) = put_back(unsaid, (RATIO, answer(RATIO, {})))
    assert set(ratio) == {"a"}


@pytest.mark.parametrize(
    "asked",
    [
        TRAFFIC,
        replace(RATIO, exclusive=True),
        replace(RATIO, by=("model", "version")),
        replace(RATIO, expression=None),
        replace(RATIO, profile="vllm"),
        replace(RATIO, models=frozenset({"another"})),
    ],
    ids=["a rate", "own PromQL", "by version", "no form known", "another profile", "of others"],
)
def test_nothing_is_put_back_where_nothing_is_known_to_be_left_out(
    unsaid: Unsaid, asked: Query
) -> None:
    put_back(unsaid, (TRAFFIC, answer(TRAFFIC, {"idle": 0.0})))
    (found,) = put_back(unsaid, (replace(asked, id="other", column="other"), answer(asked, {})))
    assert found == {}


def test_quantiles_are_put_back_whatever_their_unit(unsaid: Unsaid) -> None:
    scaled = Scaled(of=Quantile(q=0.95, histogram="took_ms"), factor=1e-3)
    asked = query("latency_p95", expression=scaled)
    _, found = put_back(
        unsaid, (TRAFFIC, answer(TRAFFIC, {"idle": 0.0})), (asked, answer(asked, {}))
    )
    assert set(found) == {"idle"}


def test_a_refusal_stays_one(unsaid: Unsaid) -> None:
    put_back(unsaid, (TRAFFIC, answer(TRAFFIC, {"idle": 0.0})))
    (found,) = unsaid.put_back([RATIO], [failure(RATIO)], lambda _, keys: keys)
    assert (found.error, found.keys) == ("refused", ())


@pytest.mark.parametrize("learnt", [None, 1])
def test_a_server_that_says_nan_is_taken_at_its_word(learnt: int | None) -> None:
    plain = Unsaid()
    if learnt is not None:
        plain.learn(learnt)
    told = answer(RATIO, {})
    assert plain.put_back([RATIO], [told], lambda _, keys: keys) == [told]
