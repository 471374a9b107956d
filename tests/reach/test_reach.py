"""With no configuration every model server of the catalogue is known, named and read rightly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reach.measure import GOAL_KINDS_SHARE, GOAL_SYSTEMS, MOST_QUERIES, Result, kinds, measure
from tests.reach.systems import SYSTEMS, samples
from tests.support.prometheus_server import running_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Result]]:
    store = samples()
    directory = tmp_path_factory.mktemp("reach")
    with running_prometheus(directory, blocks=store.openmetrics()) as url:
        yield measure(url, store)


def test_every_system_is_recognised(results: list[Result]) -> None:
    unknown = [result.system.id for result in results if not result.recognised]
    assert len(SYSTEMS) - len(unknown) >= GOAL_SYSTEMS, unknown


def test_models_have_their_names(results: list[Result]) -> None:
    wrong = {
        result.system.id: result.names
        for result in results
        if set(result.names) != set(result.system.models)
    }
    assert not wrong


def test_most_kinds_of_number_are_given_and_every_value_is_the_catalogues(
    results: list[Result],
) -> None:
    assert not [line for result in results for line in result.wrong]
    given, offered = kinds(results)
    assert given >= GOAL_KINDS_SHARE * offered


def test_no_kind_costs_more_questions_than_a_server_bears(results: list[Result]) -> None:
    assert {r.system.id: r.queries for r in results if r.queries > MOST_QUERIES} == {}
