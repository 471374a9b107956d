"""Numbers as they stand in the tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.metrics.units import (
    DisplayUnit,
    clock,
    clock_seconds,
    display_unit,
    format_age,
    format_clock,
    format_signal,
    format_value,
)

UNITS: tuple[DisplayUnit, ...] = ("1", "%", "s", "1/s", "USD", "USD/h", "x", "count", "bool")


@given(st.floats(), st.sampled_from(UNITS))
def test_every_float_there_is_can_be_written_and_only_nothing_is_zero(
    value: float, unit: DisplayUnit
) -> None:
    text = format_value(value, unit)
    assert text
    # Below nothing there is only noise, up to half a thousandth: no amount is negative.
    if unit != "bool" and (value >= 1e-12 or value <= -0.0005):
        assert any(digit in text for digit in "123456789") or text.endswith(("inf", "?"))
    for written in (format_age(value), format_clock(value), clock(value), clock_seconds(value)):
        assert written
    for nothing in (float("nan"), float("inf"), float("-inf")):
        assert clock(nothing) == clock_seconds(nothing) == format_age(nothing) == "?"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.9, "s", "1.9s"),
        (0.4, "s", ".4s"),
        (0.04, "s", ".04s"),
        (0.004, "s", "4ms"),
        (0.0001, "s", "<1ms"),
        (0.0, "s", "0s"),
        (31.2, "s", "31s"),
        (1140.0, "s", "19m"),
        (7300.0, "s", "2h"),
        (400_000.0, "s", "5d"),
        (69.4, "x", "69x"),
        (833.0, "x", "833x"),
        (3.24, "x", "3.2x"),
        (1.0, "x", "1.0x"),
        (0.2, "x", ".2x"),
        (0.0, "x", "0x"),
        (0.14, "USD", "$.14"),
        (0.09, "USD", "$.09"),
        (0.015, "USD", "$.015"),
        (18.2, "USD", "$18.2"),
        (151.0, "USD", "$151"),
        (41_200.0, "USD", "$41.2k"),
        (0.4, "USD/h", "$.40/h"),
        (412.0, "count", "412"),
        (8370.0, "count", "8370"),
        (12_345_678.0, "count", "12.3M"),
        (6.9, "1/s", "6.9"),
        (140.0, "1/s", "140"),
        (0.06, "%", "6.0%"),
        (0.38, "%", "38%"),
        (1.0, "%", "100%"),
        (0.9996, "%", "99.9%"),
        (0.0, "%", "0%"),
        (0.27, "1", ".27"),
        (0.97, "1", ".97"),
        (0.999, "1", "1.0"),
        (4.1, "1", "4.1"),
        (0.0, "1", "0"),
        (-0.41, "1", "-.41"),
        (-1e-17, "1/s", "0"),
        (-4.2, "USD", "-$4.2"),
        (1.0, "bool", "yes"),
        (None, "s", "?"),
        (float("nan"), "USD", "?"),
        (float("inf"), "x", "inf"),
    ],
)
def test_values(value: float | None, unit: DisplayUnit, text: str) -> None:
    assert format_value(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "width", "text"),
    [
        (0.062, "%", 4, "6.2%"),
        (0.062, "%", 3, "6%"),
        (0.04, "s", 3, ".0s"),
        (7.2, "x", 3, "7x"),
        (41_200.0, "USD", 5, "$41k"),
        (8370.0, "count", 3, "8k"),
        (0.4, "USD/h", 4, "$.40"),
        (123_456.0, "count", 2, "123k"),
    ],
)
def test_values_in_little_room(value: float, unit: DisplayUnit, width: int, text: str) -> None:
    assert format_value(value, unit, width) == text


def test_a_lower_bound_says_so() -> None:
    assert format_value(10.0, "s", at_least=True) == ">10s"
    assert format_value(None, "s", at_least=True) == "?"


def test_signals_know_their_unit() -> None:
    assert display_unit("error_ratio") == "%"
    assert display_unit("drift_psi") == "1"
    assert format_signal("latency_p95", 1.9) == "1.9s"
    assert format_signal("cost_per_hour", 0.4, 4) == "$.40"
    assert format_signal("of_tomorrow", 0.5) == ".50"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (86400 * 12, "12d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert format_age(seconds) == text
    assert format_age(None) == "?"


@given(st.floats(), st.sampled_from(UNITS), st.integers(1, 12))
def test_any_number_is_short_and_never_silent(value: float, unit: DisplayUnit, width: int) -> None:
    text = format_value(value, unit, width)
    assert 0 < len(text) <= 12
    assert (text == "?") == (value != value)


@given(st.floats(1e-3, 1e12), st.sampled_from([u for u in UNITS if u != "bool"]))
def test_something_is_never_shown_as_nothing(value: float, unit: DisplayUnit) -> None:
    assert any(character in "123456789" for character in format_value(value, unit))


@given(st.floats(-1e9, 1e9), st.sampled_from(UNITS))
def test_more_room_never_gives_less(value: float, unit: DisplayUnit) -> None:
    assert format_value(value, unit, 99) == format_value(value, unit)
