"""What painting costs: CPU of a tick, and bytes of a refresh, in a real pseudo-terminal."""

from __future__ import annotations

import json
import re
from statistics import median
from typing import NamedTuple

from tests.benchmarks.measure import Benchmark, Row
from tests.support.pty_session import PtySession, visible_bytes

Size = tuple[int, int]
"""Columns and lines of a terminal."""

_REPORT = re.compile(rb"\x1b\]2;(\[[^\x07]*\])\x07")


class PaintCost(NamedTuple):
    """Median CPU milliseconds of a tick in which every cell changed."""

    grid_ms: float
    """Our grid with the frugal painter."""
    grid_plain_ms: float
    """Our grid, painted by Textual."""
    table_ms: float
    """Textual's ``DataTable``, every cell updated."""


class RefreshBytes(NamedTuple):
    """Bytes written to the terminal."""

    frugal: int
    """Median refresh with the frugal painter."""
    plain: int
    """Median refresh as Textual sends it."""
    full: int
    """One full repaint as Textual sends it."""
    frugal_first: int
    """The first settled screen with the frugal painter."""
    frugal_idle: int
    """A refresh in which nothing changed, with the frugal painter."""


def paint_cost(models: int, size: Size = (160, 45), ticks: int = 15) -> PaintCost:
    """Return the CPU a tick costs with ``models`` rows, all cells changed, in one run.

    The table gets fewer ticks: at 5,000 rows one of them takes most of a second.
    """
    return PaintCost(
        _cpu_ms("grid", models, size, ticks, frugal=True),
        _cpu_ms("grid", models, size, ticks, frugal=False),
        _cpu_ms("table", models, size, max(3, ticks // 5), frugal=False),
    )


def _cpu_ms(kind: str, models: int, size: Size, ticks: int, *, frugal: bool) -> float:
    session = PtySession(
        ["-m", "tests.benchmarks.paint_app", kind, str(models), str(ticks)],
        *size,
        {"MIDWATCH_FRUGAL": "1" if frugal else "0"},
    )
    try:
        written = session.read_until(b"]\x07", 180.0)
    finally:
        session.close()
    report = _REPORT.search(written)
    if report is None:
        raise RuntimeError(f"the {kind} program ended without a report: {written[-500:]!r}")
    spent: list[float] = json.loads(report[1])
    return median(spent)


def bytes_a_refresh(changed_share: float, size: Size = (160, 45), ticks: int = 7) -> RefreshBytes:
    """Return the bytes of a refresh in which ``changed_share`` (0 to 1) of all cells changed.

    The table fills the screen; a fifth of its cells is coloured.
    """
    frugal = _bytes(changed_share, size, ticks, frugal=True)
    plain = _bytes(changed_share, size, ticks, frugal=False)
    return RefreshBytes(frugal.refresh, plain.refresh, plain.full, frugal.first, frugal.idle)


class _Bytes(NamedTuple):
    first: int
    refresh: int
    idle: int
    full: int


def _bytes(changed_share: float, size: Size, ticks: int, *, frugal: bool) -> _Bytes:
    columns = (size[0] - 13) // 8
    session = PtySession(
        ["-m", "tests.widgets.frugal_app", str(changed_share), str(columns)],
        *size,
        {"MIDWATCH_FRUGAL": "1" if frugal else "0"},
    )
    step = 0

    def wait() -> int:
        nonlocal step
        step += 1
        return visible_bytes(session.read_until(b"\x1b]2;step %d\x07" % step))

    def press(key: str) -> int:
        session.send(key)
        return wait()

    try:
        first = wait()
        refresh = int(median(press("n") for _ in range(ticks)))
        return _Bytes(first, refresh, press("i"), press("f"))
    finally:
        session.close()


def paint(slowed: bool) -> list[Row]:
    """Compare a tick's paint with ``DataTable`` and 5,000 rows with 1,000."""
    small, large = paint_cost(1_000), paint_cost(5_000)
    extra_ms = 100.0 if slowed else 0.0
    figure = large.grid_ms + extra_ms
    return [
        Row(
            "paint CPU a tick, 1,000 models, every cell changed, 160x45",
            f"{small.grid_ms:.1f} ms",
            "<=8 ms",
            small.grid_ms / small.table_ms,
            0.1,
            f"DataTable {small.table_ms:.0f} ms",
        ),
        Row(
            "paint CPU a tick, 5,000 models, every cell changed, 160x45",
            f"{figure:.1f} ms",
            "<=8 ms",
            figure / small.grid_ms,
            1.3,
            f"the same at 1,000 models; DataTable {large.table_ms:.0f} ms",
        ),
    ]


def refresh_bytes(slowed: bool) -> list[Row]:
    """Compare a refresh's bytes with the same app painted by Textual itself."""
    del slowed  # Bytes do not depend on speed.
    rows = []
    for size, budget in (((160, 45), "<=1.5 KB"), ((80, 24), "<=0.5 KB")):
        spent = bytes_a_refresh(0.1, size)
        rows.append(
            Row(
                f"bytes a refresh, {size[0]}x{size[1]}, 10% of cells changed",
                f"{spent.frugal} B",
                budget,
                spent.frugal / spent.plain,
                0.2,
                f"plain refresh {spent.plain} B; idle {spent.frugal_idle} B",
            )
        )
    every = bytes_a_refresh(1.0)
    rows.append(
        Row(
            "bytes a refresh, 160x45, every cell changed",
            f"{every.frugal} B",
            "<= one full repaint",
            every.frugal / every.full,
            1.0,
            f"full repaint {every.full} B",
        )
    )
    return rows


BENCHMARKS = (
    Benchmark("paint", paint),
    Benchmark("refresh_bytes", refresh_bytes, timed=False),
)
