"""Parses durations (``5s``, ``1h30m``) and moments into seconds, and formats them."""

import re
from datetime import UTC, datetime

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
ALLOWED = 'a duration such as "400ms", "5s", "15m", "1h30m" or "7d" (units ms s m h d w)'

_WHOLE = re.compile(r"(?:\d{1,12}(?:\.\d{1,9})?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|[smhdw])")


class DurationError(ValueError):
    """A text that is not a duration; the message says what is allowed."""


def parse_duration(text: str) -> float:
    """Return ``text`` in seconds; raise ``DurationError`` unless units fall in order."""
    squeezed = text.strip()
    if not _WHOLE.fullmatch(squeezed):
        raise DurationError(ALLOWED)
    total, last_unit = 0.0, float("inf")
    for amount, unit in _PART.findall(squeezed):
        if SECONDS[unit] >= last_unit:
            raise DurationError(f"{ALLOWED}, each unit once and the larger first")
        last_unit = SECONDS[unit]
        total += float(amount) * SECONDS[unit]
    return total


def format_duration(seconds: float) -> str:
    """Return the shortest text that means ``seconds`` to the millisecond: 5400 → ``1h30m``."""
    left_ms = round(seconds * 1000)
    if left_ms <= 0:
        return "0s"
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        size_ms = round(SECONDS[unit] * 1000)
        count, left_ms = divmod(left_ms, size_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_moment(text: str, now: float) -> float:
    """Return Unix seconds of ``10m`` (that long before ``now``), or of a moment in ISO 8601.

    A moment that names no zone is UTC. Raises `ValueError` with what is allowed.
    """
    try:
        return now - parse_duration(text)
    except DurationError as fault:
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise ValueError(f"{fault}, or a time such as 2026-11-23T02:00:00Z") from fault
