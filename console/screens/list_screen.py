"""Base class of a screen that is one filtered table with lines about the row under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from console.actions.record_actions import INCIDENT_PLACES
from console.actions.registry import BY_ID
from console.actions.spec import ActionContext, Place
from console.actions.write_gate import refusal
from console.domain.text import visible
from console.screens.base import COMMAND_HINT, ConsoleScreen
from console.screens.fleet_order import FOOTER_LINES, HEADER_LINES
from console.screens.panels.footer import key_text
from console.screens.panels.header import HeaderState, header_lines
from console.screens.spans import Piece, RunLine, fitted, keys_that_fit, twins
from console.screens.tables.fleet import FleetGrid
from widgets.lines import Lines, Run
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from textual import events
    from textual.app import ComposeResult

    from console.actions.spec import ActionSpec
    from console.domain.snapshot import Snapshot
    from console.screens.session import Session
    from widgets.grid_rows import Column, Rows

_EVERY_LIST = ("cursor.up", "back", "command", "help", "quit")
_LAST_RANKS = {"help": 0, "back": 1}
"""Whoever is lost needs these on the narrowest screen too."""


class ListScreen(ConsoleScreen, inherit_bindings=False):
    """Header, table, details, keys; what is listed is the subclass's.

    ``LOCAL_KEYS`` are keys that mean something here alone: key, what it does, title. ``FIRST``
    and ``ALSO`` are actions of the registry worth a place before and after them, ``TITLES``
    what some of them are called here.
    """

    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    FIRST: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ()
    TITLES: ClassVar[Mapping[str, str]] = {}
    DETAILS: ClassVar[int] = 6
    AUTO_FOCUS = "FleetGrid"

    # What the subclass says

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the table's columns for a screen of this width."""
        raise NotImplementedError

    def list_rows(self) -> Rows:
        """Return the table's rows as they are now."""
        raise NotImplementedError

    def title_runs(self) -> RunLine:
        """Return what stands in the second line: what is listed, and how well it is known."""
        raise NotImplementedError

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the row under the cursor."""
        raise NotImplementedError

    def local(self, does: str) -> None:
        """Do what a key of this screen alone does."""
        raise NotImplementedError

    # Parts

    def compose(self) -> ComposeResult:
        """The parts from top to bottom."""
        yield Lines(id="header")
        yield FleetGrid(id="table")
        yield Lines(id="detail")
        yield Lines(id="footer")
        yield Prompt(id="prompt")

    @property
    def grid(self) -> FleetGrid:
        """The table."""
        return self.query_one(FleetGrid)

    @property
    def prompt(self) -> Prompt:
        """The line to type into."""
        return self.query_one(Prompt)

    def on_mount(self) -> None:
        """Show what is there at once."""
        self.query_one("#footer").styles.height = FOOTER_LINES
        self.show_look()

    def on_resize(self, event: events.Resize) -> None:
        """Divide the room anew."""
        if self.ready:
            self._lay_out()
            self.show_all()

    def _lay_out(self) -> None:
        width, height = self.size
        room = 0 if self.too_small else height - HEADER_LINES - FOOTER_LINES
        details = min(self.DETAILS, max(0, room - 5))
        self.show_part("#table", room - details)
        self.show_part("#detail", details)
        self.query_one("#header").styles.height = height if self.too_small else HEADER_LINES
        self.query_one("#footer").display = not self.too_small
        self.grid.show_columns(tuple(self.list_columns(width)))

    # What is shown

    def show_snapshot(self) -> None:
        """Show the newest Snapshot."""
        self.show_all()

    def show_clock(self) -> None:
        """Show ages, countdowns and the clock."""
        self.show_all()

    def show_look(self) -> None:
        """Take over roles and glyphs."""
        super().show_look()
        self._lay_out()
        self.show_all()

    def show_all(self) -> None:
        """Show everything anew; the widgets repaint only what differs."""
        if not self.ready:
            return
        if self.too_small:
            self.show_size()
            return
        self._show_header()
        self.grid.show_rows(self.list_rows())
        self.show_details()
        if self.said is None:
            self.show_footer()

    def _show_header(self) -> None:
        session = self.session
        state = HeaderState(
            session.clock(), session.zone, self.size.width, session.environment, session.title,
            session.problem, writes=session.write_words,
        )  # fmt: skip
        counts = twins([self.title_runs()], session.glyphs)[0]
        lines = header_lines(session.snapshot, state, session.glyphs, counts=counts)
        self.query_one("#header", Lines).show_lines([lines[0], counts, lines[2]])

    def show_details(self) -> None:
        """Show the lines about the row under the cursor."""
        self.query_one("#detail", Lines).show_lines(self.detail_runs(self.size.width))

    def show_footer(self) -> None:
        """Show an answer to the last key, or the keys of this screen."""
        said = self.said
        if said is not None:
            super().show_footer()
            return
        context, mode, keys = self.context, self.session.mode, self.session.keys
        local = [(key_text(key), title, "key") for key, _, title in self.LOCAL_KEYS]
        shown: list[tuple[str, str, str]] = []
        for action in (*self.FIRST, "", *self.ALSO, *_EVERY_LIST):
            if not action:
                shown += local
            elif key := keys.first_key(action):
                spec = BY_ID[action]
                off = action in self.FIRST and refusal(spec, mode, context) is not None
                title = self.TITLES.get(action) or spec.footer_title or spec.title.lower()
                shown.append((key_text(key), title, "dim" if off else "key"))
        pieces = [
            Piece((Run(key, role), Run(f" {title}", "dim")), _LAST_RANKS.get(title, number))
            for number, (key, title, role) in enumerate(shown)
        ]
        line = keys_that_fit(pieces, self.size.width, self.session.glyphs)
        self.query_one("#footer", Lines).show_lines([line])

    def on_grid_cursor_moved(self, message: FleetGrid.CursorMoved) -> None:
        """Follow the cursor."""
        message.stop()
        if self.ready and not self.too_small:
            self.show_details()

    # What happens

    @property
    def row_count(self) -> int:
        """How many rows are listed."""
        return len(self.grid.rows) if self.ready else 0

    @property
    def chosen_model(self) -> str:
        """The model that the row under the cursor is about, empty for none."""
        return ""

    @property
    def context(self) -> ActionContext:
        """What actions are judged by: as on the fleet screen, with the row's model."""
        context = ActionContext(
            place=self.PLACE if self.PLACE in INCIDENT_PLACES else "fleet",
            model=self.chosen_model,
            row_count=self.row_count,
            columns=self.size.width,
            lines=self.size.height,
        )
        return self.in_session(context, self.chosen_model)

    def perform(self, spec: ActionSpec, argument: str) -> bool:
        """Do what concerns this screen."""
        grid = self.grid
        does: Mapping[str, Callable[[], object]] = {
            "cursor.up": grid.action_cursor_up,
            "cursor.down": grid.action_cursor_down,
            "cursor.page_up": grid.action_page_up,
            "cursor.page_down": grid.action_page_down,
            "cursor.first": grid.action_cursor_first,
            "cursor.last": grid.action_cursor_last,
            "back": self.go_back,
            "command": lambda: self.prompt.open(":", "", COMMAND_HINT),
        }
        if spec.id not in does:
            return self.perform_here(spec, argument)
        does[spec.id]()
        return True

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Do what concerns this list alone; False hands it to the app."""
        return False

    def go_back(self) -> None:
        """Close the screen."""
        self.dismiss()

    def on_key(self, event: events.Key) -> None:
        """Take the keys that mean something here alone."""
        if self.prompt.is_open:
            return
        pressed = event.character if event.is_printable else event.key
        for key, does, _ in self.LOCAL_KEYS:
            if pressed == key:
                event.stop()
                event.prevent_default()
                self.local(does)
                return
        self.answer_other_key(pressed)

    def ask_for(self, action: str, argument: str) -> None:
        """Ask for an action of the registry, or say that this version has none."""
        spec = BY_ID.get(action)
        if spec is None:
            self.say(f"{visible(action, 40)} cannot be asked for here; use the command", "s3")
        else:
            self.ask(spec, argument)


def place(name: str) -> Place:
    """Return a place of its own, so that keys of the fleet and the model are not bound there."""
    return cast("Place", name)


LABEL = "/"


class FilteredList(ListScreen, inherit_bindings=False):
    """``wanted`` are the words that a row must hold; ``FILTER_HINT`` says of what they can be."""

    FILTER_HINT: ClassVar[str] = ""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.wanted: tuple[str, ...] = ()
        self._wanted_before: tuple[str, ...] = ()

    def ask_filter(self) -> None:
        """Open the prompt with the filter as it is."""
        self._wanted_before = self.wanted
        self.prompt.open(LABEL, " ".join(self.wanted), self.FILTER_HINT)

    def filter_by(self, text: str) -> None:
        """Keep the rows that hold these words, every row for none."""
        self.wanted = tuple(text.lower().split())
        self.show_all()

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Filter while it is typed."""
        if message.label == LABEL:
            message.stop()
            self.filter_by(message.text)

    def on_prompt_cancelled(self, message: Prompt.Cancelled) -> None:
        """Take back what typing had changed."""
        if message.label == LABEL:
            message.stop()
            self.filter_by(" ".join(self._wanted_before))

    def take_text(self, label: str, text: str) -> None:
        """Keep the filter that was typed."""
        if label == LABEL:
            self.filter_by(text)


class RecordList(ListScreen, inherit_bindings=False):
    """Enter opens the model under the cursor; what opened the screen closes it.

    ``HEADING`` begins the second line, ``NO_MODEL`` is said where a row has no model to open.
    """

    HEADING: ClassVar[str] = ""
    NO_MODEL: ClassVar[str] = ""

    # What the subclass says

    def count_runs(self, snapshot: Snapshot, now: float) -> RunLine:
        """Return how many there are, and what of them matters first."""
        raise NotImplementedError

    @property
    def chosen_target(self) -> str:
        """What the row under the cursor is about, a model or not; empty for none."""
        raise NotImplementedError

    # What is the same for all

    def title_runs(self) -> RunLine:
        """Return how many there are, and how the record is."""
        snapshot, now, glyphs = self.session.snapshot, self.session.clock(), self.session.glyphs
        heading = Run(f"{self.HEADING}  ", "title")
        if snapshot is None:
            return [heading, Run("waiting for the first answer", "dim")]
        said, well = snapshot.record.summary(now)
        record = [Run(f" {glyphs.bar} ", "dim"), Run(said, "dim" if well else "s2")]
        line = [heading, *self.count_runs(snapshot, now), *record]
        return fitted(line, self.size.width, glyphs.ellipsis)

    @property
    def chosen_model(self) -> str:
        """The model under the cursor, empty where the newest answer has none of that name."""
        target, snapshot = self.chosen_target, self.session.snapshot
        return target if snapshot is not None and target in snapshot.index else ""

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Open the model under the cursor, or close the screen."""
        if spec.id == self.PLACE:
            self.go_back()
        elif spec.id == "model.open" and not argument:
            if model := self.chosen_model:
                self.ask(BY_ID["model.open"], model)
            else:
                self.say(self.NO_MODEL, "s3")
        else:
            return False
        return True
