"""Keeps scraped samples in rings, three tiers, bounded in time and bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from console.sources.exposition import Labels

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

STALE_BITS: Final = 0x7FF0000000000002
"""The bit pattern Prometheus writes for "this series has ended"; any other NaN is a value."""

STALE: Final = float(np.uint64(STALE_BITS).view(np.float64))

_FIRST_COLUMNS = 16
_SLACK_SHARE = 8


def is_stale(values: Floats) -> NDArray[np.bool_]:
    """Tell which entries say that the series was not there (same shape as ``values``)."""
    marked: NDArray[np.bool_] = values.view(np.uint64) == STALE_BITS
    return marked


class Ring:
    """The last ``capacity`` columns of a growing set of rows; a column is one moment.

    The columns that are kept always lie side by side, so that any span is one slice. Memory
    grows with what is there, up to 9/8 of rows x capacity x 8 bytes.
    """

    def __init__(self, capacity: int) -> None:
        """Keep at most ``capacity`` columns."""
        self._capacity = capacity
        self._times = np.empty(0)
        self._values = np.empty((0, 0))
        self._rows = 0
        self._start = 0
        self._end = 0

    @property
    def nbytes(self) -> int:
        """Bytes held, unused room included."""
        return self._values.nbytes + self._times.nbytes

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._rows

    @property
    def times(self) -> Floats:
        """Unix seconds of the kept columns, ascending (a view)."""
        return self._times[self._start : self._end]

    @property
    def newest(self) -> float:
        """Time of the last column; minus infinity without any."""
        return float(self._times[self._end - 1]) if self._end > self._start else -np.inf

    @property
    def oldest(self) -> float:
        """Time of the first column; plus infinity without any."""
        return float(self._times[self._start]) if self._end > self._start else np.inf

    def add_rows(self, count: int) -> None:
        """Add rows that were not there until now."""
        needed = self._rows + count
        if needed > self._values.shape[0]:
            most = max(needed, self._values.shape[0] * 5 // 4)
            grown = np.full((most, self._values.shape[1]), STALE)
            grown[: self._rows] = self._values[: self._rows]
            self._values = grown
        self._rows = needed

    def append(self, at: float, column: Floats) -> None:
        """Add one moment; ``column`` has one value a row, `STALE` where a series is absent."""
        if at <= self.newest:
            raise ValueError(f"a sample at {at} cannot follow one at {self.newest}")
        if self._end == self._times.size:
            self._make_room()
        self._times[self._end] = at
        self._values[: self._rows, self._end] = column
        self._end += 1
        self._start = max(self._start, self._end - self._capacity)

    def load(self, rows: Rows, times: Floats, values: Floats) -> None:
        """Fill an empty ring with history: ``values`` is (len(rows), len(times))."""
        if self._end > self._start:
            raise ValueError("history goes into an empty ring only")
        times, values = np.round(times[-self._capacity :], 3), values[:, -self._capacity :]
        width = times.size + max(_FIRST_COLUMNS, self._capacity // _SLACK_SHARE)
        self._times = np.empty(width)
        self._times[: times.size] = times
        self._values = np.full((self._rows, width), STALE)
        self._values[rows, : times.size] = values
        self._start, self._end = 0, times.size

    def columns(self, start: float, end: float) -> slice:
        """Return the kept columns whose times lie within ``start`` and ``end``, both included."""
        times = self.times
        first = self._start + int(np.searchsorted(times, start, "left"))
        last = self._start + int(np.searchsorted(times, end, "right"))
        return slice(first, last)

    def take(self, rows: Rows, columns: slice) -> tuple[Floats, Floats]:
        """Return the times and a copy of the values (len(rows), columns) of a `columns` span."""
        values: Floats = self._values[rows, columns]
        return self._times[columns], values

    def ended(self, before: float) -> NDArray[np.bool_]:
        """Tell which rows have no sample at or after ``before``."""
        columns = self.columns(before, np.inf)
        return np.asarray(is_stale(self._values[: self._rows, columns]).all(axis=1))

    def keep_rows(self, rows: Rows) -> None:
        """Drop all rows but these, in this order."""
        self._values = self._values[rows]
        self._rows = rows.size

    def _make_room(self) -> None:
        kept = self._end - self._start
        most = self._capacity + max(_FIRST_COLUMNS, self._capacity // _SLACK_SHARE)
        width = min(most, max(_FIRST_COLUMNS, 2 * self._times.size))
        times, values = self._times, self._values
        if width > times.size:
            times = np.empty(width)
            values = np.full((self._values.shape[0], width), STALE)
        times[:kept] = self._times[self._start : self._end]
        values[:, :kept] = self._values[:, self._start : self._end]
        values[:, kept:] = STALE
        self._times, self._values = times, values
        self._start, self._end = 0, kept


# A target's series share their times, so each tier of a target is one `Ring`. The fine tier holds
# every scrape of the last 15 minutes, the middle one a minute's scrape for 6 hours, the long one a
# scrape every 5 minutes for 30 days, of the few counters that long windows need.

FINE_SECONDS = 15 * 60.0
MIDDLE_SECONDS, MIDDLE_STEP_SECONDS = 6 * 3600.0, 60.0
LONG_SECONDS, LONG_STEP_SECONDS = 30 * 86400.0, 300.0

_TIDY_SECONDS = 600.0
_SPARE_COLUMNS = 2


class HistoryBlock(Protocol):
    """Samples from before the console started: one step, one set of times, many series.

    ``series`` are (target URL, metric name, sorted labels); ``values`` is (series, times).
    """

    @property
    def step_seconds(self) -> float:
        """Distance of two samples."""
        ...

    @property
    def times(self) -> Floats:
        """Unix seconds, ascending."""
        ...

    @property
    def series(self) -> Sequence[tuple[str, str, Labels]]:
        """Which series each row of the values is."""
        ...

    @property
    def values(self) -> Floats:
        """One row a series, one column a time."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """Samples of some rows of one shelf: times (T), values (rows, T), `STALE` where absent."""

    times: Floats
    values: Floats


class Shelf:
    """All series of one target. ``extra`` labels are those a scraper adds: instance and job.

    ``generation`` counts every change of the set of series, ``layout`` those that renumber rows.
    """

    def __init__(
        self, extra: Labels, fine_step_seconds: float, keeps_long: Callable[[str], bool]
    ) -> None:
        """Size the fine tier for one scrape every ``fine_step_seconds``."""
        self._extra = extra
        self._keeps_long = keeps_long
        self._rows: dict[tuple[str, Labels], int] = {}
        self._long_rows: list[int] = []
        self._long_row_of: dict[int, int] = {}
        self._tidied_at = -math.inf
        self.generation = 0
        self.layout = 0
        self.names: dict[str, list[int]] = {}
        self.labels: list[Labels] = []
        self.fine = Ring(int(FINE_SECONDS / fine_step_seconds) + _SPARE_COLUMNS)
        self.middle = Ring(int(MIDDLE_SECONDS / MIDDLE_STEP_SECONDS) + _SPARE_COLUMNS)
        self.long = Ring(int(LONG_SECONDS / LONG_STEP_SECONDS) + _SPARE_COLUMNS)

    @property
    def nbytes(self) -> int:
        """Bytes of all samples, unused room included."""
        return self.fine.nbytes + self.middle.nbytes + self.long.nbytes

    @property
    def series_count(self) -> int:
        """How many series there are."""
        return len(self.labels)

    def rows_of(self, series: Iterable[tuple[str, Labels]]) -> Rows:
        """Return the row of each series, making rows for new ones."""
        before, before_long = len(self.labels), len(self._long_rows)
        rows = np.array([self._row_of(name, labels) for name, labels in series], dtype=np.int64)
        added = len(self.labels) - before
        if added:
            self.generation += 1
            self.fine.add_rows(added)
            self.middle.add_rows(added)
            self.long.add_rows(len(self._long_rows) - before_long)
        return rows

    def _row_of(self, name: str, labels: Labels) -> int:
        known = self._rows.get((name, labels))
        if known is not None:
            return known
        row = len(self.labels)
        self._rows[name, labels] = row
        self.labels.append(self._with_extra(labels))
        self.names.setdefault(name, []).append(row)
        if self._keeps_long(name):
            self._long_row_of[row] = len(self._long_rows)
            self._long_rows.append(row)
        return row

    def _with_extra(self, labels: Labels) -> Labels:
        """Add the scraper's labels; a service's own of that name becomes ``exported_…``."""
        own = dict(self._extra)
        kept = {f"exported_{name}" if name in own else name: value for name, value in labels}
        return tuple(sorted((kept | own).items()))

    def append(self, at: float, rows: Rows, values: Floats) -> bool:
        """Store one scrape; series that are not in ``rows`` have ended.

        ``at`` is Unix seconds, kept in whole milliseconds as Prometheus does. Returns False, and
        keeps nothing, where it is not after the last scrape.
        """
        at = round(at, 3)
        if at <= self.fine.newest:
            return False
        column = np.full(len(self.labels), STALE)
        column[rows] = values
        self.fine.append(at, column)
        if _next_step(self.middle.newest, at, MIDDLE_STEP_SECONDS):
            self.middle.append(at, column)
        if self._long_rows and _next_step(self.long.newest, at, LONG_STEP_SECONDS):
            self.long.append(at, column[self._long_rows])
        if at - self._tidied_at > _TIDY_SECONDS:
            self._tidied_at = at
            self._tidy(at)
        return True

    def end_all(self, at: float) -> None:
        """Say that every series has ended, as for a target that is gone."""
        self.append(at, np.empty(0, dtype=np.int64), np.empty(0))

    def load(self, step_seconds: float, rows: Rows, times: Floats, values: Floats) -> None:
        """Put history (len(rows), len(times)) into the tier of its step."""
        if step_seconds < MIDDLE_STEP_SECONDS:
            self.fine.load(rows, times, values)
        elif step_seconds < LONG_STEP_SECONDS:
            self.middle.load(rows, times, values)
        else:
            wanted = [i for i, row in enumerate(rows.tolist()) if row in self._long_row_of]
            long_rows = [self._long_row_of[int(rows[i])] for i in wanted]
            self.long.load(np.array(long_rows, dtype=np.int64), times, values[wanted])

    def span(self, rows: Rows, start: float, end: float) -> Span:
        """Return one metric's samples within ``start`` and ``end``, both included.

        They come from the finest tier that reaches back to ``start``, and the newest scrape is
        added. Tiers are not mixed: extrapolation to the window's edges goes by the mean distance
        of samples, and would underrate a window that begins in a coarse tier.
        """
        fine = self.fine.columns(start, end)
        if start >= self.fine.oldest or self.middle.oldest >= self.fine.oldest:
            return Span(*self.fine.take(rows, fine))
        coarse, coarse_rows = self.middle, rows
        if start < self.middle.oldest and self.long.oldest < self.middle.oldest:
            long_rows = [
                self._long_row_of[row] for row in rows.tolist() if row in self._long_row_of
            ]
            if len(long_rows) == rows.size:
                coarse, coarse_rows = self.long, np.array(long_rows, dtype=np.int64)
        times, values = coarse.take(coarse_rows, coarse.columns(start, end))
        newest_times, newest = self.fine.take(
            rows, slice(max(fine.start, fine.stop - 1), fine.stop)
        )
        if newest_times.size and (not times.size or newest_times[0] > times[-1]):
            times = np.concatenate([times, newest_times])
            values = np.concatenate([values, newest], axis=1)
        return Span(times, values)

    def history_start(self, rows: Rows) -> float:
        """Return the time from which these rows can have samples; plus infinity for never."""
        oldest = min(self.fine.oldest, self.middle.oldest)
        if any(row in self._long_row_of for row in rows.tolist()):
            oldest = min(oldest, self.long.oldest)
        return oldest

    def _tidy(self, at: float) -> None:
        """Forget series of which no tier has a sample any more."""
        gone = self.fine.ended(at - FINE_SECONDS) & self.middle.ended(at - MIDDLE_SECONDS)
        if self._long_rows:
            gone[self._long_rows] &= self.long.ended(at - LONG_SECONDS)
        if gone.any():
            self._drop(np.flatnonzero(~gone))

    def _drop(self, kept: Rows) -> None:
        place = {int(row): index for index, row in enumerate(kept)}
        kept_long = [i for i, row in enumerate(self._long_rows) if row in place]
        self.fine.keep_rows(kept)
        self.middle.keep_rows(kept)
        self.long.keep_rows(np.array(kept_long, dtype=np.int64))
        self._long_rows = [place[self._long_rows[i]] for i in kept_long]
        self._long_row_of = {row: index for index, row in enumerate(self._long_rows)}
        self._rows = {key: place[row] for key, row in self._rows.items() if row in place}
        self.labels = [self.labels[int(row)] for row in kept]
        names = {
            name: [place[row] for row in rows if row in place] for name, rows in self.names.items()
        }
        self.names = {name: rows for name, rows in names.items() if rows}
        self.generation += 1
        self.layout += 1


def _next_step(newest: float, at: float, step: float) -> bool:
    return newest == -math.inf or math.floor(at / step) > math.floor(newest / step)
