"""The end of a shift is a time of the wall clock, also on the two nights when clocks move."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.shift import clock_time, next_shift_end, zone_named

BERLIN = ZoneInfo("Europe/Berlin")
ENDS = ("06:00", "14:00", "22:00")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-23T02:47:13+01:00", "2026-11-23T06:00:00+01:00"),
        ("2026-11-23T13:59:00+01:00", "2026-11-23T14:00:00+01:00"),
        ("2026-11-23T13:59:01+01:00", "2026-11-23T22:00:00+01:00"),  # under a minute: over
        ("2026-11-23T22:00:00+01:00", "2026-11-24T06:00:00+01:00"),
        ("2026-12-31T23:00:00+01:00", "2027-01-01T06:00:00+01:00"),
        # Spring: the night of 29 March is an hour shorter, the shift as well.
        ("2026-03-28T22:30:00+01:00", "2026-03-29T06:00:00+02:00"),
        ("2026-03-29T01:59:59+01:00", "2026-03-29T06:00:00+02:00"),
        # Autumn: the night of 25 October is an hour longer.
        ("2026-10-24T22:30:00+02:00", "2026-10-25T06:00:00+01:00"),
    ],
)
def test_the_next_end_is_the_next_time_of_the_wall_clock(now: str, end: str) -> None:
    assert next_shift_end(at(now), ENDS, BERLIN) == at(end)


def test_a_night_shift_is_7_and_9_hours_long_when_clocks_move() -> None:
    spring = at("2026-03-28T22:00:00+01:00")
    autumn = at("2026-10-24T22:00:00+02:00")
    assert next_shift_end(spring, ENDS, BERLIN) - spring == 7 * 3600.0
    assert next_shift_end(autumn, ENDS, BERLIN) - autumn == 9 * 3600.0


def test_an_hour_that_is_skipped_or_repeated_ends_a_shift_once() -> None:
    night = ("02:30",)
    skipped = next_shift_end(at("2026-03-29T00:00:00+01:00"), night, BERLIN)
    assert skipped == at("2026-03-29T03:30:00+02:00")
    first = next_shift_end(at("2026-10-25T00:00:00+02:00"), night, BERLIN)
    assert first == at("2026-10-25T02:30:00+02:00")
    assert next_shift_end(first, night, BERLIN) == at("2026-10-26T02:30:00+01:00")


@given(st.floats(0, 4e9))
def test_a_shift_ends_within_a_third_of_a_day(now: float) -> None:
    end = next_shift_end(now, ENDS, UTC)
    assert 60.0 <= end - now <= 8 * 3600.0 + 60.0
    assert datetime.fromtimestamp(end, UTC).strftime("%H:%M") in ENDS


@pytest.mark.parametrize("text", ["", "6:00", "24:00", "06:60", "06:00:00", "0a:00", "٠٦:00 "])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError):
        clock_time(text)


@pytest.mark.parametrize("name", ["Europe/Berlinn", "", "../../etc/passwd", "/etc/passwd", "a\0b"])
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ValueError):
        zone_named(name)


def test_without_a_name_it_is_the_machines_own_zone() -> None:
    assert zone_named(None) is None
    assert next_shift_end(at("2026-11-23T02:00:00+00:00")) > at("2026-11-23T02:00:00+00:00")
