"""Times as reports write them."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(at: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
