"""How the fleet screen divides its lines and columns; pure arithmetic."""

from __future__ import annotations

from msgspec import Struct

from console.actions.registry import PANES
from console.screens.details import DETAIL_LINES, LEAST_LINES, SHORT_LINES, TALL_LINES

SMALLEST = (60, 16)
HEADER_LINES = 3
FOOTER_LINES = 1
PANES_FROM_LINES = 30
TALL_FROM_LINES = 40
PAIR_FROM_COLUMNS = 110
FOUR_FROM_COLUMNS = 148
SIDE_FROM_COLUMNS = 150
SIDE_COLUMNS = 38
PANE_LINES_MIN, PANE_LINES_MAX = 9, 16


class Layout(Struct, frozen=True):
    """What gets how much room, in cells; ``too_small`` leaves room for one sentence only.

    ``panes`` names the panes that are shown, ``pane_lines`` their height. A maximised pane takes
    the table's place, so that ``table_lines`` is 0.
    """

    too_small: bool
    table_lines: int
    pane_lines: int
    panes: tuple[str, ...]
    side_columns: int
    detail_lines: int

    @property
    def maximised(self) -> bool:
        """Whether one pane has the middle of the screen."""
        return self.table_lines == 0 and not self.too_small


def plan(
    columns: int,
    lines: int,
    row_count: int,
    pane: str = "",
    *,
    maximised: bool = False,
    wanted: tuple[str, ...] = PANES,
) -> Layout:
    """Return the layout for a screen of this size.

    ``pane`` is the pane chosen last, ``wanted`` are those the operator wants side by side.
    """
    if columns < SMALLEST[0] or lines < SMALLEST[1]:
        return Layout(True, 0, 0, (), 0, 0)
    details = DETAIL_LINES if lines >= 24 else SHORT_LINES if lines >= 20 else LEAST_LINES
    details = TALL_LINES if lines >= TALL_FROM_LINES else details
    middle = lines - HEADER_LINES - FOOTER_LINES - details
    if maximised and pane:
        return Layout(False, 0, middle, (pane,), 0, details)
    side = SIDE_COLUMNS if columns >= SIDE_FROM_COLUMNS else 0
    if lines < PANES_FROM_LINES or not wanted:
        return Layout(False, middle, 0, (), side, details)
    wanted_table = row_count + 2
    share = int(middle * 0.42)
    pane_lines = max(PANE_LINES_MIN, share, middle - wanted_table)
    pane_lines = min(pane_lines, PANE_LINES_MAX + max(0, lines - 45) // 2, middle - 5)
    return Layout(
        False, middle - pane_lines, pane_lines, shown_panes(columns, pane, wanted), side, details
    )


def shown_panes(columns: int, pane: str = "", wanted: tuple[str, ...] = PANES) -> tuple[str, ...]:
    """Return the panes that stand side by side: all that are wanted, two, or the chosen one."""
    shown = tuple(name for name in PANES if name in wanted or name == pane)
    if columns >= FOUR_FROM_COLUMNS or len(shown) == 1:
        return shown
    place = shown.index(pane) if pane in shown else 0
    if columns >= PAIR_FROM_COLUMNS:
        first = place // 2 * 2
        return shown[first : first + 2]
    return shown[place : place + 1]
