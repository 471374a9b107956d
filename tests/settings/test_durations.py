import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.settings.durations import DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("400ms", 0.4),
        ("5s", 5.0),
        ("15m", 900.0),
        ("1h30m", 5400.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
        ("1.5h", 5400.0),
        ("0s", 0.0),
        (" 5s ", 5.0),
    ],
)
def test_reads_what_operators_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "5S", "5sec", "1m1h", "1s1s", "s", "1e3s"])
def test_says_what_is_allowed(text: str) -> None:
    with pytest.raises(DurationError, match="1h30m"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**12))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000, rel=1e-12
    )


@given(st.text(max_size=20))
def test_never_breaks_on_any_text(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except DurationError:
        return
    assert seconds >= 0
