"""A live table whose cost follows what is on screen, never how many rows there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.grid_rows import Cell, Column, NoRows, Painter, Rows, changed_span

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events

__all__ = ["Cell", "Column", "Grid", "Rows"]

HEADER_LINES = 1

Look = tuple[Sequence[Cell], bool, bool]
"""What a line shows: its cells, whether the cursor is on it, whether it is marked."""


class Grid(ScrollView, can_focus=True):
    """A table drawn line by line, with a fixed header and a cursor that follows a row's key.

    Rows are asked for their cells only while they are visible. Cell text is data: it is cut to
    its column's width and never read as markup.
    """

    DEFAULT_CSS = """
    Grid {
        overflow-x: hidden;
        overflow-y: hidden;
        scrollbar-size: 0 0;
        height: 1fr;
        background: transparent;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", "Up", show=False),
        Binding("down", "cursor_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("home", "cursor_first", "First", show=False),
        Binding("end", "cursor_last", "Last", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]

    class CursorMoved(Message):
        """The cursor stands on another key, or on none (``None``) when the table is empty."""

        def __init__(self, grid: Grid, key: str | None) -> None:
            self.grid = grid
            self.key = key
            super().__init__()

        @property
        def control(self) -> Grid:
            """The grid that sent this."""
            return self.grid

    class Chosen(Message):
        """Enter was pressed on the row with ``key``."""

        def __init__(self, grid: Grid, key: str) -> None:
            self.grid = grid
            self.key = key
            super().__init__()

        @property
        def control(self) -> Grid:
            """The grid that sent this."""
            return self.grid

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._columns: tuple[Column, ...] = ()
        self._keys: tuple[str, ...] = ()
        self._rows: Rows = NoRows()
        self._painter = Painter()
        self._cursor_key: str | None = None
        self._cursor_index = 0
        self._marked: frozenset[str] = frozenset()
        self._drawn: dict[int, Look] = {}
        self._next: dict[int, Look] = {}
        self._base: Style | None = None

    # What is shown

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Show these columns from now on; what does not fit is cut at the right edge."""
        columns = tuple(columns)
        if columns == self._columns:
            return
        self._columns = columns
        self._keys = tuple(column.key for column in columns)
        self._repaint_all()

    def show_roles(self, roles: Mapping[str, str]) -> None:
        """Draw each role in its Rich style text, for example ``bold #ff5555`` or ``reverse``.

        The roles ``grid.header``, ``cursor`` and ``selected`` draw the titles, the cursor's row
        and marked rows. Raises ``rich.errors.StyleSyntaxError`` for a style that cannot be read.
        """
        self._painter.show_roles(roles)
        self._repaint_all()

    def show_rows(self, rows: Rows) -> None:
        """Show ``rows``; repaint only what differs and keep the cursor on its key.

        When the key has left, the cursor takes the row now standing at its place.
        """
        previous_key = self._cursor_key
        self._rows = rows
        self._base = None
        count = len(rows)
        size = Size(self.virtual_size.width, count + HEADER_LINES)
        if size != self.virtual_size:
            self.virtual_size = size
        index = None if previous_key is None else rows.index(previous_key)
        if index is None:
            index = min(self._cursor_index, count - 1)
        self._cursor_index = max(0, index)
        self._cursor_key = rows.key(index) if count else None
        self._keep_cursor_visible()
        self._repaint_changed()
        if self._cursor_key != previous_key:
            self.post_message(self.CursorMoved(self, self._cursor_key))

    @property
    def rows(self) -> Rows:
        """The rows shown now."""
        return self._rows

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns shown now."""
        return self._columns

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor, or ``None`` when there is no row."""
        return self._cursor_key

    @property
    def cursor_index(self) -> int:
        """The place of the cursor's row, counted from 0."""
        return self._cursor_index

    @property
    def first_visible_index(self) -> int:
        """The place of the uppermost row on screen, counted from 0."""
        return self.scroll_offset.y

    @property
    def visible_rows(self) -> int:
        """How many rows the widget has room for under its header."""
        return max(0, self.content_size.height - HEADER_LINES)

    @property
    def marked(self) -> frozenset[str]:
        """The keys of rows drawn as marked."""
        return self._marked

    @marked.setter
    def marked(self, keys: frozenset[str]) -> None:
        self._marked = frozenset(keys)
        self._repaint_changed()

    def move_cursor_to(self, key: str) -> bool:
        """Put the cursor on the row with ``key``; ``False`` when no row has it."""
        index = self._rows.index(key)
        if index is None:
            return False
        self._move_cursor(index)
        return True

    # Actions; an app binds its own keys to them

    def action_cursor_up(self) -> None:
        """Move the cursor one row up."""
        self._move_cursor(self._cursor_index - 1)

    def action_cursor_down(self) -> None:
        """Move the cursor one row down."""
        self._move_cursor(self._cursor_index + 1)

    def action_page_up(self) -> None:
        """Move the cursor one screen of rows up."""
        self._move_cursor(self._cursor_index - max(1, self.visible_rows - 1))

    def action_page_down(self) -> None:
        """Move the cursor one screen of rows down."""
        self._move_cursor(self._cursor_index + max(1, self.visible_rows - 1))

    def action_cursor_first(self) -> None:
        """Move the cursor to the first row."""
        self._move_cursor(0)

    def action_cursor_last(self) -> None:
        """Move the cursor to the last row."""
        self._move_cursor(len(self._rows) - 1)

    def action_choose(self) -> None:
        """Say that the row under the cursor was chosen."""
        if self._cursor_key is not None:
            self.post_message(self.Chosen(self, self._cursor_key))

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw line ``y`` of the widget; line 0 is the header."""
        width = self.content_size.width
        base = self._base
        if base is None:
            # Mixing it anew for each line costs a sixth of a tick.
            base = self._base = self.rich_style
        if y < HEADER_LINES:
            return self._painter.header(self._columns, width, base)
        index = self.scroll_offset.y + y - HEADER_LINES
        if index >= len(self._rows):
            self._drawn.pop(y, None)
            return Strip.blank(width, base)
        look = self._next.pop(y, None) or self._look_of(index)
        self._drawn[y] = look
        cells, is_cursor, is_marked = look
        return self._painter.row(
            self._columns, cells, width, base, is_cursor=is_cursor, is_marked=is_marked
        )

    def notify_style_update(self) -> None:
        """Forget drawn lines when the theme changes the colours under them."""
        super().notify_style_update()
        self._base = None
        self._painter.forget()
        self._forget_lines()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor on screen when the room changes."""
        self.virtual_size = Size(event.size.width, len(self._rows) + HEADER_LINES)
        self._keep_cursor_visible()
        self._forget_lines()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move the cursor with the wheel, where the mouse is enabled."""
        event.stop()
        self._move_cursor(self._cursor_index + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move the cursor with the wheel, where the mouse is enabled."""
        event.stop()
        self._move_cursor(self._cursor_index - 3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the clicked row, where the mouse is enabled."""
        index = self.scroll_offset.y + event.y - HEADER_LINES
        if event.y >= HEADER_LINES and index < len(self._rows):
            self._move_cursor(index)

    def _look_of(self, index: int) -> Look:
        cells = self._rows.cells(index, self._keys)
        is_marked = bool(self._marked) and self._rows.key(index) in self._marked
        return cells, index == self._cursor_index, is_marked

    def _move_cursor(self, index: int) -> None:
        count = len(self._rows)
        if not count:
            return
        index = max(0, min(index, count - 1))
        key = self._rows.key(index)
        if index == self._cursor_index and key == self._cursor_key:
            return
        moved = key != self._cursor_key
        old_index, self._cursor_index, self._cursor_key = self._cursor_index, index, key
        self._next.clear()
        top = self.scroll_offset.y
        self._keep_cursor_visible()
        if self.scroll_offset.y == top:
            self._repaint_rows((old_index, index))
        if moved:
            self.post_message(self.CursorMoved(self, key))

    def _keep_cursor_visible(self) -> None:
        room = self.visible_rows
        if room <= 0:
            return
        top = self.scroll_offset.y
        wanted = min(top, self._cursor_index, max(0, len(self._rows) - room))
        wanted = max(wanted, self._cursor_index - room + 1)
        if wanted != top:
            self.scroll_target_y = wanted
            self.scroll_y = wanted
            self._forget_lines()

    def _repaint_all(self) -> None:
        self._painter.forget()
        self._forget_lines()
        self.refresh()

    def _forget_lines(self) -> None:
        self._drawn.clear()
        self._next.clear()

    def _repaint_rows(self, indices: Sequence[int]) -> None:
        top = self.scroll_offset.y
        lines = {index - top + HEADER_LINES for index in indices}
        room = self.visible_rows
        self.refresh(
            *(
                Region(0, y, self.content_size.width, 1)
                for y in lines
                if HEADER_LINES <= y <= room + HEADER_LINES - 1
            )
        )

    def _repaint_changed(self) -> None:
        """Mark dirty, for each visible row, the cells from the first to the last that differ."""
        if not self.is_mounted:
            return
        top = self.scroll_offset.y
        count = len(self._rows)
        width = self.content_size.width
        regions: list[Region] = []
        self._next.clear()
        for y in range(HEADER_LINES, self.content_size.height):
            index = top + y - HEADER_LINES
            drawn = self._drawn.get(y)
            look = self._look_of(index) if index < count else None
            if look == drawn:
                continue
            if look is not None:
                self._next[y] = look
            if look is None or drawn is None or look[1:] != drawn[1:]:
                regions.append(Region(0, y, width, 1))
                continue
            start, end = changed_span(self._columns, drawn[0], look[0])
            if start < width:
                regions.append(Region(start, y, min(end, width) - start, 1))
        if regions:
            self.refresh(*regions)
