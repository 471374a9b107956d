"""Orders, groups and filters the fleet's rows and divides the screen's lines and columns; pure."""

from __future__ import annotations

from operator import ne
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from console.actions.registry import PANES
from console.domain.severity import Severity
from console.screens.panels.detail import (
    DETAIL_LINES,
    LEAST_LINES,
    SHORT_LINES,
    TALL_LINES,
    WIDE_LINES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.domain.model import ModelRow
    from console.domain.snapshot import Snapshot
    from console.screens.tables.fleet import FleetColumn

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
    details = WIDE_LINES if lines >= PANES_FROM_LINES else details
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


HOLD_SECONDS = 30.0
"""How long after the last key on the table its order stands still."""

GROUPS = ("none", "tier", "region", "owner", "dependency")

_LEVEL_WORDS = {level.label.lower(): level for level in Severity}


class Arrangement(Struct, frozen=True):
    """How the operator wants to see the rows; ``sort`` empty is by rank."""

    sort: str = ""
    reverse: bool = False
    group: str = "none"
    words: tuple[str, ...] = ()

    def with_filter(self, text: str) -> Arrangement:
        """Return the same with another filter text."""
        return replace(self, words=tuple(text.lower().split()))


class Searcher(Struct):
    """Finds rows by words; keeps the text of static rows while they stay the same object."""

    _rows: tuple[ModelRow, ...] = ()
    _texts: list[str] = field(default_factory=list)

    def keep(self, snapshot: Snapshot, order: Sequence[int], words: Sequence[str]) -> list[int]:
        """Return the rows of ``order`` that hold every word; ``!word`` must not be held."""
        if not words:
            return list(order)
        if snapshot.rows is not self._rows:
            self._rows = snapshot.rows
            self._texts = [_text_of(row) for row in snapshot.rows]
        tests = [self._test(snapshot, word) for word in words]
        return [row for row in order if all(test(row) for test in tests)]

    def _test(self, snapshot: Snapshot, word: str) -> Callable[[int], bool]:
        inverse = len(word) > 1 and word.startswith("!")
        wanted = word[1:] if inverse else word
        level = _LEVEL_WORDS.get(wanted)
        texts, severities = self._texts, snapshot.severities

        def holds(row: int) -> bool:
            if level is not None:
                return (int(severities[row]) == int(level)) is not inverse
            return (wanted in texts[row]) is not inverse

        return holds


def _text_of(row: ModelRow) -> str:
    parts = (
        row.model, f"tier{row.tier}", row.region, row.owner, row.oncall.primary, row.profile,
        row.version, row.server, row.source, *row.dependencies,
    )  # fmt: skip
    return " ".join(part[:200] for part in parts if part).lower()


def arrange(
    snapshot: Snapshot,
    arrangement: Arrangement,
    columns: dict[str, FleetColumn],
    searcher: Searcher,
) -> list[int]:
    """Return row indices as they should stand: sorted, grouped, filtered; ties keep the rank."""
    order = searcher.keep(snapshot, snapshot.order.tolist(), arrangement.words)
    if arrangement.sort and arrangement.sort in columns:
        order = _sorted(snapshot, order, columns[arrangement.sort], arrangement.reverse)
    elif arrangement.reverse:
        order.reverse()
    if arrangement.group != "none":
        order.sort(key=lambda row: group_of(snapshot, row, arrangement.group))
    return order


def group_of(snapshot: Snapshot, row: int, group: str) -> str:
    """Return the group a row belongs to; what is not known comes last."""
    model = snapshot.rows[row]
    match group:
        case "tier":
            return str(model.tier) if model.configured else "~"
        case "region":
            return model.region or "~"
        case "owner":
            return model.owner or "~"
        case "dependency":
            return model.dependencies[0] if model.dependencies else "~"
        case _:
            return ""


def _sorted(snapshot: Snapshot, order: list[int], column: FleetColumn, reverse: bool) -> list[int]:
    signals = [signal for signal in column.signals if signal in snapshot.columns]
    if signals:
        return _by_value(snapshot, order, signals, largest_first=column.worst_first != reverse)
    return sorted(order, key=_text_key(snapshot, column.key), reverse=reverse)


def _by_value(
    snapshot: Snapshot, order: list[int], signals: Sequence[str], *, largest_first: bool
) -> list[int]:
    """Sort by the first signal that has a value; rows without one always come last."""
    import numpy as np

    values = snapshot.columns[signals[0]].values.astype(np.float64, copy=True)
    for signal in signals[1:]:
        values = np.where(np.isnan(values), snapshot.columns[signal].values, values)
    rows = np.asarray(order, dtype=np.int64)
    keys = values[rows]
    places = np.argsort(-keys if largest_first else keys, kind="stable")
    ranked: list[int] = rows[places].tolist()
    return ranked


def _text_key(snapshot: Snapshot, key: str) -> Callable[[int], tuple[bool, str]]:
    def text(row: int) -> tuple[bool, str]:
        model = snapshot.rows[row]
        match key:
            case "model":
                known = model.model
            case "tier":
                known = str(model.tier) if model.configured else ""
            case "rg":
                known = model.region
            case "brk":
                known = f"{int(snapshot.breaker(row).state != 1)}{snapshot.breaker(row).state.code}"
            case "route":
                known = snapshot.route(row).target
            case "who":
                known = model.oncall.primary or model.owner
            case "age":
                found = snapshot.findings.get(row, ())
                known = f"{min((one.since for one in found), default=9e12):020.3f}"
            case _:
                known = ""
        return (not known, known.lower())

    return text


class HeldOrder(Struct):
    """An order that stands still while somebody works in the table.

    Rows that go leave at once and new rows come in at the end; the others keep their places
    until they are let go. ``pending`` counts rows that would stand elsewhere.
    """

    pending: int = 0
    _rows: tuple[ModelRow, ...] = ()
    _shown: list[int] = field(default_factory=list)

    def follow(self, snapshot: Snapshot, order: list[int], *, held: bool) -> list[int]:
        """Take the newly arranged ``order`` and return the row indices to show."""
        kept = self.held_back(snapshot, order) if held and self._shown else order
        if kept is order:
            self.pending = 0
        self._rows, self._shown = snapshot.rows, kept
        return kept

    def held_back(self, snapshot: Snapshot, order: list[int]) -> list[int]:
        """Return ``order`` with the rows in the places they have now, and count the pending."""
        shown = self._shown
        if snapshot.rows is not self._rows:
            rows = self._rows
            now = (snapshot.index.get(rows[row].model) for row in shown)
            shown = [row for row in now if row is not None]
        wanted = set(order)
        kept = [row for row in shown if row in wanted]
        if len(kept) != len(order):
            known = set(kept)
            kept += [row for row in order if row not in known]
        self.pending = sum(map(ne, kept, order))
        return kept
