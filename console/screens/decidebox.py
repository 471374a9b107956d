"""The box of a retraining decision: which of the eight, why, and until when; Cancel first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from console.actions.decisions import PreparedDecision
from console.engine.handle import Refused
from console.facts.decision import DECISION_KINDS
from console.facts.text import visible
from console.screens import decideface, decidemore
from console.screens.confirmbox import DEAD_SECONDS
from console.screens.decideform import WEIGHED, DecideForm
from console.screens.drawnbox import DrawnBox
from console.screens.textentry import edited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from console.screens.runs import RunLine
    from console.screens.session import Session

_SCROLLS = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10, "space": 10}


class DecideBox(DrawnBox[PreparedDecision | None]):
    """Asks about one decision; its result is what was confirmed, None for a no.

    The model is fixed when it opens. The key that opened it never confirms.
    """

    class Delivered(Message):
        """The engine answered ``round``; ``kind`` is empty for the look before choosing."""

        def __init__(self, round_: int, answer: PreparedDecision | Refused) -> None:
            self.round = round_
            self.answer = answer
            super().__init__()

    def __init__(
        self,
        session: Session,
        form: DecideForm,
        *,
        opened_by: str = "",
        refresh_seconds: float = 5.0,
    ) -> None:
        super().__init__(session)
        self.form = form
        self.confirm_key = "Y" if opened_by != "Y" else "S"
        self.exact = False
        self._refresh_seconds = refresh_seconds
        self._round = 0
        self._top = 0

    # The engine

    def begin(self) -> None:
        """Read the evidence, and keep what is shown young."""
        self._prepare()
        self.set_interval(1.0, self._every_second)

    def _prepare(self) -> None:
        """Ask for the decision as it is answered now; before one is chosen, for RETRAIN."""
        engine, form = self.session.engine, self.form
        if engine is None:
            return
        self._round += 1
        round_ = self._round
        wish = form.wish(self.session.clock())
        engine.prepare_decision(
            wish,
            lambda answer: self._post(round_, answer),
            form.sinks if form.kind else (),
        )

    def _post(self, round_: int, answer: PreparedDecision | Refused) -> None:
        # Called from the engine's thread: posting a message is all that is safe there.
        self.post_message(self.Delivered(round_, answer))

    def on_decide_box_delivered(self, message: Delivered) -> None:
        """Show what is known; go on where that was all that was waited for."""
        message.stop()
        form, answer = self.form, message.answer
        if message.round != self._round:
            return
        if form.phase == "choosing":
            if isinstance(answer, PreparedDecision):
                form.against = tuple(each for each in answer.guards if each.level == "refuse")
        else:
            checking = form.phase == "checking"
            came = form.take(answer)
            if came == "new":
                self.set_timer(DEAD_SECONDS, self._come_alive)
            elif came == "same" and checking:
                self.dismiss(form.prepared)
                return
        self.draw()

    def _come_alive(self) -> None:
        self.form.live = True
        self.draw()

    def _every_second(self) -> None:
        form = self.form
        prepared = form.prepared
        if form.phase == "asking" and prepared is not None:
            age = self.session.clock() - prepared.decision.taken_at
            if age > self._refresh_seconds:
                self._prepare()
        self.draw()

    # Keys

    def action_escape(self) -> None:
        """Close the exact view, go back to the kinds, or close without writing."""
        form = self.form
        if self.exact:
            self.exact = False
        elif form.more:
            self._turn()
        elif form.phase in ("asking", "reading"):
            form.back()
            self._prepare()
        else:
            self.dismiss(None)
            return
        self.draw()

    def take_key(self, key: str, character: str | None) -> None:
        """Do what a key means in this phase."""
        form = self.form
        if form.phase == "checking":
            return
        if self.exact:
            self._key_in_exact(key)
        elif form.phase == "choosing":
            self._key_choosing(key, character)
        elif key in ("up", "down"):
            self._leave_field(1 if key == "down" else -1)
        elif form.in_text:
            self._key_in_text(key, character)
        else:
            self._key_on_button(key, character)

    def on_paste(self, event: events.Paste) -> None:
        """Insert the first line of what was pasted into a text."""
        event.stop()
        lines = event.text.splitlines()
        if lines and self.form.in_text and not self.exact:
            self.form.write(self.form.texts.get(self.form.focus_on, "") + lines[0])
            self.draw()

    def _key_in_exact(self, key: str) -> None:
        if key in _SCROLLS:
            self._top = max(0, self._top + _SCROLLS[key])
        elif key in ("d", "q", "enter"):
            self.exact = False

    def _key_choosing(self, key: str, character: str | None) -> None:
        form, count = self.form, len(DECISION_KINDS)
        if key in ("down", "j", "up", "k"):
            form.place = (form.place + (1 if key in ("down", "j") else -1)) % count
        elif character == "q":
            self.dismiss(None)
        elif key == "enter":
            self._choose(form.marked)
        elif character is not None and character.isdecimal() and 1 <= int(character) <= count:
            self._choose(DECISION_KINDS[int(character) - 1])

    def _choose(self, kind: str) -> None:
        self.form.choose(kind)
        self._prepare()

    def _turn(self) -> None:
        """Go to the second page, or back from it; what is written there is weighed."""
        self.form.turn()
        if not self.form.more:
            self._prepare()

    def _leave_field(self, step: int) -> None:
        """Go on; what was typed may change what would be sent, and what stands against it."""
        left = self.form.focus_on
        self.form.step(step)
        if left in WEIGHED:
            self._prepare()

    def _key_in_text(self, key: str, character: str | None) -> None:
        form = self.form
        if key == "enter":
            last = form.focus_on == form.fields[-1]
            if last and form.more:
                self._turn()
            elif last and form.focus_on in ("despite", "typed"):
                self._yes()
            else:
                self._leave_field(1)
            return
        text = form.texts.get(form.focus_on, "")
        changed = edited(text, key)
        if changed is None and character is not None:
            changed = text + character
        if changed is not None:
            form.write(changed)

    def _key_on_button(self, key: str, character: str | None) -> None:
        form = self.form
        if key == "enter":
            self.dismiss(None)
        elif character == self.confirm_key and form.phase == "asking":
            self._yes()
        elif character == "d" and form.prepared is not None:
            self.exact, self._top = True, 0
        elif character == "s" and form.phase == "asking":
            form.sends_on = not form.sends_on
            self._prepare()
        elif character == "m" and form.phase == "asking":
            self._turn()
        elif character == "r" and form.phase == "asking":
            form.focus_on = "reason"

    def _yes(self) -> None:
        """Look once more with the answers as they are now, then go on unless it changed."""
        form = self.form
        form.hint = form.lacking(self.session.clock())
        if not form.hint:
            form.phase = "checking"
            self._prepare()

    # Drawing

    def lines(self, width: int, height: int) -> tuple[str, Sequence[RunLine], str]:
        """Return the box as it is now."""
        form, glyphs, now = self.form, self.session.glyphs, self.session.clock()
        title = f"Decide about {visible(form.model, 60)}"
        if self.exact:
            found = decideface.exact(form, width)
            self._top = max(0, min(self._top, len(found) - height))
            shown = found[self._top : self._top + height]
            return f"{title}: {form.kind}", shown, "up down scroll, d closes"
        if form.more:
            return (
                f"{title}: {form.kind}, more",
                decidemore.page(form, width),
                "Tab fields  Esc back",
            )
        bottom_line = decideface.note(form, now)
        if form.phase == "choosing":
            return f"{title}: which", decideface.choices(form, width, glyphs), bottom_line
        lines = decideface.question(
            form, width, height, glyphs, now=now, confirm_key=self.confirm_key
        )
        return f"{title}: {form.kind}", lines, bottom_line
