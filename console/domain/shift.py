"""When a shift ends: wall clock times in one zone, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import tzinfo


DEFAULT_SHIFT_ENDS = ("06:00", "14:00", "22:00")

NEAREST_SECONDS = 60.0
"""An end closer than this is over for whoever asks for the next one."""


def clock_time(text: str) -> time:
    """Return ``HH:MM`` as a time of day; raise ValueError for anything else."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isdecimal()):
        raise ValueError(text)
    return time(int(hours), int(minutes))


def zone_named(name: str | None) -> tzinfo | None:
    """Return an IANA zone, None (the machine's own) without a name; raise ValueError otherwise."""
    if name is None:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as fault:
        raise ValueError(name) from fault


def in_hours(now: float, hours: Sequence[str], zone: tzinfo | None = None) -> bool:
    """Tell whether Unix seconds fall between two times of day, ``HH:MM``, in ``zone``.

    The second may be the earlier one: 22:00 to 06:00 goes over midnight. None is the machine's own
    zone. Raises ValueError for anything but two times.
    """
    begin, end = (clock_time(each) for each in hours)
    at = datetime.fromtimestamp(now, UTC).astimezone(zone).time()
    return begin <= at < end if begin <= end else at >= begin or at < end


def next_shift_end(
    now: float, ends: Iterable[str] = DEFAULT_SHIFT_ENDS, zone: tzinfo | None = None
) -> float:
    """Return when the next shift ends, in Unix seconds, at least a minute after ``now``.

    ``ends`` are times of the wall clock in ``zone`` (None: the machine's own). An hour that the
    clocks skip counts as the same hour before they moved, one that they repeat as its first run.
    Raises ValueError without any end.
    """
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    times = [clock_time(end) for end in ends]
    moments = (
        datetime.combine(today + timedelta(days=days), at, tzinfo=zone).timestamp()
        for days in (-1, 0, 1, 2)
        for at in times
    )
    return min(moment for moment in moments if moment - now >= NEAREST_SECONDS)
