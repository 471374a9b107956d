"""The fleet's table: the widget without keys of its own, and with a chosen column."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from widgets.grid import Column, Grid

CHOSEN = Style(reverse=True)


class FleetGrid(Grid, inherit_bindings=False):
    """A grid whose keys come from the registry alone and whose header shows the chosen column."""

    chosen_column: str = ""

    def choose_column(self, key: str) -> None:
        """Mark a column in the header; an empty key marks none."""
        if key != self.chosen_column:
            self.chosen_column = key
            self.refresh_line(0)

    def render_line(self, y: int) -> Strip:
        """Draw a line; in the header the chosen column is reversed."""
        strip = super().render_line(y)
        span = self._chosen_span() if y == 0 else None
        if span is None:
            return strip
        start, end = span
        width = strip.cell_length
        return Strip.join(
            [
                strip.crop(0, start),
                strip.crop(start, min(end, width)).apply_style(CHOSEN),
                strip.crop(min(end, width), width),
            ]
        )

    def _chosen_span(self) -> tuple[int, int] | None:
        x = 0
        for column in self.columns:
            if column.key == self.chosen_column:
                return x, x + column.width
            x += column.width + 1
        return None


def with_sort_mark(columns: tuple[Column, ...], sort: str, mark: str) -> tuple[Column, ...]:
    """Return the columns with a mark beside the title of the one the rows are sorted by."""
    return tuple(_marked(column, mark) if column.key == sort else column for column in columns)


def _marked(column: Column, mark: str) -> Column:
    room = column.width - 1
    title = column.title[:room]
    text = f"{mark}{title}" if column.align == "right" else f"{title}{mark}"
    return Column(column.key, text, column.width, column.align)
