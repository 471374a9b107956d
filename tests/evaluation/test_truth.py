"""Unknown stays unknown through every combination."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from console.evaluation.evidence import Truth, above, at_least, certain

VALUES = st.lists(
    st.one_of(st.floats(), st.just(float("nan")), st.sampled_from([0.0, 14.4, -1.0])),
    min_size=1,
    max_size=8,
)


def _states(truth: Truth) -> list[bool | None]:
    assert not (truth.yes & truth.no).any()
    return [
        True if yes else False if no else None
        for yes, no in zip(truth.yes.tolist(), truth.no.tolist(), strict=True)
    ]


def _kleene_and(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return True if one and other else None


@given(VALUES, VALUES)
def test_and_or_not_follow_kleene(first: list[float], second: list[float]) -> None:
    size = min(len(first), len(second))
    one = above(np.array(first[:size]), 0.0)
    other = at_least(np.array(second[:size]), 14.4)
    pairs = list(zip(_states(one), _states(other), strict=True))
    assert _states(one & other) == [_kleene_and(a, b) for a, b in pairs]
    negated = [(None if a is None else not a, None if b is None else not b) for a, b in pairs]
    both = [_kleene_and(a, b) for a, b in negated]
    assert _states(~(~one & ~other)) == _states(one | other)
    assert _states(one | other) == [None if a is None else not a for a in both]


@given(VALUES)
def test_a_missing_value_is_neither_above_nor_not(values: list[float]) -> None:
    array = np.array(values)
    for truth in (above(array, 1.0), at_least(array, 1.0)):
        assert truth.unknown.tolist() == np.isnan(array).tolist()


def test_a_limit_survives_rounding() -> None:
    burn = np.array([0.0144 / (1 - 0.999)])
    assert burn[0] < 14.4
    assert at_least(burn, 14.4).yes.all()


def test_given_hides_what_has_too_few_samples() -> None:
    truth = certain(np.array([True, False, True])).given(np.array([True, False, False]))
    assert _states(truth) == [True, None, None]
