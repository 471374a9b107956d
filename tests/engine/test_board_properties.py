"""Whatever a source answers, in whatever order, every row gets its own number or none."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from console.domain.model import ModelRow
from console.domain.samples import Answer
from console.domain.signals import ReadingState
from console.engine.answer_table import Board
from console.engine.row_assignment import Seat, Seating
from tests.engine.fakes import NOW, query

NAMES = st.lists(st.text(max_size=12), unique=True, max_size=12)
VALUES = st.floats(allow_nan=True, allow_infinity=True)
ASKED = query("latency_p95")


def board_of(names: list[str]) -> Board:
    board = Board()
    board.seat(
        Seating(
            tuple(ModelRow(name, "one", "midwatch") for name in names),
            tuple(Seat("one", "midwatch", name) for name in names),
        )
    )
    board.plan("one", (ASKED,))
    return board


@given(NAMES, st.dictionaries(st.text(max_size=12), VALUES, max_size=12), st.booleans())
def test_each_row_has_its_own_value_or_an_honest_reason(
    names: list[str], told: dict[str, float], away: bool
) -> None:
    board = board_of(names)
    keys = tuple((name,) for name in told)
    board.take("one", [Answer(ASKED.id, keys, np.array(list(told.values()), dtype=float), NOW)])
    column = board.observe(("one",) if away else ()).columns["latency_p95"]
    for row, name in enumerate(names):
        reading = column.reading(row)
        if name not in told:
            assert reading.state is ReadingState.NO_DATA
        elif told[name] != told[name]:
            assert reading.state is ReadingState.NO_TRAFFIC
        else:
            assert reading.state is (ReadingState.STALE if away else ReadingState.OK)
            assert reading.value == told[name]


@given(NAMES, st.randoms())
def test_the_order_of_an_answer_does_not_matter(names: list[str], random: object) -> None:
    values = {name: float(place) for place, name in enumerate(names)}
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = []
    for order in (names, shuffled):
        board = board_of(names)
        numbers = np.array([values[name] for name in order], dtype=float)
        board.take("one", [Answer(ASKED.id, tuple((name,) for name in order), numbers, NOW)])
        found.append(board.observe(()).columns["latency_p95"].values.tolist())
    assert found[0] == found[1] == [float(place) for place in range(len(names))]
