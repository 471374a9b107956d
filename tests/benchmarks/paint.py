"""What painting costs: CPU of a tick, and bytes of a refresh, in a real pseudo-terminal.

``python -m tests.benchmarks.paint`` prints both. The budgets stand in the performance table.
"""

from __future__ import annotations

import json
import re
from statistics import median
from typing import NamedTuple

from tests.widgets.pty_session import PtySession, visible_bytes

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
        written = session.read_until(b"]\x07", timeout_seconds=180)
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


def main() -> None:
    """Print both tables."""
    print("CPU ms a tick, every cell changed     grid frugal   grid plain    DataTable")
    for models in (1_000, 5_000):
        cost = paint_cost(models)
        print(
            f"  {models:5} models at 160x45             "
            f"{cost.grid_ms:8.1f}     {cost.grid_plain_ms:8.1f}     {cost.table_ms:8.1f}"
        )
    print("bytes a refresh                       frugal     plain      full     first      idle")
    for size in ((160, 45), (80, 24)):
        for share in (0.1, 1.0):
            spent = bytes_a_refresh(share, size)
            print(
                f"  {size[0]:3}x{size[1]} {share:4.0%} of the cells          "
                + " ".join(f"{number:9}" for number in spent)
            )


if __name__ == "__main__":
    main()
