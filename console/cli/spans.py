"""Points in time as somebody types them after a flag."""

from __future__ import annotations

from datetime import UTC, datetime

from console.cli.exits import UsageError
from console.settings.durations import DurationError, parse_duration


def point_in_time(text: str, now: float, flag: str) -> float:
    """Return Unix seconds of how long ago it was, or of ISO 8601 (UTC if it says none).

    Raises `UsageError` that names the flag.
    """
    try:
        return now - parse_duration(text)
    except DurationError as fault:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(f"{flag}: {fault}, or a time such as 2026-11-23T02:00:00Z") from fault
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
