"""From a key to something done about an incident: questions, then the result."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from console.domain.incident import NOTHING_TO_DECIDE, CareWish
from console.domain.severity import Severity
from console.domain.text import visible
from console.screens.base import CareCame
from console.screens.dialogs.choose import Choice, ChoiceBox
from console.screens.flows.incident_words import (
    VERDICT_CHOICES,
    close_reading,
    level_choices,
    merge_choices,
    names_in,
    people_to_call,
    read_care,
    snooze_choices,
)
from console.screens.tables.incidents import find_incident, listed_incidents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App

    from console.actions.spec import ActionSpec
    from console.domain.action import Outcome
    from console.domain.incident import CareVerb
    from console.engine.client import Refused
    from console.screens.base import ConsoleScreen
    from console.screens.session import Session
    from console.screens.spans import RunLine
    from console.screens.tables.incidents import Listed

LOOKING = "looking"
"""The reason of an acknowledgement by key: it must not cost a second."""

CONFIRMED_SNOOZE_SECONDS = 3600.0
"""A longer snooze asks first."""


class CareDesk:
    """Takes what people do about an incident through its questions to the engine.

    Which incident it is about is fixed when the key is pressed. ``current`` gives the uppermost
    screen of the console.
    """

    def __init__(
        self, app: App[None], session: Session, current: Callable[[], ConsoleScreen | None]
    ) -> None:
        self._app = app
        self._session = session
        self._current = current
        self._count = 0

    def begin(self, spec: ActionSpec, argument: str, screen: ConsoleScreen) -> None:
        """Ask what is still to be asked, then do it; or say why it cannot be done."""
        if spec.command == "undo":
            self._undo(screen)
            return
        snapshot = self._session.snapshot
        known = () if snapshot is None else {one.id for one in listed_incidents(snapshot)}
        verb = cast("CareVerb", spec.command)
        wish = read_care(verb, argument, screen.context.incident, known)
        if isinstance(wish, str):
            screen.say(wish, "s3")
            return
        if not wish.incident:
            screen.say("which incident? :incidents lists them, the id goes first", "s3")
            return
        busy = self._session.sent.busy(f"inc:{wish.incident}")
        if busy is not None:
            screen.say(f"{busy.title} is still on its way; wait for its outcome", "s3")
            return
        {
            "ack": self._ack, "snooze": self._snooze, "note": self._note,
            "severity": self._severity, "merge": self._merge, "escalate": self._escalate,
            "close": self._close,
        }.get(verb, self._do)(wish, screen)  # fmt: skip

    # What is asked, verb by verb

    def _ack(self, wish: CareWish, screen: ConsoleScreen) -> None:
        self._do(replace(wish, reason=wish.reason or LOOKING), screen)

    def _snooze(self, wish: CareWish, screen: ConsoleScreen) -> None:
        if wish.ttl_seconds is None:
            self._choose(
                f"Snooze {wish.incident}: until when",
                snooze_choices(),
                lambda value: self._snooze(replace(wish, ttl_seconds=float(value)), screen),
                screen,
            )
        elif not wish.reason:
            self._ask(
                wish, "snooze", "why it can wait; Enter does it", screen,
                lambda text: self._snooze(replace(wish, reason=text), screen),
            )  # fmt: skip
        elif wish.ttl_seconds > CONFIRMED_SNOOZE_SECONDS and not wish.confirmed:
            choices = (
                Choice("n", "no", "Cancel", "nothing is done"),
                Choice("Y", "yes", "Snooze it", "nobody is reminded until then"),
            )
            self._choose(
                f"Snooze {wish.incident} for more than an hour",
                choices,
                lambda value: self._snooze_long(replace(wish, confirmed=value == "yes"), screen),
                screen,
            )
        else:
            self._do(wish, screen)

    def _snooze_long(self, wish: CareWish, screen: ConsoleScreen) -> None:
        if wish.confirmed:
            self._do(wish, screen)
        else:
            screen.say("nothing was done", "dim")

    def _note(self, wish: CareWish, screen: ConsoleScreen) -> None:
        if wish.reason:
            self._do(wish, screen)
        else:
            self._ask(
                wish, "note", "it goes into the timeline under your name", screen,
                lambda text: self._do(replace(wish, reason=text), screen),
            )  # fmt: skip

    def _severity(self, wish: CareWish, screen: ConsoleScreen) -> None:
        now = self._found(wish)
        if not wish.level:
            choices, place = level_choices(now, self._session.glyphs)
            self._choose(
                f"Severity of {wish.incident}",
                choices,
                lambda value: self._severity(replace(wish, level=value), screen),
                screen,
                place=place,
            )
        elif now is not None and wish.level == now.severity.label:
            screen.say(f"{wish.incident} is {wish.level} already", "dim")
        elif now is not None and Severity[wish.level] > now.severity and not wish.reason:
            self._ask(
                wish, f"lower to {wish.level}", "why; lowering needs a reason", screen,
                lambda text: self._do(replace(wish, reason=text), screen),
            )  # fmt: skip
        else:
            self._do(wish, screen)

    def _merge(self, wish: CareWish, screen: ConsoleScreen) -> None:
        if wish.into:
            self._do(wish, screen)
            return
        choices = merge_choices(wish.incident, self._session.snapshot, self._session.glyphs)
        if not choices:
            screen.say("there is no other incident to merge it into", "s3")
            return
        self._choose(
            f"Merge {wish.incident} into: the one whose cause it shares",
            choices,
            lambda value: self._do(replace(wish, into=value), screen),
            screen,
        )

    def _escalate(self, wish: CareWish, screen: ConsoleScreen) -> None:
        if not wish.to:
            proposed = people_to_call(self._found(wish), self._session.snapshot)
            hint = f"names; next in line: {', '.join(proposed[:4])}" if proposed else "names"
            self._ask(
                wish, "called", hint, screen,
                lambda text: self._escalate(replace(wish, to=names_in(text)), screen),
                next(iter(proposed), ""),
            )  # fmt: skip
        elif not wish.reason:
            self._ask(
                wish, "called because", "what you need of them", screen,
                lambda text: self._do(replace(wish, reason=text), screen),
            )  # fmt: skip
        else:
            self._do(wish, screen)

    def _close(self, wish: CareWish, screen: ConsoleScreen) -> None:
        if not wish.verdict:
            self._choose(
                f"Close {wish.incident}: was its page useful?",
                VERDICT_CHOICES,
                lambda value: self._close(replace(wish, verdict=value), screen),
                screen,
                before=close_reading(screen.close_checks, self._session.glyphs),
            )
        elif not wish.decision:
            self._ask(
                wish, "retraining decision",
                "a decision's id, or HOLD where nothing needs deciding", screen,
                lambda text: self._close(replace(wish, decision=text), screen),
                self._decision_of(wish.incident),
            )  # fmt: skip
        elif not wish.reason:
            self._ask(
                wish, "closing words", "what it was; Enter closes it", screen,
                lambda text: self._do(replace(wish, reason=text), screen),
            )  # fmt: skip
        else:
            self._do(wish, screen)

    def _decision_of(self, incident: str) -> str:
        snapshot = self._session.snapshot
        made = () if snapshot is None else snapshot.decisions
        of_it = (one.decision.id for one in made if one.decision.incident == incident)
        return next(of_it, NOTHING_TO_DECIDE)

    def _found(self, wish: CareWish) -> Listed | None:
        return find_incident(self._session.snapshot, wish.incident)

    def _ask(
        self,
        wish: CareWish,
        what: str,
        hint: str,
        screen: ConsoleScreen,
        then: Callable[[str], None],
        text: str = "",
    ) -> None:
        def take(typed: str) -> None:
            if typed:
                then(typed)
            else:
                screen.say(f"nothing was done: {what} needs words", "s3")

        screen.ask_text(f"{what} ({visible(wish.incident, 20)}): ", hint, take, text)

    def _choose(
        self,
        title: str,
        choices: Sequence[Choice],
        then: Callable[[str], object],
        screen: ConsoleScreen,
        *,
        before: Sequence[RunLine] = (),
        place: int = 0,
    ) -> None:
        def take(value: str | None) -> None:
            if value is None:
                screen.say("nothing was done", "dim")
            else:
                then(value)

        box = ChoiceBox(self._session, title, choices, before=before, place=place)
        self._app.push_screen(box, take)

    # Doing it

    def _undo(self, screen: ConsoleScreen) -> None:
        session = self._session
        last = session.sent.last_undoable(session.clock())
        if last is None or not last.cares:
            screen.say("more than 30 s ago; :release lets go of what is held", "s3")
            return
        incident = last.target.removeprefix("inc:")
        self._do(CareWish("undo", incident, f"undo of {last.title}", op_id=last.op_id), screen)

    def _do(self, wish: CareWish, screen: ConsoleScreen) -> None:
        engine, session = self._session.engine, self._session
        if engine is None:
            screen.say("the engine is still starting", "s3")
            return
        self._count += 1
        key = f"care {self._count}"
        session.sent.begin_care(key, title_of(wish), wish, session.clock())
        engine.perform_care(wish, partial(self._tell, key, wish))
        screen.show_sent()

    def _tell(self, key: str, wish: CareWish, answer: Outcome | Refused) -> None:
        self._app.post_message(CareCame(key, wish, answer))

    def came(self, message: CareCame) -> None:
        """Say what became of a wish; its end also asks the sources at once."""
        session, answer = self._session, message.answer
        session.sent.finish_care(message.key, answer, session.clock())
        if session.engine is not None:
            session.engine.request_refresh()
        screen = self._current()
        if screen is None:
            return
        screen.show_sent()
        screen.say(*_said(message, answer))


def _said(message: CareCame, answer: Outcome | Refused) -> tuple[str, str]:
    """Return the sentence on what became of it, and the role it is said in."""
    kind = getattr(answer, "kind", "")
    refusals = getattr(answer, "sentences", None)
    if refusals is not None:
        return "; ".join(refusals), "s2" if kind == "fault" else "s3"
    sentence = str(getattr(answer, "sentence", "")) or title_of(message.wish)
    if kind not in ("applied", "no_op"):
        return f"{kind.upper()}: {sentence}", "s2"
    undo = "; u undoes for 30 s" if message.wish.verb in ("ack", "snooze") else ""
    return f"{sentence}{undo}", "text"


def title_of(wish: CareWish) -> str:
    """Return a wish in the words of its command."""
    more = {
        "severity": wish.level, "merge": wish.into, "escalate": ", ".join(wish.to),
        "close": wish.verdict,
    }.get(wish.verb, "")  # fmt: skip
    return visible(f"{wish.verb} {wish.incident} {more}".strip(), 120)
