"""How far a server's clock and its samples are from now: it may answer at once, of another time.

A server whose scrapes hang, or that is fed late, answers every question as quickly as ever.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from console.signals.matchers import conditions, selector
from console.signals.units import format_age

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.signals.profile import Profile

MOST_SKEW_SECONDS = 20.0
LATE_SECONDS = 90.0
"""Half as much again as the longest usual scrape interval."""


def skew_note(server_date: str, now: float, allowed_seconds: float) -> tuple[str, ...]:
    """Compare clocks: questions are asked for this machine's now, samples bear the server's.

    ``server_date`` is the ``Date`` of an answer, which may be ``allowed_seconds`` old.
    """
    try:
        server = parsedate_to_datetime(server_date).timestamp()
    except ValueError:
        return ()
    ahead = now - server
    if abs(ahead) <= MOST_SKEW_SECONDS + allowed_seconds:
        return ()
    side = "ahead of" if ahead > 0 else "behind"
    return (f"this machine's clock is {abs(ahead):.0f} s {side} the server's",)


def newest_promql(profiles: Iterable[Profile]) -> str:
    """Return the question for the Unix seconds of the newest sample of any model."""
    stamps = (
        f"timestamp({selector(metric, conditions(profile.discovery_where))})"
        for profile in profiles
        for metric in profile.signature
    )
    return f"max({' or '.join(stamps)})"


def late_note(newest_at: float, now: float) -> tuple[str, ...]:
    """Return a warning where the newest sample is old; both times in Unix seconds."""
    age_seconds = now - newest_at
    if age_seconds <= LATE_SECONDS:
        return ()
    age = format_age(age_seconds)
    return (f"the newest sample of any model is {age} old: this server scrapes or receives late",)
