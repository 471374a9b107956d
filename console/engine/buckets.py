"""Histogram answers laid out over the rows; the same object again while nothing changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.engine.join import join, rows_asked
from console.fleet.observed import Buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.engine.join import Keys
    from console.facts.samples import Answer
    from console.signals.query import Query

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]


NOBODY = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    stale: bool
    edges: Floats
    buckets: Buckets


class BucketTable:
    """What histogram queries answered, by source and query."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}

    def clear(self) -> None:
        """Forget everything, because rows moved."""
        self._kept.clear()

    def drop(self, source: str, query_id: str) -> None:
        """Forget a query that is no longer asked."""
        self._kept.pop((source, query_id), None)

    def of(
        self,
        source: str,
        query: Query,
        answer: Answer,
        rows_of: Mapping[str, tuple[int, ...]],
        *,
        stale: bool,
    ) -> Buckets:
        """Return an answer as entries of rows and edges; a failed one lists whom it was about."""
        known = self._kept.get((source, query.id))
        if known is not None and known.answer is answer and known.stale == stale:
            return known.buckets
        same_keys = known is not None and known.answer.keys is answer.keys
        edges = known.edges if known is not None and same_keys else edges_of(answer.keys)
        joined = join(answer.keys, rows_of, query.models)
        buckets = Buckets(
            rows=joined.rows,
            edges=edges[joined.entries],
            values=answer.values[joined.entries],
            at=answer.at,
            window_seconds=query.window_seconds or math.nan,
            stale=stale,
            failed=rows_asked(rows_of, query) if answer.error is not None else NOBODY,
        )
        self._kept[source, query.id] = _Kept(answer, stale, edges, buckets)
        return buckets


def edges_of(keys: Keys) -> Floats:
    """Return the upper edge of each key's last label; NaN for what is no number."""
    return np.array([_edge(key[-1] if key else "") for key in keys], dtype=np.float64)


def _edge(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
