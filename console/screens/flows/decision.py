"""From the key D to a recorded decision and to where it is sent on."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from console.domain.action import Confirmation
from console.domain.decision import DECISION_KINDS
from console.domain.text import visible
from console.engine.client import Refused
from console.screens.base import DecisionCame
from console.screens.dialogs.decide_box import DecideBox
from console.screens.dialogs.decide_form import DecideForm
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App

    from console.actions.decision_record import PreparedDecision
    from console.actions.decision_sinks import PreparedSend
    from console.actions.spec import ActionSpec
    from console.domain.action import PreparedAction
    from console.domain.decision import DecisionRecord
    from console.screens.base import ConsoleScreen
    from console.screens.session import Session

    Send = Callable[[PreparedAction, Confirmation], None]


class DecidingDesk:
    """Takes a decision through its box into the record, then hands what it sends to ``send``.

    ``current`` gives the uppermost screen of the console.
    """

    def __init__(
        self,
        app: App[None],
        session: Session,
        current: Callable[[], ConsoleScreen | None],
        send: Send,
    ) -> None:
        self._app = app
        self._session = session
        self._current = current
        self._send = send

    def begin(self, spec: ActionSpec, argument: str, screen: ConsoleScreen) -> None:
        """Open the box, or say what is wrong with what was typed."""
        words = read_words(argument, screen.words())
        if isinstance(words, str):
            screen.say(words, "s3")
            return
        model, kind = words
        model = model or screen.context.model
        if not model:
            screen.say("there is no model to decide about yet", "s3")
            return
        engine = self._session.engine
        box = DecideBox(
            self._session,
            DecideForm(model, kind, here=self._incident_of(model, screen)),
            opened_by=self._session.keys.first_key(spec.id),
            refresh_seconds=5.0 if engine is None else engine.settings.refresh_seconds,
        )
        self._app.push_screen(box, self._decided)

    @staticmethod
    def _incident_of(model: str, screen: ConsoleScreen) -> str:
        """Return the one incident of the row under the cursor, where that row is what is meant."""
        context = screen.context
        return context.incident if context.model == model else ""

    def _decided(self, prepared: PreparedDecision | None) -> None:
        screen, engine = self._current(), self._session.engine
        if prepared is None or engine is None:
            if screen is not None:
                screen.say("cancelled: nothing was written", "dim")
            return

        def deliver(answer: DecisionRecord | Refused) -> None:
            self._app.post_message(DecisionCame(prepared, answer))

        engine.write_decision(prepared, deliver)

    def came(self, message: DecisionCame) -> None:
        """Say that it stands and send it on, or say why it does not."""
        screen, answer, prepared = self._current(), message.answer, message.prepared
        if isinstance(answer, Refused):
            if screen is not None:
                screen.say(f"nothing was written: {'; '.join(answer.sentences)}", "error")
            return
        decision = answer.decision
        what = f"{decision.kind} {visible(decision.model, 60)}"
        said = f"{what} is written as {decision.id}"
        if answer.pending:
            said = f"{what} waits: midwatch approve {decision.id}"
        else:
            for one in sent_from_here(prepared.sends):
                self._send(one, Confirmation(yes=True, typed=one.request.target))
        if self._session.engine is not None:
            self._session.engine.request_refresh()
        if screen is not None:
            screen.say(said, "s3" if answer.pending else "ok")
            screen.show_sent()


def sent_from_here(sends: Sequence[PreparedSend]) -> list[PreparedAction]:
    """Return what a person who confirmed the box has confirmed; C3 needs another one."""
    return [
        each.action
        for each in sends
        if each.action is not None and each.action.confirm_class in ("C1", "C2")
    ]


def read_words(argument: str, models: Sequence[str]) -> tuple[str, str] | str:
    """Return model and kind (either may be empty), or the sentence on what is wrong."""
    try:
        words = shlex.split(argument)
    except ValueError:
        return "a quotation mark is not closed"
    model, kind = "", ""
    for word in words:
        as_kind = word.upper().replace("_", "-")
        if as_kind in DECISION_KINDS and not kind:
            kind = as_kind
        elif word in models and not model:
            model = word
        else:
            close = nearest(as_kind, DECISION_KINDS) or f"there are {', '.join(DECISION_KINDS)}"
            return f"{visible(word, 40)} is no decision and no model; {close}"
    return model, kind
