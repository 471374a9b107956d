"""The arithmetic and the words behind the screens, without a screen."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.actions.keymap import keymap
from console.actions.registry import PANES
from console.actions.spec import ActionContext
from console.screens.fleet_order import (
    HEADER_LINES,
    Arrangement,
    HeldOrder,
    Searcher,
    arrange,
    plan,
    shown_panes,
)
from console.screens.panels.charts import PaneFrame, pane_data
from console.screens.panels.curves import RANGES, Curves, next_range, onto_grid
from console.screens.panels.footer import footer_line, key_text
from console.screens.panels.header import HeaderState, header_lines, is_stale
from console.screens.row_view import RowView
from console.screens.spans import (
    clock_text,
    compact,
    fitted,
    join_that_fit,
    keys_that_fit,
    pair_of_seconds,
    percent_text,
    piece,
    points,
    seconds_text,
    twins,
    width_of,
)
from console.screens.tables.fleet import BY_KEY, COLUMNS, FleetRows, choose, filled
from console.screens.tables.signals import limit_of, signal_lines
from tests.support.columns import column
from tests.support.snapshots import SAMPLE_NOW, big_snapshot, hostile_snapshot, sample_snapshot
from themes.glyphs import ASCII, UNICODE
from widgets.lines import Run
from widgets.text_width import cells_of

ANY = st.floats(allow_nan=True, allow_infinity=True)
ALL_KEYS = frozenset(column.key for column in COLUMNS)


@pytest.mark.parametrize(
    ("value", "base", "text"),
    [
        (1.9, 0.4, "1.9/.4s"),
        (0.03, 0.028, "30/28ms"),
        (0.6, None, ".6s"),
        (0.0, 0.1, ".00/.1s"),
        (31.0, 8.0, "31/8.0s"),
    ],
)
def test_latency_against_its_normal(value: float, base: float | None, text: str) -> None:
    assert pair_of_seconds(value, base) == text


def test_a_percentile_in_its_open_top_bucket_is_a_lower_bound() -> None:
    snapshot = sample_snapshot()
    row = snapshot.index["fraud-scorer"]
    p95 = snapshot.columns["latency_p95"].values[row]
    for top, bound in ((p95, True), (p95 * 2, False), (None, False)):
        column_of_tops = column(
            [top if place == row else None for place in range(len(snapshot.rows))], SAMPLE_NOW
        )
        view = RowView(
            replace(snapshot, columns={**snapshot.columns, "latency_top": column_of_tops}), row
        )
        assert view.is_bound("latency_p95") is bound
        assert not view.is_bound("ttft_p95")
        assert BY_KEY["lat"].draw(view, UNICODE).text.startswith(">") is bound
        assert BY_KEY["p95"].draw(view, UNICODE).text.startswith(">") is bound
        line = next(one for one in signal_lines(view, SAMPLE_NOW, UNICODE)
                    if one.signal == "latency_p95")  # fmt: skip
        assert line.now.text.startswith(">") is bound
        frame = PaneFrame(SAMPLE_NOW, 3600.0, "1h")
        first = pane_data("latency", view, Curves("fraud-scorer"), frame).footer[0][0]
        assert ("p95 >" in first) is bound
    assert seconds_text(10.0, at_least=True) == ">10s"


def test_a_percentile_equal_to_a_higher_one_is_a_lower_bound_before_its_edge_is_asked_for() -> None:
    snapshot = sample_snapshot()
    row = snapshot.index["fraud-scorer"]

    def bound(p95: float, p99: float, top: float | None) -> bool:
        columns = {
            name: column([value if at == row else None for at in range(len(snapshot.rows))],
                         SAMPLE_NOW)
            for name, value in (("latency_p95", p95), ("latency_p99", p99), ("latency_top", top))
        }  # fmt: skip
        return RowView(replace(snapshot, columns={**snapshot.columns, **columns}), row).is_bound(
            "latency_p95"
        )

    # A minute ago nothing took longer than 5 s; now more than a twentieth takes over 10.
    assert bound(10.0, 10.0, top=5.0)
    assert not bound(9.0, 10.0, top=5.0)
    # Summaries and means know no edges, and may well be equal.
    assert not bound(10.0, 10.0, top=None)


def test_bounds_are_written_out() -> None:
    assert pair_of_seconds(10.0, 0.4, at_least=True) == ">10/.4s"


def test_padding_gives_way_to_longer_ascii_twins() -> None:
    lines = twins([[Run("↑ k     "), Run("up")], [Run("PgUp    "), Run("page")]], ASCII)
    assert ["".join(run.text for run in line) for line in lines] == ["Up k    up", "PgUp    page"]


@pytest.mark.parametrize("width", range(4, 40))
def test_keys_fit_in_ascii_too_where_an_arrow_is_a_word(width: int) -> None:
    keys = [piece("↑↓ move", rank=0), piece("Esc back", rank=1), piece("q quit", rank=2)]
    for glyphs in (UNICODE, ASCII):
        line = keys_that_fit(keys, width, glyphs)
        assert width_of(line) <= max(width, width_of(line[:1]))
    assert "".join(run.text for run in keys_that_fit(keys, 40, ASCII)) == (
        "UpDn move  Esc back  q quit"
    )


def test_numbers_are_short() -> None:
    assert [compact(value) for value in (0.0, 0.27, 0.9, 1.94, 412.0, 41_200.0)] == [
        "0", ".27", ".9", "1.9", "412", "41.2k",
    ]  # fmt: skip
    assert compact(0.001, 3) != "."
    assert [points(value) for value in (0.0, 0.062, 0.004, 0.12, 0.0001)] == [
        "0", "6", ".4", "12", "<.1",
    ]  # fmt: skip
    assert percent_text(0.062) == "6.2%"


@given(ANY, st.one_of(st.none(), ANY))
def test_no_number_breaks_the_words(value: float, base: float | None) -> None:
    for text in (compact(value), points(value), percent_text(value), clock_text(value)):
        assert text
        assert text.isprintable()
    assert pair_of_seconds(value, base).isprintable()


# Layout and columns


@given(
    st.integers(1, 400), st.integers(1, 120), st.integers(0, 6000),
    st.sampled_from(["", *PANES]), st.booleans(),
)  # fmt: skip
def test_a_layout_never_asks_for_more_than_there_is(
    columns: int, lines: int, rows: int, pane: str, maximised: bool
) -> None:
    room = plan(columns, lines, rows, pane, maximised=maximised)
    if room.too_small:
        assert columns < 60 or lines < 16
        return
    assert HEADER_LINES + room.table_lines + room.pane_lines + room.detail_lines + 1 == lines
    assert room.pane_lines == 0 or room.pane_lines >= 5
    assert room.maximised == (maximised and bool(pane))
    if not room.maximised:
        assert room.table_lines >= 4
    assert (lines >= 30) <= bool(room.panes)
    assert room.side_columns < columns // 2


def test_which_panes_stand_side_by_side() -> None:
    assert shown_panes(160) == PANES
    assert shown_panes(120) == ("latency", "confidence")
    assert shown_panes(120, "cost") == ("drift", "cost")
    assert shown_panes(80, "drift") == ("drift",)


@given(st.integers(60, 300), st.sets(st.sampled_from(sorted(ALL_KEYS))), st.integers(0, 200))
def test_columns_fit_and_keep_who_and_age(width: int, keys: set[str], longest: int) -> None:
    keys |= {"s", "model", "who", "age"}
    chosen = choose(width, keys, longest)
    shown = [column.key for column in chosen]
    assert sum(column.width + 1 for column in chosen) - 1 <= width
    assert {"s", "model", "who", "age"} <= set(shown) <= keys
    assert shown == sorted(shown, key=[column.key for column in COLUMNS].index)


def test_the_columns_of_an_80_column_screen() -> None:
    shown = [column.key for column in choose(80, ALL_KEYS, 13)]
    assert shown == [
        "s", "model", "tier", "rg", "brk", "route", "burn", "bad", "lat", "lowc", "drift",
        "pace", "who", "age",
    ]  # fmt: skip
    narrow = [column.key for column in choose(70, ALL_KEYS, 13)]
    assert {"pace", "rg", "brk"}.isdisjoint(narrow)
    assert {"left", "rps", "sat", "review", "att"} <= {
        column.key for column in choose(120, ALL_KEYS, 13)
    }


def test_cells_of_every_row_and_column_fit_their_width() -> None:
    for snapshot in (sample_snapshot(), big_snapshot(60)):
        rows = FleetRows(snapshot, snapshot.order.tolist(), UNICODE)
        for index in range(len(rows)):
            cells = rows.cells(index, [column.key for column in COLUMNS])
            for shown, cell in zip(COLUMNS, cells, strict=True):
                if shown.key not in ("model", "who"):
                    assert cells_of(cell.text) <= shown.width, (shown.key, cell)


def test_unknown_is_never_drawn_as_healthy() -> None:
    snapshot = sample_snapshot()
    rows = FleetRows(snapshot, snapshot.order.tolist(), UNICODE)
    index = rows.index("price-opt")
    assert index is not None
    for cell in rows.cells(index, ["brk", "route", "burn", "bad", "lowc", "att", "sat"]):
        assert cell.text in ("?", "err")
        assert cell.role in ("unknown", "error")


# Order


def test_a_held_order_lets_rows_come_and_go() -> None:
    base = sample_snapshot()
    order = base.order.tolist()
    held = HeldOrder()
    held.follow(base, order, held=False)
    reordered = [order[1], order[0], *order[2:]]
    assert held.follow(base, reordered, held=True) == order
    assert held.pending == 2
    without_first = [row for row in reordered if row != order[0]]
    assert held.follow(base, without_first, held=True) == order[1:]
    assert held.pending == 0
    assert held.follow(base, reordered, held=True)[-1] == order[0], "newcomers go to the end"
    assert held.follow(base, reordered, held=False) == reordered
    assert held.pending == 0


@settings(max_examples=40)
@given(
    st.sampled_from(["", *sorted(ALL_KEYS)]),
    st.booleans(),
    st.sampled_from(["none", "tier", "region", "owner", "dependency"]),
    st.lists(st.text(max_size=8), max_size=3),
)
def test_arranging_never_loses_or_doubles_a_row(
    sort: str, reverse: bool, group: str, words: list[str]
) -> None:
    snapshot = hostile_snapshot()
    arrangement = Arrangement(sort, reverse, group)
    every = arrange(snapshot, arrangement, BY_KEY, Searcher())
    assert sorted(every) == list(range(len(snapshot.rows)))
    some = arrange(snapshot, arrangement.with_filter(" ".join(words)), BY_KEY, Searcher())
    assert len(set(some)) == len(some)
    assert set(some) <= set(every)
    assert [row for row in every if row in set(some)] == some, "a filter keeps the order"


# Curves


def test_a_gap_stays_a_gap_and_a_spike_stays_a_spike() -> None:
    times = [float(second) for second in range(0, 600, 5)]
    values = [9.0 if time == 300 else 1.0 for time in times]
    values[20:40] = [math.nan] * 20
    grid = onto_grid(times, values, 0.0, 600.0, 60)
    assert max(value for value in grid if value == value) == 9.0
    assert all(value != value for value in grid[11:19])
    assert grid[-1] == 1.0


def test_slow_points_are_joined_and_old_ones_are_not_carried_on() -> None:
    grid = onto_grid([0.0, 60.0, 120.0], [1.0, 2.0, 3.0], 0.0, 600.0, 60)
    assert grid[:12] == [1.0] * 6 + [2.0] * 6
    assert all(value != value for value in grid[14:])


@given(
    st.lists(st.tuples(st.floats(0, 4000), ANY), max_size=50),
    st.floats(0, 4000), st.floats(1, 4000), st.integers(0, 100),
)  # fmt: skip
def test_any_points_fit_any_grid(
    raw: list[tuple[float, float]], start: float, length: float, cells: int
) -> None:
    raw.sort(key=lambda point: point[0])
    grid = onto_grid([t for t, _ in raw], [v for _, v in raw], start, start + length, cells)
    assert len(grid) == cells
    assert all(math.isnan(value) or math.isfinite(value) for value in grid)


def test_ranges_end_at_both_ends() -> None:
    assert next_range("15m", -1) == "15m"
    assert next_range("24h", 1) == "24h"
    assert next_range("1h", 1) == "6h"
    assert list(RANGES.values()) == sorted(RANGES.values())


# Lines


@given(st.lists(st.tuples(st.text(max_size=30), st.integers(0, 5)), min_size=1), st.integers(1, 90))
def test_a_line_drops_pieces_rather_than_break(parts: list[tuple[str, int]], width: int) -> None:
    pieces = [piece(text, "", rank) for text, rank in parts]
    line = join_that_fit(pieces, width, Run("  "))
    assert width_of(line) <= width or len(line) == 1
    cut = fitted(line, width, "…")
    assert width_of(cut) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_the_header_fits_its_width(width: int, glyphs: object) -> None:
    for snapshot in (None, sample_snapshot(), hostile_snapshot()):
        state = HeaderState(SAMPLE_NOW, None, width, "prod", problem="")
        for line in header_lines(snapshot, state, UNICODE if glyphs is UNICODE else ASCII):
            assert width_of(line) <= width


def test_the_months_end_stands_in_the_header_and_the_cost_pane_where_there_is_a_budget() -> None:
    snapshot = sample_snapshot()
    ahead = {"fraud-scorer": 4600.0, "support-llm": 5200.0}
    forecast = column([ahead.get(row.model) for row in snapshot.rows], SAMPLE_NOW)
    snapshot = replace(snapshot, columns={**snapshot.columns, "cost_month_p50": forecast})
    state = HeaderState(SAMPLE_NOW, None, 200, "prod", problem="")
    told = "".join(run.text for line in header_lines(snapshot, state, UNICODE) for run in line)
    assert "month P50 $9800 of $10k" in told
    frame = PaneFrame(SAMPLE_NOW, 3600.0, "1h")
    for model, expected in (("fraud-scorer", "month $2710/$4000  P50 $4600"), ("toxicity", "")):
        view = RowView(snapshot, snapshot.index[model])
        second = pane_data("cost", view, Curves(model), frame).footer[1][0]
        assert expected in second
        assert ("P50" in second) is bool(expected)


def test_a_view_is_stale_when_nobody_answers() -> None:
    snapshot = sample_snapshot()
    assert not is_stale(snapshot, SAMPLE_NOW)
    assert is_stale(snapshot, SAMPLE_NOW + 60)
    slow = replace(
        snapshot,
        sources=tuple(replace(one, cadence_seconds=60.0) for one in snapshot.sources),
    )
    assert not is_stale(slow, SAMPLE_NOW + 60)
    assert is_stale(replace(snapshot, sources=()), SAMPLE_NOW)


def test_the_footer_shows_own_keys() -> None:
    keys = keymap({"help": "f12", "cursor.up": "0"})
    line = footer_line(ActionContext(row_count=3), "read_only", keys, 160, UNICODE)
    text = "".join(run.text for run in line)
    assert "F12 help" in text
    assert "0↓ move" in text
    assert key_text("ctrl+q") == "^Q"


# Signals of one model


def test_a_signal_is_ok_only_below_its_limit() -> None:
    for snapshot in (sample_snapshot(), big_snapshot(80)):
        for row in range(len(snapshot.rows)):
            view = RowView(snapshot, row)
            for line in signal_lines(view, SAMPLE_NOW, UNICODE):
                if line.state.text == "ok":
                    value, limit = view.value(line.signal), limit_of(view, line.signal)
                    assert view.reading(line.signal).known
                    assert value is not None
                    assert limit is not None
                    assert value <= limit


def test_filled_columns_follow_the_data() -> None:
    snapshot = sample_snapshot()
    assert {"rg", "brk", "route", "burn", "pace"} <= filled(snapshot)
    bare = replace(snapshot, columns={}, breakers={}, routes={})
    assert filled(bare) == {"s", "model", "age", "tier", "who", "rg"}


def test_only_wanted_panes_stand_side_by_side() -> None:
    wanted = ("latency", "cost")
    assert plan(160, 45, 11, wanted=wanted).panes == wanted
    assert plan(160, 45, 11, "drift", wanted=wanted).panes == ("latency", "drift", "cost")
    assert plan(160, 45, 11, wanted=()).panes == ()
    assert plan(160, 45, 11, "drift", maximised=True, wanted=()).panes == ("drift",)
