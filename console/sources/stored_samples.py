"""The samples of all targets in the shape the evaluation reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.metrics.histogram import LOOKBACK_SECONDS, Labels, Latest, Window
from console.sources.sample_store import is_stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.metrics.labels import Matcher
    from console.sources.sample_store import Shelf, Span

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]
    Mask = NDArray[np.bool_]

_MOST_SELECTIONS = 2000

Asked = tuple[str, "tuple[Matcher, ...]"]


@dataclass(slots=True, eq=False)
class Selection:
    """Which rows of which shelves a question reads; kept while no series comes or goes."""

    generation: int
    parts: tuple[tuple[Shelf, Rows], ...]
    labels: tuple[Labels, ...]
    present: Mask
    present_labels: tuple[Labels, ...]


class Samples:
    """All shelves of a scrape source; see `console.metrics.histogram.SampleStore`.

    Windows are remembered until `forget_windows`, because a tick asks for the same one often.
    """

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._shelves = tuple(shelves)
        self._selections: dict[Asked, Selection] = {}
        self._windows: dict[tuple[Asked, float, float], Window] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        return sum(shelf.nbytes for shelf in self._shelves)

    @property
    def series_count(self) -> int:
        """How many series there are."""
        return sum(shelf.series_count for shelf in self._shelves)

    def forget_windows(self) -> None:
        """Let go of the copies that a tick made."""
        self._windows.clear()

    def window(
        self, metric: str, matchers: tuple[Matcher, ...], start: float, end: float
    ) -> Window:
        """Return the samples of all matching series from ``start`` to ``end``, both included."""
        key = ((metric, matchers), start, end)
        known = self._windows.get(key)
        if known is None:
            selection = self.select(metric, matchers)
            spans = [shelf.span(rows, start, end) for shelf, rows in selection.parts]
            known = self._windows[key] = _joined(selection.labels, spans)
        return known

    def latest(self, metric: str, matchers: tuple[Matcher, ...], at: float) -> Latest:
        """Return the last value of each series that has not ended and is at most 5 min old."""
        selection = self.select(metric, matchers)
        values = np.full(len(selection.labels), np.nan)
        present = np.zeros(len(selection.labels), dtype=bool)
        first = 0
        oldest = float(np.nextafter(at - LOOKBACK_SECONDS, np.inf))
        for shelf, rows in selection.parts:
            span = shelf.span(rows, oldest, at)
            if span.times.size:
                column = span.values[:, -1]
                values[first : first + rows.size] = column
                present[first : first + rows.size] = ~is_stale(column)
            first += rows.size
        if not np.array_equal(present, selection.present):
            selection.present = present
            selection.present_labels = tuple(
                labels for labels, there in zip(selection.labels, present, strict=True) if there
            )
        return Latest(selection.present_labels, values[present])

    def select(self, metric: str, matchers: tuple[Matcher, ...]) -> Selection:
        """Return the rows that match, from memory while no series came or went."""
        generation = sum(shelf.generation for shelf in self._shelves)
        known = self._selections.get((metric, matchers))
        if known is None or known.generation != generation:
            known = self._selected(metric, matchers, generation)
            if len(self._selections) >= _MOST_SELECTIONS:
                self._selections.clear()
            self._selections[metric, matchers] = known
        return known

    def _selected(self, metric: str, matchers: tuple[Matcher, ...], generation: int) -> Selection:
        parts = []
        labels: list[Labels] = []
        for shelf in self._shelves:
            rows = [
                row for row in shelf.names.get(metric, ()) if _hold(matchers, shelf.labels[row])
            ]
            if rows:
                parts.append((shelf, np.array(rows, dtype=np.int64)))
                labels.extend(shelf.labels[row] for row in rows)
        every = tuple(labels)
        return Selection(generation, tuple(parts), every, np.ones(len(every), dtype=bool), every)

    def history_start(self, metrics: frozenset[str]) -> float:
        """Return the earliest time at which any of these metrics can have a sample."""
        return min(
            (
                shelf.history_start(rows)
                for metric in metrics
                for shelf, rows in self.select(metric, ()).parts
            ),
            default=float("inf"),
        )

    @property
    def coarse_before(self) -> float:
        """Return the time before which there are only samples five minutes apart, if any."""
        return min(
            (s.middle.oldest for s in self._shelves if s.long.oldest < s.middle.oldest),
            default=float("-inf"),
        )

    def seen_since(self, metric: str, matchers: tuple[Matcher, ...], since: float) -> list[Labels]:
        """Return the labels of matching series that had a sample at or after ``since``."""
        found: list[Labels] = []
        for shelf, rows in self.select(metric, matchers).parts:
            span = shelf.span(rows, since, np.inf)
            alive = np.flatnonzero(~is_stale(span.values).all(axis=1))
            found.extend(shelf.labels[row] for row in rows[alive].tolist())
        return found


def _hold(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    if not matchers:
        return True
    values = dict(labels)
    return all(matcher.holds(values.get(matcher.label, "")) for matcher in matchers)


def _joined(labels: tuple[Labels, ...], spans: list[Span]) -> Window:
    """Put the spans of several targets under one another, each row packed to the left."""
    width = max((span.times.size for span in spans), default=0)
    times = np.zeros((len(labels), width))
    values = np.zeros((len(labels), width))
    counts = np.zeros(len(labels), dtype=np.int64)
    first = 0
    for span in spans:
        rows, size = span.values.shape
        here = slice(first, first + rows)
        stale = is_stale(span.values)
        if stale.any():
            _pack(span, ~stale, times[here], values[here], counts[here])
        else:
            times[here, :size] = span.times
            values[here, :size] = span.values
            counts[here] = size
        first += rows
    return Window(labels, times, values, counts)


def _pack(span: Span, there: Mask, times: Floats, values: Floats, counts: Rows) -> None:
    counts[:] = there.sum(axis=1)
    row, column = np.nonzero(there)
    place = np.arange(row.size) - np.repeat(np.cumsum(counts) - counts, counts)
    times[row, place] = span.times[column]
    values[row, place] = span.values[row, column]
