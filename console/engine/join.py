"""Which entry of an answer belongs to which row, worked out once and kept while nothing moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.signals.query import Query

    Indices = NDArray[np.intp]

Keys = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Join:
    """``values[entries]`` of an answer go to ``column[rows]``; both are integer arrays."""

    keys: Keys
    models: frozenset[str] | None
    entries: Indices
    rows: Indices


def join(keys: Keys, rows_of: Mapping[str, tuple[int, ...]], models: frozenset[str] | None) -> Join:
    """Match the first label value of each key with the rows that take it."""
    entries: list[int] = []
    rows: list[int] = []
    for entry, key in enumerate(keys):
        name = key[0] if key else ""
        if models is not None and name not in models:
            continue
        for row in rows_of.get(name, ()):
            entries.append(entry)
            rows.append(row)
    return Join(keys, models, np.array(entries, dtype=np.intp), np.array(rows, dtype=np.intp))


def rows_asked(rows_of: Mapping[str, tuple[int, ...]], query: Query) -> Indices:
    """Return the rows that a query is about."""
    rows = [
        row
        for value, indices in rows_of.items()
        if query.models is None or value in query.models
        for row in indices
    ]
    return np.array(rows, dtype=np.intp)


class JoinCache:
    """Joins by query, valid while the answer's keys are the identical object and no row moved.

    A plan made anew every minute asks the same of the same models: its joins stay.
    """

    def __init__(self) -> None:
        self._joins: dict[tuple[str, str], Join] = {}

    def clear(self) -> None:
        """Forget everything, because rows moved."""
        self._joins.clear()

    def drop(self, source: str, query_id: str) -> None:
        """Forget the join of a query that is no longer asked."""
        self._joins.pop((source, query_id), None)

    def of(
        self, source: str, query: Query, keys: Keys, rows_of: Mapping[str, tuple[int, ...]]
    ) -> Join:
        """Return the join for this answer, from memory when its keys are the same object."""
        name = (source, query.id)
        known = self._joins.get(name)
        if known is None or known.keys is not keys or known.models != query.models:
            known = join(keys, rows_of, query.models)
            self._joins[name] = known
        return known
