"""Columns and rows of the fleet table, and which columns a width has room for."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.style import Style
from textual.strip import Strip

from console.screens.row_view import RowView
from console.screens.tables import fleet_cells
from themes.glyphs import to_ascii
from widgets.grid import Cell, Column, Grid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from console.domain.snapshot import Snapshot
    from themes.glyphs import Glyphs
    from widgets.text_width import Align

    Draw = Callable[[RowView, Glyphs], Cell]

NARROW = 80
MEDIUM = 120
WIDE = 150
MODEL_MIN, MODEL_MAX = 13, 32


class FleetColumn(Struct, frozen=True):
    """One column: what it shows, from which width on, and which signal ``?`` explains.

    ``signals`` fill it: when no model has data for any of them it is left out (an empty tuple:
    other facts fill it, see `_FACTS`). ``from_width`` is the width from which it belongs to the
    table by right; ``spare`` columns take room that others left.
    """

    key: str
    title: str
    width: int
    align: Align
    draw: Draw
    signals: tuple[str, ...] = ()
    from_width: int = NARROW
    spare: bool = False
    meaning: str = ""
    worst_first: bool = True

    @property
    def signal(self) -> str:
        """The signal this column is about, empty for a fact that is not measured."""
        return self.signals[0] if self.signals else ""


COLUMNS: tuple[FleetColumn, ...] = (
    FleetColumn(
        "s", "S", 2, "left", fleet_cells.severity, meaning="severity: the worst rule that holds"
    ),
    FleetColumn("model", "MODEL", MODEL_MIN, "left", fleet_cells.model, meaning="the model's name"),
    FleetColumn(
        "tier", "T", 1, "left", fleet_cells.tier, meaning="tier: 1 matters most", worst_first=False
    ),
    FleetColumn("rg", "RG", 2, "left", fleet_cells.region, meaning="region it serves in"),
    FleetColumn(
        "brk", "BRK", 4, "left", fleet_cells.breaker,
        meaning="breaker: CLO passing, OPN refusing, HLF probing, F-OP refusing by hand, "
        "DIS unprotected, MET watching",
    ),
    FleetColumn(
        "route", "ROUTE", 6, "left", fleet_cells.route,
        meaning="where traffic goes: prim, trim (L1), fb:NAME (L2, L3), human (L4), refuse (L5)",
    ),
    FleetColumn(
        "burn", "BURN", 4, "right", fleet_cells.burn, ("burn_1h", "burn_5m"),
        meaning="how fast the error budget burns, over 1 h; 1x uses it up in 30 days",
    ),
    FleetColumn(
        "left", "LEFT", 4, "right", fleet_cells.left, ("budget_left",), MEDIUM,
        meaning="error budget left over 30 days", worst_first=False,
    ),
    FleetColumn(
        "bad", "BAD/m", 5, "right", fleet_cells.bad, ("bad_rate",), meaning="bad requests a minute"
    ),
    FleetColumn(
        "rps", "RPS", 4, "right", fleet_cells.rps, ("requests_rate",), MEDIUM, spare=True,
        meaning="requests a second",
    ),
    FleetColumn(
        "err", "ERR%", 4, "right", fleet_cells.errors, ("error_ratio",), 9999, spare=True,
        meaning="bad requests, percent",
    ),
    FleetColumn(
        "lat", "LAT/base",
        fleet_cells.LATENCY_WIDTH, "right", fleet_cells.latency,
        ("latency_p95", "ttft_p95", "latency_mean"),
        meaning="p95 latency now / normal; TT: time to first token, av: a mean",
    ),
    FleetColumn(
        "p50", "P50", 5, "right", fleet_cells.percentile("latency_p50"), ("latency_p50",), 9999,
        spare=True, meaning="latency p50",
    ),
    FleetColumn(
        "p95", "P95", 5, "right", fleet_cells.percentile("latency_p95"), ("latency_p95",), 9999,
        spare=True, meaning="latency p95",
    ),
    FleetColumn(
        "p99", "P99", 5, "right", fleet_cells.percentile("latency_p99"), ("latency_p99",), 9999,
        spare=True, meaning="latency p99",
    ),
    FleetColumn(
        "ttft", "TTFT", 5, "right", fleet_cells.percentile("ttft_p95"), ("ttft_p95",), 9999,
        spare=True, meaning="time to first token p95",
    ),
    FleetColumn(
        "tok", "TOK/s", 5, "right", fleet_cells.tokens, ("tokens_rate",), 9999, spare=True,
        meaning="output tokens a second",
    ),
    FleetColumn(
        "queue", "QUEUE", 5, "right", fleet_cells.queue, ("queue_depth",), 9999, spare=True,
        meaning="requests accepted but not started",
    ),
    FleetColumn(
        "kv", "KV%", 4, "right", fleet_cells.kv_cache, ("kv_cache",), 9999, spare=True,
        meaning="used share of the KV cache",
    ),
    FleetColumn(
        "sat", "SAT", 3, "right", fleet_cells.saturation, ("saturation", "kv_cache"), MEDIUM,
        meaning="busy share of capacity",
    ),
    FleetColumn(
        "lowc", "LOWC%", 5, "right", fleet_cells.low_confidence, ("low_confidence_ratio",),
        meaning="predictions under the confidence threshold, percent, now / normal",
    ),
    FleetColumn(
        "review", "REVIEW", 8, "right", fleet_cells.review, ("review_depth",), MEDIUM,
        meaning="waiting for a person, and the oldest's age",
    ),
    FleetColumn(
        "drift", "DRIFT", 5, "right", fleet_cells.drift, ("drift_psi", "prediction_drift"),
        meaning="drift PSI; no verdict under 200 samples",
    ),
    FleetColumn(
        "att", "ATT", 3, "right", fleet_cells.attempts, ("attempts_per_request",), MEDIUM,
        meaning="attempts on dependencies per request; above 1.1 retries build up",
    ),
    FleetColumn(
        "pace", "PACE", 4, "right", fleet_cells.pace, ("cost_pace",),
        meaning="spent today / the budget's share due by now",
    ),
    FleetColumn(
        "cost1k", "$/1k", 5, "right", fleet_cells.per_1k, ("cost_per_1k",), WIDE,
        meaning="USD for 1,000 requests",
    ),
    FleetColumn(
        "costh", "$/h", 5, "right", fleet_cells.per_hour, ("cost_per_hour",), 9999, spare=True,
        meaning="USD an hour",
    ),
    FleetColumn(
        "who", "WHO", 4, "left", fleet_cells.who,
        meaning="who has its incident, -- for nobody; without one, who answers for it",
    ),
    FleetColumn(
        "age", "AGE", 3, "right", fleet_cells.age,
        meaning="how long somebody has it (a9m), or how long it has been this bad",
    ),
)  # fmt: skip

BY_KEY = {column.key: column for column in COLUMNS}

_ALWAYS = frozenset(("s", "model", "age"))
_CONFIGURED, _OWNER, _REGION = attrgetter("configured"), attrgetter("owner"), attrgetter("region")
_PRIMARY = attrgetter("oncall.primary")
_FIRST_TO_GO = ("pace", "rg", "brk", "tier", "drift", "route", "lowc", "bad", "lat", "burn")
"""What leaves when the width is under 80, in this order; WHO and AGE never do."""


def filled(snapshot: Snapshot) -> frozenset[str]:
    """Return the keys of columns that at least one model has something for."""
    found = set(_ALWAYS)
    rows = snapshot.rows
    # Asked at every tick: with 5,000 rows a generator would take as long as half the table.
    if any(map(_CONFIGURED, rows)):
        found.update(("tier", "who"))
    if any(map(_OWNER, rows)) or any(map(_PRIMARY, rows)):
        found.add("who")
    if any(map(_REGION, rows)) or any(map(_REGION, snapshot.routes.values())):
        found.add("rg")
    if snapshot.breakers:
        found.add("brk")
    if snapshot.routes:
        found.add("route")
    for column in COLUMNS:
        if any(_has_data(snapshot, signal) for signal in column.signals):
            found.add(column.key)
    return frozenset(found)


def _has_data(snapshot: Snapshot, signal: str) -> bool:
    column = snapshot.columns.get(signal)
    return column is not None and bool(column.states.any())


def choose(width: int, keys: Collection[str], longest_name: int) -> tuple[Column, ...]:
    """Return the columns for a table ``width`` cells wide.

    ``keys`` have data. Columns of the width's own set come first; what is missing there leaves
    its room to spare columns, and what is then left goes to the model's name.
    """
    chosen = [
        column
        for column in COLUMNS
        if column.key in keys and not (column.from_width > max(width, NARROW))
    ]
    chosen = _narrowed(chosen, width)
    room = width - _taken(chosen)
    for column in COLUMNS:
        if not column.spare or column.key not in keys or column in chosen or width < NARROW:
            continue
        if _repeats(column, chosen, keys):
            continue
        if column.width + 1 <= room - min(6, max(0, longest_name - MODEL_MIN)):
            chosen.append(column)
            room -= column.width + 1
    chosen.sort(key=COLUMNS.index)
    wanted = max(MODEL_MIN, min(longest_name, MODEL_MAX))
    extra = max(0, min(wanted - MODEL_MIN, width - _taken(chosen)))
    return tuple(_as_grid(column, extra) for column in chosen)


def _narrowed(chosen: Sequence[FleetColumn], width: int) -> list[FleetColumn]:
    kept = list(chosen)
    for key in _FIRST_TO_GO:
        if _taken(kept) <= width:
            break
        kept = [column for column in kept if column.key != key]
    return kept


def _repeats(column: FleetColumn, chosen: Sequence[FleetColumn], keys: Collection[str]) -> bool:
    """Tell whether a spare column would only say again what LAT/base or SAT says."""
    shown = {shown.key for shown in chosen}
    if column.key == "p95":
        return "lat" in shown and "ttft" not in keys
    return column.key == "err" and "burn" in shown and "tier" in keys


def _taken(columns: Sequence[FleetColumn]) -> int:
    return sum(column.width + 1 for column in columns) - 1


def _as_grid(column: FleetColumn, extra: int) -> Column:
    width = column.width + extra if column.key == "model" else column.width
    return Column(column.key, column.title, width, column.align)


class FleetRows:
    """A Snapshot's rows in a given order; cells are made only for rows that are on screen."""

    __slots__ = ("_ascii", "_glyphs", "_marked", "_order", "snapshot")

    def __init__(
        self,
        snapshot: Snapshot,
        order: Sequence[int],
        glyphs: Glyphs,
        marked: frozenset[str] = frozenset(),
    ) -> None:
        self._marked = marked
        self.snapshot = snapshot
        self._order = order
        self._glyphs = glyphs
        self._ascii = glyphs.name == "ascii"

    def with_marks(self, marked: frozenset[str]) -> FleetRows:
        """Return the same rows with other ones marked to be acted on together."""
        return FleetRows(self.snapshot, self._order, self._glyphs, marked)

    def __len__(self) -> int:
        return len(self._order)

    def row(self, index: int) -> int:
        """Return the Snapshot's row that stands at this place."""
        return self._order[index]

    def levels_from(self, index: int) -> bytes:
        """Return the `Severity` codes of the rows from this place on, a byte each.

        Of 5,000 rows in a fraction of a millisecond: it is asked for several times a tick.
        """
        return self.snapshot.severities.take(self._order[index:]).tobytes()

    def key(self, index: int) -> str:
        """Return the model's name."""
        return self.snapshot.rows[self._order[index]].model

    def index(self, key: str) -> int | None:
        """Return where a model stands, None when it is not shown."""
        row = self.snapshot.index.get(key)
        if row is None:
            return None
        try:
            return self._order.index(row)
        except ValueError:
            return None

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one row."""
        view = RowView(self.snapshot, self._order[index])
        drawn = tuple(BY_KEY[key].draw(view, self._glyphs) for key in columns)
        if self._marked and view.model.model in self._marked and len(drawn) > 1:
            # A word in the name's own cell: a mark must not be a colour alone.
            name = drawn[1]
            drawn = (drawn[0], Cell(f"{self._glyphs.pointer}{name.text}", "mark"), *drawn[2:])
        if self._ascii:
            return tuple(
                cell if cell.text.isascii() else Cell(to_ascii(cell.text), cell.role)
                for cell in drawn
            )
        return drawn


CHOSEN = Style(reverse=True)


class FleetGrid(Grid, inherit_bindings=False):
    """A grid whose keys come from the registry alone and whose header shows the chosen column."""

    chosen_column: str = ""

    def choose_column(self, key: str) -> None:
        """Mark a column in the header; an empty key marks none."""
        if key != self.chosen_column:
            self.chosen_column = key
            self.refresh_line(0)

    def render_line(self, y: int) -> Strip:
        """Draw a line; in the header the chosen column is reversed."""
        strip = super().render_line(y)
        span = self._chosen_span() if y == 0 else None
        if span is None:
            return strip
        start, end = span
        width = strip.cell_length
        return Strip.join(
            [
                strip.crop(0, start),
                strip.crop(start, min(end, width)).apply_style(CHOSEN),
                strip.crop(min(end, width), width),
            ]
        )

    def _chosen_span(self) -> tuple[int, int] | None:
        x = 0
        for column in self.columns:
            if column.key == self.chosen_column:
                return x, x + column.width
            x += column.width + 1
        return None


def with_sort_mark(columns: tuple[Column, ...], sort: str, mark: str) -> tuple[Column, ...]:
    """Return the columns with a mark beside the title of the one the rows are sorted by."""
    return tuple(_marked(column, mark) if column.key == sort else column for column in columns)


def _marked(column: Column, mark: str) -> Column:
    room = column.width - 1
    title = column.title[:room]
    text = f"{mark}{title}" if column.align == "right" else f"{title}{mark}"
    return Column(column.key, text, column.width, column.align)
