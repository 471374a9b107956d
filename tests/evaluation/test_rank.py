"""The order of rows: total, stable, and explained by one key at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from console.evaluation.evaluate import rank

ROW = st.tuples(
    st.sampled_from([1, 2, 3, 4, 5, 6]),
    st.booleans(),
    st.integers(1, 3),
    st.one_of(st.floats(0, 1e300), st.sampled_from([float("nan"), float("inf")])),
    st.one_of(st.floats(-1e9, 1), st.sampled_from([float("nan"), float("-inf")])),
    st.one_of(st.floats(0, 2e9), st.just(float("nan"))),
)


def _rank(rows: list[tuple[int, bool, int, float, float, float]], names: list[int]) -> list[int]:
    level, acknowledged, tier, bad, left, since = zip(*rows, strict=True)
    order = rank(
        np.array(level, dtype=np.uint8),
        np.array(acknowledged),
        np.array(tier),
        np.array(bad),
        np.array(left),
        np.array(since),
        np.array(names),
    )
    return [int(row) for row in order]


@given(st.lists(ROW, min_size=1, max_size=12), st.randoms())
def test_rank_is_a_total_order_that_does_not_depend_on_the_order_of_rows(rows, random) -> None:
    names = list(range(len(rows)))
    order = _rank(rows, names)
    assert sorted(order) == names
    levels = [rows[row][0] for row in order]
    assert levels == sorted(levels)
    shuffled = names.copy()
    random.shuffle(shuffled)
    again = _rank([rows[name] for name in shuffled], shuffled)
    assert [shuffled[row] for row in again] == order


def test_each_key_decides_only_between_equals_of_the_keys_before_it() -> None:
    base = (2, False, 2, 1.0, 0.5, 1000.0)
    better_by_key = [
        (1, True, 3, 0.0, 1.0, 9e9),
        (2, False, 1, 0.0, 1.0, 9e9),
        (2, False, 2, 2.0, 1.0, 9e9),
        (2, False, 2, 1.0, 0.2, 9e9),
        (2, False, 2, 1.0, 0.5, 900.0),
    ]
    for better in better_by_key:
        assert _rank([base, better], [0, 1]) == [1, 0]
    assert _rank([base, (2, True, 1, 9.0, 0.0, 0.0)], [0, 1]) == [0, 1]
    assert _rank([base, base], [1, 0]) == [1, 0]


def test_noise_below_what_is_shown_moves_no_row() -> None:
    rows = [(2, False, 2, 1.0, 0.500, 0.0), (2, False, 2, 1.001, 0.502, 0.0)]
    assert _rank(rows, [0, 1]) == [0, 1]
