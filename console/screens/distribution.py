"""How often a signal had which value: a plot that is drawn aside and shown when it is done."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.messages import PlotDrawn
from console.signals.units import format_signal
from themes.glyphs import to_ascii
from widgets.lines import Run

if TYPE_CHECKING:
    from textual.screen import Screen

    from console.engine.handle import SeriesSet
    from console.facts.samples import Series
    from console.screens.session import Session

POINTS = 400
LEAST = (20, 6)
MOST = (100, 24)


class Distribution:
    """The newest plot asked for; a new one is fetched when model, signal, range or size differ."""

    def __init__(self, session: Session, screen: Screen[None]) -> None:
        self._session = session
        self._screen = screen
        self._made_for: tuple[str, str, str, int, int] | None = None
        self._drawn: list[str] = []

    def forget(self) -> None:
        """Fetch anew at the next look."""
        self._made_for = None

    def lines(self, model: str, signal: str, width: int, height: int) -> list[list[Run]]:
        """Return the plot for this room, or the sentence that it is being fetched."""
        made_for = (model, signal, self._session.range_name, width, height)
        if self._made_for != made_for:
            self._made_for = made_for
            self._drawn = [f"fetching {self._session.range_name} of {signal}"]
            if self._session.engine is not None:
                self._session.engine.request_series(
                    model, (signal,), self._session.range_seconds, POINTS, self._deliver
                )
        plain = self._session.glyphs.name == "ascii"
        if not plain:
            return [[Run(line, "text")] for line in self._drawn]
        # A corner here, not the branch of a tree.
        return [[Run(to_ascii(line.replace("└", "+")), "text")] for line in self._drawn]

    def take(self, message: PlotDrawn) -> bool:
        """Take a plot; False when something else is wanted by now."""
        if message.made_for != self._made_for:
            return False
        self._drawn = message.lines
        return True

    def _deliver(self, answer: SeriesSet) -> None:
        # In the engine's thread on purpose: plotext takes longer than a frame may.
        made_for = self._made_for
        if made_for is None or not answer.series:
            return
        series = answer.series[0]
        if series.error is not None:
            drawn = f"no history: {visible(series.error, 300)}"
        elif (only := _only_value(series)) is not None:
            shown = format_signal(series.signal, only)
            drawn = f"{series.signal} was {shown} all through the last {made_for[2]}"
        else:
            from console.reports.plots import distribution_of

            width = max(LEAST[0], min(MOST[0], made_for[3]))
            height = max(LEAST[1], min(MOST[1], made_for[4]))
            drawn = distribution_of(series, width=width, height=height)
        lines = drawn.splitlines() or [f"no values of {made_for[1]} in the last {made_for[2]}"]
        self._screen.post_message(PlotDrawn(made_for, lines))


def _only_value(series: Series) -> float | None:
    """Return the one value a signal had all the time, None where there were several or none.

    A histogram of one value invents a width for it, below zero as well.
    """
    known = {value for value in series.values.tolist() if isfinite(value)}
    return known.pop() if len(known) == 1 else None
