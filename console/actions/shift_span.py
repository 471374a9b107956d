"""Since when a shift ran, as commands and consoles take it."""

from __future__ import annotations

from console.settings.moments import parse_moment

USUAL = "12h"
LONGEST_SECONDS = 14 * 86400.0
ALLOWED = "a time in the last 14 days, such as 12h or 2026-11-23T02:00Z"
"""Short enough for the bottom line of 80 columns, whatever was wrong."""


def shift_start(text: str, now: float) -> float:
    """Return since when a shift ran, in Unix seconds, of ``12h`` or a moment in ISO 8601.

    Raises `ValueError` with what is allowed.
    """
    try:
        since = parse_moment(text, now)
    except ValueError as fault:
        raise ValueError(ALLOWED) from fault
    if not 0.0 < now - since <= LONGEST_SECONDS:
        raise ValueError(ALLOWED)
    return since
