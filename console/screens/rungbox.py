"""Which rung of the ladder: each with what speaks for it and what against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen

from console.facts.text import visible
from console.screens.runs import fitted, twins
from widgets.lines import Lines, Run
from widgets.textbox import framed

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from console.actions.outlook import Outlook
    from console.screens.runs import RunLine
    from console.screens.session import Session

WIDTH = 100


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
