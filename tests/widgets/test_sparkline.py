import math

from hypothesis import given
from hypothesis import strategies as st

from widgets.canvas import spark


@given(st.lists(st.floats(allow_nan=True), max_size=80), st.integers(0, 40))
def test_is_always_as_wide_as_asked(values, width):
    assert len(spark(values, width)) == width
    assert spark(values, width, "ascii").isascii()


def test_rises_with_the_values():
    assert spark([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert spark([0, 1, 2, 3, 4, 5, 6], 7, "ascii") == "_.-=+*#"


def test_unknown_is_a_blank_and_zero_is_not():
    assert spark([0.0, math.nan, 1.0], 3) == "▁ █"
    assert spark([], 4) == "    "
    assert spark([math.nan] * 3, 3) == "   "


def test_a_spike_survives_when_there_is_less_room_than_values():
    values = [0.0] * 1000
    values[123] = 9.0
    assert spark(values, 20).count("█") == 1


def test_a_fixed_scale_is_kept_and_values_beyond_it_stay_on_it():
    assert spark([5, 50, -3], 3, low=0, high=10) == "▅█▁"


def test_a_flat_line_is_low():
    assert spark([3, 3], 4) == "  ▁▁"
