"""Which row comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]


def rank(
    severities: Codes,
    acknowledged: NDArray[np.bool_],
    tier: NDArray[np.int64],
    bad_rate: Floats,
    budget_left: Floats,
    since: Floats,
    name_rank: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return row indices, worst first: a total order.

    Level, unacknowledged before acknowledged, tier, most bad requests a minute, least budget
    left (ratio), oldest ``since`` (Unix seconds), name. ``bad_rate`` is a second, and compared
    in whole requests a minute, as shown, so that noise under what is shown moves no row; the
    budget is compared in whole percent for the same reason. What is not known ranks last.
    """
    bad_a_minute = np.round(np.nan_to_num(bad_rate, nan=0.0, posinf=1e15) * 60.0)
    budget = np.round(np.nan_to_num(budget_left, nan=1e6, posinf=1e6, neginf=-1e6) * 100.0)
    oldest = np.nan_to_num(since, nan=np.inf)
    order = np.lexsort((name_rank, oldest, budget, -bad_a_minute, tier, acknowledged, severities))
    return order.astype(np.int64)
