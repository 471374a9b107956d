"""Moments given to a command, with the flag that is wrong named."""

from __future__ import annotations

from console.cli.exits import UsageError
from console.settings import moments


def parse_moment(text: str, flag: str, now: float) -> float:
    """Return the moment that a flag names, in Unix seconds; raises `UsageError`."""
    try:
        return moments.parse_moment(text, now)
    except ValueError as fault:
        raise UsageError(f"{flag}: {fault}") from fault
