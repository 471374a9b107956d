"""The days' spend as it is asked of the sources, and what is made of it: pace and month's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.facts.signals import DAY_COLUMNS, SPENT_BY_NOW_COLUMNS
from console.fleet.forecast import DAY_SECONDS, WEEK, Habits, due_share, habits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.fleet.derive import Asked

    Floats = NDArray[np.float64]


def spending(asked: Asked, before: Habits | None, now: float, rows: int) -> Habits:
    """Return the habits of the last four weeks; the identical object while the days are the same.

    Days are asked for anew after midnight UTC: what was answered before speaks of other days.
    """
    days = np.stack([asked.values(name) for name in DAY_COLUMNS])
    answered = [asked.column(name).at for name in DAY_COLUMNS]
    other_day = np.floor(np.stack(answered) / DAY_SECONDS) != np.floor(now / DAY_SECONDS)
    if before is not None and before.days.shape == days.shape:
        of_yesterday = bool((other_day & np.isfinite(days)).any())
        if of_yesterday or np.array_equal(before.days, days, equal_nan=True):
            return before
    return habits(np.where(other_day, np.nan, days).reshape(len(DAY_COLUMNS), rows))


def share_by_now(asked: Asked, found: Habits) -> Floats:
    """Return the share of the day's spend that is usual by now on this weekday, NaN unknown."""
    by_now = np.stack([asked.values(name) for name in SPENT_BY_NOW_COLUMNS])
    return due_share(by_now, found.days[WEEK - 1 :: WEEK])
