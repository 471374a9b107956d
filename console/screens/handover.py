"""The handover screen: what this shift leaves to the next, to be read, written and accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from msgspec import Struct
from msgspec.structs import replace
from textual.message import Message

from console.actions.record_actions import ACCEPT, WRITE
from console.domain.text import visible
from console.engine.client import Refused
from console.handover.record import USUAL, shift_start
from console.screens.flows.control import parted
from console.screens.list_screen import ListScreen
from console.screens.panels.documents import DocumentRows, document_lines
from console.screens.spans import RunLine, clock_text, fitted, twins
from widgets.grid_rows import Column, NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.spec import ActionContext, ActionSpec, Place
    from console.domain.entry import Entry
    from console.handover.handover_document import HandoverDocument
    from console.handover.record import HandoverWish
    from console.screens.session import Session
    from widgets.grid_rows import Rows

_COLUMN = "line"


@runtime_checkable
class HandsOver(Protocol):
    """An engine that gathers handovers and writes them; callbacks come from its thread."""

    def request_handover(
        self, since: float, to: str, deliver: Callable[[HandoverDocument | Refused], None]
    ) -> None:
        """Gather what the shift since ``since`` (Unix seconds) leaves to ``to``, empty: anybody."""
        ...

    def write_handover(
        self, wish: HandoverWish, deliver: Callable[[Entry | Refused], None]
    ) -> None:
        """Write a handover into the journal."""
        ...

    def accept_handover(
        self, deliver: Callable[[tuple[Entry, tuple[str, ...]] | Refused], None]
    ) -> None:
        """Accept the newest handover that somebody else wrote, and take over what they held."""
        ...


def handing(engine: object) -> HandsOver | None:
    """Return the engine where it gathers handovers and writes them."""
    return engine if isinstance(engine, HandsOver) else None


class Span(Struct, frozen=True):
    """Which shift is handed over, as it was typed, and to whom (empty: to anybody)."""

    since: str = USUAL
    to: str = ""


def read_span(argument: str, now: float) -> Span | str:
    """Return what was typed after ``:handover``, or the sentence on what is wrong with it.

    The words are those of the command: ``8h``, ``--since 8h``, ``--to NAME``.
    """
    found = parted(argument, ("--since", "--to"))
    if isinstance(found, str):
        return found
    plain, flags = found
    if len(plain) + ("--since" in flags) > 1:
        return f"{visible(plain[-1], 40)} is one word too many; :handover 12h --to NAME"
    since = plain[0] if plain else flags.get("--since", USUAL)
    try:
        shift_start(since, now)
    except ValueError as fault:
        return f"{visible(since, 40) or '--since'}: {fault}"
    return Span(since, flags.get("--to", "").strip())


class HandoverCame(Message):
    """The handover was gathered, or could not be."""

    def __init__(self, found: HandoverDocument | Refused) -> None:
        self.found = found
        super().__init__()


class HandoverKept(Message):
    """A handover was written or accepted, or was not."""

    def __init__(self, did: str, answer: Entry | Refused, more: tuple[str, ...] = ()) -> None:
        self.did = did
        self.answer = answer
        self.more = more
        super().__init__()


class HandoverScreen(ListScreen, inherit_bindings=False):
    """The document line by line; ``W`` writes it, ``A`` accepts one, ``n`` gathers it anew."""

    PLACE: ClassVar[Place] = "handover"
    DETAILS: ClassVar[int] = 1
    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = (("n", "anew", "gather anew"),)
    ALSO: ClassVar[tuple[str, ...]] = ("act.handover", "act.accept", "arm")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.span = Span()
        self._found: HandoverDocument | None = None
        self._said_of_it = ("gathering the shift", "dim")
        self._rows: DocumentRows | None = None
        self._drawn_for: tuple[int, str] = (0, "")

    def on_mount(self) -> None:
        """Show what is there and gather the handover."""
        super().on_mount()
        self._gather()

    def _gather(self) -> None:
        engine = handing(self.session.engine)
        if engine is None:
            self._said_of_it = ("it can be had by: midwatch handover", "s3")
            self.show_all()
            return
        self._said_of_it = ("gathering the shift", "dim")
        self.show_all()
        try:
            since = shift_start(self.span.since, self.session.clock())
        except ValueError as fault:
            # A moment that was in the last 14 days when it was typed, and no longer is.
            self._said_of_it = (f"{self.span.since}: {fault}", "s2")
            self.show_all()
            return
        to = self.span.to
        engine.request_handover(since, to, lambda found: self._post(HandoverCame(found)))

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def on_handover_came(self, message: HandoverCame) -> None:
        """Show the handover."""
        message.stop()
        found = message.found
        if isinstance(found, Refused):
            self._said_of_it = (visible("; ".join(found.sentences), 300), "s2")
        else:
            self._found, self._rows = found, None
            self._said_of_it = (f"as of {clock_text(self.session.clock())}Z", "dim")
        self.show_all()

    # What is shown

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the one column of a document."""
        return (Column(_COLUMN, "HANDOVER", max(10, width - 1)),)

    def list_rows(self) -> Rows:
        """Return the document's lines, wrapped for this width."""
        if self._found is None:
            return NoRows()
        wanted = (self.size.width, self.session.glyphs.name)
        if self._rows is None or self._drawn_for != wanted:
            self._rows = DocumentRows(
                document_lines(self._found, max(10, self.size.width - 2), self.session.glyphs)
            )
            self._drawn_for = wanted
        return self._rows

    def title_runs(self) -> RunLine:
        """Return whose handover it is and how it stands."""
        glyphs = self.session.glyphs
        line: RunLine = [Run("HANDOVER  ", "title"), Run(*self._said_of_it)]
        if self._found is not None:
            bar = Run(f" {glyphs.bar} ", "dim")
            line += [bar, Run("not written yet: W writes it", "dim")]
            if self._found.unknown:
                count = len(self._found.unknown)
                line += [bar, Run(f"{count} {'thing' if count == 1 else 'things'} not known", "s2")]
        return fitted(line, self.size.width, glyphs.ellipsis)

    def detail_runs(self, width: int) -> list[RunLine]:
        """Say how to edit it: an editor needs the terminal to itself."""
        said = "to edit it before it is written, leave and run: midwatch handover --edit"
        return twins([[Run(visible(said, width), "dim")]], self.session.glyphs)

    @property
    def context(self) -> ActionContext:
        """What actions are judged by: those of this place are its own."""
        return replace(super().context, place=self.PLACE)

    # What happens

    def local(self, does: str) -> None:
        """Gather it anew."""
        self._gather()

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Write it or accept one, after the question; the gate has been passed already."""
        if spec.id == "handover" and argument:
            self._take_span(argument)
        elif spec.id == "handover":
            self.go_back()
        elif spec.id == WRITE.id:
            self._ask_to_write()
        elif spec.id == ACCEPT.id:
            self._ask_to_accept()
        else:
            return False
        return True

    def _take_span(self, argument: str) -> None:
        span = read_span(argument, self.session.clock())
        if isinstance(span, str):
            self.say(span, "s3")
            return
        self.span = span
        self._gather()

    def _ask_to_write(self) -> None:
        found = self._found
        if found is None:
            self.say("there is no handover to write yet", "s3")
            return
        held = len(found.held)
        body = [
            found.state,
            f"It is written into the journal as {found.by} ({found.account}).",
            "Whoever comes next accepts it from their own login.",
            "1 incident is held, and stays so."
            if held == 1
            else f"{held} incidents are held, and stay so.",
        ]
        self._confirm("Write this handover", body, WRITE, "write it", self._write)

    def _write(self) -> None:
        from console.engine.client import wish_of
        from console.handover.handover_text import handover_blocks
        from console.reports.markdown import markdown

        engine, found = handing(self.session.engine), self._found
        if engine is not None and found is not None:
            wish = wish_of(markdown(handover_blocks(found)), found)
            engine.write_handover(wish, lambda answer: self._post(HandoverKept("written", answer)))

    def _ask_to_accept(self) -> None:
        body = [
            "You accept the newest handover that somebody else wrote and nobody accepted.",
            "What its author still holds becomes yours.",
            "Read it first: midwatch handover --accept --dry-run shows it.",
        ]
        self._confirm("Accept the handover", body, ACCEPT, "accept it", self._accept)

    def _accept(self) -> None:
        engine = handing(self.session.engine)
        if engine is not None:
            engine.accept_handover(self._accepted)

    def _accepted(self, answer: tuple[Entry, tuple[str, ...]] | Refused) -> None:
        """Post what became of it; called from the engine's thread."""
        if isinstance(answer, Refused):
            self._post(HandoverKept("accepted", answer))
        else:
            self._post(HandoverKept("accepted", answer[0], answer[1]))

    def _confirm(
        self,
        title: str,
        body: Sequence[str],
        spec: ActionSpec,
        label: str,
        does: Callable[[], None],
    ) -> None:
        from widgets.textbox import Confirm

        session = self.session
        box = Confirm(
            title,
            [visible(line, 600) for line in body],
            confirm_label=label,
            opened_by=spec.keys[0],
            roles=session.roles,
            ascii_only=session.glyphs.name == "ascii",
        )
        self.app.push_screen(box, lambda sure: does() if sure else self.say("nothing was written"))

    def on_handover_kept(self, message: HandoverKept) -> None:
        """Say what became of it."""
        message.stop()
        answer = message.answer
        if isinstance(answer, Refused):
            self.say("; ".join(answer.sentences), "s2")
            return
        self._said_of_it = (
            f"{message.did} {clock_text(self.session.clock())}Z, entry {answer.seq}",
            "ok",
        )
        self.show_all()
        said = "; ".join(message.more) or f"entry {answer.seq}"
        self.say(f"{message.did}: {answer.op_id}; {said}")
