"""The incident screen: what happened, what it did, who works on it, and what is left to do."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal

from console.actions.registry import BY_ID
from console.actions.spec import ActionContext, Place
from console.domain.text import visible
from console.engine.client import Refused
from console.screens.base import COMMAND_HINT, ConsoleScreen, CopyAsked, IncidentArrived
from console.screens.exports import PostmortemCame, saved, telling
from console.screens.fleet_order import FOOTER_LINES
from console.screens.panels.header import HeaderState, header_lines
from console.screens.panels.incident_blocks import can_text, rule_line
from console.screens.panels.timeline import SMALL_FORCE_LINES, Face, head_lines, timeline_lines
from console.screens.spans import RunLine, fitted, twins
from console.screens.tables.incidents import Listed, find_incident
from widgets.lines import Lines, Run
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.message import Message

    from console.actions.spec import ActionSpec
    from console.domain.incident import Care, CloseCheck, IncidentView
    from console.screens.session import Session

VIEWS = ("timeline", "facts", "before", "checks")
WIDE_FROM = (108, 32)
ROOMY_FROM_COLUMNS = 150
SIDE_COLUMNS, WIDE_SIDE_COLUMNS = 42, 58
BEFORE_LINES = ((42, 7), (36, 4), (0, 1))
"""From how many lines of the screen on what came before may take how many: the timeline first."""

HEADER_LINES = 4
ASK_EVERY_SECONDS = 5.0
GIVE_UP_SECONDS = 30.0
"""After so long without an answer the question is asked again."""


class IncidentScreen(ConsoleScreen, inherit_bindings=False):
    """One incident: its timeline beside the facts, over what is in force, what came before that
    is like it, and the checklist.

    A small screen shows one of timeline, facts, what came before, and checks; Tab goes on.
    """

    PLACE: ClassVar[Place] = "incident"
    AUTO_FOCUS = ""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.incident = ""
        self.view: IncidentView | None = None
        self.refused = ""
        self.current = "timeline"
        self.following = True
        self._asked_at: float | None = None
        self._asked_care: Care | None = None
        self._waiting = False
        self._place = 0

    def show_incident(self, key: str) -> None:
        """Show this incident from now on."""
        self.incident, self.view, self.refused = key, None, ""
        self._asked_at, self._waiting, self.following = None, False, True
        if self.is_mounted:
            self.show_snapshot()

    # Parts

    def compose(self) -> ComposeResult:
        """The parts; `_lay_out` gives each its room."""
        yield Lines(id="header")
        with Horizontal(id="upper"):
            yield Lines(id="text")
            yield Lines(id="side")
        yield Lines(id="detail")
        yield Lines(id="footer")
        yield Prompt(id="prompt")

    def on_mount(self) -> None:
        """Show what is there at once, and ask for the rest."""
        self.query_one("#header").styles.height = HEADER_LINES
        self.query_one("#footer").styles.height = FOOTER_LINES
        self.show_look()
        self._ask_for_view()

    def on_resize(self, event: events.Resize) -> None:
        """Divide the room anew."""
        if self.ready:
            self._lay_out()
            self._show_all()

    @property
    def wide(self) -> bool:
        """Whether everything has room at once."""
        return self.size.width >= WIDE_FROM[0] and self.size.height >= WIDE_FROM[1]

    @property
    def check_columns(self) -> int:
        """In how many columns the checklist stands; none on a small screen."""
        return 2 if self.wide else 0

    @property
    def _before_most(self) -> int:
        """In how many lines what came before may stand under the timeline."""
        return next(most for least, most in BEFORE_LINES if self.size.height >= least)

    @property
    def _side_columns(self) -> int:
        return WIDE_SIDE_COLUMNS if self.size.width >= ROOMY_FROM_COLUMNS else SIDE_COLUMNS

    def _lay_out(self) -> None:
        height = self.size.height
        room = 0 if self.too_small else height - HEADER_LINES - FOOTER_LINES
        below = self._below_lines() if room else 0
        self.show_part("#upper", room - below)
        self.show_part("#detail", below)
        side = self.query_one("#side")
        side.display = self.wide
        side.styles.width = self._side_columns
        self.query_one("#header").styles.height = height if self.too_small else HEADER_LINES
        self.query_one("#footer").display = not self.too_small

    def _below_lines(self) -> int:
        """What stands under the timeline, and SAY."""
        if not self.wide and self.current != "timeline":
            return 1
        return self._face.below_count(self.check_columns, self._before_most) + 1

    @property
    def _face(self) -> Face:
        session = self.session
        return Face(self.view, self.refused, session.clock(), session.glyphs)

    @property
    def _upper(self) -> tuple[int, int]:
        """Columns and lines of the timeline, its title not counted."""
        columns = self.size.width - (self._side_columns if self.wide else 0)
        lines = self.size.height - HEADER_LINES - FOOTER_LINES - self._below_lines()
        return columns, max(1, lines)

    # What is known

    @property
    def listed(self) -> Listed | None:
        """The incident as the newest Snapshot has it, else as it was gathered last."""
        found = find_incident(self.session.snapshot, self.incident)
        if found is not None or self.view is None:
            return found
        return Listed(self.incident, self.view.incident, self.view.care)

    @property
    def close_checks(self) -> Sequence[CloseCheck]:
        """The checklist to read before closing."""
        return () if self.view is None else self.view.checks

    def _ask_for_view(self) -> None:
        engine, now = self.session.engine, self.session.clock()
        if engine is None or not self.incident:
            return
        since = float("inf") if self._asked_at is None else now - self._asked_at
        found = find_incident(self.session.snapshot, self.incident)
        care = None if found is None else found.care
        # What somebody did about it shows at once, not with the next round.
        pause = 0.0 if care != self._asked_care else ASK_EVERY_SECONDS
        if since < (GIVE_UP_SECONDS if self._waiting else pause):
            return
        self._asked_care = care
        self._asked_at, self._waiting = now, True
        engine.request_incident_view(self.incident, _Deliver(self, self.incident))

    def on_incident_arrived(self, message: IncidentArrived) -> None:
        """Take over what was gathered; what cannot be told leaves the last of it, marked."""
        message.stop()
        if message.incident != self.incident or not self.ready:
            return
        self._waiting = False
        if isinstance(message.answer, Refused):
            self.refused = "; ".join(visible(one, 200) for one in message.answer.sentences)
        else:
            self.view, self.refused = message.answer, ""
        self._lay_out()
        self._show_all()

    # What is shown

    def show_snapshot(self) -> None:
        """Show the newest Snapshot, and ask for the whole incident again now and then."""
        self._ask_for_view()
        self._show_all()

    def show_clock(self) -> None:
        """Show ages, countdowns and the clock."""
        self._show_all()

    def show_series(self) -> None:
        """Ask now that the engine is there."""
        self._ask_for_view()

    def show_look(self) -> None:
        """Take over roles and glyphs."""
        super().show_look()
        self._lay_out()
        self._show_all()

    def show_sent(self) -> None:
        """Show how far what was done from here is."""
        if self.ready and not self.too_small:
            self._show_below()

    def _show_all(self) -> None:
        if not self.ready:
            return
        if self.too_small:
            self.show_size()
            return
        self._show_header()
        self._show_text()
        if self.wide:
            self._show_side()
        self._show_below()
        self.show_footer()

    def _show_header(self) -> None:
        session, width = self.session, self.size.width
        now, glyphs = session.clock(), session.glyphs
        state = HeaderState(
            now, session.zone, width, session.environment, session.title, session.problem,
            writes=session.write_words,
        )  # fmt: skip
        first = header_lines(session.snapshot, state, glyphs, counts=[])
        middle = head_lines(self.listed, self.view, self.incident, now, width, glyphs)
        self.query_one("#header", Lines).show_lines([first[0], *middle, first[2]])

    def _show_text(self) -> None:
        columns, height = self._upper
        glyphs, view, face = self.session.glyphs, self.view, self._face
        text = self.query_one("#text", Lines)
        if not self.wide and self.current != "timeline":
            text.show_lines(self._small(face, columns, height))
            return
        body = timeline_lines(() if view is None else view.events, columns - 1, glyphs)
        body = body or [face.why_empty]
        room = height - 1
        top = max(0, len(body) - room) if self.following else min(self._place, len(body) - 1)
        top = max(0, min(top, len(body) - room))
        self._place, newer = top, len(body) - room - top
        self.following = newer <= 0
        title = "TIMELINE (UTC, newest last)"
        right = f"{newer} lines below, End" if newer > 0 else face.age
        # Beside it the clock says so; where it is alone nobody would know.
        right = right if self.wide else ", ".join(filter(None, (right, face.overdue)))
        head = twins([rule_line(title, columns - 1, glyphs, right)], glyphs)
        text.show_lines([*head, *body[top : top + room]])

    def _small(self, face: Face, columns: int, height: int) -> list[RunLine]:
        if self.current == "checks":
            return face.held_and_checks(columns, SMALL_FORCE_LINES, 1)
        show = face.before if self.current == "before" else face.facts
        return show(columns, height)

    def _show_side(self) -> None:
        lines = self._face.side(self._side_columns, self._upper[1])
        self.query_one("#side", Lines).show_lines(lines)

    def _show_below(self) -> None:
        session, width, face = self.session, self.size.width, self._face
        room = self._below_lines() - 1
        lines = face.below(width, self.check_columns, self._before_most)[:room]
        lines += [[] for _ in range(room - len(lines))]
        if session.sent.entries:
            sent = session.sent.line(session.clock(), width - 7, session.glyphs, "")
            last: RunLine = [Run("SENT   ", "title"), *sent]
        else:
            last = [Run("SAY    ", "title"), Run(face.last_words, "text")]
        last = fitted(last, width, session.glyphs.ellipsis)
        self.query_one("#detail", Lines).show_lines(twins([*lines, last], session.glyphs))

    # What happens

    @property
    def context(self) -> ActionContext:
        """What actions are judged by: this incident, and the model it is about."""
        listed, snapshot = self.listed, self.session.snapshot
        names = () if listed is None or snapshot is None else (listed.about, *listed.models)
        model = next((one for one in names if snapshot and one in snapshot.index), "")
        context = ActionContext(
            place=self.PLACE,
            model=model,
            row_count=1 if listed is not None else 0,
            columns=self.size.width,
            lines=self.size.height,
        )
        return self.in_session(self.with_incident(context, listed), model)

    @property
    def models_meant(self) -> Sequence[str]:
        """The models of this incident that are there."""
        listed, snapshot = self.listed, self.session.snapshot
        names = () if listed is None else (listed.about, *listed.models)
        return [
            one for one in dict.fromkeys(names) if snapshot is not None and one in snapshot.index
        ]

    def perform(self, spec: ActionSpec, argument: str) -> bool:
        """Do what concerns this screen."""
        page = max(1, self._upper[1] - 2)
        does: dict[str, Callable[[], object]] = {
            "cursor.up": lambda: self._scroll(-1),
            "cursor.down": lambda: self._scroll(1),
            "cursor.page_up": lambda: self._scroll(-page),
            "cursor.page_down": lambda: self._scroll(page),
            "cursor.first": lambda: self._scroll(-(10**6)),
            "cursor.last": lambda: self._scroll(10**6),
            "back": self.dismiss,
            "command": lambda: self.query_one(Prompt).open(":", "", COMMAND_HINT),
            "view.next": lambda: self._step_view(1, argument),
            "view.previous": lambda: self._step_view(-1),
            "incident.can": self._can,
            "incident.export": self._export,
        }
        if spec.id == "model.open" and not argument:
            self._open_model()
            return True
        if spec.id not in does:
            return False
        does[spec.id]()
        return True

    def _scroll(self, lines: int) -> None:
        self.following = False
        self._place = max(0, self._place + lines)
        self._show_text()

    def _step_view(self, step: int, name: str = "") -> None:
        if name and name not in VIEWS:
            self.say(f"views are {', '.join(VIEWS)}", "s3")
        elif self.wide:
            self.say("this screen shows all of them at once", "dim")
        else:
            place = VIEWS.index(self.current)
            self.current = name or VIEWS[(place + step) % len(VIEWS)]
            self._lay_out()
            self._show_all()

    def _open_model(self) -> None:
        model = self.context.model
        if model:
            self.ask(BY_ID["model.open"], model)
        else:
            self.say("it is about no model that is known here", "s3")

    def _can(self) -> None:
        if self.view is None:
            self.say(self._face.why_empty[0].text, "s3")
            return
        self.post_message(CopyAsked(can_text(self.view), f"CAN of {self.incident}", show=True))

    def _export(self) -> None:
        engine = telling(self.session.engine)
        if engine is None:
            self.say(f"it is written by: midwatch postmortem {quote(self.incident)}", "s3")
            return
        self.say("gathering the postmortem", "dim")
        incident = self.incident
        engine.request_postmortem(incident, lambda told: self._post(PostmortemCame(incident, told)))

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def on_postmortem_came(self, message: PostmortemCame) -> None:
        """Save the postmortem, and say where."""
        message.stop()
        self.say(*saved(message, self.session.clock()))


class _Deliver:
    """Carries the engine's answer, from the engine's thread, to the screen that asked."""

    def __init__(self, screen: IncidentScreen, incident: str) -> None:
        self._screen = screen
        self._incident = incident

    def __call__(self, answer: IncidentView | Refused) -> None:
        self._screen.post_message(IncidentArrived(self._incident, answer))
