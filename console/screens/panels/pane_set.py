"""The live panes as widgets: which are shown, and when their curves are asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.actions.registry import PANES
from console.screens.base import SeriesArrived
from console.screens.panels.charts import (
    ALL_PANE_SIGNALS,
    PANE_SIGNALS,
    POINTS,
    PaneFrame,
    pane_data,
)
from console.screens.panels.curves import Curves
from widgets.chart import Chart, ChartData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.screen import Screen
    from textual.timer import Timer

    from console.domain.snapshot import Snapshot
    from console.engine.client import SeriesSet
    from console.screens.row_view import RowView
    from console.screens.session import Session

SETTLE_SECONDS = 0.2
"""A cursor that runs over rows asks for nothing until it rests."""

RENEW_SECONDS = 60.0


class PaneSet:
    """Four charts of one model; curves are asked for only while a pane is on screen."""

    def __init__(self, session: Session, screen: Screen[None]) -> None:
        self._session = session
        self._screen = screen
        self._charts = {name: Chart(id=f"pane-{name}") for name in PANES}
        self._shown: tuple[str, ...] = ()
        self._curves = Curves()
        self._asked_at = float("-inf")
        self._timer: Timer | None = None
        self._waiting: list[tuple[str, RowView]] = []

    def charts(self) -> Iterator[Chart]:
        """Yield the widgets, hidden until they have room."""
        for chart in self._charts.values():
            chart.display = False
            yield chart

    def show_only(self, names: tuple[str, ...]) -> None:
        """Show these panes and no others."""
        newly = set(names) - set(self._shown)
        self._shown = names
        for name, chart in self._charts.items():
            chart.display = name in names
        if newly:
            self._asked_at = float("-inf")

    def show_look(self) -> None:
        """Take over roles and glyphs."""
        for chart in self._charts.values():
            chart.show_roles(self._session.roles)
            chart.glyphs = self._session.glyphs.chart

    def forget(self) -> None:
        """Drop all curves, because another range is wanted."""
        self._curves = Curves()
        self._asked_at = float("-inf")

    def add_tick(self, snapshot: Snapshot) -> None:
        """Add a tick to the curves of the model they belong to."""
        row = snapshot.index.get(self._curves.model)
        if row is not None:
            self._curves.add_tick(snapshot, row, ALL_PANE_SIGNALS)

    def take(self, answer: SeriesSet) -> None:
        """Take a range query's answer, unless the cursor has gone on."""
        if answer.model == self._curves.model:
            self._curves.load(answer)

    def show(self, view: RowView | None) -> None:
        """Draw the panes for a row, one a turn of the loop; without a row they say so."""
        if not self._shown:
            return
        if view is None:
            self._waiting.clear()
            for name in self._shown:
                self._charts[name].show(ChartData(name.upper(), (), message="no model chosen"))
            return
        model = view.model.model
        if model != self._curves.model:
            self._begin(model)
        now = self._session.clock()
        if now - self._asked_at >= RENEW_SECONDS:
            self._ask_soon()
        idle = not self._waiting
        self._waiting = [(name, view) for name in self._shown]
        if idle:
            self._screen.call_next(self._draw_waiting)

    async def _draw_waiting(self) -> None:
        """Draw what waits; four charts in one go would keep a key waiting for all of them."""
        while self._waiting:
            name, view = self._waiting.pop(0)
            session = self._session
            frame = PaneFrame(session.clock(), session.range_seconds, session.range_name)
            self._charts[name].show(pane_data(name, view, self._curves, frame))
            await asyncio.sleep(0)

    def _begin(self, model: str) -> None:
        """Start with what the ticks have seen of a model, and ask the source for the rest."""
        self._curves = Curves(model)
        self._asked_at = float("-inf")
        engine = self._session.engine
        if engine is not None:
            for signal in self._signals():
                series = engine.history(model, signal, self._session.range_seconds)
                if len(series.times):
                    self._curves.seed(series)

    def _signals(self) -> tuple[str, ...]:
        return tuple(signal for name in self._shown for signal in PANE_SIGNALS[name])

    def _ask_soon(self) -> None:
        if self._session.engine is None:
            return
        self._asked_at = self._session.clock()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._screen.set_timer(SETTLE_SECONDS, self._ask)

    def _ask(self) -> None:
        engine = self._session.engine
        if engine is None or not self._curves.model or not self._shown:
            return
        engine.request_series(
            self._curves.model,
            self._signals(),
            self._session.range_seconds,
            POINTS,
            self._deliver,
        )

    def _deliver(self, answer: SeriesSet) -> None:
        # Called from the engine's thread: posting a message is all that is safe there.
        self._screen.post_message(SeriesArrived(answer))
