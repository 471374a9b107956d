"""Moments as somebody types them: how long ago, or a date and time."""

from datetime import UTC, datetime

from console.settings.durations import DurationError, parse_duration


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
