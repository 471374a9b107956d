"""Boxes over the screen: lines to read, and a question with Cancel first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from widgets.lines import Line, Lines
from widgets.text_width import cells_of, cut, fit, harmless, wrap

_FRAME: dict[bool, tuple[str, str, str, str, str, str]] = {
    False: ("┌", "┐", "└", "┘", "─", "│"),
    True: ("+", "+", "+", "+", "-", "|"),
}


def framed(
    title: str,
    lines: Sequence[Line],
    width: int,
    note: str = "",
    *,
    ascii_only: bool = False,
) -> list[list[tuple[str, str]]]:
    """Return the lines in a frame ``width`` cells wide, ``note`` at its lower right.

    Roles: ``chart.border`` for the frame, ``title`` for the title, ``dim`` for the note.
    """
    top_left, top_right, bottom_left, bottom_right, across, down = _FRAME[ascii_only]
    inner = max(0, width - 2)
    title = cut(title, max(0, inner - 4))
    note = cut(note, max(0, inner - 4))
    head = f" {title} " if title else ""
    foot = f" {note} " if note else ""
    drawn: list[list[tuple[str, str]]] = [
        [
            (top_left + across * min(1, inner), "chart.border"),
            (head, "title"),
            (across * (inner - min(1, inner) - cells_of(head)) + top_right, "chart.border"),
        ]
    ]
    for line in lines:
        body: list[tuple[str, str]] = []
        used = 0
        for text, role in line:
            piece = cut(text, inner - used)
            used += cells_of(piece)
            body.append((piece, role))
        body.append((" " * (inner - used), ""))
        drawn.append([(down, "chart.border"), *body, (down, "chart.border")])
    drawn.append(
        [
            (bottom_left + across * (inner - cells_of(foot)), "chart.border"),
            (foot, "dim"),
            (bottom_right, "chart.border"),
        ]
    )
    return drawn


def wrapped(text: str, width: int) -> list[str]:
    """Break a line of plain text at ``width`` cells; what follows keeps its indentation."""
    if cells_of(cut(text, width + 1)) <= width:
        return [cut(text, width)]
    indent = min(len(text) - len(text.lstrip(" ")), width // 2)
    pieces = wrap(text, width - indent, lines=200)
    return [" " * indent + piece for piece in pieces] or [""]


class Textbox(ModalScreen[None]):
    """Shows plain text lines in a frame; scrolls with the cursor keys, closes with Escape or q.

    A line is text, or runs of (text, role). Plain text is wrapped, runs are cut.
    """

    DEFAULT_CSS = """
    Textbox {
        background: transparent;
        align: center middle;
    }
    Textbox > Lines {
        background: $background;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "close", "Close", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,b", "move_page(-1)", "Page up", show=False),
        Binding("pagedown,space", "move_page(1)", "Page down", show=False),
        Binding("home,g", "move(-1000000)", "First", show=False),
        Binding("end,G", "move(1000000)", "Last", show=False),
    ]

    def __init__(
        self,
        title: str,
        lines: Sequence[str | Line],
        *,
        roles: Mapping[str, str] | None = None,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._box_title = title
        self._box_lines = list(lines)
        self._box_roles = dict(roles or {})
        self._ascii_only = ascii_only
        self._first = 0

    def compose(self) -> ComposeResult:
        """The lines, drawn with their frame."""
        yield Lines()

    def on_mount(self) -> None:
        """Draw for the first time."""
        self.query_one(Lines).show_roles(self._box_roles)
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self._redraw()

    def replace_lines(self, lines: Sequence[str | Line]) -> None:
        """Show other lines in the same box."""
        self._box_lines = list(lines)
        self._redraw()

    def action_close(self) -> None:
        """Close the box."""
        self.dismiss(None)

    def action_move(self, lines: int) -> None:
        """Scroll by ``lines``."""
        self._first += lines
        self._redraw()

    def action_move_page(self, pages: int) -> None:
        """Scroll by ``pages`` of what fits."""
        self.action_move(pages * max(1, self.size.height - 6))

    def _redraw(self) -> None:
        if not self.is_mounted:
            return
        width = min(max(24, self.size.width - 4), 100, self.size.width)
        body = self._body(width - 2)
        room = max(1, min(len(body), self.size.height - 4))
        self._first = max(0, min(self._first, len(body) - room))
        visible = body[self._first : self._first + room]
        note = "Esc closes"
        if len(body) > room:
            arrows = "Up Down" if self._ascii_only else "↑↓"
            note = f"{self._first + room} of {len(body)}  {arrows}  Esc closes"
        lines = self.query_one(Lines)
        lines.styles.width = width
        lines.styles.height = room + 2
        lines.show_lines(framed(self._box_title, visible, width, note, ascii_only=self._ascii_only))

    def _body(self, width: int) -> list[Line]:
        body: list[Line] = []
        for line in self._box_lines:
            if isinstance(line, str):
                body.extend(
                    [(f" {fit(piece, width - 1)}", "")] for piece in wrapped(line, width - 2)
                )
            else:
                body.append([(" ", ""), *line])
        return body


_RESERVED = frozenset({"enter", "escape", "tab", "space"})


class Confirm(ModalScreen[bool]):
    """A small question; its result is ``True`` only when the confirm key was pressed.

    With ``must_type`` that very text has to be typed first, and Enter then confirms. Raises
    ``ValueError`` when the confirm key is Enter, Escape or the key that opened the box.
    """

    DEFAULT_CSS = """
    Confirm {
        background: transparent;
        align: center middle;
    }
    Confirm > Lines {
        background: $background;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        body: str | Content | Sequence[str | Line],
        *,
        confirm_key: str = "Y",
        confirm_label: str = "confirm",
        opened_by: str = "",
        must_type: str = "",
        roles: Mapping[str, str] | None = None,
        ascii_only: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        if confirm_key in _RESERVED or len(confirm_key) != 1 or confirm_key == opened_by:
            raise ValueError(
                f"the confirm key {confirm_key!r} must be one character and differ from Enter, "
                f"Escape and the key that opened the box ({opened_by!r})"
            )
        self._box_title = title
        self._box_body = _as_lines(body)
        self._confirm_key = confirm_key
        self._confirm_label = confirm_label
        self._must_type = must_type
        self._typed = ""
        self._box_roles = dict(roles or {})
        self._ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        """The question, drawn with its frame."""
        yield Lines()

    def on_mount(self) -> None:
        """Draw for the first time."""
        self.query_one(Lines).show_roles({"cursor": "reverse", **self._box_roles})
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self._redraw()

    def action_cancel(self) -> None:
        """Close without doing anything."""
        self.dismiss(False)

    def on_key(self, event: events.Key) -> None:
        """Take every key: none of them may reach what lies under the question."""
        event.stop()
        event.prevent_default()
        if self._must_type:
            self._type(event)
        elif event.key == "enter":
            self.dismiss(False)
        elif event.character == self._confirm_key:
            self.dismiss(True)

    def _type(self, event: events.Key) -> None:
        if event.key == "enter":
            # Enter on an empty line is Cancel; on a wrong one it is a slip, and the box stays.
            if self._typed in ("", self._must_type):
                self.dismiss(self._typed == self._must_type)
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.is_printable and event.character is not None:
            self._typed += event.character
        self._redraw()

    def _redraw(self) -> None:
        if not self.is_mounted:
            return
        width = min(80, self.size.width)
        body: list[Line] = []
        for line in self._box_body:
            if isinstance(line, str):
                body.extend([(f" {piece}", "")] for piece in wrapped(line, width - 4))
            else:
                body.append([(" ", ""), *line])
        # The keys are never scrolled away: a long question gives up its last lines instead.
        room = max(1, self.size.height - 5)
        if len(body) > room:
            body = [*body[: room - 1], [(" (the window is too small to show all of it)", "dim")]]
        lines = self.query_one(Lines)
        lines.styles.width = width
        lines.styles.height = len(body) + 4
        lines.show_lines(
            framed(
                self._box_title,
                [*body, [], self._choices()],
                width,
                "Esc cancels",
                ascii_only=self._ascii_only,
            )
        )

    def _choices(self) -> Line:
        if self._must_type:
            matches = self._typed == self._must_type
            return [
                (" type ", ""),
                (harmless(self._must_type), "key"),
                (": ", ""),
                (harmless(self._typed) + "_", "prompt"),
                (f"   Enter {self._confirm_label}" if matches else "   Enter cancels", "dim"),
            ]
        return [
            ("     ", ""),
            ("[ Cancel ]", "cursor"),
            ("      press ", ""),
            (self._confirm_key, "key"),
            (f" = {self._confirm_label}", ""),
        ]


def _as_lines(body: str | Content | Sequence[str | Line]) -> list[str | Line]:
    if isinstance(body, Content):
        return list(body.plain.splitlines())
    if isinstance(body, str):
        return list(body.splitlines())
    return list(body)
