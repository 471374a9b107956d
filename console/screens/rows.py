"""The fleet's rows as the table asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.screens.columns import BY_KEY
from console.screens.rowview import RowView
from themes.glyphs import to_ascii
from widgets.grid import Cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.snapshot import Snapshot
    from themes.glyphs import Glyphs


class FleetRows:
    """A Snapshot's rows in a given order; cells are made only for rows that are on screen."""

    __slots__ = ("_ascii", "_glyphs", "_marked", "_order", "snapshot")

    def __init__(
        self,
        snapshot: Snapshot,
        order: Sequence[int],
        glyphs: Glyphs,
        marked: frozenset[str] = frozenset(),
    ) -> None:
        self._marked = marked
        self.snapshot = snapshot
        self._order = order
        self._glyphs = glyphs
        self._ascii = glyphs.name == "ascii"

    def with_marks(self, marked: frozenset[str]) -> FleetRows:
        """Return the same rows with other ones marked to be acted on together."""
        return FleetRows(self.snapshot, self._order, self._glyphs, marked)

    def __len__(self) -> int:
        return len(self._order)

    def row(self, index: int) -> int:
        """Return the Snapshot's row that stands at this place."""
        return self._order[index]

    def key(self, index: int) -> str:
        """Return the model's name."""
        return self.snapshot.rows[self._order[index]].model

    def index(self, key: str) -> int | None:
        """Return where a model stands, None when it is not shown."""
        row = self.snapshot.index.get(key)
        if row is None:
            return None
        try:
            return self._order.index(row)
        except ValueError:
            return None

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one row."""
        view = RowView(self.snapshot, self._order[index])
        drawn = tuple(BY_KEY[key].draw(view, self._glyphs) for key in columns)
        if self._marked and view.model.model in self._marked and len(drawn) > 1:
            # A word in the name's own cell: a mark must not be a colour alone.
            name = drawn[1]
            drawn = (drawn[0], Cell(f"{self._glyphs.pointer}{name.text}", "mark"), *drawn[2:])
        if self._ascii:
            return tuple(
                cell if cell.text.isascii() else Cell(to_ascii(cell.text), cell.role)
                for cell in drawn
            )
        return drawn
