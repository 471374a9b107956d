"""Numbers and ages as the few characters a tired eye takes in."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from math import isfinite

from console.facts.reading import Reading, ReadingState
from console.signals.units import format_age, format_value

HOUR_SECONDS = 3600.0


def compact(value: float, width: int = 5) -> str:
    """Return a bare number in at most ``width`` characters where it can: .27, 1.9, 412, 41k."""
    text = format_value(value, "1", width)
    return (text.rstrip("0").removesuffix(".") or "0") if text.startswith(".") else text


def seconds_text(value: float, *, at_least: bool = False) -> str:
    """Return a duration that was measured: 12ms, .4s, 1.9s, 75s, 4m; a lower bound as >10s."""
    if 0.0095 <= value < 0.0995:
        return f"{'>' if at_least else ''}{value * 1000:.0f}ms"
    return format_value(value, "s", 5, at_least=at_least)


def pair_of_seconds(value: float, base: float | None, *, at_least: bool = False) -> str:
    """Return now against normal in at most nine characters: 1.9/.4s, 30/28ms, 3.1s, >10/.4s."""
    if base is None:
        return seconds_text(value, at_least=at_least)
    mark = ">" if at_least else ""
    if value < 0.0995 and base < 0.0995:
        return f"{mark}{value * 1000:.0f}/{base * 1000:.0f}ms"
    return f"{mark}{_tenths(value)}/{_tenths(base)}s"


def _tenths(value: float) -> str:
    if not isfinite(value):
        return "?"
    if value < 0.095:
        return f"{value:.2f}".lstrip("0")
    return f"{value:.1f}".removeprefix("0") if value < 9.95 else f"{value:.0f}"


def percent_text(ratio: float) -> str:
    """Return a ratio 0-1 as a percentage: 0%, .4%, 6.2%, 38%."""
    return format_value(ratio, "%", 5)


def points(ratio: float) -> str:
    """Return a ratio 0-1 as bare percentage points for a narrow column: 0, .4, 6, 12."""
    if not isfinite(ratio):
        return "?"
    value = ratio * 100
    if value == 0 or value >= 0.95:
        return f"{value:.0f}"
    return f"{value:.1f}".lstrip("0") if value >= 0.05 else "<.1"


def age_text(seconds: float) -> str:
    """Return an age in at most three characters where it can: 6s, 12m, 3h, 9d."""
    return format_age(seconds)


def usd_text(value: float, width: int = 5) -> str:
    """Return an amount in USD: $.14, $6.2, $151, $41k."""
    return format_value(value, "USD", width)


def clock_text(at: float, *, seconds: bool = True) -> str:
    """Return the UTC time of day of Unix seconds ``at``: 02:47:13."""
    return _moment(at, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def local_text(at: float, zone: tzinfo | None) -> str:
    """Return the local time of day: 04:47; ``zone`` None is this machine's own."""
    return _moment(at, zone).strftime("%H:%M")


def when_text(at: float, now: float) -> str:
    """Return the time of day, with the date when it was not in the last 20 hours."""
    if abs(now - at) < 20 * HOUR_SECONDS:
        return clock_text(at, seconds=False)
    return _moment(at, UTC).strftime("%d %b %H:%M")


def _moment(at: float, zone: tzinfo | None) -> datetime:
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.astimezone(zone)


def state_text(reading: Reading, few: str = "few") -> str:
    """Return what stands in place of a value, a different text for each reason."""
    match reading.state:
        case ReadingState.NO_TRAFFIC:
            return "idle"
        case ReadingState.TOO_FEW:
            return few
        case ReadingState.ERROR:
            return "err"
        case ReadingState.NO_DATA:
            return NO_DATA_TEXT
        case _:
            return ""


NO_DATA_TEXT = "–"
STALE_MARK = "*"
"""Follows a value that is the last known one, so that grey is not the only sign of it."""
