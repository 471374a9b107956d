"""Rings of samples: many series that share their times, kept for a bounded span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
