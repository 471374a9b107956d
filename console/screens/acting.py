"""From a key to a sent action: target, rung, box, and what becomes of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from console.actions.verbs import VERBS
from console.facts.action import ActionRequest
from console.facts.text import visible
from console.screens.actingwords import Words, read_words
from console.screens.base import ConsoleScreen
from console.screens.confirmbox import ConfirmBox, Decision
from console.screens.messages import ActionCame
from console.screens.rungbox import RungBox
from console.screens.senttogether import all_well, set_lines, title_of
from widgets.prompt import Prompt
from widgets.textbox import Textbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

    from console.actions.spec import ActionSpec
    from console.engine.handle import Refused
    from console.facts.action import Confirmation, Outcome, PreparedAction, Purpose
    from console.screens.session import Session

_PURPOSES: dict[str, Purpose] = {"end": "end", "renew": "renew", "undo": "undo"}


class ActingDesk:
    """Takes a writing action through its boxes to the engine.

    Whom it concerns is fixed when the key is pressed: what moves afterwards changes nothing.
    ``current`` gives the uppermost screen of the console.
    """

    def __init__(
        self, app: App[None], session: Session, current: Callable[[], ConsoleScreen | None]
    ) -> None:
        self._app = app
        self._session = session
        self._current = current

    def begin(self, spec: ActionSpec, argument: str, screen: ConsoleScreen) -> None:
        """Open what asks about an action, or say why it cannot be asked about."""
        verb = spec.command
        if verb in _PURPOSES:
            self._way_back(_PURPOSES[verb], spec, argument, screen)
            return
        words = self._read(verb, argument, screen)
        if isinstance(words, str):
            screen.say(words, "s3")
            return
        marked = [] if words.target else sorted(self._session.marked)
        targets = marked or [words.target or screen.context.model]
        busy = next((one for one in map(self._session.sent.busy, targets) if one), None)
        if busy is not None:
            screen.say(f"{busy.title} is still on its way; wait for its outcome", "s3")
            return
        if verb == "threshold" and words.value is None:
            screen.say("say the threshold: :threshold 0.7", "s3")
            return
        if verb == "fallback" and not words.to and len(targets) == 1:
            self._choose_rung(spec, targets[0], words, screen)
            return
        self._ask(spec, targets, words)

    def _read(self, verb: str, argument: str, screen: ConsoleScreen) -> Words | str:
        left_seconds = float(round(self._session.shift_end - self._session.clock()))
        return read_words(verb, argument, screen.words(), left_seconds)

    def _choose_rung(
        self, spec: ActionSpec, target: str, words: Words, screen: ConsoleScreen
    ) -> None:
        rungs = self._rungs(target)
        if len(rungs) < 2:
            self._ask(spec, [target], words)
            return

        def chosen(name: str | None) -> None:
            if name is None:
                screen.say("nothing was sent", "dim")
            else:
                self._ask(spec, [target], words, to=name)

        self._app.push_screen(RungBox(self._session, target, ascii_only=self._ascii), chosen)

    def _rungs(self, model: str) -> tuple[str, ...]:
        snapshot = self._session.snapshot
        row = None if snapshot is None else snapshot.index.get(model)
        if snapshot is None or row is None:
            return ()
        return tuple(rung.name for rung in snapshot.rows[row].fallbacks)

    @property
    def _ascii(self) -> bool:
        return self._session.glyphs.name == "ascii"

    def _ask(self, spec: ActionSpec, targets: list[str], words: Words, to: str = "") -> None:
        verb = spec.command
        why = words.reason or self._suggested_reason(targets)
        requests = [
            ActionRequest(
                verb=verb,
                target=target,
                reason=why,
                ttl_seconds=words.ttl_seconds,
                to=(to or words.to or next(iter(self._rungs(target)), ""))
                if verb == "fallback"
                else "",
                value=words.value,
                incident=words.incident,
            )
            for target in targets
        ]
        self._open(spec, requests, _title(requests), suggested=bool(why and not words.reason))

    def _suggested_reason(self, targets: list[str]) -> str:
        """Return what the numbers say of the trouble, for the person to keep or to write over."""
        snapshot = self._session.snapshot
        if snapshot is None or len(targets) != 1:
            return ""
        name = targets[0].removeprefix("dep:")
        for each in snapshot.dependencies:
            concerns = each.name == name or (each.culprit and name in each.models)
            if each.text and concerns:
                return visible(each.text, 120)
        row = snapshot.index.get(name)
        found = () if row is None else snapshot.findings.get(row, ())
        top = min(found, key=lambda one: (one.level, one.since), default=None)
        return "" if top is None else visible(top.text, 120)

    def _way_back(
        self, purpose: Purpose, spec: ActionSpec, argument: str, screen: ConsoleScreen
    ) -> None:
        words = self._read(spec.command, argument, screen)
        if isinstance(words, str):
            screen.say(words, "s3")
            return
        op, target, verb, why = words.target, "", "restore", words.reason
        if purpose == "undo" and not op:
            last = self._session.sent.last_undoable(self._session.clock())
            if last is None:
                screen.say("this console has done nothing to undo; :undo OP names another's", "s3")
                return
            op, target, verb = last.op_id, last.target, last.verb
            why = why or f"undo of {last.title}"
        op = op or screen.context.model
        target = target or (op if op in screen.words() or op.startswith("dep:") else "")
        request = ActionRequest(verb, target, why, words.ttl_seconds, purpose=purpose, ends_op=op)
        title = f"{spec.title} {target or op}"
        self._open(spec, [request], title, suggested=bool(why and not words.reason))

    def _open(
        self, spec: ActionSpec, requests: list[ActionRequest], title: str, *, suggested: bool
    ) -> None:
        engine = self._session.engine
        box = ConfirmBox(
            self._session,
            requests,
            title=title,
            opened_by=self._session.keys.first_key(spec.id),
            refresh_seconds=5.0 if engine is None else engine.settings.refresh_seconds,
            ascii_only=self._ascii,
            suggested=suggested,
        )
        self._app.push_screen(box, self._decided)

    # What was decided

    def _decided(self, decision: Decision | None) -> None:
        screen = self._current()
        if decision is None:
            if screen is not None:
                screen.say("cancelled: nothing was sent", "dim")
            return
        self._session.marked = frozenset()
        first = decision.actions[0][0].op_id
        together = first if len(decision.actions) > 1 else ""
        for prepared, confirmation in decision.actions:
            self.send(prepared, confirmation, together)
        if screen is not None:
            screen.show_snapshot()

    def send(
        self, prepared: PreparedAction, confirmation: Confirmation, together: str = ""
    ) -> None:
        """Send what a person has confirmed, and follow it on the SENT line."""
        engine = self._session.engine
        if engine is None:
            return
        op_id = prepared.op_id
        session = self._session
        session.sent.begin(
            prepared, session.snapshot, session.clock(), session.glyphs.arrow, together
        )
        engine.perform_action(
            prepared,
            confirmation,
            lambda stage, sentence: self._tell(ActionCame(op_id, stage, sentence)),
            partial(self._done, op_id),
        )

    def _done(self, op_id: str, answer: Outcome | Refused) -> None:
        self._tell(ActionCame(op_id, "done", "", answer))

    def _tell(self, message: ActionCame) -> None:
        self._app.post_message(message)

    def came(self, message: ActionCame) -> None:
        """Show how far an operation is; its end also asks the sources at once."""
        session = self._session
        if message.answer is None:
            session.sent.stage(message.op_id, message.stage, message.sentence)
        else:
            session.sent.finish(message.op_id, message.answer, session.clock())
            if session.engine is not None:
                session.engine.request_refresh()
            self._show_set(message.op_id)
        screen = self._current()
        if screen is not None:
            screen.show_sent()

    def _show_set(self, op_id: str) -> None:
        """Show row by row what became of a set, once all of it is known and not all is well.

        Nothing is laid over a box or a line in which somebody types; the SENT line says it too.
        """
        sent = self._session.sent.find(op_id)
        members = [] if sent is None else self._session.sent.sent_with(sent)
        if len(members) < 2 or any(one.in_flight for one in members) or all_well(members):
            return
        top = self._app.screen
        if not isinstance(top, ConsoleScreen) or top.query_one(Prompt).is_open:
            return
        lines = set_lines(members, self._session.glyphs)
        title = f"{title_of(members)}: not all of them"
        roles = self._session.roles
        self._app.push_screen(Textbox(title, lines, roles=roles, ascii_only=self._ascii))


def _title(requests: list[ActionRequest]) -> str:
    first = requests[0]
    verb = VERBS[first.verb]
    if len(requests) > 1:
        return f"{verb.title} {len(requests)} models"
    to = (
        f" to {first.to}" if first.to else f" to {first.value:g}" if first.value is not None else ""
    )
    return f"{verb.title} {first.target}{to}"
