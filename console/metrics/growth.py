"""How much counters and gauges grew within a window, as Prometheus 2.42 works it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from console.metrics.histogram import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Grow = Callable[[Window, float, float], "Floats"]


def rate(window: Window, start: float, end: float) -> Floats:
    """Return each counter's growth a second (S entries); NaN with fewer than two samples."""
    return _extrapolated(window, start, end, counter=True, each_second=True)


def increase(window: Window, start: float, end: float) -> Floats:
    """Return each counter's growth over the window (S entries)."""
    return _extrapolated(window, start, end, counter=True, each_second=False)


def delta(window: Window, start: float, end: float) -> Floats:
    """Return each gauge's change over the window (S entries)."""
    return _extrapolated(window, start, end, counter=False, each_second=False)


def _extrapolated(
    window: Window, start: float, end: float, *, counter: bool, each_second: bool
) -> Floats:
    """Return growth between the first and last samples, stretched towards the window's ends.

    Source: ``extrapolatedRate`` of Prometheus 2.42. A counter's fall is a reset, and what stood
    before it counts. Growth is stretched to an end that is nearer than 1.1 mean sample distances,
    else by half a distance, and never to before the moment a counter was zero.
    """
    times, values, counts = window.times, window.values, window.counts
    series = np.arange(len(counts))
    if not times.size:
        return np.full(len(counts), np.nan)
    last_place = np.maximum(counts - 1, 0)
    first_value, last_value = values[:, 0], values[series, last_place]
    first_time, last_time = times[:, 0], times[series, last_place]
    result = last_value - first_value
    if counter:
        result = result + _before_resets(values, counts)
    to_start = _whole_milliseconds(first_time - start)
    to_end = _whole_milliseconds(end - last_time)
    sampled = _whole_milliseconds(last_time - first_time)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = sampled / (counts - 1)
        if counter:
            to_zero = sampled * (first_value / result)
            bounded = (result > 0) & (first_value >= 0) & (to_zero < to_start)
            to_start = np.where(bounded, to_zero, to_start)
        threshold = distance * 1.1
        stretched = (
            sampled
            + np.where(to_start < threshold, to_start, distance / 2)
            + np.where(to_end < threshold, to_end, distance / 2)
        )
        factor = stretched / sampled
        if each_second:
            factor = factor / _whole_milliseconds(end - start)
        result = result * factor
    result[counts < 2] = np.nan
    return result


def _whole_milliseconds(seconds: Floats | float) -> Floats:
    """Return time differences as a server has them, without the noise of large floats."""
    rounded: Floats = np.rint(np.asarray(seconds) * 1000.0) / 1000.0
    return rounded


def _before_resets(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return for each series the sum of the values that stood right before its resets."""
    before, after = values[:, :-1], values[:, 1:]
    fell = after < before
    if not fell.any():
        return np.zeros(len(counts))
    fell &= np.arange(1, values.shape[1]) < counts[:, None]
    lost: Floats = np.where(fell, before, 0.0).sum(axis=1)
    return lost


def over_time(function: str, window: Window) -> Floats:
    """Return one value a series (S entries) out of its samples within the window."""
    if not window.values.size:
        return np.full(len(window.counts), np.nan)
    inside = np.arange(window.values.shape[1]) < window.counts[:, None]
    if function == "count":
        return window.counts.astype(np.float64)
    if function == "resets":
        fell = (window.values[:, 1:] < window.values[:, :-1]) & inside[:, 1:]
        resets: Floats = fell.sum(axis=1).astype(np.float64)
        return resets
    if function == "last":
        last: Floats = window.values[
            np.arange(len(window.counts)), np.maximum(window.counts - 1, 0)
        ]
        return last
    if function in ("max", "min"):
        pick = np.fmax if function == "max" else np.fmin
        picked: Floats = pick.reduce(np.where(inside, window.values, np.nan), axis=1)
        return picked
    total: Floats = np.where(inside, window.values, 0.0).sum(axis=1)
    return total / window.counts if function == "avg" else total
