"""A column under construction: arrays of one entry a row, honest about what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.facts.reading import ReadingState
from console.facts.snapshot import SignalColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

_MAX_METHODS = 255


class ColumnBuilder:
    """Collects answers into one column of ``size`` rows; untouched rows stay no_data."""

    def __init__(self, size: int) -> None:
        self.values: Floats = np.full(size, np.nan)
        self.states = np.zeros(size, dtype=np.uint8)
        self.at: Floats = np.full(size, np.nan)
        self.n: Floats = np.full(size, np.nan)
        self.window_seconds: Floats = np.full(size, np.nan)
        self._history_seconds: Floats | None = None
        self._method_index = np.zeros(size, dtype=np.uint8)
        self._methods: list[str] = [""]

    def put(
        self,
        rows: Indices,
        values: Floats,
        *,
        at: float,
        window_seconds: float | None,
        method: str,
        stale: bool,
    ) -> None:
        """Write measured values; a NaN among them is no_traffic."""
        measured = ~np.isnan(values)
        state = ReadingState.STALE if stale else ReadingState.OK
        self.values[rows] = values
        self.states[rows] = np.where(measured, state, ReadingState.NO_TRAFFIC)
        self.at[rows] = at
        self.window_seconds[rows] = np.nan if window_seconds is None else window_seconds
        self._method_index[rows] = self._method(method)

    def withhold(
        self,
        rows: Indices,
        history_seconds: Floats | float,
        *,
        at: float,
        window_seconds: float | None,
        method: str,
    ) -> None:
        """Mark rows whose history is shorter than the window: no data, and that is why."""
        self.clear(rows)
        if self._history_seconds is None:
            self._history_seconds = np.full(len(self.values), np.nan)
        self._history_seconds[rows] = history_seconds
        self.at[rows] = at
        self.window_seconds[rows] = np.nan if window_seconds is None else window_seconds
        self._method_index[rows] = self._method(method)

    def clear(self, rows: Indices) -> None:
        """Make rows no_data again, because a better question speaks for them."""
        self.values[rows] = np.nan
        self.states[rows] = ReadingState.NO_DATA
        self.at[rows] = np.nan
        self.window_seconds[rows] = np.nan
        self._method_index[rows] = 0
        if self._history_seconds is not None:
            self._history_seconds[rows] = np.nan

    def fail(self, rows: Indices, at: float) -> None:
        """Mark rows whose question failed."""
        self.values[rows] = np.nan
        self.states[rows] = ReadingState.ERROR
        self.at[rows] = at

    def count(self, n: Floats, least: Floats) -> None:
        """Set the samples behind each value and void values that have fewer than ``least``.

        A NaN in ``n`` is not known and voids nothing.
        """
        withheld = self._history_seconds
        self.n = n if withheld is None else np.where(np.isnan(withheld), n, np.nan)
        judged = (self.states == ReadingState.OK) | (self.states == ReadingState.STALE)
        # NaN compares false, so that an unknown n leaves its value standing.
        too_few = judged & (n < least)
        self.states[too_few] = ReadingState.TOO_FEW

    def build(self) -> SignalColumn:
        """Return the finished column."""
        shown = (self.states == ReadingState.OK) | (self.states == ReadingState.STALE)
        return SignalColumn(
            values=np.where(shown, self.values, np.nan),
            states=self.states,
            at=self.at,
            n=self.n,
            window_seconds=self.window_seconds,
            method_index=self._method_index,
            methods=tuple(self._methods),
            history_seconds=self._history_seconds,
        )

    def _method(self, method: str) -> int:
        if method in self._methods:
            return self._methods.index(method)
        if len(self._methods) >= _MAX_METHODS:
            return 0
        self._methods.append(method)
        return len(self._methods) - 1
