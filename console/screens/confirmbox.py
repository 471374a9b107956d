"""The box before every change of the world: blast radius, guards, end, reason, and Cancel first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import ModalScreen

from console.actions.confirming import APPROVAL_SECONDS, SHORTEST_REASON
from console.actions.verbs import DEFAULT_TTL_SECONDS, VERBS
from console.engine.handle import Refused
from console.facts.action import Confirmation, PreparedAction
from console.facts.text import visible
from console.screens.confirmlines import (
    age_note,
    end_choices,
    ends_line,
    exact_lines,
    fact_rows,
    field_line,
    fitting,
    guard_lines,
    labelled,
    many_lines,
    refused_lines,
    ttl_words,
)
from console.screens.runs import twins
from console.screens.values import age_text
from widgets.cutting import harmless
from widgets.lines import Lines, Run
from widgets.textbox import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult

    from console.facts.action import ActionRequest
    from console.screens.runs import RunLine
    from console.screens.session import Session

DEAD_SECONDS = 0.7
"""How long the confirm key means nothing after new facts appeared: a hand that types on is safe."""

REASON_TO_COME = "(to be given)"
WIDTH = 100
MAX_TEXT = 300

Phase = Literal["reading", "asking", "checking", "waiting", "approved", "refused"]


@dataclass(frozen=True, slots=True)
class Decision:
    """A yes: what to send, each with the confirmation its class asks for."""

    actions: tuple[tuple[PreparedAction, Confirmation], ...]


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

        def __init__(self, op_id: str, answer: str | Refused) -> None:
            self.op_id = op_id
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
        self.requests = tuple(requests)
        self.phase: Phase = "reading"
        self.prepared: dict[str, PreparedAction] = {}
        self.refused: dict[str, Refused] = {}
        self.focus_on = "cancel"
        self.reason = self.requests[0].reason
        self.typed = ""
        self.glass = ""
        self.choices = end_choices(session.clock(), session.zone)
        self.chosen = next(
            (
                number
                for number, (_, seconds) in enumerate(self.choices)
                if seconds == (self.requests[0].ttl_seconds or DEFAULT_TTL_SECONDS)
            ),
            1,
        )
        self.live = False
        self.exact = False
        self.confirm_key = "Y" if opened_by != "Y" else "S"
        self.approver = ""
        self._waits_until = 0.0
        self._then: Literal["", "send", "approval"] = ""
        self._shown: tuple[object, ...] = ()
        self._hint = ""
        self._suggested = suggested
        self._title = title
        self._refresh_seconds = refresh_seconds
        self._ascii = ascii_only
        self._top = 0
        self._round = 0
        self._coming: dict[str, PreparedAction | Refused] = {}

    # What is asked about

    @property
    def many(self) -> bool:
        """Whether several targets are acted on together."""
        return len(self.requests) > 1

    @property
    def confirm_class(self) -> str:
        """The strictest class of what is asked, empty before it is known."""
        return max((one.confirm_class for one in self.prepared.values()), default="")

    @property
    def holds(self) -> bool:
        """Whether the state is held by hand, so that an end has to be chosen."""
        if self.requests[0].purpose == "renew":
            return True
        return any(one.ttl_seconds is not None for one in self.prepared.values())

    @property
    def must_type(self) -> str:
        """What has to be typed for C2 and C3."""
        if self.many:
            return f"{len(self.prepared)} models"
        return self.requests[0].target.removeprefix("dep:")

    @property
    def fields(self) -> list[str]:
        """What can have the focus, top to bottom; Cancel is first in line."""
        if self.phase not in ("asking", "checking"):
            return ["cancel"]
        found = ["cancel", *(["ends"] if self.holds else []), "reason"]
        if self.confirm_class in ("C2", "C3"):
            found.append("typed")
        if self.confirm_class == "C3":
            found.append("glass")
        return found

    def _final(self) -> tuple[ActionRequest, ...]:
        ttl = self.choices[self.chosen][1]
        held = VERBS[self.requests[0].verb].holds if self.requests[0].verb in VERBS else False
        if self.requests[0].purpose in ("end", "undo"):
            held = False
        return tuple(
            replace(
                one,
                # Some controls take no request without one; what is sent is asked for anew.
                reason=self.reason.strip() or REASON_TO_COME,
                ttl_seconds=ttl if held or one.purpose == "renew" else one.ttl_seconds,
            )
            for one in self.requests
        )

    def _prepare(self) -> None:
        engine = self.session.engine
        if engine is None:
            return
        self._round += 1
        self._coming = {}
        for request in self._final():
            engine.prepare_action(request, self._deliver(self._round, request), len(self.requests))

    def _deliver(self, round_: int, request: ActionRequest) -> _Deliver:
        return _Deliver(self, round_, _key(request))

    def on_confirm_box_delivered(self, message: Delivered) -> None:
        """Show what the engine read, once it is there for every target."""
        message.stop()
        if message.round != self._round or self.phase in ("waiting", "approved"):
            return
        self._coming[message.target] = message.answer
        if len(self._coming) == len(self.requests):
            self._take(self._coming)

    def _take(self, answers: dict[str, PreparedAction | Refused]) -> None:
        self.prepared = {
            name: one for name, one in answers.items() if isinstance(one, PreparedAction)
        }
        self.refused = {name: one for name, one in answers.items() if isinstance(one, Refused)}
        then, self._then = self._then, ""
        if not self.prepared:
            self.phase = "refused"
            self._show()
            return
        seen = tuple(_material(one) for one in self.prepared.values())
        changed = bool(self._shown) and seen != self._shown
        first = not self._shown
        self._shown = seen
        self.phase = "asking"
        if changed:
            self._hint = "it changed while you read: look again"
        if first or changed:
            self.live = False
            self.set_timer(DEAD_SECONDS, self._come_alive)
        elif then == "send":
            self._send()
            return
        elif then == "approval":
            self._ask_second_person()
            return
        self._show()

    def _come_alive(self) -> None:
        self.live = True
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
        now = self.session.clock()
        if self.phase == "asking" and self.prepared:
            oldest = min(one.prepared_at for one in self.prepared.values())
            if now - oldest > self._refresh_seconds and not self._then:
                self._prepare()
        self._show()

    def _leave(self, decision: Decision | None) -> None:
        if self.phase in ("waiting", "approved") and decision is None:
            engine = self.session.engine
            for one in self.prepared.values():
                if engine is not None:
                    engine.forget_approval(one.op_id)
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
        fields = self.fields
        place = fields.index(self.focus_on) if self.focus_on in fields else 0
        self.focus_on = fields[(place + step) % len(fields)]
        self._show()

    def on_key(self, event: events.Key) -> None:
        """Take every key: none of them may reach what lies under the box."""
        event.stop()
        event.prevent_default()
        if self.phase == "checking":
            return
        if self.exact:
            self._key_in_exact(event.key)
        elif self.focus_on in ("reason", "typed", "glass"):
            self._key_in_text(event)
        else:
            self._key_on_button(event)
        self._show()

    def on_paste(self, event: events.Paste) -> None:
        """Insert the first line of what was pasted into a text."""
        event.stop()
        lines = event.text.splitlines()
        if lines and self.focus_on in ("reason", "typed", "glass") and self.phase == "asking":
            self._write(self._text() + lines[0])
            self._show()

    def _key_in_exact(self, key: str) -> None:
        moves = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10, "space": 10}
        if key in moves:
            self._top = max(0, self._top + moves[key])
        elif key in ("d", "q", "enter"):
            self._toggle_exact()

    def _toggle_exact(self) -> None:
        self.exact = bool(self.prepared) and not self.exact
        self._top = 0
        self._show()

    def _key_on_button(self, event: events.Key) -> None:
        key, character = event.key, event.character
        if key in ("down", "up"):
            self.action_step(1 if key == "down" else -1)
        elif character == self.confirm_key:
            if self.confirm_class in ("C2", "C3") and self.phase == "asking":
                self._hint = f"class {self.confirm_class}: type the name and press Enter"
                self.focus_on = "typed"
            else:
                self._confirm()
        elif key == "enter" and self.focus_on == "cancel":
            self._leave(None)
        elif character == "d" and self.prepared:
            self._toggle_exact()
        elif character == "r" and "reason" in self.fields:
            self.focus_on = "reason"
        elif character == "p" and self.confirm_class == "C3" and self.phase == "asking":
            self._begin("approval")
        elif self.holds and self.phase == "asking":
            self._key_on_ends(key, character)

    def _key_on_ends(self, key: str, character: str | None) -> None:
        if character is not None and character in "1234":
            self.chosen = int(character) - 1
        elif key in ("left", "right") and self.focus_on == "ends":
            self.chosen = (self.chosen + (1 if key == "right" else -1)) % len(self.choices)
        elif key == "enter":
            self.action_step(1)

    def _key_in_text(self, event: events.Key) -> None:
        if event.key == "enter":
            if self.focus_on in ("typed", "glass"):
                self._confirm()
            else:
                self.focus_on = "typed" if "typed" in self.fields else "cancel"
        elif event.key in ("up", "down"):
            self.action_step(1 if event.key == "down" else -1)
        elif event.key == "backspace":
            self._write(self._text()[:-1])
        elif event.key == "ctrl+u":
            self._write("")
        elif event.key == "ctrl+w":
            self._write(self._text().rstrip().rpartition(" ")[0])
        elif event.is_printable and event.character is not None:
            begins = self._suggested and self.focus_on == "reason"
            self._write(("" if begins else self._text()) + event.character)

    def _text(self) -> str:
        return str(getattr(self, self.focus_on))

    def _write(self, text: str) -> None:
        if self.focus_on == "reason":
            self._suggested = False
        setattr(self, self.focus_on, harmless(text)[:MAX_TEXT])

    # Yes

    def _confirm(self) -> None:
        if self.phase == "approved":
            self._send()
        elif self.phase == "asking":
            self._begin("send")

    def _begin(self, then: Literal["send", "approval"]) -> None:
        """Look once more with reason and end as they are now, then go on unless it changed."""
        problem = self._lacking(then)
        if problem:
            self._hint = problem
            return
        self._hint = ""
        self._then = then
        self.phase = "checking"
        self._prepare()

    def _lacking(self, then: str) -> str:
        """Return what the class still asks for, and put the focus there; empty for nothing."""
        if not self.live:
            return "too quick: read it first"
        if any(one.forbidden for one in self.prepared.values()):
            return "this is refused; nothing overrules it"
        if len(self.reason.strip()) < SHORTEST_REASON:
            self.focus_on = "reason"
            return "say why: at least three letters, they stand in the record"
        if self.confirm_class in ("C2", "C3") and self.typed not in self._good_names():
            self.focus_on = "typed"
            return f"type {self.must_type} exactly"
        if self.confirm_class == "C3" and then == "send" and len(self.glass.strip()) < 3:
            self.focus_on = "glass"
            return "class C3: p asks a second person, or give a break-glass reason"
        return ""

    def _good_names(self) -> tuple[str, ...]:
        return (self.must_type, self.requests[0].target) if not self.many else (self.must_type,)

    def _send(self) -> None:
        actions = tuple(
            (
                one,
                Confirmation(
                    yes=True,
                    typed=one.request.target if self.typed else "",
                    approved_by=self.approver,
                    break_glass=self.glass.strip() if self.confirm_class == "C3" else "",
                ),
            )
            for one in self.prepared.values()
        )
        self._leave(Decision(actions))

    def _ask_second_person(self) -> None:
        engine = self.session.engine
        if engine is None:
            return
        if self.many:
            self._hint = "several at once take a break-glass reason; one at a time can be approved"
            self._show()
            return
        prepared = next(iter(self.prepared.values()))
        self.phase = "waiting"
        self.focus_on = "cancel"
        self._waits_until = self.session.clock() + APPROVAL_SECONDS
        engine.request_approval(prepared, lambda answer: self._approved(prepared.op_id, answer))
        self._show()

    def _approved(self, op_id: str, answer: str | Refused) -> None:
        self.post_message(self.Approved(op_id, answer))

    def on_confirm_box_approved(self, message: Approved) -> None:
        """Go on with a second person's yes; without one say why there is none."""
        message.stop()
        if self.phase != "waiting":
            return
        if isinstance(message.answer, Refused):
            self.phase = "asking"
            self._hint = "; ".join(message.answer.sentences)
        else:
            self.phase = "approved"
            self.approver = message.answer
        self._show()

    # Drawing

    def _show(self) -> None:
        if not self.is_mounted:
            return
        width = min(WIDTH, self.size.width)
        inner = width - 4
        lines = self._exact_view(inner) if self.exact else self._question(inner)
        # At most the screen, the keys always in sight.
        lines = lines[: max(3, self.size.height - 2)]
        body = self.query_one(Lines)
        body.styles.width = width
        body.styles.height = len(lines) + 2
        rows = twins([[Run(" "), *line] for line in lines], self.session.glyphs)
        title = twins([[Run(self._head(width))]], self.session.glyphs)[0][0].text
        body.show_lines(framed(title, rows, width, self._note(), ascii_only=self._ascii))

    @property
    def title_words(self) -> str:
        """What is done, in words; a way back says what it is as soon as that is known."""
        purpose = self.requests[0].purpose
        if not purpose or not self.prepared:
            return visible(self._title, 120)
        return visible(f"{purpose.capitalize()}: {next(iter(self.prepared.values())).title}", 120)

    def _head(self, width: int) -> str:
        level = f"class {self.confirm_class}" if self.confirm_class else ""
        title = self.title_words
        gap = width - len(title) - len(level) - 8
        return f"{title} {self.session.glyphs.rule * max(1, gap)} {level}" if level else title

    def _note(self) -> str:
        if self.exact:
            return "up down scroll, d closes"
        if self.phase in ("asking", "checking"):
            now = self.session.clock()
            age = age_note(min(one.prepared_at for one in self.prepared.values()), now)
            return f"{age}  d exact request  Tab fields  Esc cancels"
        return "Esc cancels"

    def _exact_view(self, inner: int) -> list[RunLine]:
        lines = exact_lines(list(self.prepared.values()), inner)
        room = max(3, self.size.height - 4)
        self._top = max(0, min(self._top, len(lines) - room))
        return lines[self._top : self._top + room]

    def _question(self, inner: int) -> list[RunLine]:
        glyphs = self.session.glyphs
        if self.phase == "reading":
            return [
                [Run(f"reading the control of {', '.join(_names(self.requests))}…", "dim")],
                [],
                self._buttons(),
            ]
        if self.phase == "refused":
            sentences = [text for one in self.refused.values() for text in one.sentences]
            return [*refused_lines(sentences, inner, glyphs), [], self._buttons()]
        below = self._asked(inner)
        objections = (
            [] if self.many else guard_lines(next(iter(self.prepared.values())), inner, glyphs)
        )
        room = self.size.height - 2 - len(below) - len(objections) - 1
        if self.many:
            first = {name: one.sentences[0] for name, one in self.refused.items()}
            facts = many_lines(self.prepared, first, inner, glyphs)[: max(2, room)]
        else:
            facts = fitting(fact_rows(next(iter(self.prepared.values())), inner), max(2, room))
        forbidden = any(one.forbidden for one in self.prepared.values())
        above = [*objections, *facts] if forbidden else [*facts, *objections]
        return [*above, *below]

    def _asked(self, inner: int) -> list[RunLine]:
        lines: list[RunLine] = []
        one = next(iter(self.prepared.values()))
        if self.holds:
            lines.append(
                ends_line(
                    self.choices,
                    self.chosen,
                    focused=self.focus_on == "ends",
                    glyphs=self.session.glyphs,
                )
            )
            if one.ttl_seconds is not None:
                role = "s2" if one.enforced_by == "nobody" else "dim"
                words = ttl_words(replace(one, ttl_seconds=self.choices[self.chosen][1]))
                lines += labelled("", words, inner, role, 2)
        note = "(suggested)" if self._suggested else "(required)"
        lines.append(
            field_line("reason", self.reason, note, inner, focused=self.focus_on == "reason")
        )
        if self.phase in ("waiting", "approved"):
            return [*lines, *self._second_person(one), [], self._buttons()]
        if self.confirm_class in ("C2", "C3"):
            lines.append(
                [Run("type ", "text"), Run(visible(self.must_type, 80), "key"),
                 Run(" and press Enter:", "text")]
            )  # fmt: skip
            focused = self.focus_on == "typed"
            lines.append(field_line("", self.typed, "", inner, focused=focused))
        if self.confirm_class == "C3":
            writing = self.session.writing
            shared = writing is not None and writing.shared_journal
            asks = "p asks a second person, or " if shared else "no shared journal, so "
            lines.append([Run(f"{asks}a break-glass reason, flagged in the handover:", "text")])
            focused = self.focus_on == "glass"
            lines.append(field_line("glass", self.glass, "", inner, focused=focused))
        hint: list[RunLine] = [[Run(visible(self._hint, 300), "s3")]] if self._hint else [[]]
        return [*lines, *hint, self._buttons()]

    def _second_person(self, one: PreparedAction) -> list[RunLine]:
        if self.phase == "approved":
            return [[Run(f"approved by {visible(self.approver, 60)}; ", "ok"),
                     Run(self.confirm_key, "key"), Run(" sends it", "text")]]  # fmt: skip
        left = age_text(max(0.0, self._waits_until - self.session.clock()))
        return [
            [Run(f"waiting {left} for a second person, from another login:", "s3")],
            [Run(f"midwatch approve {one.op_id}", "key")],
        ]

    def _buttons(self) -> RunLine:
        cancel = Run("[ Cancel ]", "cursor" if self.focus_on == "cancel" else "dim")
        line: RunLine = [Run("     "), cancel]
        if self.phase == "checking":
            return [*line, Run("      looking once more, then sending…", "s3")]
        forbidden = any(one.forbidden for one in self.prepared.values())
        if self.phase == "asking" and self.confirm_class in ("C0", "C1") and not forbidden:
            role = "key" if self.live else "dim"
            name = self.title_words[:60]
            line += [Run("      press ", "text" if self.live else "dim"),
                     Run(self.confirm_key, role), Run(f' = "{name}"', role)]  # fmt: skip
        return line


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


def _names(requests: Sequence[ActionRequest]) -> list[str]:
    return [visible(_key(one), 60) for one in requests]


def _material(prepared: PreparedAction) -> tuple[object, ...]:
    """Return what a yes was said to: a change of any of it has to be read again."""
    return (
        prepared.request.target,
        prepared.confirm_class,
        tuple((guard.id, guard.level) for guard in prepared.guards),
        prepared.before,
        prepared.wanted,
        prepared.enforced_by,
        tuple(
            (call.target, call.seen.text, call.already)
            for each in prepared.changes
            for call in each.calls
        ),
    )
