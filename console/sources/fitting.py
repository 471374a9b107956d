"""Windows fitted to how often a source reads and to how finely it keeps what it read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.signals.expressions import Increase
from console.sources.store import LONG_STEP_SECONDS

if TYPE_CHECKING:
    from console.signals.expressions import Expression
    from console.signals.query import Query

COARSE_WINDOW_SECONDS = 4 * LONG_STEP_SECONDS
"""A chart's rate over samples five minutes apart looks at so much of them."""

LEAST_LIVE_SECONDS, LIVE_SCRAPES = 30.0, 4
"""The window of requests and bad requests a second: so many scrapes, and seconds at the least."""


def at_own_pace(query: Query, interval_seconds: float) -> Query:
    """Shorten a window that is longer for other sources' sake: this one reads so often.

    Half a minute at the least, or a model with a request now and then would flicker.
    """
    if query.fallback_seconds is None or query.window_seconds is None:
        return query
    paced = max(LEAST_LIVE_SECONDS, LIVE_SCRAPES * interval_seconds)
    return replace(query, window_seconds=min(query.window_seconds, paced))


def widened(query: Query, at: float, coarse_before: float) -> Query:
    """Widen a window that would find no two samples in the long tier, for charts of days.

    ``coarse_before`` is the Unix time before which samples are five minutes apart.
    """
    window = query.window_seconds
    if window is None or window >= COARSE_WINDOW_SECONDS:
        return query
    if at - query.offset_seconds - window >= coarse_before:
        return query
    return replace(query, window_seconds=COARSE_WINDOW_SECONDS)


def is_amount(expression: Expression) -> bool:
    """Tell whether a measurement is an amount over its window, not a rate or a share."""
    return isinstance(expression, Increase) or any(map(is_amount, expression.parts()))
