"""A box that is drawn line by line and takes every key, so that none reaches what lies under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from console.screens.runs import fitted, twins
from widgets.lines import Lines, Run
from widgets.textbox import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from console.screens.runs import RunLine
    from console.screens.session import Session

Answer = TypeVar("Answer")

WIDTH = 100
FRAME = 2
"""Columns and lines that the frame takes."""


class DrawnBox(ModalScreen[Answer]):
    """A frame around lines; a subclass says which lines, and what a key does."""

    DEFAULT_CSS = """
    DrawnBox { background: transparent; align: center middle; }
    DrawnBox > Lines { background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Cancel", show=False, priority=True),
        Binding("tab", "step(1)", "Next", show=False, priority=True),
        Binding("shift+tab", "step(-1)", "Previous", show=False, priority=True),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def compose(self) -> ComposeResult:
        """The lines, drawn with their frame."""
        yield Lines()

    def on_mount(self) -> None:
        """Take over the colours and draw."""
        self.query_one(Lines).show_roles(self.session.roles)
        self.begin()
        self.draw()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self.draw()

    def on_key(self, event: events.Key) -> None:
        """Take the key, whatever it is."""
        event.stop()
        event.prevent_default()
        self.take_key(event.key, event.character if event.is_printable else None)
        self.draw()

    # What the subclass says

    def begin(self) -> None:
        """Do what has to be done once the box is there."""

    def take_key(self, key: str, character: str | None) -> None:
        """Do what a key means; ``character`` is None for keys that write nothing."""
        raise NotImplementedError

    def lines(self, width: int, height: int) -> tuple[str, Sequence[RunLine], str]:
        """Return the title, the lines (``width`` cells wide), and the note at the lower right."""
        raise NotImplementedError

    def action_escape(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def action_step(self, step: int) -> None:
        """Go to the next field."""
        self.take_key("down" if step > 0 else "up", None)
        self.draw()

    # Drawing

    def draw(self) -> None:
        """Draw what is to be seen now; lines that have no room are left out at the top."""
        if not self.is_mounted:
            return
        glyphs = self.session.glyphs
        width = min(WIDTH, self.size.width)
        room = max(3, self.size.height - FRAME)
        title, lines, note = self.lines(width - 4, room)
        shown = [fitted(line, width - 4, glyphs.ellipsis) for line in lines][-room:]
        body = self.query_one(Lines)
        body.styles.width = width
        body.styles.height = len(shown) + FRAME
        rows = twins([[Run(" "), *line] for line in shown], glyphs)
        title = twins([[Run(title)]], glyphs)[0][0].text
        ascii_only = glyphs.name == "ascii"
        body.show_lines(framed(title, rows, width, note, ascii_only=ascii_only))
