"""Questions about score buckets: asked only where a reference is declared, never one a model."""

import math

import pytest

from console.domain.distribution import DriftReference
from console.domain.model import ModelRow
from console.metrics.profile import profiles
from console.metrics.queries import MOST_NAMED, one_model, since_start, under_edge
from console.metrics.query_plan import plan

NOW = 1_790_000_000.0
HELD = DriftReference("refs/m.json", "m", "score", NOW, (0.5, 1.0), (0.5, 0.5), 5000.0)


def rows(count: int, referenced: int) -> list[ModelRow]:
    return [
        ModelRow(f"m.{number}", profile="midwatch", reference=HELD if number < referenced else None)
        for number in range(count)
    ]


def asked(models: list[ModelRow]) -> list[str]:
    return [query.promql for query in plan(["midwatch"], models, {}, NOW) if query.is_buckets]


def test_nothing_is_asked_without_a_reference() -> None:
    assert asked(rows(5, 0)) == []


def test_few_models_are_named_and_their_names_escaped() -> None:
    now, before = asked(rows(5, 2))
    inside = 'model_prediction_score_bucket{model=~"m\\\\.0|m\\\\.1"}'
    assert now == f"sum by (model, le) (increase({inside}[1h]))"
    assert before == f"sum by (model, le) (increase({inside}[1h] offset 1h))"


def test_many_models_are_one_question_for_the_fleet() -> None:
    now, before = asked(rows(MOST_NAMED + 5, MOST_NAMED + 1))
    assert now == "sum by (model, le) (increase(model_prediction_score_bucket[1h]))"
    assert before.endswith("[1h] offset 1h))")
    queries = [q for q in plan(["midwatch"], rows(40, 35), {}, NOW) if q.is_buckets]
    assert all(query.models == frozenset(f"m.{n}" for n in range(35)) for query in queries)


def test_the_number_of_questions_does_not_follow_the_references() -> None:
    lengths = {len(plan(["midwatch"], rows(50, count), {}, NOW)) for count in (1, 7, 50)}
    assert len(lengths) == 1


def test_other_servers_have_no_scores() -> None:
    row = ModelRow("m", profile="vllm", reference=HELD)
    assert not [query for query in plan(["vllm"], [row], {}, NOW) if query.is_buckets]
    assert one_model(profiles()["vllm"], "m", 3600.0) is None


def test_one_model_and_its_single_buckets() -> None:
    query = one_model(profiles()["midwatch"], 'a"}) or vector(1) #', 86400.0)
    assert query is not None
    assert '{model="a\\"}) or vector(1) #"}[1d]' in query.promql
    half, whole = under_edge(query, 0.5), under_edge(query, math.inf)
    assert half is not None
    assert whole is not None
    assert 'le=~"' in half.promql
    assert 'le="+Inf"' in whole.promql
    assert half.promql.startswith("sum by (model) (increase(")
    started = since_start(query)
    assert started is not None
    assert started.promql.startswith("sum by (model, le) (model_prediction_score_bucket{")


@pytest.mark.parametrize("edge", [0.1, 1.0, -2.5, 1e-7])
def test_an_edge_is_found_in_any_spelling(edge: float) -> None:
    from console.metrics.labels import conditions

    query = one_model(profiles()["midwatch"], "m", 3600.0)
    assert query is not None
    bucket = under_edge(query, edge)
    assert bucket is not None
    where = bucket.expression.where  # type: ignore[union-attr]
    (matcher,) = conditions(where)
    assert all(matcher.holds(text) for text in (repr(edge), f"{edge:g}", f"{edge:.8e}"))
