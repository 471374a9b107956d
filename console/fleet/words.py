"""Numbers and times inside a finding's sentence."""

from __future__ import annotations

import math

from console.facts.text import visible
from console.signals.units import DisplayUnit, format_age, format_value

_NAME_LIMIT = 60


def shown(value: float, unit: DisplayUnit) -> str:
    """Write a value as the screens do; what is not known is ``?``."""
    return format_value(value, unit)


def a_minute(per_second: float) -> str:
    """Write a rate a second as a whole number a minute."""
    return shown(float(round(per_second * 60.0)), "count") if math.isfinite(per_second) else "?"


def span(seconds: float) -> str:
    """Write a duration in its largest whole unit: 40s, 19m, 3h, 12d."""
    return format_age(seconds) if not math.isinf(seconds) else "?"


def clock(at: float) -> str:
    """Write Unix seconds as HH:MM UTC."""
    minutes = int(at // 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def clock_seconds(at: float) -> str:
    """Write Unix seconds as HH:MM:SSZ."""
    return f"{clock(at)}:{int(at) % 60:02d}Z"


def name(text: str) -> str:
    """Make a name from outside harmless and short enough for a sentence."""
    return visible(text, _NAME_LIMIT)
