"""The board: six states told apart, joins kept, own queries in front."""

from dataclasses import replace

import numpy as np
import pytest

from console.domain.model import ModelRow
from console.domain.samples import Answer
from console.domain.signals import ReadingState
from console.engine.answer_table import Board
from console.engine.row_assignment import Seat, Seating
from console.evaluation.observations import LabelledValue
from console.metrics.queries import Query
from tests.engine.fakes import NOW, answer, failure, query

ROWS = ("alpha", "beta", "gamma", "delta")


def board_of(*queries: Query, source: str = "one") -> Board:
    board = Board()
    board.seat(
        Seating(
            tuple(ModelRow(name, source, "midwatch") for name in ROWS),
            tuple(Seat(source, "midwatch", name) for name in ROWS),
        )
    )
    board.plan(source, queries)
    return board


def states(board: Board, column: str, away: tuple[str, ...] = ()) -> list[str]:
    found = board.observe(away).columns[column]
    return [ReadingState(int(code)).label for code in found.states]


def test_value_nan_and_absence_are_three_things() -> None:
    asked = query("latency_p95")
    board = board_of(asked)
    board.take("one", [answer(asked, {"beta": np.nan, "alpha": 0.0, "stranger": 9.0})])
    column = board.observe(()).columns["latency_p95"]
    assert states(board, "latency_p95") == ["ok", "no_traffic", "no_data", "no_data"]
    assert column.values[0] == 0.0
    assert np.isnan(column.values[1:]).all()
    reading = column.reading(0)
    assert (reading.at, reading.window_seconds, reading.method) == (NOW, 300.0, "mean")
    assert column.reading(2).at is None


def test_a_failed_question_is_an_error_for_those_it_was_about() -> None:
    asked = query("latency_p95", models=frozenset({"alpha", "beta"}))
    board = board_of(asked)
    board.take("one", [failure(asked)])
    assert states(board, "latency_p95") == ["error", "error", "no_data", "no_data"]


def test_few_samples_void_a_value_but_not_an_unknown_count() -> None:
    counting = query("requests_rate")
    asked = query("latency_p95", n_column="requests_rate", min_n=30.0)
    board = board_of(counting, asked)
    board.take(
        "one",
        [
            answer(counting, {"alpha": 1.0, "beta": 0.05}),
            answer(asked, {"alpha": 0.4, "beta": 0.4, "gamma": 0.4}),
        ],
    )
    assert states(board, "latency_p95") == ["ok", "too_few", "ok", "no_data"]
    column = board.observe(()).columns["latency_p95"]
    assert column.reading(0).n == pytest.approx(300.0)
    assert column.reading(1).n == pytest.approx(15.0)
    assert column.reading(1).value is None
    assert column.reading(2).n is None


def test_n_and_the_window_are_those_of_the_span_that_was_covered() -> None:
    counting = query("requests_rate")
    asked = query("latency_p95", n_column="requests_rate", min_n=30.0)
    board = board_of(counting, asked)
    board.take(
        "one",
        [
            replace(answer(counting, {"alpha": 10.0, "beta": 1.0}), window_seconds=20.0),
            replace(answer(asked, {"alpha": 0.4, "beta": 0.4}), window_seconds=20.0),
        ],
    )
    column = board.observe(()).columns["latency_p95"]
    assert states(board, "latency_p95")[:2] == ["ok", "too_few"]
    assert (column.reading(0).n, column.reading(0).window_seconds) == (200.0, 20.0)
    assert column.reading(1).n == 20.0


def test_who_is_withheld_for_a_short_history_has_no_data_and_says_so() -> None:
    counting = query("requests_rate")
    asked = query("error_ratio@3d", n_column="requests_rate", window_seconds=259200.0)
    board = board_of(counting, asked)
    told = replace(answer(asked, {"alpha": 0.4}), withheld={"beta": 2400.0, "stranger": 60.0})
    board.take("one", [answer(counting, {"alpha": 1.0, "beta": 1.0}), told])
    assert states(board, "error_ratio@3d") == ["ok", "no_data", "no_data", "no_data"]
    column = board.observe(()).columns["error_ratio@3d"]
    assert [column.reading(row).history_seconds for row in range(3)] == [None, 2400.0, None]
    beta = column.reading(1)
    assert (beta.value, beta.n, beta.at, beta.window_seconds) == (None, None, NOW, 259200.0)

    nobody = replace(answer(asked, {}), history_seconds=600.0)
    board.take("one", [nobody])
    column = board.observe(()).columns["error_ratio@3d"]
    assert [column.reading(row).history_seconds for row in range(4)] == [600.0] * 4
    board.take("one", [answer(asked, {"alpha": 0.4, "beta": 0.2})])
    assert board.observe(()).columns["error_ratio@3d"].history_seconds is None


def test_a_count_column_is_n_itself() -> None:
    counting, asked = (
        query("drift_samples"),
        query("drift_psi", n_column="drift_samples", min_n=200),
    )
    board = board_of(counting, asked)
    board.take(
        "one",
        [
            answer(counting, {"alpha": 120, "beta": 5812}),
            answer(asked, {"alpha": 0.3, "beta": 0.3}),
        ],
    )
    assert states(board, "drift_psi")[:2] == ["too_few", "ok"]
    assert board.observe(()).columns["drift_psi"].reading(0).n == 120


def test_the_values_of_an_absent_source_are_stale_and_keep_their_time() -> None:
    asked = query("latency_p95")
    board = board_of(asked)
    board.take("one", [answer(asked, {"alpha": 0.4, "beta": np.nan})])
    assert states(board, "latency_p95", away=("one",)) == [
        "stale",
        "no_traffic",
        "no_data",
        "no_data",
    ]
    reading = board.observe(("one",)).columns["latency_p95"].reading(0)
    assert (reading.value, reading.at) == (0.4, NOW)


def test_a_source_that_refused_on_its_way_out_leaves_its_last_values_behind() -> None:
    asked = query("latency_p95")
    board = board_of(asked)
    board.take("one", [answer(asked, {"alpha": 0.2})])
    board.take("one", [failure(asked)])
    board.take("one", [failure(asked)])
    assert states(board, "latency_p95")[0] == "error", "it is there and refuses"
    assert states(board, "latency_p95", away=("one",))[0] == "stale"
    gone = board.observe(("one",)).columns["latency_p95"].reading(0)
    assert (gone.value, gone.at) == (0.2, NOW)
    board.take("one", [answer(asked, {})])
    board.take("one", [failure(asked)])
    assert states(board, "latency_p95", away=("one",))[0] == "no_data", "older ones are forgotten"


def test_two_thresholds_fill_one_column() -> None:
    low = query("low_confidence_ratio", id="a", edge=0.5, models=frozenset({"alpha"}))
    high = query("low_confidence_ratio", id="b", edge=0.8, models=frozenset({"beta"}))
    board = board_of(low, high)
    everyone = {"alpha": 0.1, "beta": 0.2, "gamma": 0.3}
    board.take(
        "one",
        [
            answer(low, everyone),
            answer(high, {name: 2 * value for name, value in everyone.items()}),
        ],
    )
    values = board.observe(()).columns["low_confidence_ratio"].values
    assert values[:2].tolist() == [0.1, 0.4]
    assert np.isnan(values[2])


def test_own_promql_replaces_the_profile_even_when_it_answers_nothing() -> None:
    usual = query("latency_p95")
    own = query(
        "latency_p95", id="own/alpha", exclusive=True, models=frozenset({"alpha"}), method="own"
    )
    board = board_of(own, usual)
    board.take("one", [answer(usual, {"alpha": 1.0, "beta": 2.0}), answer(own, {"": 7.0})])
    column = board.observe(()).columns["latency_p95"]
    assert column.values[:2].tolist() == [7.0, 2.0]
    assert column.reading(0).method == "own"
    board.take("one", [answer(own, {})])
    assert states(board, "latency_p95")[:2] == ["no_data", "ok"]


def test_joins_follow_the_identity_of_keys() -> None:
    asked = query("latency_p95")
    board = board_of(asked)
    first = answer(asked, {"alpha": 1.0, "beta": 2.0})
    board.take("one", [first])
    assert board.observe(()).columns["latency_p95"].values[:2].tolist() == [1.0, 2.0]
    board.take("one", [answer(asked, {"beta": 3.0, "alpha": 4.0})])
    assert board.observe(()).columns["latency_p95"].values[:2].tolist() == [4.0, 3.0]


def test_moved_rows_take_their_values_along() -> None:
    asked = query("latency_p95")
    board = board_of(asked)
    board.take("one", [answer(asked, {"alpha": 1.0, "delta": 4.0})])
    board.seat(
        Seating(
            (ModelRow("delta", "one", "midwatch"), ModelRow("alpha", "one", "midwatch")),
            (Seat("one", "midwatch", "delta"), Seat("one", "midwatch", "alpha")),
        )
    )
    assert board.observe(()).columns["latency_p95"].values.tolist() == [4.0, 1.0]


def test_labelled_facts_carry_row_names_and_dependencies_their_own() -> None:
    breaker = query("breaker_state", by=("model", "dependency"), labelled=True)
    shared = query("dependency_error_ratio", by=("dependency",), labelled=True)
    board = board_of(breaker, shared)
    board.take(
        "one",
        [
            Answer(breaker.id, (("alpha", "fs"), ("stranger", "fs")), np.array([1.0, 0.0]), NOW),
            Answer(shared.id, (("fs",),), np.array([0.38]), NOW),
        ],
    )
    labelled = board.observe(()).labelled
    assert [(fact.labels, fact.value) for fact in labelled["breaker_state"]] == [
        (("alpha", "fs"), 1.0)
    ]
    assert labelled["dependency_error_ratio"][0].labels == ("fs",)


def test_what_a_server_writes_for_no_version_is_no_version() -> None:
    versions = query("versions", by=("model", "version"), labelled=True)
    board = board_of(versions)
    keys = (("alpha", "None"), ("alpha", "v2"))
    board.take("one", [Answer(versions.id, keys, np.array([1.0, 2.0]), NOW)])
    told = [fact.labels for fact in board.observe(()).labelled["versions"]]
    assert told == [("alpha", ""), ("alpha", "v2")]


def test_a_question_that_leaves_the_plan_takes_its_answer_with_it() -> None:
    asked, other = query("latency_p95"), query("latency_p50")
    board = board_of(asked, other)
    board.take("one", [answer(asked, {"alpha": 1.0}), answer(other, {"alpha": 2.0})])
    board.plan("one", (other,))
    assert set(board.observe(()).columns) == {"latency_p50"}
    board.take("one", [answer(asked, {"alpha": 1.0})])
    assert set(board.observe(()).columns) == {"latency_p50"}


def test_labelled_facts_are_kept_while_they_say_the_same_and_their_time_is_fresh() -> None:
    breaker = query("breaker_state", by=("model", "dependency"), labelled=True)
    board = board_of(breaker)
    keys = (("alpha", "fs"),)

    def seen_at(seconds: float, value: float) -> LabelledValue:
        board.take("one", [Answer(breaker.id, keys, np.array([value]), NOW + seconds)])
        return board.observe(()).labelled["breaker_state"][0]

    first = seen_at(0, 0.0)
    assert seen_at(5, 0.0) is first
    assert seen_at(10, 1.0).value == 1.0
    assert seen_at(26, 1.0).at == NOW + 26
