"""Keeps the last hour of ticks, one float32 ring a signal, within a fixed number of bytes."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Series
from console.domain.signals import ReadingState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.snapshot import SignalColumn

KEPT_SECONDS = 3600.0
STEP_SECONDS = 30.0
BUDGET_BYTES = 24 * 1024 * 1024

KEPT_SIGNALS = (
    "requests_rate",
    "bad_rate",
    "error_ratio",
    "attempts_per_request",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "latency_mean",
    "ttft_p95",
    "saturation",
    "kv_cache",
    "queue_depth",
    "confidence_mean",
    "low_confidence_ratio",
    "review_depth",
    "drift_psi",
    "cost_per_hour",
    "cost_pace",
    "burn_5m",
    "burn_1h",
)
"""Signals with a strip or a pane of their own."""


class History:
    """A ring of ticks per kept signal, indexed by time slot and row.

    The step is 30 s where the rows fit the budget of bytes, else the next multiple that does.
    A slot without a tick is NaN. Rings of signals that nobody measures are never allocated.
    Written by the engine's thread and read by the screens': a lock keeps rows and rings together.
    """

    def __init__(self, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._models: tuple[str, ...] = ()
        self._row_of: dict[str, int] = {}
        self._rings: dict[str, NDArray[np.float32]] = {}
        self._slot: int | None = None
        self._first_slot = 0
        self.step_seconds = STEP_SECONDS

    @property
    def used_bytes(self) -> int:
        """Return the bytes the rings hold now."""
        return sum(ring.nbytes for ring in self._rings.values())

    def seat(self, models: Sequence[str]) -> None:
        """Take the rows' names; rings follow the rows that stay, a coarser step starts anew."""
        names = tuple(models)
        if names == self._models:
            return
        with self._lock:
            self._move(names)

    def _move(self, names: tuple[str, ...]) -> None:
        step_seconds = _step(len(names), self._budget_bytes)
        if step_seconds != self.step_seconds:
            self._rings.clear()
            self._slot = None
            self.step_seconds = step_seconds
        kept = [(row, self._row_of[name]) for row, name in enumerate(names) if name in self._row_of]
        here = np.array([pair[0] for pair in kept], dtype=np.intp)
        before = np.array([pair[1] for pair in kept], dtype=np.intp)
        for signal, ring in self._rings.items():
            moved = np.full((self._slots, len(names)), np.nan, dtype=np.float32)
            moved[:, here] = ring[:, before]
            self._rings[signal] = moved
        self._models = names
        self._row_of = {name: row for row, name in enumerate(names)}

    def add(self, columns: Mapping[str, SignalColumn], at: float) -> None:
        """Write one tick of columns taken ``at`` (Unix seconds); only current values count."""
        slot = math.floor(at / self.step_seconds)
        with self._lock:
            self._advance(slot)
            self._write(columns, slot)

    def _write(self, columns: Mapping[str, SignalColumn], slot: int) -> None:
        for signal in KEPT_SIGNALS:
            column = columns.get(signal)
            if column is None or len(column.values) != len(self._models):
                continue
            current = column.states == ReadingState.OK
            ring = self._rings.get(signal)
            if ring is None:
                if not current.any():
                    continue
                ring = np.full((self._slots, len(self._models)), np.nan, dtype=np.float32)
                self._rings[signal] = ring
            ring[slot % self._slots] = np.where(current, column.values, np.nan)

    def series(self, model: str, signal: str, seconds: float) -> Series:
        """Return the slots of the last ``seconds``, oldest first; empty before the first tick."""
        with self._lock:
            return self._read(model, signal, seconds)

    def _read(self, model: str, signal: str, seconds: float) -> Series:
        row = self._row_of.get(model)
        if row is None or self._slot is None:
            return Series(signal, np.empty(0), np.empty(0))
        length = min(self._slots, max(1, math.ceil(seconds / self.step_seconds)))
        first = max(self._first_slot, self._slot - length + 1)
        slots = np.arange(first, self._slot + 1)
        ring = self._rings.get(signal)
        values = (
            np.full(len(slots), np.nan)
            if ring is None
            else ring[slots % self._slots, row].astype(np.float64)
        )
        return Series(signal, slots.astype(np.float64) * self.step_seconds, values)

    @property
    def _slots(self) -> int:
        return round(KEPT_SECONDS / self.step_seconds)

    def _advance(self, slot: int) -> None:
        last = self._slot
        if last is None or slot < last or slot - last >= self._slots:
            # Also a clock that was set back: old slots would lie about their time.
            for ring in self._rings.values():
                ring.fill(np.nan)
            self._first_slot = slot
        else:
            skipped = np.arange(last + 1, slot + 1) % self._slots
            for ring in self._rings.values():
                ring[skipped] = np.nan
        self._slot = slot


def _step(rows: int, budget_bytes: int) -> float:
    """Return the finest step (seconds) at which all kept signals of ``rows`` rows fit."""
    step_seconds = STEP_SECONDS
    item_bytes = np.dtype(np.float32).itemsize
    while (
        rows * len(KEPT_SIGNALS) * item_bytes * KEPT_SECONDS / step_seconds > budget_bytes
        and step_seconds < KEPT_SECONDS / 4
    ):
        step_seconds *= 2
    return step_seconds
