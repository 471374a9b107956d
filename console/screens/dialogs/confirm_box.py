"""The box before every change of the world: blast radius, guards, end, reason, and Cancel first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen

from console.actions.approval import APPROVAL_SECONDS
from console.domain.action import PreparedAction
from console.engine.client import Refused
from console.screens.dialogs import confirm
from console.screens.dialogs.confirm import ConfirmForm, Decision, Then
from console.screens.dialogs.confirm_text import end_choices
from console.screens.spans import twins
from widgets.lines import Lines, Run
from widgets.textbox import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from console.domain.action import ActionRequest
    from console.screens.dialogs.confirm_text import EndChoice
    from console.screens.session import Session

DEAD_SECONDS = 0.7
"""How long the confirm key means nothing after new facts appeared: a hand that types on is safe."""

WIDTH = 100
FRAME = 2
_SCROLLS = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10, "space": 10}


class ConfirmBox(ModalScreen[Decision | None]):
    """Asks about one request, or several together; its result is None for a no.

    The targets are those of ``requests``, whatever moves under the box. ``opened_by`` is the key
    that opened it, which never confirms; ``refresh_seconds`` is how old facts may get.
    """

    DEFAULT_CSS = """
    ConfirmBox { background: transparent; align: center middle; }
    ConfirmBox > Lines { background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", "Cancel", show=False, priority=True),
        Binding("tab", "step(1)", "Next", show=False, priority=True),
        Binding("shift+tab", "step(-1)", "Previous", show=False, priority=True),
    ]

    class Delivered(Message):
        """The engine answered ``round``: an action prepared, or why not, for one target."""

        def __init__(self, round_: int, target: str, answer: PreparedAction | Refused) -> None:
            self.round = round_
            self.target = target
            self.answer = answer
            super().__init__()

    class Approved(Message):
        """A second person said yes, or nobody did."""

        def __init__(self, answer: str | Refused) -> None:
            self.answer = answer
            super().__init__()

    def __init__(
        self,
        session: Session,
        requests: Sequence[ActionRequest],
        *,
        title: str,
        opened_by: str = "",
        refresh_seconds: float = 5.0,
        ascii_only: bool = False,
        suggested: bool = False,
    ) -> None:
        super().__init__()
        self.session = session
        self._shift_end = session.shift_end
        self.form = ConfirmForm(requests, title, self._ends(), suggested=suggested)
        self.confirm_key = "Y" if opened_by != "Y" else "S"
        self.exact = False
        self._waits_until = 0.0
        self._refresh_seconds = refresh_seconds
        self._ascii = ascii_only
        self._top = 0
        self._round = 0
        self._coming: dict[str, PreparedAction | Refused] = {}

    # The engine

    def _prepare(self) -> None:
        engine = self.session.engine
        if engine is None:
            return
        self._round += 1
        self._coming = {}
        requests = self.form.final(self._ends())
        for request in requests:
            engine.prepare_action(
                request, _Deliver(self, self._round, _key(request)), len(requests)
            )

    def _ends(self) -> tuple[EndChoice, ...]:
        session = self.session
        return end_choices(session.clock(), self._shift_end, session.shift_zone)

    def on_confirm_box_delivered(self, message: Delivered) -> None:
        """Show what the engine read, once it is there for every target."""
        message.stop()
        form = self.form
        if message.round != self._round or form.phase in ("waiting", "approved"):
            return
        self._coming[message.target] = message.answer
        if len(self._coming) < len(form.requests):
            return
        then, form.then = form.then, ""
        came = form.take(
            {name: one for name, one in self._coming.items() if isinstance(one, PreparedAction)},
            {name: one for name, one in self._coming.items() if isinstance(one, Refused)},
        )
        if came == "new":
            self.set_timer(DEAD_SECONDS, self._come_alive)
        elif came == "same" and then == "send":
            self._leave(form.decision())
            return
        elif came == "same" and then == "approval":
            self._ask_second_person()
        self._show()

    def _come_alive(self) -> None:
        self.form.live = True
        self._show()

    def _ask_second_person(self) -> None:
        engine, form = self.session.engine, self.form
        if engine is None:
            return
        form.phase, form.focus_on = "waiting", "cancel"
        self._waits_until = self.session.clock() + APPROVAL_SECONDS
        engine.request_approval(tuple(form.prepared.values()), self._approved)

    def _approved(self, answer: str | Refused) -> None:
        self.post_message(self.Approved(answer))

    def on_confirm_box_approved(self, message: Approved) -> None:
        """Go on with a second person's yes; without one say why there is none."""
        message.stop()
        form = self.form
        if form.phase != "waiting":
            return
        if isinstance(message.answer, Refused):
            form.phase, form.hint = "asking", "; ".join(message.answer.sentences)
        else:
            form.phase, form.approver = "approved", message.answer
        self._show()

    # Coming and going

    def compose(self) -> ComposeResult:
        """The question, drawn with its frame."""
        yield Lines()

    def on_mount(self) -> None:
        """Ask the engine to read the world, and keep what is shown young."""
        self.query_one(Lines).show_roles(self.session.roles)
        self._prepare()
        self.set_interval(1.0, self._every_second)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self._show()

    def _every_second(self) -> None:
        form = self.form
        if form.phase == "asking":
            oldest = min(one.prepared_at for one in form.prepared.values())
            if self.session.clock() - oldest > self._refresh_seconds:
                self._prepare()
        self._show()

    def _leave(self, decision: Decision | None) -> None:
        engine = self.session.engine
        if decision is None and self.form.phase in ("waiting", "approved") and engine is not None:
            engine.forget_approval(self.form.first.op_id)
        self.dismiss(decision)

    # Keys

    def action_escape(self) -> None:
        """Close without doing anything, or close the exact view first."""
        if self.exact:
            self._toggle_exact()
        else:
            self._leave(None)

    def action_step(self, step: int) -> None:
        """Give the focus to the next field."""
        self.form.step(step)
        self._show()

    def on_key(self, event: events.Key) -> None:
        """Take every key: none of them may reach what lies under the box."""
        event.stop()
        event.prevent_default()
        form = self.form
        if form.phase == "checking":
            return
        if self.exact:
            self._key_in_exact(event.key)
        elif event.key in ("up", "down"):
            form.step(1 if event.key == "down" else -1)
        elif event.key in ("f2", "f3"):
            self._key_on_button(event.key, "")
        elif form.in_text:
            self._key_in_text(event)
        else:
            self._key_on_button(event.key, event.character or "")
        self._show()

    def on_paste(self, event: events.Paste) -> None:
        """Insert the first line of what was pasted into a text."""
        event.stop()
        lines = event.text.splitlines()
        if lines and self.form.in_text:
            self.form.insert(lines[0])
            self._show()

    def _key_in_exact(self, key: str) -> None:
        if key in _SCROLLS:
            self._top = max(0, self._top + _SCROLLS[key])
        elif key in ("d", "f2", "q", "enter"):
            self._toggle_exact()

    def _toggle_exact(self) -> None:
        self.exact = bool(self.form.prepared) and not self.exact
        self._top = 0
        self._show()

    def _key_in_text(self, event: events.Key) -> None:
        form = self.form
        if event.key == "enter" and form.focus_on in ("typed", "glass"):
            self._begin("send")
        elif event.key == "enter":
            form.focus_on = "typed" if "typed" in form.fields else "cancel"
        elif not form.edit(event.key) and event.is_printable and event.character is not None:
            form.insert(event.character)

    def _key_on_button(self, key: str, character: str) -> None:
        form = self.form
        if key == "f2":
            self._toggle_exact()
        elif key == "f3" and form.phase == "asking" and form.confirm_class == "C3":
            self._begin("approval")
        elif form.asks_name and self._belongs_to_name(character):
            form.focus_on = "typed"
            form.insert(character)
        elif character == self.confirm_key:
            self._yes()
        elif key == "enter" and form.focus_on == "cancel":
            self._leave(None)
        elif character == "d":
            self._toggle_exact()
        elif form.phase != "asking":
            return
        elif character == "r":
            form.focus_on = "reason"
        elif form.holds and character.isdecimal() and 1 <= int(character) <= len(form.choices):
            form.chosen = int(character) - 1
        elif form.focus_on == "ends" and key in ("left", "right"):
            form.chosen = (form.chosen + (1 if key == "right" else -1)) % len(form.choices)
        elif form.focus_on == "ends" and key == "enter":
            form.step(1)

    def _belongs_to_name(self, character: str) -> bool:
        """Tell whether a key is a letter of the name that is asked for: typing it is no danger.

        The key that says yes is one only where the name begins with it.
        """
        if not character or not character.isprintable() or character == " ":
            return False
        return character != self.confirm_key or self.form.must_type.startswith(character)

    def _yes(self) -> None:
        form = self.form
        if form.phase == "approved":
            self._leave(form.decision())
        elif form.phase == "asking" and form.confirm_class in ("C2", "C3"):
            form.hint = f"class {form.confirm_class}: type the name and press Enter"
            form.focus_on = "typed"
        elif form.phase == "asking":
            self._begin("send")

    def _begin(self, then: Then) -> None:
        """Look once more with reason and end as they are now, then go on unless it changed."""
        form = self.form
        form.hint = form.lacking(then)
        if form.hint:
            return
        form.then = then
        form.phase = "checking"
        self._prepare()

    # Drawing

    def _show(self) -> None:
        if not self.is_mounted:
            return
        form, glyphs = self.form, self.session.glyphs
        width = min(WIDTH, self.size.width)
        inner, room = width - 4, max(3, self.size.height - FRAME)
        now = self.session.clock()
        if self.exact:
            found = confirm.exact(form, inner)
            self._top = max(0, min(self._top, len(found) - room))
            lines, note = found[self._top : self._top + room], "up down scroll, d closes"
        else:
            writing = self.session.writing
            lines = confirm.question(
                form,
                inner,
                room,
                glyphs,
                confirm_key=self.confirm_key,
                shared=writing is not None and writing.shared_journal,
                waits_seconds=self._waits_until - now,
            )
            note = confirm.note(form, now)
            if len(lines) > room:
                # Too much for this screen: what is asked and the keys stay.
                lines = lines[-room:]
        body = self.query_one(Lines)
        body.styles.width = width
        body.styles.height = len(lines) + FRAME
        rows = twins([[Run(" "), *line] for line in lines], glyphs)
        title = twins([[Run(confirm.head(form, width, glyphs))]], glyphs)[0][0].text
        body.show_lines(framed(title, rows, width, note, ascii_only=self._ascii))


class _Deliver:
    """Carries the engine's answer, from the engine's thread, to the box that asked."""

    def __init__(self, box: ConfirmBox, round_: int, target: str) -> None:
        self._box = box
        self._round = round_
        self._target = target

    def __call__(self, answer: PreparedAction | Refused) -> None:
        self._box.post_message(ConfirmBox.Delivered(self._round, self._target, answer))


def _key(request: ActionRequest) -> str:
    return request.target or request.ends_op


__all__ = ["ConfirmBox", "Decision"]
