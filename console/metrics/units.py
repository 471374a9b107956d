"""Formats numbers, times and amounts as short text with units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

from console.domain.signals import SIGNALS, Unit
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

DisplayUnit = Unit | Literal["%"]
"""A unit of a signal, or ``%`` for a ratio that people read as a percentage."""

UNKNOWN_TEXT: Final = "?"

_PERCENT_SIGNALS = frozenset(
    {"error_ratio", "low_confidence_ratio", "null_ratio", "waste_ratio", "budget_left"}
    | {"drift_features"}
)
_NOISE = 0.0005
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def display_unit(signal: str) -> DisplayUnit:
    """Return the unit a signal is read in: its own, or ``%`` for shares."""
    if signal in _PERCENT_SIGNALS:
        return "%"
    fact = SIGNALS.get(signal)
    return "1" if fact is None else fact.unit


def format_signal(
    signal: str, value: float | None, width: int | None = None, *, at_least: bool = False
) -> str:
    """Return a signal's value in its display unit; see `format_value`."""
    return format_value(value, display_unit(signal), width, at_least=at_least)


def format_value(
    value: float | None, unit: DisplayUnit, width: int | None = None, *, at_least: bool = False
) -> str:
    """Return a value with its unit as the tables print it: 1.9s .4s 69x $.14 412 6% 19m >10s.

    ``value`` is in the signal's unit (seconds, ratio 0-1 also for ``%``, USD). ``width`` asks for
    at most so many columns: decimals are dropped first, and a value that cannot fit is
    returned whole rather than cut. ``at_least`` marks a lower bound with ``>``. None and NaN
    give ``?``, because unknown is never zero.
    """
    if value is None or math.isnan(value):
        return UNKNOWN_TEXT
    prefix = ">" if at_least else ""
    sign = "-" if value < 0 else ""
    size = abs(value)
    if sign and size < _NOISE:
        sign, size = "", 0.0
    if math.isinf(size):
        return f"{prefix}{sign}inf"
    texts = [f"{prefix}{sign}{text}" for text in _WRITERS[unit](size)]
    if width is not None:
        for text in texts:
            if len(text) <= width:
                return text
        return texts[-1]
    return texts[0]


def format_age(seconds: float | None) -> str:
    """Return an age or time left: 6s 4m 3h 12d; None and what is no time is ``?``."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN_TEXT
    size = max(0.0, seconds)
    for limit, divisor, unit in ((_MINUTE, 1.0, "s"), (_HOUR, _MINUTE, "m"), (_DAY, _HOUR, "h")):
        if size < limit:
            return f"{math.floor(size / divisor)}{unit}"
    return f"{math.floor(size / _DAY)}d"


def format_clock(at: float | None, *, seconds: bool = False) -> str:
    """Return Unix seconds as HH:MM in UTC, or with ``seconds`` as HH:MM:SS; None gives ``?``."""
    if at is None or not math.isfinite(at):
        return UNKNOWN_TEXT
    day_seconds = int(at % _DAY)
    minutes = f"{day_seconds // 3600:02d}:{day_seconds // 60 % 60:02d}"
    return f"{minutes}:{day_seconds % 60:02d}" if seconds else minutes


def _decimal(size: float, places: int) -> str:
    text = f"{size:.{places}f}"
    return text[1:] if text.startswith("0.") else text


def _compact(size: float) -> list[str]:
    """Return a large number's texts, precise first: 8370, then 8.4k; 41.2k, then 41k."""
    texts = [f"{size:.0f}"] if size < 9999.5 else []
    for limit, divisor, suffix in ((999_950.0, 1e3, "k"), (999.95e6, 1e6, "M")):
        if size < limit:
            if size >= 999.5:
                texts += [f"{size / divisor:.1f}{suffix}", f"{size / divisor:.0f}{suffix}"]
            return texts
    if size < 1e15:
        return [*texts, f"{size / 1e9:.1f}G", f"{size / 1e9:.0f}G"]
    return [f"{size:.1e}", f"{size:.0e}"]


def _plain(size: float) -> list[str]:
    if size == 0:
        return ["0"]
    if size < 0.0005:
        return ["<.001"]
    if size < 0.00995:
        return [_decimal(size, 3), _decimal(size, 2)]
    if size < 0.995:
        return [_decimal(size, 2), _decimal(size, 1)]
    if size < 9.95:
        return [_decimal(size, 1), f"{size:.0f}"]
    return _compact(size)


def _seconds(size: float) -> list[str]:
    if size == 0:
        return ["0s"]
    if size < 0.0005:
        return ["<1ms"]
    if size < 0.00995:
        return [f"{size * 1000:.0f}ms"]
    if size < 0.0995:
        return [f"{_decimal(size, 2)}s", f"{_decimal(size, 1)}s"]
    if size < 9.95:
        return [f"{_decimal(size, 1)}s", f"{size:.0f}s"]
    if size < 119.5:
        return [f"{size:.0f}s"]
    if size < 119.5 * _MINUTE:
        return [f"{size / _MINUTE:.0f}m"]
    if size < 47.5 * _HOUR:
        return [f"{size / _HOUR:.0f}h"]
    return [f"{text}d" for text in _compact(size / _DAY)]


def _times(size: float) -> list[str]:
    if size == 0:
        return ["0x"]
    if size < 0.05:
        return [f"{_decimal(size, 2)}x" if size >= 0.005 else "<.01x", "0x"]
    if size < 9.95:
        return [f"{_decimal(size, 1)}x", f"{size:.0f}x"]
    return [f"{text}x" for text in _compact(size)]


def _percent(size: float) -> list[str]:
    share = size * 100
    if share == 0:
        return ["0%"]
    if share < 0.05:
        return [f"{_decimal(share, 2)}%" if share >= 0.005 else "<.01%", "0%"]
    if share < 9.95:
        return [f"{_decimal(share, 1)}%", f"{share:.0f}%"]
    if 99 < share < 100:
        return [f"{math.floor(share * 10) / 10:.1f}%", "99%"]
    return [f"{text}%" for text in _compact(share)]


def _dollars(size: float) -> list[str]:
    if size == 0:
        return ["$0"]
    if size < 0.0005:
        return ["<$.001"]
    if size < 0.0995:
        return [f"${_decimal(size, 3).rstrip('0')}", f"${_decimal(size, 2)}"]
    if size < 0.995:
        return [f"${_decimal(size, 2)}", f"${_decimal(size, 1)}"]
    if size < 99.95:
        return [f"${size:.1f}", f"${size:.0f}"]
    return [f"${text}" for text in _compact(size)]


def _rate(size: float) -> list[str]:
    return _plain(size)


def _count(size: float) -> list[str]:
    if size == int(size) and size < 9999.5:
        return [str(int(size)), *_compact(size)[1:]]
    return _plain(size)


def _hourly(size: float) -> list[str]:
    texts = _dollars(size)
    return [*(f"{text}/h" for text in texts), *texts]


def _boolean(size: float) -> list[str]:
    return ["yes" if size else "no"]


_WRITERS: dict[DisplayUnit, Callable[[float], list[str]]] = {
    "1": _plain,
    "%": _percent,
    "s": _seconds,
    "1/s": _rate,
    "USD": _dollars,
    "USD/h": _hourly,
    "x": _times,
    "count": _count,
    "bool": _boolean,
}

_NAME_LIMIT = 60


def shown(value: float, unit: DisplayUnit) -> str:
    """Write a value as the screens do; what is not known is ``?``."""
    return format_value(value, unit)


def a_minute(per_second: float) -> str:
    """Write a rate a second as a whole number a minute."""
    return shown(float(round(per_second * 60.0)), "count") if math.isfinite(per_second) else "?"


def span(seconds: float) -> str:
    """Write a duration in its largest whole unit: 40s, 19m, 3h, 12d."""
    return format_age(seconds) if not math.isinf(seconds) else "?"


def clock(at: float) -> str:
    """Write Unix seconds as HH:MM UTC; what is no time is ``?``."""
    if not math.isfinite(at):
        return UNKNOWN_TEXT
    minutes = int(at // 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def clock_seconds(at: float) -> str:
    """Write Unix seconds as HH:MM:SSZ; what is no time is ``?``."""
    if not math.isfinite(at):
        return UNKNOWN_TEXT
    return f"{clock(at)}:{int(at) % 60:02d}Z"


def name(text: str) -> str:
    """Make a name from outside harmless and short enough for a sentence."""
    return visible(text, _NAME_LIMIT)
