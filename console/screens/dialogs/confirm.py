"""State and drawing of the confirm box: answers, fields, what its class still lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from console.actions.approval import SHORTEST_REASON
from console.actions.verbs import DEFAULT_TTL_SECONDS, VERBS
from console.domain.action import Confirmation, Together
from console.domain.text import visible
from console.screens.dialogs.choose import edited, next_field
from console.screens.dialogs.confirm_text import (
    age_note,
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
from console.screens.spans import age_text
from widgets.lines import Run
from widgets.text_width import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import ActionRequest, PreparedAction
    from console.engine.client import Refused
    from console.screens.dialogs.confirm_text import EndChoice
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

Phase = Literal["reading", "asking", "checking", "waiting", "approved", "refused"]
Then = Literal["", "send", "approval"]

TEXTS = ("reason", "typed", "glass")
MAX_TEXT = 300
SAME_SECONDS = 2.0
"""How far an end asked for in words may be from one of the choices to be that one."""

REASON_TO_COME = "(to be given)"
"""Stands for the reason while none is typed: some controls take no request without one."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A yes: what to send, each with the confirmation its class asks for."""

    actions: tuple[tuple[PreparedAction, Confirmation], ...]


class ConfirmForm:
    """The answers of one box, about one request or several together.

    ``live`` is False until what is shown could have been read. ``then`` is what follows once the
    world was looked at again.
    """

    def __init__(
        self,
        requests: Sequence[ActionRequest],
        title: str,
        ends: tuple[EndChoice, ...],
        *,
        suggested: bool,
    ) -> None:
        self.requests = tuple(requests)
        self.phase: Phase = "reading"
        self.prepared: dict[str, PreparedAction] = {}
        self.refused: dict[str, Refused] = {}
        self.focus_on = "cancel"
        self.reason = self.requests[0].reason
        self.typed = ""
        self.glass = ""
        self.choices, self.chosen = _choices(self.requests[0].ttl_seconds, ends)
        self.suggested = suggested
        self.live = False
        self.hint = ""
        self.approver = ""
        self.then: Then = ""
        self._title = title
        self._shown: tuple[object, ...] = ()

    # What is asked about

    @property
    def many(self) -> bool:
        """Whether several targets are acted on together."""
        return len(self.requests) > 1

    @property
    def first(self) -> PreparedAction:
        """The first action prepared; there is one from the phase ``asking`` on."""
        return next(iter(self.prepared.values()))

    @property
    def confirm_class(self) -> str:
        """The strictest class of what is asked, empty before it is known."""
        return max((one.confirm_class for one in self.prepared.values()), default="")

    @property
    def forbidden(self) -> bool:
        """Whether something speaks against it that nothing overrules."""
        return any(one.forbidden for one in self.prepared.values())

    @property
    def holds(self) -> bool:
        """Whether the state is held by hand, so that an end has to be chosen."""
        if self.requests[0].purpose == "renew":
            return True
        return any(one.ttl_seconds is not None for one in self.prepared.values())

    @property
    def title(self) -> str:
        """What is done, in words; a way back says what it is as soon as that is known."""
        purpose = self.requests[0].purpose
        if not purpose or not self.prepared:
            return visible(self._title, 120)
        return visible(f"{purpose.capitalize()}: {self.first.title}", 120)

    @property
    def must_type(self) -> str:
        """What has to be typed for C2 and C3."""
        if self.many:
            return f"{len(self.prepared)} models"
        target = self.first.request.target if self.prepared else self.requests[0].target
        return target.removeprefix("dep:")

    @property
    def asks_name(self) -> bool:
        """Whether a name has to be typed now: then letters and digits belong to it."""
        return self.phase == "asking" and self.confirm_class in ("C2", "C3")

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

    def final(self, ends: tuple[EndChoice, ...]) -> tuple[ActionRequest, ...]:
        """Return the requests with reason and end as they are answered now.

        ``ends`` are the choices as they are by now: the shift's end comes nearer meanwhile.
        """
        self.choices = (*ends, *self.choices[len(ends) :])
        first = self.requests[0]
        held = first.purpose == "renew" or (
            first.purpose not in ("end", "undo") and first.verb in VERBS and VERBS[first.verb].holds
        )
        ttl_seconds = self.choices[self.chosen][1] if held else first.ttl_seconds
        reason = self.reason.strip() or REASON_TO_COME
        return tuple(replace(one, reason=reason, ttl_seconds=ttl_seconds) for one in self.requests)

    def take(
        self, prepared: dict[str, PreparedAction], refused: dict[str, Refused]
    ) -> Literal["refused", "new", "same"]:
        """Take over what the engine read; ``new`` has to be read before it can be confirmed."""
        self.prepared, self.refused = prepared, refused
        if not prepared:
            self.phase = "refused"
            return "refused"
        seen = tuple(material(one) for one in prepared.values())
        before, self._shown = self._shown, seen
        self.phase = "asking"
        if self.focus_on not in self.fields:
            self.focus_on = "cancel"
        if before == seen:
            return "same"
        if before:
            self.hint = "it changed while you read: look again"
        self.live = False
        return "new"

    # Typing

    def step(self, step: int) -> None:
        """Give the focus to the next field."""
        self.focus_on = next_field(self.fields, self.focus_on, step)

    @property
    def in_text(self) -> bool:
        """Whether letters are typed now and are no keys."""
        return self.focus_on in TEXTS and self.phase == "asking"

    def insert(self, text: str) -> None:
        """Type into the field with the focus; a suggested reason gives way to another one."""
        over = self.suggested and self.focus_on == "reason"
        self._write(("" if over else self._text()) + text)

    def edit(self, key: str) -> bool:
        """Take a key that edits; False when it does not."""
        text = edited(self._text(), key)
        if text is not None:
            self._write(text)
        return text is not None

    def _text(self) -> str:
        return {"reason": self.reason, "typed": self.typed, "glass": self.glass}[self.focus_on]

    def _write(self, text: str) -> None:
        text = harmless(text)[:MAX_TEXT]
        match self.focus_on:
            case "reason":
                self.reason, self.suggested = text, False
            case "typed":
                self.typed = text
            case _:
                self.glass = text

    # Yes

    def lacking(self, then: Then) -> str:
        """Return what the class still asks for, and put the focus there; empty for nothing."""
        if not self.live:
            return "too quick: read it first"
        if self.forbidden:
            return "this is refused; nothing overrules it"
        if len(self.reason.strip()) < SHORTEST_REASON:
            self.focus_on = "reason"
            return "say why: at least three letters, they stand in the record"
        if self.confirm_class in ("C2", "C3") and self.typed not in self._good_names():
            self.focus_on = "typed"
            return f"type {self.must_type} exactly"
        alone = self.confirm_class == "C3" and then == "send"
        if alone and len(self.glass.strip()) < SHORTEST_REASON:
            self.focus_on = "glass"
            return "class C3: a second person, or a break-glass reason"
        return ""

    @property
    def _approved_together(self) -> bool:
        return bool(self.approver) and len(self.prepared) > 1

    def _good_names(self) -> tuple[str, ...]:
        if self.many:
            return (self.must_type,)
        return (self.must_type, self.first.request.target)

    def decision(self) -> Decision:
        """Return the yes; the engine holds it against the class once more."""
        glass = self.glass.strip() if self.confirm_class == "C3" and not self.approver else ""
        together = Together.of(self.prepared.values()) if self._approved_together else None
        return Decision(
            tuple(
                (
                    one,
                    Confirmation(
                        yes=True,
                        typed=one.request.target if self.typed in self._good_names() else "",
                        approved_by=self.approver,
                        break_glass=glass,
                        together=together,
                    ),
                )
                for one in self.prepared.values()
            )
        )


def _choices(
    wanted: float | None, choices: tuple[EndChoice, ...]
) -> tuple[tuple[EndChoice, ...], int]:
    """Return the ends, one that was asked for in words among them, and which one is chosen."""
    seconds = DEFAULT_TTL_SECONDS if wanted is None else wanted
    near = (number for number, one in enumerate(choices) if abs(one[1] - seconds) < SAME_SECONDS)
    found = next(near, None)
    if found is not None:
        return choices, found
    from console.settings.durations import format_duration

    return (*choices, (format_duration(seconds), seconds)), len(choices)


def material(prepared: PreparedAction) -> tuple[object, ...]:
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


def head(form: ConfirmForm, width: int, glyphs: Glyphs) -> str:
    """Return the title with the class at its right end."""
    level = f"class {form.confirm_class}" if form.confirm_class else ""
    gap = width - len(form.title) - len(level) - 8
    return f"{form.title} {glyphs.rule * max(1, gap)} {level}" if level else form.title


def note(form: ConfirmForm, now: float) -> str:
    """Return how old the facts are, and the keys that are not of the form."""
    if form.phase not in ("asking", "checking"):
        return "Esc cancels"
    age = age_note(min(one.prepared_at for one in form.prepared.values()), now)
    if form.asks_name:
        return f"{age}  F2 exact request  Tab reason, end  Esc cancels"
    return f"{age}  d exact request  Tab fields  Esc cancels"


def exact(form: ConfirmForm, width: int) -> list[RunLine]:
    """Return everything that would be sent, and the ways back."""
    return exact_lines(list(form.prepared.values()), width)


def question(
    form: ConfirmForm,
    width: int,
    height: int,
    glyphs: Glyphs,
    *,
    confirm_key: str,
    shared: bool,
    waits_seconds: float,
) -> list[RunLine]:
    """Return the lines of the box, at most ``height``; ``shared`` lets a second person be asked."""
    keys = buttons(form, confirm_key)
    if form.phase == "reading":
        names = ", ".join(visible(one.target or one.ends_op, 60) for one in form.requests)
        return [[Run(f"reading the control of {names}{glyphs.ellipsis}", "dim")], [], keys]
    if form.phase == "refused":
        sentences = [text for one in form.refused.values() for text in one.sentences]
        return [*refused_lines(sentences, width, glyphs), [], keys]
    below = [
        *_answers(form, width, glyphs),
        *_confirmation(form, width, confirm_key, shared=shared, waits_seconds=waits_seconds),
        keys,
    ]
    if form.many:
        refused = {name: one.sentences[0] for name, one in form.refused.items()}
        facts = many_lines(form.prepared, refused, width, glyphs)
        return [*facts[: max(2, height - len(below))], *below]
    objections = guard_lines(form.first.guards, width, glyphs)
    room = height - len(below) - len(objections)
    facts = fitting(fact_rows(form.first, width), max(2, room))
    # A refusal is read first; otherwise first what happens, then what speaks against it.
    above = [*objections, *facts] if form.forbidden else [*facts, *objections]
    return [*above, *below]


def _answers(form: ConfirmForm, width: int, glyphs: Glyphs) -> list[RunLine]:
    lines: list[RunLine] = []
    if form.holds:
        focused = form.focus_on == "ends"
        lines.append(ends_line(form.choices, form.chosen, focused=focused, glyphs=glyphs))
        if form.first.ttl_seconds is not None:
            role = "s2" if form.first.enforced_by == "nobody" else "dim"
            seconds = form.choices[form.chosen][1]
            words = ttl_words(replace(form.first, ttl_seconds=seconds))
            lines += labelled("", words, width, role, 2)
    remark = "(suggested)" if form.suggested else "(required)"
    focused = form.focus_on == "reason"
    return [*lines, field_line("reason", form.reason, remark, width, focused=focused)]


def _confirmation(
    form: ConfirmForm, width: int, confirm_key: str, *, shared: bool, waits_seconds: float
) -> list[RunLine]:
    if form.phase == "approved":
        by = visible(form.approver, 60)
        sends = [Run(confirm_key, "key"), Run(" sends it", "text")]
        return [[Run(f"approved by {by}: ", "ok"), *sends], []]
    if form.phase == "waiting":
        left = age_text(max(0.0, waits_seconds))
        return [
            [Run(f"waiting {left} for a second person, who runs from another login:", "s3")],
            [Run(f"midwatch approve {form.first.op_id}", "key")],
            [],
        ]
    lines: list[RunLine] = []
    if form.confirm_class in ("C2", "C3"):
        name = Run(visible(form.must_type, 80), "key")
        lines.append([Run("type ", "text"), name, Run(" and press Enter:", "text")])
        focused = form.focus_on == "typed"
        lines.append(field_line("", form.typed, "", width, focused=focused))
    if form.confirm_class == "C3":
        asks = "F3 asks a second person, or give" if shared else "no shared journal: give"
        text = f"{asks} a break-glass reason, flagged in the handover:"
        lines.append([Run(text, "text")])
        focused = form.focus_on == "glass"
        lines.append(field_line("glass", form.glass, "", width, focused=focused))
    hint: RunLine = [Run(visible(form.hint, 300), "s3")] if form.hint else []
    return [*lines, hint]


def buttons(form: ConfirmForm, confirm_key: str) -> RunLine:
    """Return the last line: Cancel, and the key that says yes where one key is enough."""
    line: RunLine = [
        Run("     "),
        Run("[ Cancel ]", "cursor" if form.focus_on == "cancel" else "dim"),
    ]
    if form.phase == "checking":
        return [*line, Run("      looking once more, then sending…", "s3")]
    if form.phase != "asking" or form.confirm_class not in ("C0", "C1") or form.forbidden:
        return line
    role = "key" if form.live else "dim"
    return [
        *line,
        Run("      press ", "text" if form.live else "dim"),
        Run(confirm_key, role),
        Run(f' = "{form.title[:60]}"', role),
    ]
