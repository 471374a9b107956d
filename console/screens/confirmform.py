"""What a confirm box holds while it asks: answers, fields, and what its class still lacks; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from console.actions.confirming import SHORTEST_REASON
from console.actions.verbs import DEFAULT_TTL_SECONDS, VERBS
from console.facts.action import Confirmation, Together
from console.facts.text import visible
from console.screens.textentry import edited, next_field
from widgets.cutting import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.engine.handle import Refused
    from console.facts.action import ActionRequest, PreparedAction
    from console.screens.confirmlines import EndChoice

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
