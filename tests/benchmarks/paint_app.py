"""The program ``paint`` measures: a table of models, every cell changed at each tick.

``python -m tests.benchmarks.paint_app grid|table MODELS TICKS`` paints in its terminal and puts the
CPU milliseconds of each tick into the window title as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import DataTable

from themes.palette import palette, textual_theme
from widgets.diff_renderer import FrugalApp
from widgets.grid import Cell, Column, Grid

COLUMNS = 18
CELL_WIDTH = 7
WARM_UP_TICKS = 3


class Snapshot:
    """One tick's cells, ready made: what is measured is painting, not formatting."""

    def __init__(self, models: int, tick: int) -> None:
        self._rows = [
            [
                Cell(f"{(row * 31 + column * 17 + tick * 7) % 9973 / 10:.1f}", _role(row, column))
                for column in range(COLUMNS)
            ]
            for row in range(models)
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, index: int) -> str:
        """The row's identity."""
        return str(index)

    def index(self, key: str) -> int | None:
        """The row's place."""
        return int(key)

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """The row's cells."""
        return self._rows[index]


def _role(row: int, column: int) -> str:
    return f"s{row % 3 + 1}" if (row * 7 + column) % 5 == 0 else ""


class PaintApp(FrugalApp[None]):
    """Paints ``ticks`` ticks in a grid or in Textual's table, then reports."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, kind: str, models: int, ticks: int) -> None:
        super().__init__()
        theme = textual_theme("dark")
        self.register_theme(theme)
        self.theme = theme.name
        self._kind = kind
        self._ticks = ticks
        self._snapshots = [Snapshot(models, tick) for tick in range(2)]

    def compose(self) -> ComposeResult:
        """The one table."""
        if self._kind == "grid":
            yield Grid()
        else:
            yield DataTable[str](cursor_type="row")

    def on_mount(self) -> None:
        """Fill the table and begin."""
        keys = [str(column) for column in range(COLUMNS)]
        if self._kind == "grid":
            grid = self.query_one(Grid)
            grid.show_roles(palette("dark").styles)
            grid.show_columns([Column(key, f"C{key}", CELL_WIDTH, "right") for key in keys])
            grid.show_rows(self._snapshots[0])
        else:
            table = self.query_one(DataTable)
            for key in keys:
                table.add_column(f"C{key}", key=key, width=CELL_WIDTH)
            for index in range(len(self._snapshots[0])):
                cells = self._snapshots[0].cells(index, keys)
                table.add_row(*(cell.text for cell in cells), key=str(index))
        self.run_worker(self._measure())

    async def _measure(self) -> None:
        await self._painted()
        spent: list[float] = []
        for tick in range(1, self._ticks + WARM_UP_TICKS + 1):
            started = time.process_time()
            self._show(self._snapshots[tick % 2])
            await self._painted()
            spent.append((time.process_time() - started) * 1000)
        if self._driver is not None:
            self._driver.write(f"\x1b]2;{json.dumps(spent[WARM_UP_TICKS:])}\x07")

    def _show(self, snapshot: Snapshot) -> None:
        if self._kind == "grid":
            self.query_one(Grid).show_rows(snapshot)
            return
        table = self.query_one(DataTable)
        for index in range(len(snapshot)):
            for column, cell in enumerate(snapshot.cells(index, ())):
                table.update_cell(str(index), str(column), cell.text)

    async def _painted(self) -> None:
        done = asyncio.Event()
        self.call_after_refresh(done.set)
        await done.wait()


if __name__ == "__main__":
    PaintApp(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])).run(mouse=False)
