"""A small live app for the pty tests and the benchmark: each key is one step, each step ends with
a window title as its marker. Run as ``python -m tests.widgets.frugal_app [share] [columns]``."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Region
from textual.widget import Widget

from themes.palette import palette, textual_theme
from widgets.chart import Chart, ChartData, Series, Threshold
from widgets.diff_renderer import FrugalApp
from widgets.grid import Cell, Column, Grid
from widgets.lines import Lines
from widgets.prompt import Prompt
from widgets.textbox import Confirm, Textbox

ROLES = ("s1", "s2", "s3", "s4")
ODD = [
    "plain",
    "日本語モデル",
    "e\u0301a\u0300 marks",
    "👩\u200d🔬 lab",
    "שלום עולם",
    "\x1b[2J boom",
    "[/foo] x",
    "👍🏽 ok",
    "✈\ufe0f go",
]


class TickRows:
    """Rows whose cells change by a given share from tick to tick; a fifth of cells is coloured."""

    def __init__(self, count: int, columns: int, share: float) -> None:
        self.count = count
        self._columns = columns
        self._share = share
        self._random = random.Random(7)
        self._values = [[self._value() for _ in range(columns)] for _ in range(count)]
        self._roles = [
            [
                "" if self._random.random() > 0.2 else self._random.choice(ROLES)
                for _ in range(columns)
            ]
            for _ in range(count)
        ]
        self.odd = False
        self.tick = 0

    def _value(self) -> str:
        return f"{self._random.random() * 1000:.1f}"

    def step(self) -> TickRows:
        self.tick += 1
        for row in self._values:
            for place in range(self._columns):
                if self._random.random() < self._share:
                    row[place] = self._value()
        return self

    def __len__(self) -> int:
        return self.count

    def key(self, index: int) -> str:
        return f"model-{index}"

    def index(self, key: str) -> int | None:
        return int(key.removeprefix("model-"))

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        cells = [
            Cell(value, role)
            for value, role in zip(self._values[index], self._roles[index], strict=True)
        ]
        if self.odd:
            cells[1] = Cell(ODD[(index + self.tick) % len(ODD)], "s2")
        return [Cell(self.key(index)), *cells]


class StepApp(FrugalApp[None]):
    """Shows a grid, and with ``MIXED`` also charts and a header."""

    CSS = """
    Horizontal { height: 12; }
    #head { height: 1; }
    """
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, share: float, columns: int, mixed: bool) -> None:
        super().__init__()
        theme = textual_theme(os.environ.get("STEP_THEME", "dark"))
        self.register_theme(theme)
        self.theme = theme.name
        self._mixed = mixed
        self._rows = TickRows(200, columns, share)
        self._step = 0

    def compose(self) -> ComposeResult:
        if self._mixed:
            yield Lines(id="head")
        yield Grid()
        if self._mixed:
            with Horizontal():
                yield Chart()
                yield Chart()
            yield Prompt()

    def on_mount(self) -> None:
        colours = palette(os.environ.get("STEP_THEME", "dark"))
        for lines in self.query(Lines):
            lines.show_roles(colours.styles)
        grid = self.query_one(Grid)
        grid.show_roles(colours.styles)
        columns = range(len(self._rows.cells(0, ())) - 1)
        grid.show_columns(
            [Column("m", "MODEL", 12), *(Column(str(i), f"C{i}", 7, "right") for i in columns)]
        )
        grid.show_rows(self._rows)
        grid.focus()
        self._show_charts()
        self._mark()

    def _show_charts(self) -> None:
        for place, chart in enumerate(self.query(Chart)):
            values = [((i * 7 + self._rows.tick * 3 + place) % 50) / 10 for i in range(120)]
            chart.show(
                ChartData(
                    f"{place + 1} LATENCY",
                    (Series("p95", values, "latency"),),
                    (Threshold(4.0, "4.0s"),),
                    "02:17",
                    "02:47",
                    footer=((f"p95 {values[-1]}s", "text"),),
                )
            )
        if self._mixed:
            head = self.query_one("#head", Lines)
            head.show_lines(
                [[("MIDWATCH prod ", "header"), (ODD[self._rows.tick % len(ODD)], "s1")]]
            )

    def _mark(self) -> None:
        """Write the marker once everything pending was painted."""

        def later(rounds: int) -> None:
            if rounds:
                self.call_after_refresh(later, rounds - 1)
            elif self._driver is not None:
                self._step += 1
                self._driver.write(f"\x1b]2;step {self._step}\x07")

        later(3)

    def key_n(self) -> None:
        self.query_one(Grid).show_rows(self._rows.step())
        self._show_charts()
        self._mark()

    def key_i(self) -> None:
        """Show the same again: nothing changed."""
        self.query_one(Grid).show_rows(self._rows)
        self._mark()

    def key_f(self) -> None:
        """Repaint every widget fully, as Textual does it."""
        for widget in self.screen.walk_children(Widget):
            widget.refresh()
        self.screen.refresh(Region(0, 0, *self.size))
        self._mark()

    def key_o(self) -> None:
        self._rows.odd = not self._rows.odd
        self.query_one(Grid).show_rows(self._rows.step())
        self._mark()

    def key_d(self) -> None:
        self.query_one(Grid).action_page_down()
        self._mark()

    def key_t(self) -> None:
        self.push_screen(
            Textbox("日本 HELP [/foo]", [f"line {i} 日本語 {'x' * (i % 9)}" for i in range(40)])
        )
        self._mark()

    def key_c(self) -> None:
        self.push_screen(Confirm("Trip fraud-scorer?", "moves 414 req/min\n日本語"))
        self._mark()

    def key_u(self) -> None:
        """Change what lies under a modal."""
        self.screen_stack[0].query_one(Grid).show_rows(self._rows.step())
        self._mark()

    def key_p(self) -> None:
        self.query_one(Prompt).open("/", "fraud 日本", "3 of 200")
        self._mark()

    def key_z(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self._mark()


def break_painter() -> None:
    """Let the frugal painter fail, to see that the picture does not depend on it."""
    from unittest.mock import patch

    from widgets.frame import Frame

    patch.object(Frame, "paint", side_effect=RuntimeError("broken on purpose")).start()


if __name__ == "__main__":
    if os.environ.get("BREAK") == "1":
        break_painter()
    numbers = sys.argv[1:]
    StepApp(
        float(numbers[0]) if numbers else 0.1,
        int(numbers[1]) if len(numbers) > 1 else 18,
        os.environ.get("MIXED") == "1",
    ).run(mouse=False)
