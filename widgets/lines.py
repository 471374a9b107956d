"""Plain lines of styled runs, repainted only where they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from widgets.grid_rows import read_style
from widgets.text_width import cells_of, cut


class Run(NamedTuple):
    """A piece of text in one role's style; the text is data, never markup."""

    text: str
    role: str = ""


Line = Sequence[tuple[str, str]]
"""The runs of one line, left to right."""


def changed_cells(before: Line, after: Line) -> tuple[int, int]:
    """Return the half-open range of cells between the runs two lines begin and end with alike."""
    same = 0
    for old, new in zip(before, after, strict=False):
        if tuple(old) != tuple(new):
            break
        same += 1
    start = sum(cells_of(text) for text, _ in after[:same])
    old_end = sum(cells_of(text) for text, _ in before)
    new_end = sum(cells_of(text) for text, _ in after)
    if old_end == new_end:
        for old, new in zip(reversed(before[same:]), reversed(after[same:]), strict=False):
            if tuple(old) != tuple(new):
                break
            new_end -= cells_of(new[0])
        return start, max(start, new_end)
    return start, max(old_end, new_end)


class Lines(Widget):
    """Shows lines of runs as they are, cut at the right and bottom edge."""

    DEFAULT_CSS = """
    Lines {
        height: 1fr;
        width: 1fr;
        background: transparent;
    }
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._lines: list[list[tuple[str, str]]] = []
        self._roles: dict[str, Style] = {}
        self._mixed: dict[tuple[Style, str], Style] = {}
        self._top = 0
        self._base: Style | None = None

    def show_roles(self, roles: Mapping[str, str]) -> None:
        """Draw each role in its Rich style text; raises ``StyleSyntaxError`` for a bad one."""
        self._roles = {role: read_style(text) for role, text in roles.items()}
        self._mixed.clear()
        self.refresh()

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines; only the cells between what stays the same are painted again."""
        self._base = None
        before, self._lines = self._lines, [[(run[0], run[1]) for run in line] for line in lines]
        if not self.is_mounted:
            return
        width, height = self.content_size
        regions = []
        for y in range(height):
            place = y + self._top
            old = before[place] if place < len(before) else []
            new = self._lines[place] if place < len(self._lines) else []
            if old == new:
                continue
            start, end = changed_cells(old, new)
            if start < min(end, width):
                regions.append(Region(start, y, min(end, width) - start, 1))
        if regions:
            self.refresh(*regions)

    @property
    def shown(self) -> list[list[tuple[str, str]]]:
        """The lines shown now."""
        return self._lines

    @property
    def plain(self) -> str:
        """The lines shown now as text, for tests and for copying."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    @property
    def top(self) -> int:
        """The first line on screen, counted from 0."""
        return self._top

    def scroll_lines_to(self, top: int) -> None:
        """Let the screen begin with line ``top``, as far as there are lines to fill it."""
        top = max(0, min(top, len(self._lines) - self.content_size.height))
        if top != self._top:
            self._top = top
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw line ``y`` of the widget."""
        width = self.content_size.width
        base = self._base
        if base is None:
            base = self._base = self.rich_style
        place = y + self._top
        if place >= len(self._lines):
            return Strip.blank(width, base)
        segments: list[Segment] = []
        used = 0
        for text, role in self._lines[place]:
            piece = cut(text, width - used)
            if piece:
                segments.append(Segment(piece, self._style(base, role)))
                used += cells_of(piece)
            if used >= width:
                break
        if used < width:
            segments.append(Segment(" " * (width - used), base))
        return Strip(segments, width)

    def notify_style_update(self) -> None:
        """Forget mixed styles when the theme changes the colours under them."""
        super().notify_style_update()
        self._base = None
        self._mixed.clear()

    def _style(self, base: Style, role: str) -> Style:
        if not role or role not in self._roles:
            return base
        key = (base, role)
        style = self._mixed.get(key)
        if style is None:
            style = self._mixed[key] = base + self._roles[role]
        return style
