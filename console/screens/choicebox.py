"""One of a few things, by one key: a level, a verdict, an end, another incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from console.facts.text import visible
from console.screens.runs import fitted, twins
from widgets.lines import Lines, Run
from widgets.textbox import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from console.screens.runs import RunLine
    from console.screens.session import Session

WIDTH = 92


class Choice(NamedTuple):
    """One thing to choose: its key, what the box answers, and the words beside it."""

    key: str
    value: str
    name: str
    about: str = ""
    role: str = "text"


class ChoiceBox(ModalScreen[str | None]):
    """Lists choices; its result is the value of one, None for none.

    ``before`` are lines to read first. The first choice is never taken by a key that opened the
    box: Enter takes what the cursor is on, and a choice's own key takes it at once.
    """

    DEFAULT_CSS = """
    ChoiceBox { background: transparent; align: center middle; }
    ChoiceBox > Lines { background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Cancel", show=False, priority=True),
    ]

    def __init__(
        self,
        session: Session,
        title: str,
        choices: Sequence[Choice],
        *,
        before: Sequence[RunLine] = (),
        place: int = 0,
    ) -> None:
        super().__init__()
        self.session = session
        self.choices = tuple(choices)
        self.place = place
        self._box_title = title
        self._before = tuple(before)

    def compose(self) -> ComposeResult:
        """The list, drawn with its frame."""
        yield Lines()

    def on_mount(self) -> None:
        """Draw for the first time."""
        self.query_one(Lines).show_roles(self.session.roles)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self._show()

    def action_close(self) -> None:
        """Close without choosing."""
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Choose with arrows and Enter, or by a choice's own key."""
        event.stop()
        event.prevent_default()
        typed = event.character or ""
        if event.key in ("down", "tab"):
            self.place = (self.place + 1) % len(self.choices)
        elif event.key in ("up", "shift+tab"):
            self.place = (self.place - 1) % len(self.choices)
        elif event.key == "enter":
            self.dismiss(self.choices[self.place].value)
            return
        else:
            found = next((one for one in self.choices if typed and one.key == typed), None)
            if found is not None or typed == "q":
                self.dismiss(None if found is None else found.value)
                return
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        width, glyphs = min(WIDTH, self.size.width), self.session.glyphs
        lines = [*self._before, *(self._line(*each) for each in enumerate(self.choices))]
        room = max(3, self.size.height - 2)
        # What is to be read may go where there is no room; what is to be chosen stays.
        lines = [fitted(line, width - 4, glyphs.ellipsis) for line in lines[-room:]]
        body = self.query_one(Lines)
        body.styles.width = width
        body.styles.height = len(lines) + 2
        rows = twins([[Run(" "), *line] for line in lines], glyphs)
        ascii_only = glyphs.name == "ascii"
        note = "Enter or its key takes it  Esc cancels"
        title = twins([[Run(visible(self._box_title, 120))]], glyphs)[0][0].text
        body.show_lines(framed(title, rows, width, note, ascii_only=ascii_only))

    def _line(self, number: int, one: Choice) -> RunLine:
        return [
            Run(f"{one.key} ", "key"),
            Run(f" {visible(one.name, 40)} ", "cursor" if number == self.place else one.role),
            Run(f"  {visible(one.about, 200)}" if one.about else "", "dim"),
        ]
