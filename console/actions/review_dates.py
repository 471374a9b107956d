"""When a decision is looked at again, as people write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from console.facts.text import visible
from console.settings.durations import DurationError, parse_duration

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(rf"{_DAY.pattern}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?(Z|[+-][0-9:]+)?")


def parse_review_by(text: str, now: float) -> float:
    """Return a review date as Unix seconds: the end of a day in UTC, a moment, or a time from now.

    Raises `ValueError` with a sentence.
    """
    given = text.strip()
    try:
        if _DAY.fullmatch(given):
            day = datetime.fromisoformat(given).replace(tzinfo=UTC)
            return (day + timedelta(days=1)).timestamp()
        if _MOMENT.fullmatch(given):
            moment = datetime.fromisoformat(given)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return now + parse_duration(given)
    except (ValueError, OverflowError) as fault:
        reason = "" if isinstance(fault, DurationError) else f" ({visible(str(fault), 100)})"
        raise ValueError(
            f"{visible(text, 60)}: it is a day such as 2026-12-01 (its end in UTC), "
            f"a time such as 2026-12-01T09:00Z, or a time from now such as 14d{reason}"
        ) from fault
