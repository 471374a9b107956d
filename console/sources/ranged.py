"""One model's range question and what comes back, put on the asked times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.signals.matchers import ExpressionError, Matcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.signals.query import Query
    from console.sources.promapi import RangedSeries

    Floats = NDArray[np.float64]


def narrowed(query: Query, series_value: str, step_seconds: float) -> str:
    """Return the query for one model in such steps; an operator's own text stays as it is."""
    if query.expression is None:
        return query.promql
    one = Matcher(query.by[0], "=", series_value)
    try:
        asked = replace(query.over_steps(step_seconds), matchers=(*query.matchers, one))
        return query.expression.promql(asked.scope())
    except ExpressionError:
        return query.promql


def of_model(found: Sequence[RangedSeries], query: Query, series_value: str) -> RangedSeries | None:
    """Return the one series that is the model's; an operator's only series is, however named."""
    for series in found:
        if series.labels.get(query.by[0], "") == series_value:
            return series
    return found[0] if query.exclusive and len(found) == 1 else None


def on_grid(series: RangedSeries | None, start: float, step: float, count: int) -> Floats:
    """Put a range's points on the asked times, NaN where there is none."""
    values = np.full(count, np.nan)
    if series is not None:
        places = np.rint((series.times - start) / step).astype(np.int64)
        inside = (places >= 0) & (places < count)
        values[places[inside]] = series.values[inside]
    return values
