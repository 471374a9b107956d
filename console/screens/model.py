"""The model screen: everything about one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical

from console.actions.registry import BY_ID, PANES
from console.actions.spec import ActionContext, Place
from console.domain.text import visible
from console.screens.base import (
    COMMAND_HINT,
    ConsoleScreen,
    PlotDrawn,
    SeriesArrived,
    StripsArrived,
)
from console.screens.fleet_order import FOOTER_LINES, shown_panes
from console.screens.panels.curves import Curves
from console.screens.panels.documents import Distribution
from console.screens.panels.header import HeaderState, header_lines
from console.screens.panels.model_facts import (
    event_lines,
    lineage_in_two,
    lineage_lines,
    model_header,
    replica_lines,
)
from console.screens.panels.pane_set import RENEW_SECONDS, PaneSet
from console.screens.row_view import RowView
from console.screens.tables.fleet import FleetGrid
from console.screens.tables.signals import (
    STRIP_SECONDS,
    SignalLine,
    SignalRows,
    signal_lines,
    strip_columns,
)
from widgets.lines import Lines, Run
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

    from console.actions.spec import ActionSpec
    from console.engine.client import SeriesSet
    from console.screens.session import Session

VIEWS = ("signals", "charts", "distribution", "lineage", "events", "replicas")
WIDE_FROM = (108, 32)
SIDE_COLUMNS = 42
HEADER_LINES = 4
STRIP_CELLS = 60


class ModelScreen(ConsoleScreen, inherit_bindings=False):
    """Signals, charts, distribution, lineage, events and replicas of one model.

    A large screen shows signals beside lineage over one of the others; a small one shows one at a
    time. Tab goes on to the next.
    """

    PLACE: ClassVar[Place] = "model"
    AUTO_FOCUS = "FleetGrid"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = ""
        self.current = "signals"
        self.pane = ""
        self.pane_alone = False
        self._lines: list[SignalLine] = []
        self._strips = Curves()
        self._strips_asked_at = float("-inf")
        self._panes = PaneSet(session, self)
        self._distribution = Distribution(session, self)

    def show_model(self, name: str) -> None:
        """Show this model from now on."""
        self.model = name
        self._strips = Curves(name)
        self._strips_asked_at = float("-inf")
        self._distribution.forget()
        if self.is_mounted:
            self.show_snapshot()

    # Parts

    def compose(self) -> ComposeResult:
        """The parts; `_lay_out` gives each its room."""
        yield Lines(id="header")
        with Horizontal(id="upper"):
            yield FleetGrid(id="signals")
            yield Lines(id="side")
        with Vertical(id="lower"):
            with Horizontal(id="panes"):
                yield from self._panes.charts()
            yield Lines(id="text")
        yield Lines(id="footer")
        yield Prompt(id="prompt")

    @property
    def grid(self) -> FleetGrid:
        """The table of signals."""
        return self.query_one(FleetGrid)

    def on_mount(self) -> None:
        """Show what is there at once."""
        self.query_one("#header").styles.height = HEADER_LINES
        self.query_one("#footer").styles.height = FOOTER_LINES
        self.show_look()

    def on_resize(self, event: events.Resize) -> None:
        """Divide the room anew."""
        if not self.ready:
            return
        self._lay_out()
        self._show_all()

    @property
    def wide(self) -> bool:
        """Whether signals, lineage and one more view have room at once."""
        return self.size.width >= WIDE_FROM[0] and self.size.height >= WIDE_FROM[1]

    @property
    def lower_view(self) -> str:
        """What stands in the lower part of a wide screen, or alone on a small one."""
        if self.wide and self.current == "signals":
            return "charts"
        return self.current

    def _lay_out(self) -> None:
        if not self.is_mounted:
            return
        width, height = self.size
        room = height - HEADER_LINES - FOOTER_LINES
        view = self.lower_view
        if self.too_small:
            upper, lower = 0, 0
        elif self.wide:
            upper = max(12, min(room - 10, round(room * 0.6)))
            lower = room - upper
        else:
            upper, lower = (room, 0) if view == "signals" else (0, room)
        self.show_part("#upper", upper)
        self.show_part("#lower", lower)
        side = self.query_one("#side")
        side.display = self.wide
        side.styles.width = SIDE_COLUMNS
        charts = lower > 0 and view == "charts"
        self.show_part("#panes", lower if charts else 0)
        self.show_part("#text", lower if lower and not charts else 0)
        self._panes.show_only(self._panes_shown() if charts else ())
        self.query_one("#header").styles.height = height if self.too_small else HEADER_LINES
        self.query_one("#footer").display = not self.too_small
        table_width = width - (SIDE_COLUMNS if self.wide else 0)
        self.grid.show_columns(strip_columns(table_width))

    def _panes_shown(self) -> tuple[str, ...]:
        if self.pane and self.pane_alone:
            return (self.pane,)
        return shown_panes(self.size.width, self.pane, self.session.panes or PANES)

    # What is shown

    @property
    def row_view(self) -> RowView | None:
        """The model's row in the newest Snapshot, None when it has gone."""
        snapshot = self.session.snapshot
        row = None if snapshot is None else snapshot.index.get(self.model)
        return None if snapshot is None or row is None else RowView(snapshot, row)

    def show_snapshot(self) -> None:
        """Show the newest Snapshot."""
        view = self.row_view
        if view is not None:
            signals = [line.signal for line in self._lines if line.signal in self._strips]
            self._strips.add_tick(view.snapshot, view.row, signals)
        if self.session.snapshot is not None:
            self._panes.add_tick(self.session.snapshot)
        self._show_all()

    def show_clock(self) -> None:
        """Show ages and the clock."""
        self._show_header()
        if self.said is None:
            self.show_footer()

    def show_look(self) -> None:
        """Take over roles and glyphs."""
        super().show_look()
        self._panes.show_look()
        self._lay_out()
        self._show_all()

    def _show_all(self) -> None:
        if not self.is_mounted:
            return
        self._show_header()
        if self.too_small:
            return
        self._show_signals()
        self._show_side()
        self._show_lower()
        self.show_footer()

    def _show_header(self) -> None:
        header = self.query_one("#header", Lines)
        if self.too_small:
            self.show_size()
            return
        session, width = self.session, self.size.width
        state = HeaderState(
            session.clock(), session.zone, width, session.environment, session.title,
            session.problem, writes=session.write_words,
        )  # fmt: skip
        first = header_lines(session.snapshot, state, session.glyphs, counts=[])
        view = self.row_view
        if view is None:
            gone = f"{visible(self.model, 60)} is not in the newest answer; Esc goes back"
            middle = [[Run(gone, "unknown")], []]
        else:
            middle = [list(line) for line in model_header(view, state.now, width, session.glyphs)]
        header.show_lines([first[0], *middle, first[2]])

    def _show_signals(self) -> None:
        view = self.row_view
        if view is None or not self.query_one("#upper").display:
            return
        self._ask_for_strips(view)
        now = self.session.clock()
        self._lines = signal_lines(view, now, self.session.glyphs)
        strip = next((one.width for one in self.grid.columns if one.key == "strip"), 0)
        self.grid.show_rows(SignalRows(self._lines, self._strips, now, strip, self.session.glyphs))

    def _ask_for_strips(self, view: RowView) -> None:
        engine = self.session.engine
        now = self.session.clock()
        if engine is None or now - self._strips_asked_at < RENEW_SECONDS:
            return
        self._strips_asked_at = now
        lines = signal_lines(view, now, self.session.glyphs)
        wanted = tuple(line.signal for line in lines if line.state.text != "no data")
        engine.request_series(self.model, wanted, STRIP_SECONDS, STRIP_CELLS, self._deliver_strips)

    def _deliver_strips(self, answer: SeriesSet) -> None:
        self.post_message(StripsArrived(answer))

    def on_strips_arrived(self, message: StripsArrived) -> None:
        """Draw the strips that the source gave."""
        message.stop()
        if message.answer.model == self.model and self.ready:
            self._strips.load(message.answer)
            self._show_all()

    def _show_side(self) -> None:
        view = self.row_view
        side = self.query_one("#side", Lines)
        if view is None or not side.display:
            return
        glyphs, now = self.session.glyphs, self.session.clock()
        lines = lineage_lines(view, now, SIDE_COLUMNS - 2, glyphs)
        side.show_lines([[Run(f"{glyphs.bar} ", "dim"), *line] for line in lines])

    def _show_lower(self) -> None:
        view, name = self.row_view, self.lower_view
        if view is None or not self.query_one("#lower").display:
            return
        if name == "charts":
            self._panes.show(view)
            return
        text = self.query_one("#text", Lines)
        width, now, glyphs = self.size.width, self.session.clock(), self.session.glyphs
        if name == "lineage":
            build = lineage_in_two if width >= WIDE_FROM[0] else lineage_lines
            text.show_lines(build(view, now, width, glyphs))
        elif name == "events":
            text.show_lines(event_lines(view, now, width, glyphs))
        elif name == "replicas":
            text.show_lines(replica_lines(view, width, glyphs))
        elif name == "distribution":
            text.show_lines(self._distribution_lines())

    def _distribution_lines(self) -> list[list[Run]]:
        signal = self.chosen_signal or "latency_p95"
        height = self.query_one("#text").styles.height
        lines = int(height.value) if height is not None else 12
        return self._distribution.lines(self.model, signal, self.size.width, lines)

    def on_plot_drawn(self, message: PlotDrawn) -> None:
        """Show a distribution, unless something else is wanted by now."""
        message.stop()
        if self.ready and self._distribution.take(message):
            self._show_lower()

    # What happens

    @property
    def context(self) -> ActionContext:
        """What actions are judged by now."""
        context = ActionContext(
            place=self.PLACE,
            model=self.model,
            row_count=1 if self.row_view is not None else 0,
            column=self.chosen_signal,
            columns=self.size.width,
            lines=self.size.height,
        )
        context = self.with_row(context, self.session.snapshot)
        return self.in_session(context, self.model)

    @property
    def chosen_signal(self) -> str:
        """The signal under the cursor, where a signal can be seen to be chosen."""
        if not self.query_one("#upper").display and self.lower_view != "distribution":
            return ""
        return self.grid.cursor_key or ""

    def perform(self, spec: ActionSpec, argument: str) -> bool:
        """Do what concerns this screen."""
        if spec.id == "model.open" and not argument:
            self.ask(BY_ID["explain"])
            return True
        grid = self.grid
        does: dict[str, Callable[[], object]] = {
            "cursor.up": lambda: self._move(-1, grid.action_cursor_up),
            "cursor.down": lambda: self._move(1, grid.action_cursor_down),
            "cursor.page_up": lambda: self._move(-10, grid.action_page_up),
            "cursor.page_down": lambda: self._move(10, grid.action_page_down),
            "cursor.first": lambda: self._move(-(10**6), grid.action_cursor_first),
            "cursor.last": lambda: self._move(10**6, grid.action_cursor_last),
            "back": self._back,
            "command": lambda: self.query_one(Prompt).open(":", "", COMMAND_HINT),
            "view.next": lambda: self._step_view(1, argument),
            "view.previous": lambda: self._step_view(-1),
            "pane.latency": lambda: self._pane(argument or "latency"),
            **{f"pane.{name}": self._pane_of(name) for name in PANES[1:]},
        }
        if spec.id not in does:
            return False
        does[spec.id]()
        return True

    def _move(self, lines: int, in_table: Callable[[], None]) -> None:
        """Move the cursor in the table of signals, or scroll the text where there is none."""
        if self.query_one("#upper").display:
            in_table()
        else:
            text = self.query_one("#text", Lines)
            text.scroll_lines_to(text.top + lines)

    def _pane_of(self, name: str) -> Callable[[], None]:
        return lambda: self._pane(name)

    def _pane(self, name: str) -> None:
        if name not in PANES:
            self.say(f"panes are {', '.join(PANES)}", "s3")
            return
        self.pane_alone = not (self.pane_alone and self.pane == name)
        self.pane = name
        self.current = "charts"
        self._lay_out()
        self._show_all()

    def _back(self) -> None:
        if self.pane_alone:
            self.pane_alone = False
            self._lay_out()
            self._show_all()
        else:
            self.dismiss()

    def _step_view(self, step: int, name: str = "") -> None:
        views = VIEWS[1:] if self.wide else VIEWS
        if name and name not in VIEWS:
            self.say(f"views are {', '.join(VIEWS)}", "s3")
            return
        now = self.lower_view
        place = views.index(now) if now in views else 0
        self.current = name or views[(place + step) % len(views)]
        self.query_one("#text", Lines).scroll_lines_to(0)
        self._lay_out()
        self._show_all()
        self.say(self.lower_view, "title")

    def on_grid_cursor_moved(self, message: FleetGrid.CursorMoved) -> None:
        """Follow the chosen signal."""
        message.stop()
        if self.lower_view == "distribution":
            self._show_lower()

    def show_series(self) -> None:
        """Ask for the charts' curves again."""
        self._panes.forget()
        self._distribution.forget()
        self._show_all()

    def on_series_arrived(self, message: SeriesArrived) -> None:
        """Draw the curves that the source gave."""
        message.stop()
        if not self.ready:
            return
        self._panes.take(message.answer)
        self._show_lower()
