"""Draws series and distributions as plain text charts.

plotext draws on one global figure and takes seconds for thousands of points: everything here is
resampled first and drawn under a lock. A NaN or an infinity would end the process inside
plotext, so none ever reaches it.
"""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.metrics.units import format_signal, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.domain.distribution import Distribution
    from console.domain.samples import Series

    Floats = NDArray[np.float64]

_LOCK = threading.Lock()
_TICKS = 5
_DAY_SECONDS = 86400.0
_LONGEST_TITLE = 60
_LARGEST = 1e15
_IN_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│•█░", "+++++++++-|*#.")


def chart(
    series: Series, *, model: str = "", width: int = 100, height: int = 18, ascii_only: bool = False
) -> str:
    """Return a signal over time as ``height`` lines of ``width`` columns, gaps left as gaps.

    Times are shown in UTC. Returns an empty text where no finite value is known.
    """
    times, values = resample(series.times, series.values, max(8, width))
    pieces = _pieces(times, values)
    if not pieces:
        return ""
    fact = SIGNALS.get(series.signal)
    known = values[np.isfinite(values)]
    title = f"{model} {fact.title if fact else series.signal}".strip()
    last = format_signal(series.signal, float(known[-1]))
    title = f"{visible(title, _LONGEST_TITLE)}, latest {last}"
    positions, labels = _clock_ticks(times)
    # A signal's zero belongs on its axis: a wiggle must not look like a cliff.
    lowest, highest = min(0.0, float(known.min())), float(known.max())
    if highest <= lowest:
        highest = lowest + 1.0
    marker = "dot" if ascii_only else "braille"
    with _LOCK:
        from plotext import figure

        figure.clear.all()
        figure.plot_size(width, height)
        figure.title(title)
        for piece_times, piece_values in pieces:
            line = figure.signal(piece_times.tolist(), piece_values.tolist(), marker=marker)
            if len(piece_times) > 1:
                line.lines()
            figure.draw(line)
        figure.ruler(0).ticks(positions, labels)
        figure.ruler(1).lim(lowest, highest)
        figure.ruler(1).ticks(*_value_ticks(series.signal, lowest, highest))
        return _text().translate(_IN_ASCII) if ascii_only else _text()


def with_marks(drawn: str, start: float, end: float, marks: Sequence[tuple[float, str]]) -> str:
    """Return a chart of ``start`` to ``end`` (Unix seconds) with letters under their moments.

    Each mark is one character; of several in one column the last is shown. What lies outside the
    span, and a chart that is empty, get none.
    """
    lines = drawn.splitlines()
    frame = next((line for line in reversed(lines) if line.strip()[:1] in ("└", "+")), "")
    inside = [(at, mark) for at, mark in marks if start <= at <= end]
    if not frame or not inside or end <= start:
        return drawn
    left = len(frame) - len(frame.lstrip()) + 1
    room = len(frame.rstrip()) - 1 - left
    cells = [" "] * room
    for at, mark in inside:
        cells[min(room - 1, int(room * (at - start) / (end - start)))] = mark[:1]
    return "\n".join([*lines, f"{' ' * left}{''.join(cells)}".rstrip()]) + "\n"


def distribution(
    title: str,
    labels: Sequence[str],
    now: Sequence[float],
    reference: Sequence[float] | None = None,
    *,
    width: int = 60,
    height: int = 12,
) -> str:
    """Return shares per bin as bars, the reference's beside today's where it is known.

    ``now`` and ``reference`` are shares 0-1, one a label. Returns an empty text without bins.
    """
    shares = [np.nan_to_num(np.asarray(now, dtype=np.float64), posinf=0.0, neginf=0.0)]
    if reference is not None and len(reference) == len(now):
        shares.append(
            np.nan_to_num(np.asarray(reference, dtype=np.float64), posinf=0.0, neginf=0.0)
        )
    if not labels or len(labels) != len(now) or not shares[0].any():
        return ""
    shown = [visible(label, 12) for label in labels]
    suffix = "   █ now  ░ reference" if len(shares) == 2 else ""
    with _LOCK:
        from plotext import figure

        figure.clear.all()
        figure.plot_size(width, height)
        figure.title(f"{visible(title, _LONGEST_TITLE)}{suffix}")
        bars = figure.bar(
            shown,
            [list(map(float, share * 100)) for share in shares]
            if len(shares) == 2
            else list(map(float, shares[0] * 100)),
            marker=["█", "░"][: len(shares)] if len(shares) == 2 else "█",
        )
        figure.draw(bars)
        return _text()


def distribution_of(series: Series, *, bins: int = 10, width: int = 60, height: int = 12) -> str:
    """Return how often a signal had which value over the series' span; empty without values."""
    values = series.values[np.isfinite(series.values) & (np.abs(series.values) < _LARGEST)]
    if not len(values):
        return ""
    counts, edges = np.histogram(values, bins=bins)
    labels = [format_signal(series.signal, float(edge)) for edge in edges[:-1]]
    fact = SIGNALS.get(series.signal)
    title = f"{fact.title if fact else series.signal}, % of the time"
    return distribution(title, labels, (counts / counts.sum()).tolist(), width=width, height=height)


def resample(times: Floats, values: Floats, cells: int) -> tuple[Floats, Floats]:
    """Return at most ``cells`` points: the mean of each cell's finite values, NaN without any."""
    if len(times) <= cells:
        return times, np.where(np.isfinite(values) & (np.abs(values) < _LARGEST), values, np.nan)
    span = float(times[-1] - times[0]) or 1.0
    cell = np.minimum((cells * (times - times[0]) / span).astype(np.intp), cells - 1)
    good = np.isfinite(values) & (np.abs(values) < _LARGEST)
    sums = np.bincount(cell[good], weights=values[good], minlength=cells)
    counts = np.bincount(cell[good], minlength=cells)
    means = np.full(cells, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return times[0] + (np.arange(cells) + 0.5) * span / cells, means


def _pieces(times: Floats, values: Floats) -> list[tuple[Floats, Floats]]:
    """Return the unbroken stretches of finite values."""
    good = np.flatnonzero(np.isfinite(values))
    if not len(good):
        return []
    cuts = np.flatnonzero(np.diff(good) > 1) + 1
    return [(times[run], values[run]) for run in np.split(good, cuts)]


def _clock_ticks(times: Floats) -> tuple[list[float], list[str]]:
    positions = np.linspace(float(times[0]), float(times[-1]), _TICKS).tolist()
    form = "%d %H:%M" if times[-1] - times[0] > _DAY_SECONDS else "%H:%MZ"
    return positions, [datetime.fromtimestamp(at, UTC).strftime(form) for at in positions]


def _value_ticks(signal: str, lowest: float, highest: float) -> tuple[list[float], list[str]]:
    positions = np.linspace(lowest, highest, _TICKS).tolist()
    return positions, [format_signal(signal, at) for at in positions]


def _text() -> str:
    from plotext import figure

    drawn = str(figure.build().string(True))
    figure.clear.all()
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


_LEAST_LINES = 8


def score_plot(found: Distribution, *, width: int = 80, height: int = 14) -> str:
    """Return bars a bin and the sentences under them, ``height`` lines of ``width`` columns.

    Without any prediction only the sentences are returned. Reference bars are ``░``, today's ``█``.
    """
    said = [line[:width] for line in _sentences(found)]
    drawn = distribution(
        f"{visible(found.model, 30)} scores, % of predictions",
        bin_labels(found.edges),
        found.now_shares,
        found.reference_shares,
        width=width,
        height=max(_LEAST_LINES, height - len(said)),
    )
    return drawn + "\n".join(said) + "\n"


def bin_labels(edges: Sequence[float]) -> list[str]:
    """Return ``≤.1``, ``.1-.2`` … ``>.9``-like names of bins with these upper edges."""
    labels: list[str] = []
    for place, edge in enumerate(edges):
        if place == 0:
            labels.append(f"≤{_edge(edge)}")
        elif math.isinf(edge):
            labels.append(f">{_edge(edges[place - 1])}")
        else:
            labels.append(f"{_edge(edges[place - 1])}-{_edge(edge)}")
    return labels


def _edge(value: float) -> str:
    shown = f"{value:.4g}"
    return shown.removeprefix("0") if 0 < value < 1 else shown


def _sentences(found: Distribution) -> list[str]:
    minutes = found.window_seconds / 60.0
    lines = [f"now: n={found.now_n:.0f} in {minutes:.0f}m"]
    if found.reference_shares is not None and found.taken_at is not None:
        day = datetime.fromtimestamp(found.taken_at, UTC).strftime("%Y-%m-%d")
        lines.append(f"reference: {found.reference_name}, n={found.reference_n:.0f}, {day}")
    elif not found.note:
        lines.append("no reference: midwatch reference MODEL -o FILE takes one")
    measured = found.measures
    if measured is not None:
        bound = "≥" if measured.sigma_is_bound else "≈"
        moved = measured.wasserstein_sigma
        lines.append(
            f"PSI {format_value(measured.psi, '1')} {bound}{measured.equivalent_sigma:.1f}σ, "
            f"noise up to {format_value(measured.floor, '1')}; "
            f"JS {format_value(measured.jensen_shannon, '1')} (base e), "
            f"KS {format_value(measured.kolmogorov_smirnov, '1')}, "
            f"Wasserstein {'?' if moved is None else format(moved, '.1f')}σ, "
            f"Hellinger {format_value(measured.hellinger, '1')}"
        )
    if found.note:
        lines.append(visible(found.note, 300))
    return lines
