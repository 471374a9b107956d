"""Columns and rows written by hand, so that tests need no source and no fleet code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from console.domain.signals import BURN_WINDOWS, SIGNALS, ReadingState
from console.domain.snapshot import SignalColumn

TICK_WINDOW_SECONDS = 300.0


@dataclass(frozen=True)
class Mark:
    """One entry that is not a plain value: its state, and the value or samples if any."""

    state: ReadingState
    value: float | None = None
    n: float | None = None
    age_seconds: float = 0.0
    history_seconds: float | None = None


NO_TRAFFIC = Mark(ReadingState.NO_TRAFFIC)
ERROR = Mark(ReadingState.ERROR)

Entry = float | Mark | None
"""A number is OK with that value, None is no_data."""


def too_few(n: float) -> Mark:
    return Mark(ReadingState.TOO_FEW, n=n)


def stale(value: float, age_seconds: float = 90.0) -> Mark:
    return Mark(ReadingState.STALE, value=value, age_seconds=age_seconds)


def too_short(history_seconds: float) -> Mark:
    """No data, because the source's history is shorter than the window."""
    return Mark(ReadingState.NO_DATA, history_seconds=history_seconds)


def column(
    entries: Sequence[Entry],
    now: float,
    *,
    n: float | None = None,
    window_seconds: float | None = None,
    method: str = "",
) -> SignalColumn:
    """Build a column with one entry a row; ``n`` is what OK entries were made from."""
    marks = [_as_mark(entry, n) for entry in entries]
    missing = float("nan")

    def number(value: float | None) -> float:
        return missing if value is None else value

    known = [mark.state is not ReadingState.NO_DATA for mark in marks]
    return SignalColumn(
        values=np.array([number(mark.value) for mark in marks], dtype=np.float64),
        states=np.array([int(mark.state) for mark in marks], dtype=np.uint8),
        at=np.array(
            [
                now - mark.age_seconds if is_known else missing
                for mark, is_known in zip(marks, known, strict=True)
            ],
            dtype=np.float64,
        ),
        n=np.array([number(mark.n) for mark in marks], dtype=np.float64),
        window_seconds=np.full(len(marks), number(window_seconds), dtype=np.float64),
        method_index=np.zeros(len(marks), dtype=np.uint8),
        methods=(method,),
        history_seconds=np.array([number(mark.history_seconds) for mark in marks], dtype=np.float64)
        if any(mark.history_seconds is not None for mark in marks)
        else None,
    )


def columns_by_model(
    table: Mapping[str, Mapping[str, Entry]], models: Sequence[str], now: float
) -> dict[str, SignalColumn]:
    """Build every public signal's column from a table signal -> model -> entry."""
    return {
        signal: column(
            [table.get(signal, {}).get(model) for model in models],
            now,
            n=2070.0 if SIGNALS[signal].group in ("traffic", "latency", "confidence") else None,
            window_seconds=window_of(signal),
            method=method_of(signal),
        )
        for signal in SIGNALS
    }


def window_of(signal: str) -> float | None:
    """Return the usual window of a signal in seconds, None for a gauge."""
    if signal.startswith("burn_"):
        return BURN_WINDOWS[signal.removeprefix("burn_")]
    if SIGNALS[signal].group in ("traffic", "latency", "confidence"):
        return TICK_WINDOW_SECONDS
    return 3600.0 if SIGNALS[signal].group == "cost" else None


def method_of(signal: str) -> str:
    if signal.startswith("latency_p"):
        return f"histogram_quantile(0.{signal.removeprefix('latency_p')}) over 5m"
    return SIGNALS[signal].formula


def _as_mark(entry: Entry, n: float | None) -> Mark:
    if entry is None:
        return Mark(ReadingState.NO_DATA)
    if isinstance(entry, Mark):
        return entry
    return Mark(ReadingState.OK, value=float(entry), n=n)
