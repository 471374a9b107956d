"""What a grid is told: its columns, its rows and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from widgets.cutting import Align


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
