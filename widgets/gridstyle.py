"""Turn a grid's cells into strips, with the styles of their roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.cutting import fit
from widgets.gridrows import Cell, Column

DEFAULT_ROLES: Mapping[str, str] = {
    "grid.header": "bold",
    "cursor": "reverse",
    "selected": "underline",
}
"""Styles that need no colour, so a grid without a palette still shows its cursor."""


@lru_cache(maxsize=512)
def read_style(text: str) -> Style:
    """Return the Rich style that ``text`` describes; raises ``StyleSyntaxError``."""
    return Style.parse(text)


class Painter:
    """Builds the strips of one grid and remembers the styles it mixed for them."""

    def __init__(self) -> None:
        self._roles: dict[str, Style] = {}
        self._mixed: dict[tuple[Style, str, bool, bool], Style] = {}
        self.show_roles({})

    def show_roles(self, roles: Mapping[str, str]) -> None:
        """Use these style texts from now on."""
        self._roles = {role: read_style(text) for role, text in {**DEFAULT_ROLES, **roles}.items()}
        self._mixed.clear()

    def forget(self) -> None:
        """Drop mixed styles, because the colours under them changed."""
        self._mixed.clear()

    def header(self, columns: Sequence[Column], width: int, base: Style) -> Strip:
        """Draw the line of column titles."""
        style = base + self._roles["grid.header"]
        text = " ".join(fit(column.title, column.width, column.align) for column in columns)
        return Strip([Segment(fit(text, width), style)], width)

    def row(
        self,
        columns: Sequence[Column],
        cells: Sequence[Cell],
        width: int,
        base: Style,
        *,
        is_cursor: bool,
        is_marked: bool,
    ) -> Strip:
        """Draw one row ``width`` terminal cells wide; neighbours of one style share a segment."""
        segments: list[Segment] = []
        plain = self._style(base, "", is_cursor, is_marked)
        style = plain
        texts: list[str] = []
        used = 0
        for column, cell in zip(columns, cells, strict=False):
            room = width - used
            if room <= 0:
                break
            cell_width = min(column.width, room)
            wanted = self._style(base, cell.role, is_cursor, is_marked) if cell.role else plain
            if wanted is not style:
                if texts:
                    segments.append(Segment("".join(texts), style))
                    texts = []
                style = wanted
            texts.append(fit(cell.text, cell_width, column.align))
            used += cell_width
            if used < width:
                if style is not plain:
                    segments.append(Segment("".join(texts), style))
                    texts = []
                    style = plain
                texts.append(" ")
                used += 1
        if used < width:
            if style is not plain:
                segments.append(Segment("".join(texts), style))
                texts = []
            texts.append(" " * (width - used))
            style = plain
        if texts:
            segments.append(Segment("".join(texts), style))
        return Strip(segments, width)

    def _style(self, base: Style, role: str, is_cursor: bool, is_marked: bool) -> Style:
        key = (base, role, is_cursor, is_marked)
        style = self._mixed.get(key)
        if style is None:
            style = base
            if role and role in self._roles:
                style += self._roles[role]
            if is_marked:
                style += self._roles["selected"]
            if is_cursor:
                style += self._roles["cursor"]
            self._mixed[key] = style
        return style
