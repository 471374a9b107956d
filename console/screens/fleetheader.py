"""The three lines at the top of the fleet screen; they live on while the table is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.screens.header import (
    HeaderState,
    counts_line,
    header_lines,
    held_notes,
    marked_notes,
    order_notes,
)
from console.screens.incidentwords import incident_notes

if TYPE_CHECKING:
    from console.screens.fleet import FleetScreen
    from console.screens.runs import RunLine
    from widgets.lines import Lines


class FleetHeader:
    """Draws the header of the fleet screen; the counts are made anew only when they may differ."""

    def __init__(self, screen: FleetScreen) -> None:
        self._screen = screen
        self._counts: tuple[tuple[object, ...], RunLine] | None = None

    def show(self, part: Lines) -> None:
        """Show the header as the newest Snapshot and the clock have it."""
        session, state = self._screen.session, self._state()
        snapshot = session.snapshot
        if snapshot is None:
            lines = header_lines(None, state, session.glyphs)
        else:
            made_for = (id(snapshot), state.width, state.notes)
            if self._counts is None or self._counts[0] != made_for:
                self._counts = (made_for, counts_line(snapshot, state, session.glyphs))
            lines = header_lines(snapshot, state, session.glyphs, self._counts[1])
        part.show_lines(lines)

    def _state(self) -> HeaderState:
        screen = self._screen
        session = screen.session
        now, keys = session.clock(), session.keys
        frozen = None if screen.frozen_at is None else now - screen.frozen_at
        return HeaderState(
            now=now,
            zone=session.zone,
            width=screen.size.width,
            environment=session.environment,
            title=session.title,
            problem=session.problem,
            notes=(
                *marked_notes(session.marked),
                *incident_notes(session.snapshot),
                *held_notes(session.snapshot, now),
                *order_notes(
                    screen.arrangement,
                    frozen,
                    screen.pending,
                    keys.first_key("order.apply"),
                    screen.shown_count,
                ),
            ),
            writes=session.write_words,
        )
