"""Boxes that offer one of a few things by one key, and fields to type into."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen

from console.domain.text import visible
from console.screens.spans import fitted, twins
from widgets.lines import Lines, Run
from widgets.text_width import cells_of, fit, harmless
from widgets.textbox import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from console.actions.availability import Outlook
    from console.screens.session import Session
    from console.screens.spans import RunLine

Name = TypeVar("Name", bound=str)


def next_field(fields: Sequence[Name], focus_on: Name, step: int) -> Name:
    """Return the field that has the focus after ``step``; one that is gone counts as the first."""
    place = fields.index(focus_on) if focus_on in fields else 0
    return fields[(place + step) % len(fields)]


def edited(text: str, key: str) -> str | None:
    """Return a text after a key that edits, None for a key that does not."""
    match key:
        case "backspace":
            return text[:-1]
        case "ctrl+u":
            return ""
        case "ctrl+w":
            return text.rstrip().rpartition(" ")[0]
        case _:
            return None


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


class Choice(NamedTuple):
    """One thing to choose: its key, what the box answers, and the words beside it."""

    key: str
    value: str
    name: str
    about: str = ""
    role: str = "text"


class ChoiceBox(DrawnBox[str | None]):
    """Lists choices; its result is the value of one, None for none.

    ``before`` are lines to read first. Enter takes what the cursor is on, and a choice's own key
    takes it at once.
    """

    def __init__(
        self,
        session: Session,
        title: str,
        choices: Sequence[Choice],
        *,
        before: Sequence[RunLine] = (),
        place: int = 0,
    ) -> None:
        super().__init__(session)
        self.choices = tuple(choices)
        self.place = place
        self._box_title = title
        self._before = tuple(before)

    def take_key(self, key: str, character: str | None) -> None:
        """Choose with arrows and Enter, or by a choice's own key."""
        if key in ("up", "down"):
            step = 1 if key == "down" else -1
            self.place = (self.place + step) % len(self.choices)
        elif key == "enter":
            self.dismiss(self.choices[self.place].value)
        elif character is not None:
            found = next((one for one in self.choices if one.key == character), None)
            if found is not None or character == "q":
                self.dismiss(None if found is None else found.value)

    def lines(self, width: int, height: int) -> tuple[str, Sequence[RunLine], str]:
        """Return what is to be read, and what is to be chosen; the latter stays on screen."""
        choices = [self._line(*each) for each in enumerate(self.choices)]
        title = visible(self._box_title, 120)
        return title, [*self._before, *choices], "Enter or its key takes it  Esc cancels"

    def _line(self, number: int, one: Choice) -> RunLine:
        widest = max(cells_of(harmless(visible(each.name, 40))) for each in self.choices)
        name = fit(harmless(visible(one.name, 40)), widest)
        return [
            Run(f"{one.key} ", "key"),
            Run(f" {name} ", "cursor" if number == self.place else one.role),
            Run(f"  {visible(one.about, 200)}" if one.about else "", "dim"),
        ]


class RungBox(ModalScreen[str | None]):
    """Lists the fallbacks of one model; its result is the name of one, None for none."""

    DEFAULT_CSS = """
    RungBox { background: transparent; align: center middle; }
    RungBox > Lines { background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Cancel", show=False, priority=True),
    ]

    class Looked(Message):
        """The engine said what could be done to a model."""

        def __init__(self, found: tuple[Outlook, ...]) -> None:
            self.found = found
            super().__init__()

    def __init__(self, session: Session, model: str, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.session = session
        self.model = model
        self.rungs: tuple[Outlook, ...] = ()
        self.place = 0
        self._ascii = ascii_only

    def compose(self) -> ComposeResult:
        """The list, drawn with its frame."""
        yield Lines()

    def on_mount(self) -> None:
        """Ask for the rungs."""
        self.query_one(Lines).show_roles(self.session.roles)
        if self.session.engine is not None:
            self.session.engine.request_outlooks(self.model, self._looked)
        self._show()

    def _looked(self, _model: str, found: tuple[Outlook, ...]) -> None:
        self.post_message(self.Looked(found))

    def on_rung_box_looked(self, message: Looked) -> None:
        """Show the rungs, with the first that can be reached chosen."""
        message.stop()
        self.rungs = tuple(one for one in message.found if one.verb == "fallback" and one.to)
        self.place = next((number for number, one in enumerate(self.rungs) if one.reachable), 0)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self._show()

    def action_close(self) -> None:
        """Close without choosing."""
        self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Choose with arrows or digits; Enter takes it on to the box that asks."""
        event.stop()
        event.prevent_default()
        character = event.character or ""
        if event.key in ("down", "j", "tab") and self.rungs:
            self.place = (self.place + 1) % len(self.rungs)
        elif event.key in ("up", "k", "shift+tab") and self.rungs:
            self.place = (self.place - 1) % len(self.rungs)
        elif event.key == "enter" and self.rungs:
            self.dismiss(self.rungs[self.place].to)
            return
        elif character.isdecimal() and 1 <= int(character) <= len(self.rungs):
            self.dismiss(self.rungs[int(character) - 1].to)
            return
        elif character == "q":
            self.dismiss(None)
            return
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        width = min(WIDTH, self.size.width)
        glyphs = self.session.glyphs
        lines = [fitted(line, width - 4, glyphs.ellipsis) for line in self._lines()]
        lines = lines[: max(3, self.size.height - 2)]
        body = self.query_one(Lines)
        body.styles.width = width
        body.styles.height = len(lines) + 2
        rows = twins([[Run(" "), *line] for line in lines], glyphs)
        title = f"Fallback of {visible(self.model, 60)}: which rung"
        note = "Enter asks before anything is sent  Esc cancels"
        body.show_lines(framed(title, rows, width, note, ascii_only=self._ascii))

    def _lines(self) -> list[RunLine]:
        if not self.rungs:
            return [[Run("looking at the ladder…", "dim")]]
        lines: list[RunLine] = []
        for number, one in enumerate(self.rungs):
            lines += self._rung(number, one)
        return lines

    def _rung(self, number: int, one: Outlook) -> list[RunLine]:
        glyphs = self.session.glyphs
        mark, role = (glyphs.tick, "ok") if one.reachable else (glyphs.cross, "s2")
        name_role = "cursor" if number == self.place else "key"
        blast = one.blast
        room = blast.room_per_minute
        said = "room unknown" if room.value is None else f"room {room.value:,.0f}/min"
        facts = [one.level, visible(blast.region_to, 24) or "region unknown", said,
                 visible(blast.room_health, 60), f"class {one.confirm_class or '?'}"]  # fmt: skip
        first = [
            Run(f"{number + 1} ", "key"),
            Run(f" {visible(one.to, 40)} ", name_role),
            Run(f"  {mark} ", role),
            Run(f" {glyphs.dot} ".join(fact for fact in facts if fact), "text"),
        ]
        against = [
            [Run("     "), Run(visible(guard.sentence, 200), "s3")] for guard in one.guards[:2]
        ]
        return [first, *against]
