"""What a grid is told: its columns, its rows and their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from widgets.text_width import Align, fit


class Cell(NamedTuple):
    """One cell: plain text, and the role whose style draws it (empty: the row's own)."""

    text: str
    role: str = ""


class Column(Struct, frozen=True):
    """One column, ``width`` terminal cells wide; one blank cell separates it from the next."""

    key: str
    title: str
    width: int
    align: Align = "left"


class Rows(Protocol):
    """Rows in the order they are to be shown, identified by keys that outlive a reordering."""

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def key(self, index: int) -> str:
        """The identity of the row at ``index``."""
        ...

    def index(self, key: str) -> int | None:
        """Where the row with ``key`` stands now, or ``None``."""
        ...

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """The cells of the row at ``index``, one for each column key; visible rows only."""
        ...


class NoRows:
    """An empty table."""

    def __len__(self) -> int:
        return 0

    def key(self, index: int) -> str:
        """Raise ``IndexError``: there is no row."""
        raise IndexError(f"there is no row {index}: the table is empty")

    def index(self, key: str) -> int | None:
        """Return ``None`` for every key."""
        return None

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Raise ``IndexError``: there is no row."""
        raise IndexError(f"there is no row {index}: the table is empty")


def changed_span(
    columns: Sequence[Column], before: Sequence[Cell], after: Sequence[Cell]
) -> tuple[int, int]:
    """Return the half-open range of terminal cells from the first to the last cell that differs.

    Rows of different lengths differ as a whole.
    """
    total = sum(column.width + 1 for column in columns)
    if len(before) != len(after):
        return 0, total
    start, end, x = total, 0, 0
    for column, old, new in zip(columns, before, after, strict=False):
        stop = x + column.width + 1
        if old != new:
            start = min(start, x)
            end = stop
        x = stop
    return (start, end) if end else (0, total)


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
            # One background under the whole row: where the palette has one, each text keeps its
            # colour on it; inverted instead, all cells look alike.
            row_style = self._roles.get("cursor.row") if is_cursor else None
            if role and role in self._roles and (row_style is not None or not is_cursor):
                style += self._roles[role]
            if is_marked:
                style += self._roles["selected"]
            if is_cursor:
                style += self._roles["cursor"] if row_style is None else row_style
            self._mixed[key] = style
        return style
