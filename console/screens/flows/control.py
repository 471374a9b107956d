"""From a key or typed words to a sent action: target, rung, box, result."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from console.actions.verbs import VERBS
from console.domain.action import ActionRequest
from console.domain.text import visible
from console.screens.base import ActionCame, ConsoleScreen
from console.screens.dialogs.choose import RungBox
from console.screens.dialogs.confirm_box import ConfirmBox, Decision
from console.screens.operations import all_well, set_lines, title_of
from console.settings.durations import DurationError, parse_duration
from console.settings.schema import SHIFT_END
from widgets.prompt import Prompt
from widgets.textbox import Textbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App

    from console.actions.spec import ActionSpec
    from console.domain.action import Confirmation, Outcome, PreparedAction, Purpose
    from console.engine.client import Refused
    from console.screens.session import Session

_FLAGS = ("--to", "--reason", "--ttl", "--incident")


class Words(Struct, frozen=True):
    """A command understood: the target (empty: the row), a rung, a threshold, why, and until when.

    ``ttl_seconds`` None takes the usual end.
    """

    target: str = ""
    to: str = ""
    value: float | None = None
    reason: str = ""
    ttl_seconds: float | None = None
    incident: str = ""


def read_words(
    verb: str, argument: str, models: Sequence[str], shift_end_seconds: float
) -> Words | str:
    """Return what ``argument`` says, or the sentence on what is wrong with it.

    ``:fallback NAME`` is a rung of the row under the cursor, ``:fallback MODEL --to NAME`` the
    command line's own form; ``:threshold 0.7`` and ``:threshold MODEL 0.7`` alike.
    ``--ttl shift-end`` is ``shift_end_seconds`` from now.
    """
    found = parted(argument, _FLAGS)
    if isinstance(found, str):
        return found
    plain, flags = found
    ttl_seconds: float | None = None
    if flags.get("--ttl") == SHIFT_END:
        ttl_seconds = shift_end_seconds
    elif flags.get("--ttl"):
        try:
            ttl_seconds = parse_duration(flags["--ttl"])
        except DurationError as fault:
            return f"--ttl {visible(flags['--ttl'], 40)}: {fault}, or {SHIFT_END}"
    target, to, threshold = "", flags.get("--to", ""), None
    if verb == "threshold":
        if not plain:
            return "say the threshold: :threshold 0.7"
        target, number = ("", plain[0]) if len(plain) == 1 else (plain[0], plain[1])
        threshold = _threshold(number)
        if threshold is None:
            return f"{visible(number, 40)} is no threshold; it is a number from 0 to 1"
        plain = plain[2:]
    elif plain:
        target, *plain = plain
        if verb == "fallback" and not to and target not in models:
            target, to = "", target
    if plain:
        return f"{visible(plain[0], 40)} is one word too many"
    return Words(
        target, to, threshold, flags.get("--reason", ""), ttl_seconds, flags.get("--incident", "")
    )


def parted(argument: str, known: Sequence[str]) -> tuple[list[str], dict[str, str]] | str:
    """Return plain words and flags, or what is wrong with them; ``known`` are the flags there are.

    Quotation marks hold words together, as in a shell.
    """
    try:
        parts = iter(shlex.split(argument))
    except ValueError:
        return "a quotation mark is not closed"
    plain: list[str] = []
    flags: dict[str, str] = {}
    for part in parts:
        name, given, value = part.partition("=")
        if not part.startswith("--"):
            plain.append(part)
        elif name not in known:
            return f"{visible(name, 40)} is not known here; there are {', '.join(known)}"
        else:
            flags[name] = value if given else next(parts, "")
    return plain, flags


def _threshold(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


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
