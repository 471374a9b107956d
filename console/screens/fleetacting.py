"""What the fleet screen says of acting: what could help the row, and what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.screens.details import LABEL_WIDTH, detail_lines, run_runs, shortened
from console.screens.messages import OutlooksArrived
from console.screens.nextline import next_runs

if TYPE_CHECKING:
    from textual.timer import Timer

    from console.actions.outlook import Outlook
    from console.screens.fleet import FleetScreen
    from widgets.lines import Lines

REST_SECONDS = 0.15
"""How long the cursor rests on a row before it is asked what could be done to it."""


class FleetActing:
    """The lines under the table, with NEXT asked for when the cursor rests on a row."""

    def __init__(self, screen: FleetScreen) -> None:
        self._screen = screen
        self._rest: Timer | None = None

    def look_ahead_soon(self) -> None:
        """Ask what could be done to the row under the cursor, once it rests there."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self._screen.set_timer(REST_SECONDS, self.look_ahead)

    def look_ahead(self) -> None:
        """Ask what could be done to the row under the cursor."""
        engine, model = self._screen.session.engine, self._screen.grid.cursor_key
        if engine is not None and model:
            engine.request_outlooks(model, self._deliver)

    def _deliver(self, model: str, found: tuple[Outlook, ...]) -> None:
        self._screen.app.post_message(OutlooksArrived(model, found))

    def show_detail(self, part: Lines, room: int) -> None:
        """Show the lines about the row under the cursor in ``room`` lines."""
        screen = self._screen
        session, view, width = screen.session, screen.view, screen.size.width
        now, glyphs = session.clock(), session.glyphs
        found = None if view is None else session.outlooks_of(view.model.model)
        lines = detail_lines(
            view,
            screen.shown,
            now,
            width,
            glyphs,
            next_moves=next_runs(view, found, session.keys, glyphs),
            runbook=run_runs(screen.context.runbook, session.keys.first_key("runbook"), glyphs),
            sent=session.sent.line(now, width - LABEL_WIDTH, glyphs, session.idle_words),
        )
        held = screen.shown is not None and bool(screen.shown.overrides)
        part.show_lines(shortened(lines, room, held=held, sent=bool(session.sent.entries)))
