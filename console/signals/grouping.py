"""Which series belong together: groups, matches and unions of label sets, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from numpy.typing import NDArray

    from console.signals.expressions import Aggregation
    from console.signals.samples import Labels

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

Keys = tuple[tuple[str, ...], ...]
_MOST_KEPT = 512


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """G groups of S series: ``group[i]`` is the group of series i, ``keys`` name the groups."""

    keys: Keys
    group: Places

    def sum(self, values: Floats) -> Floats:
        """Return the sum of each group (G entries)."""
        sums = np.bincount(self.group, values, len(self.keys))
        return sums.astype(np.float64, copy=False)

    def aggregate(self, how: Aggregation, values: Floats) -> Floats:
        """Return sum, count, avg, max or min of each group; max and min pass over NaN."""
        if how == "sum":
            return self.sum(values)
        if how == "count":
            return np.bincount(self.group, minlength=len(self.keys)).astype(np.float64)
        if how == "avg":
            return self.sum(values) / np.bincount(self.group, minlength=len(self.keys))
        result = np.full(len(self.keys), np.nan)
        (np.fmax if how == "max" else np.fmin).at(result, self.group, values)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Pairs of groups: ``left[i]`` goes with ``right[i]`` under ``keys[i]``."""

    keys: Keys
    left: Places
    right: Places


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """The left's keys followed by the ``extra`` places of the right."""

    keys: Keys
    extra: Places


class Groupings:
    """Answers about label sets, kept while the very same label tuples come back.

    Equal but not identical tuples are worked out again: identity is what a store promises.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, tuple[str, ...]], tuple[object, Groups]] = {}
        self._subsets: dict[tuple[int, bytes], tuple[object, tuple[Labels, ...]]] = {}
        self._matches: dict[tuple[int, int, object], tuple[object, object, Matching]] = {}
        self._unions: dict[tuple[int, int], tuple[object, object, Union]] = {}

    def of(self, labels: tuple[Labels, ...], by: tuple[str, ...]) -> Groups:
        """Return the groups of series by the values of ``by``; an absent label is empty."""
        name = (id(labels), by)
        known = self._groups.get(name)
        if known is not None and known[0] is labels:
            return known[1]
        _bound(self._groups)
        groups = _grouped(labels, by)
        self._groups[name] = (labels, groups)
        return groups

    def subset(self, labels: tuple[Labels, ...], kept: NDArray[np.bool_]) -> tuple[Labels, ...]:
        """Return the labels of the kept series, the same object for the same selection."""
        name = (id(labels), kept.tobytes())
        known = self._subsets.get(name)
        if known is not None and known[0] is labels:
            return known[1]
        _bound(self._subsets)
        chosen = tuple(labels[place] for place in np.flatnonzero(kept))
        self._subsets[name] = (labels, chosen)
        return chosen

    def matching(self, left: Keys, right: Keys, places: tuple[int, ...] | None = None) -> Matching:
        """Pair the left's keys with equal ones of the right.

        With ``places`` only those parts of a left key are compared, so that many left keys
        may meet one of the right.
        """
        name = (id(left), id(right), places)
        known = self._matches.get(name)
        if known is not None and known[0] is left and known[1] is right:
            return known[2]
        _bound(self._matches)
        found = _matched(left, right, places)
        self._matches[name] = (left, right, found)
        return found

    def union(self, left: Keys, right: Keys) -> Union:
        """Return the left's keys and those of the right that it lacks."""
        name = (id(left), id(right))
        known = self._unions.get(name)
        if known is not None and known[0] is left and known[1] is right:
            return known[2]
        _bound(self._unions)
        present = frozenset(left)
        extra = [place for place, key in enumerate(right) if key not in present]
        keys = left + tuple(right[place] for place in extra) if extra else left
        found = Union(keys, np.array(extra, dtype=np.intp))
        self._unions[name] = (left, right, found)
        return found


def _bound(kept: MutableMapping[Any, Any]) -> None:
    if len(kept) >= _MOST_KEPT:
        kept.clear()


def _grouped(labels: tuple[Labels, ...], by: tuple[str, ...]) -> Groups:
    places: dict[tuple[str, ...], int] = {}
    group = np.empty(len(labels), dtype=np.intp)
    for index, series in enumerate(labels):
        values = dict(series)
        key = tuple(values.get(label, "") for label in by)
        group[index] = places.setdefault(key, len(places))
    return Groups(tuple(places), group)


def _matched(left: Keys, right: Keys, places: tuple[int, ...] | None) -> Matching:
    if places is None and left is right:
        same = np.arange(len(left))
        return Matching(left, same, same)
    where = {key: place for place, key in enumerate(right)}
    pairs = []
    for index, key in enumerate(left):
        wanted = key if places is None else tuple(key[place] for place in places)
        found = where.get(wanted)
        if found is not None:
            pairs.append((index, found))
    keys = left if len(pairs) == len(left) else tuple(left[index] for index, _ in pairs)
    sides = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return Matching(keys, sides[:, 0].copy(), sides[:, 1].copy())
