"""How the breakers of one model were over time: a gauge for its own and for each dependency."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.signals.matchers import Matcher
from console.sources.protocol import SourceDown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.samples import Series
    from console.signals.query import Query
    from console.sources.protocol import Source

COLUMN = "breaker_state"


async def breaker_series(
    source: Source,
    query: Query,
    series_value: str,
    dependencies: Iterable[str],
    start: float,
    end: float,
    step: float,
) -> dict[str, Series]:
    """Return the breaker gauge of each dependency, "" the model's own; none that nobody exports.

    Breakers live per process: the largest code of the replicas is taken, so that an open one
    beside one that is half-open shows as half-open.
    """
    found: dict[str, Series] = {}
    if query.expression is None or len(query.by) < 2:
        return found
    model_label, dependency_label = query.by[0], query.by[1]
    for dependency in ("", *dependencies):
        narrowed = replace(
            query,
            by=(model_label,),
            matchers=(*query.matchers, Matcher(dependency_label, "=", dependency)),
        )
        try:
            series = await source.series(narrowed, series_value, start, end, step)
        except SourceDown:
            return found  # the other signals of this source say so, each with its sentence
        if np.isfinite(series.values).any():
            found[dependency] = series
    return found
