"""Ask before something happens: Cancel is what Enter does, the other key is a deliberate one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from widgets.lines import Line, Lines
from widgets.text_width import harmless
from widgets.textbox import framed, wrapped

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
