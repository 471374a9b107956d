"""Unix seconds to RFC 3339 in UTC, and to the short form people read."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(at: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamped(at: float | None) -> str | None:
    """Return `timestamp`, or None for a time that is not known."""
    return None if at is None else timestamp(at)


def seconds_of(stamp: str) -> float:
    """Return what `timestamp` wrote as Unix seconds."""
    return datetime.fromisoformat(stamp).timestamp()


def moment(stamp: str, now: str, *, seconds: bool = False) -> str:
    """Return a `timestamp` as people say it beside ``now``: 02:47Z, 21 Oct 02:47Z, or with a year.

    Both are texts that `timestamp` wrote.
    """
    at, today = datetime.fromisoformat(stamp), datetime.fromisoformat(now)
    clock = at.strftime("%H:%M:%SZ" if seconds else "%H:%MZ")
    if at.date() == today.date():
        return clock
    day = f"{at.day} {at.strftime('%b')}"
    return f"{day} {clock}" if at.year == today.year else f"{day} {at.year} {clock}"
