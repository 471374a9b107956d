"""The fleet screen: every model, the worst first, and why the one under the cursor is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal

from console.actions.registry import PANES
from console.actions.spec import ActionContext, Place
from console.screens.base import ConsoleScreen
from console.screens.fleet_keys import FleetKeys
from console.screens.fleet_order import (
    HEADER_LINES,
    HOLD_SECONDS,
    Arrangement,
    HeldOrder,
    Layout,
    Searcher,
    arrange,
    plan,
)
from console.screens.panels.header import FleetHeader
from console.screens.panels.sidebar import side_lines
from console.screens.panels.suggestions import FleetActing
from console.screens.row_view import RowView
from console.screens.tables.fleet import (
    BY_KEY,
    FleetGrid,
    FleetRows,
    choose,
    filled,
    with_sort_mark,
)
from widgets.lines import Lines
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.geometry import Size

    from console.actions.spec import ActionSpec
    from console.domain.snapshot import Snapshot
    from console.screens.base import SeriesArrived
    from console.screens.panels.pane_set import PaneSet
    from console.screens.session import Session

SORT_MARKS = {False: "▾", True: "▴"}
SORT_MARKS_ASCII = {False: "v", True: "^"}


class FleetScreen(ConsoleScreen, inherit_bindings=False):
    """The table with its header, the live panes, and the lines about one row.

    ``shown`` is the Snapshot on screen: the newest one, or the one that was frozen.
    """

    PLACE: ClassVar[Place] = "fleet"
    AUTO_FOCUS = "FleetGrid"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.shown: Snapshot | None = None
        self.arrangement = Arrangement()
        self.frozen_at: float | None = None
        self.pane = ""
        self.maximised = False
        self.touched_at = float("-inf")
        self._keys_of_screen = FleetKeys(self)
        self._searcher = Searcher()
        self._held = HeldOrder()
        self._filled: frozenset[str] = frozenset()
        self._rows: FleetRows | None = None
        self._panes: PaneSet | None = None
        self._size_shown: Size | None = None
        self._acting = FleetActing(self)
        self._fleet_header = FleetHeader(self)

    def compose(self) -> ComposeResult:
        """The parts from top to bottom; `_lay_out` gives each its room."""
        yield Lines(id="header")
        with Horizontal(id="middle"):
            yield FleetGrid(id="table")
            yield Lines(id="why-empty")
            yield Lines(id="side")
        # Their widgets come with the first Snapshot: the first frame does not wait for charts.
        yield Horizontal(id="panes")
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

    @property
    def panes(self) -> PaneSet:
        """The live panes; made when they are first needed."""
        if self._panes is None:
            from console.screens.panels.pane_set import PaneSet

            self._panes = PaneSet(self.session, self)
            self.query_one("#panes").mount(*self._panes.charts())
            self._panes.show_look()
            self._lay_out()
        return self._panes

    def on_mount(self) -> None:
        """Show what is there at once: an empty frame is better than a late one."""
        self.query_one("#footer").styles.height = 1
        self.query_one("#why-empty").display = False
        self._size_shown = self.size
        self.show_look()

    def on_resize(self, event: events.Resize) -> None:
        """Divide the room anew."""
        if not self.ready or event.size == self._size_shown:
            return
        self._size_shown = event.size
        self._lay_out()
        self._show_all()

    def _lay_out(self) -> None:
        room = self._plan(self.shown_count)
        self.show_part("#middle", room.table_lines)
        self.show_part("#panes", room.pane_lines)
        self.show_part("#detail", room.detail_lines)
        lines = self.size.height if room.too_small else HEADER_LINES
        self.query_one("#header").styles.height = lines
        self.query_one("#footer").display = not room.too_small
        side = self.query_one("#side")
        side.display = room.side_columns > 0
        side.styles.width = max(1, room.side_columns)
        if self._panes is not None:
            self._panes.show_only(room.panes if room.pane_lines else ())
        self.show_columns()

    def _plan(self, row_count: int = 0, *, maximised: bool | None = None) -> Layout:
        return plan(
            *self.size,
            row_count,
            self.pane,
            maximised=self.maximised if maximised is None else maximised,
            wanted=self.session.panes,
        )

    def show_snapshot(self) -> None:
        """Show the newest Snapshot, or count what a frozen table holds back."""
        snapshot = self.session.snapshot
        if snapshot is None:
            return
        if self.frozen_at is not None and self.shown is not None:
            ranked = arrange(snapshot, self.arrangement, BY_KEY, self._searcher)
            self._held.held_back(snapshot, ranked)
        else:
            self.shown = snapshot
            self._arrange()
            self.panes.add_tick(snapshot)
        self._show_all()
        self._acting.look_ahead()

    def show_clock(self) -> None:
        """Show ages and the clock; let waiting rows move when nobody works in the table."""
        if self.shown is not None and self._held.pending and not self.holding:
            self.apply_moves()
        self._show_header()
        self._show_detail()
        if self.said is None:
            self.show_footer()

    def show_look(self) -> None:
        """Take over roles and glyphs."""
        super().show_look()
        if self._panes is not None:
            self._panes.show_look()
        self._lay_out()
        self._show_all()

    @property
    def holding(self) -> bool:
        """Whether the order stands still: frozen, under a dialog, or just worked in."""
        if self.frozen_at is not None or self.prompt.is_open or not self.is_current:
            return True
        return self.session.clock() - self.touched_at < HOLD_SECONDS

    @property
    def pending(self) -> int:
        """How many rows wait to move."""
        return self._held.pending

    def apply_moves(self) -> None:
        """Let waiting rows take their places now."""
        self.touched_at = float("-inf")
        if self.frozen_at is None:
            self.rearrange()

    def rearrange(self) -> None:
        """Put the shown rows into the order asked for, whatever was held."""
        if self.shown is not None:
            self._arrange(held=False)
            self._show_all()

    def freeze(self, frozen: bool) -> None:
        """Hold rows and numbers still, or let them live again."""
        self.frozen_at = self.session.clock() if frozen else None
        if not frozen:
            # Whoever thaws the table wants the order of now.
            self.touched_at = float("-inf")
            self.show_snapshot()
        self._show_all()

    def _arrange(self, *, held: bool | None = None) -> None:
        if self.shown is None:
            return
        ranked = arrange(self.shown, self.arrangement, BY_KEY, self._searcher)
        following = self.grid.cursor_index == 0 and not self.holding
        order = self._held.follow(self.shown, ranked, held=self.holding if held is None else held)
        newly = filled(self.shown) | self._filled
        before = -1 if self._rows is None else len(self._rows)
        self._rows = FleetRows(self.shown, order, self.session.glyphs, self.session.marked)
        if newly != self._filled or before != len(order):
            self._filled = newly
            self._lay_out()
        self.grid.show_rows(self._rows)
        if following and len(self._rows):
            # Nobody holds the cursor: it stays on the worst row, whichever that is.
            self.grid.move_cursor_to(self._rows.key(0))

    def show_columns(self) -> None:
        """Show the header of the table anew, after a resize, sorting or choosing a column."""
        if self.shown is None:
            return
        width = self.size.width - self._plan().side_columns
        longest = max((len(row.model) for row in self.shown.rows), default=0)
        columns = choose(width, self._filled, longest)
        marks = SORT_MARKS_ASCII if self.session.glyphs.name == "ascii" else SORT_MARKS
        mark = marks[self.arrangement.reverse]
        self.grid.show_columns(with_sort_mark(columns, self.arrangement.sort, mark))
        self.grid.choose_column(self._keys_of_screen.column)

    @property
    def view(self) -> RowView | None:
        """The row under the cursor."""
        key = self.grid.cursor_key
        row = None if self.shown is None or key is None else self.shown.index.get(key)
        return None if row is None or self.shown is None else RowView(self.shown, row)

    def _show_all(self) -> None:
        if self.too_small:
            self.show_size()
            return
        self._show_header()
        self._show_why_empty()
        self._show_side()
        self._show_detail()
        if self._panes is not None:
            self._panes.show(self.view)
        self.show_footer()

    def _show_why_empty(self) -> None:
        """Explain a table without a model in its own place; it keeps the focus, with no room."""
        why, empty = self.query_one("#why-empty", Lines), self._is_empty
        if empty != bool(why.display):
            why.display = empty
            self.grid.styles.width = 0 if empty else "1fr"
        if empty and self.shown is not None:
            from console.screens.panels.empty_table import empty_table_lines

            width = self.size.width - self._plan().side_columns
            now, glyphs = self.session.clock(), self.session.glyphs
            why.show_lines(empty_table_lines(self.shown, now, width, glyphs))

    @property
    def _is_empty(self) -> bool:
        return self.shown is not None and not self.shown.rows

    def _show_header(self) -> None:
        if not self.too_small:
            self._fleet_header.show(self.query_one("#header", Lines))

    @property
    def shown_count(self) -> int:
        """How many rows are shown."""
        return 0 if self._rows is None else len(self._rows)

    def _show_side(self) -> None:
        side, room = self.query_one("#side", Lines), self._plan(self.shown_count)
        if self.shown is not None and side.display:
            now, glyphs = self.session.clock(), self.session.glyphs
            side.show_lines(
                side_lines(self.shown, now, room.side_columns, room.table_lines, glyphs)
            )

    def _show_detail(self) -> None:
        if self.too_small:
            return
        self._acting.show_detail(self.query_one("#detail", Lines), self._plan().detail_lines)

    def show_sent(self) -> None:
        """Show how far what was sent is, and what could be done next."""
        if self.ready and not self.too_small:
            self._show_detail()
            self.show_footer()

    def show_next(self) -> None:
        """Show what could be done next."""
        self.show_sent()

    @property
    def context(self) -> ActionContext:
        """What actions are judged by now."""
        context = ActionContext(
            place=self.PLACE,
            model=self.grid.cursor_key or "",
            row_count=self.shown_count,
            pending_moves=self.pending,
            filtered=bool(self.arrangement.words),
            column=self._keys_of_screen.column,
            columns=self.size.width,
            lines=self.size.height,
        )
        context = self.with_row(context, self.shown)
        return self.in_session(context, self.grid.cursor_key or "")

    @property
    def chosen_signal(self) -> str:
        """The signal of the chosen column; for latency the one the row shows."""
        column = self._keys_of_screen.column
        if column == "lat" and self.view is not None:
            return self.view.latency()[0]
        return BY_KEY[column].signal if column else ""

    @property
    def column_keys(self) -> Sequence[str]:
        """The keys of the columns that are shown."""
        return [column.key for column in self.grid.columns]

    @property
    def chosen_fact(self) -> str:
        """The chosen column."""
        return self._keys_of_screen.column

    def perform(self, spec: ActionSpec, argument: str) -> bool:
        """Do what concerns the table and the panes."""
        return self._keys_of_screen.perform(spec, argument)

    def take_text(self, label: str, text: str) -> None:
        """Use a filter or a name that was typed."""
        self._keys_of_screen.take_text(label, text)

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Filter and jump while typing."""
        super().on_prompt_changed(message)
        self._keys_of_screen.typed(message.label, message.text)

    def on_prompt_cancelled(self, message: Prompt.Cancelled) -> None:
        """Take back what typing had changed."""
        message.stop()
        self._keys_of_screen.cancelled(message.label)

    def on_grid_cursor_moved(self, message: FleetGrid.CursorMoved) -> None:
        """Show the lines and panes of the row now under the cursor."""
        message.stop()
        self._show_detail()
        self.panes.show(self.view)
        self._acting.look_ahead_soon()

    def action_ask(self, action_id: str) -> None:
        """Hold the order for whoever presses any key: the next one must find the same row."""
        self.touched_at = self.session.clock()
        super().action_ask(action_id)

    def on_click(self) -> None:
        """Hold the order for somebody who works with the mouse."""
        self.touched_at = self.session.clock()

    def mark(self, marked: frozenset[str]) -> None:
        """Mark these rows, and no others, to be acted on together."""
        self.touched_at = self.session.clock()
        self.session.marked = marked
        self.show_marks()
        self._show_header()

    def show_marks(self) -> None:
        """Draw the rows with the marks of now."""
        if self._rows is not None:
            self._rows = self._rows.with_marks(self.session.marked)
            self.grid.show_rows(self._rows)

    def filter_by(self, text: str) -> None:
        """Keep the rows that hold every word of ``text``."""
        self.arrangement = self.arrangement.with_filter(text)
        self.rearrange()

    def choose_pane(self, name: str) -> None:
        """Show a pane; a second time give it the middle of the screen, a third time take it back.

        Where no pane has room it gets the middle at once.
        """
        room = self._plan(self.shown_count, maximised=False)
        visible_now = room.pane_lines > 0 and name in room.panes
        if self.maximised:
            self.maximised = name != self.pane
        elif visible_now or room.pane_lines == 0:
            self.maximised = True
        self.pane = name if name in PANES else ""
        self._lay_out()
        self._show_all()

    def show_series(self) -> None:
        """Ask for the charts' curves again."""
        self.panes.forget()
        self.panes.show(self.view)

    def on_series_arrived(self, message: SeriesArrived) -> None:
        """Draw the curves that the source gave."""
        message.stop()
        if not self.ready:
            return
        self.panes.take(message.answer)
        self.panes.show(self.view)

    def on_screen_resume(self) -> None:
        """Catch up when this screen comes back to the top."""
        if self.shown is not None:
            # Whoever closed a dialog still has its row in mind.
            self.touched_at = self.session.clock()
        if self.frozen_at is None and self.ready:
            self.show_snapshot()
