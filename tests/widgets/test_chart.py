import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tests.support.pace import cost_in_paces
from widgets.canvas import as_floats, resample
from widgets.chart import Chart, ChartData, Line, Series, Threshold, draw

NAN = math.nan
GLYPHS = ("braille", "block", "ascii")
TEXT = st.text(st.characters(blacklist_categories=()), max_size=25)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


def texts(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def role_text(lines: list[Line], role: str) -> str:
    return "".join(text for line in lines for text, its in line if its == role)


def chart(values: list[float], *limits: float, **more: object) -> ChartData:
    thresholds = tuple(Threshold(limit, f"{limit:g}") for limit in limits)
    return ChartData("T", (Series("a", values, "latency"),), thresholds, **more)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(FLOATS, max_size=40), max_size=4),
    st.lists(st.tuples(FLOATS, TEXT, st.booleans()), max_size=3),
    st.lists(st.tuples(FLOATS, TEXT), max_size=3),
    st.lists(st.tuples(TEXT, st.just("dim")), max_size=4),
    TEXT,
    st.sampled_from(["", "", "what would fill this pane"]),
    st.one_of(st.none(), FLOATS),
    st.integers(0, 50),
    st.integers(0, 14),
    st.sampled_from(GLYPHS),
)
def test_never_fails_and_fills_exactly_its_room(
    series, limits, marks, footer, label, message, floor, width, height, glyphs
):
    data = ChartData(
        label,
        tuple(Series(str(i), values, f"role{i}") for i, values in enumerate(series)),
        tuple(Threshold(value, text, alarm_above=above) for value, text, above in limits),
        label,
        label,
        marks=tuple(marks),
        footer=tuple(footer),
        message=message,
        y_floor=floor,
    )
    lines = draw(data, width, height, glyphs)
    assert [cell_len(text) for text in texts(lines)] == [width] * height
    if glyphs == "ascii":
        assert all(text.isascii() for text in texts(lines))


def test_a_footer_leaves_out_parts_that_would_be_cut():
    data = chart([1, 2], footer=(("p95 1.9s  p50 .6s  p99 >10s  TPOT 10ms", "text"),))
    assert texts(draw(data, 32, 8))[-2] == "│p95 1.9s  p50 .6s  p99 >10s   │"


def test_title_stands_in_the_border_and_footers_under_the_chart():
    data = chart([1, 2], start_label="02:17", end_label="02:47", footer=(("now 2", "text"),))
    lines = texts(draw(data, 30, 9))
    assert lines[0].startswith("┌ T ─")
    assert lines[-1] == "└" + "─" * 28 + "┘"
    assert lines[-2].startswith("│now 2 ")
    assert lines[-3].split() == ["│", "02:17", "02:47│"]


def test_the_part_beyond_a_threshold_is_an_alarm_in_another_glyph():
    values = [1.0] * 50 + [9.0] * 50
    for glyphs, dense in zip(GLYPHS, "⣿█#", strict=True):
        lines = draw(chart(values, 5.0), 40, 12, glyphs)  # type: ignore[arg-type]
        assert set(role_text(lines, "alarm")) == {dense}
        calm = role_text(lines, "latency")
        assert calm.strip()
        assert dense not in calm


def test_an_alarm_below_a_threshold():
    data = ChartData(
        "T", (Series("a", [9.0, 9.0, 1.0, 1.0], "r"),), (Threshold(5, "5", alarm_above=False),)
    )
    lines = draw(data, 40, 12)
    assert "⣿" in role_text(lines, "alarm")
    assert "⣿" in texts(lines)[-3]
    assert "⣿" not in texts(lines)[1]


def test_a_threshold_concerns_the_series_it_names():
    data = ChartData(
        "T",
        (Series("p50", [9.0, 9.0], "one"), Series("p95", [1.0, 1.0], "two")),
        (Threshold(5, "5", series="p95"),),
    )
    assert role_text(draw(data, 40, 12), "alarm") == ""


def test_a_value_at_the_threshold_is_no_alarm():
    assert role_text(draw(chart([5.0, 5.0], 5.0), 40, 12), "alarm") == ""


def test_thresholds_are_dashed_and_labelled_on_the_axis():
    lines = draw(chart([1.0, 1.0], 5.0), 40, 12)
    dashed = [text for text in texts(lines) if "┄┄┄" in text]
    assert len(dashed) == 1
    assert dashed[0].startswith("│5 ")
    plain = draw(chart([1.0, 1.0], 5.0), 40, 12, "ascii")
    assert any("- - -" in text for text in texts(plain))


def test_gaps_stay_gaps():
    values = [1.0] * 40 + [NAN] * 40 + [1.0] * 40
    row = next(text for text in texts(draw(chart(values), 44, 6)) if "⠉" in text or "⠁" in text)
    inside = row[4:-1]
    third = len(inside) // 3
    assert inside[third + 2 : 2 * third - 2].strip() == ""
    assert inside[: third - 2].strip()


def test_a_lone_value_between_gaps_is_seen():
    lines = draw(chart([NAN, NAN, 3.0, NAN, NAN]), 40, 8)
    assert sum(c not in " \u2800" for c in role_text(lines, "latency")) == 1


def test_a_spike_survives_resampling():
    values = [1.0] * 10_000
    values[4321] = 50.0
    low, high = resample(as_floats(values), 60)
    assert high.max() == 50.0
    assert low.max() == 1.0
    assert "⣿" in role_text(draw(chart(values, 20.0), 40, 10), "alarm")


def test_resample_joins_few_values_with_straight_lines():
    _, high = resample(as_floats([0.0, 10.0]), 11)
    assert high.tolist() == pytest.approx(list(range(11)))


def test_without_values_it_says_so_and_why():
    assert "no data" in texts(draw(chart([NAN]), 40, 8))[1]
    said = texts(draw(chart([1.0], message="set cost.per_token to fill this pane"), 20, 8))
    assert said[1] == "│set cost.per_token│"
    assert said[2] == "│to fill this pane │"


def test_marks_stand_on_the_time_axis_where_they_happened():
    data = chart([1.0, 2.0], start_label="02:17", marks=((0.5, "F"), (1.0, "D")))
    lines = draw(data, 40, 8)
    axis = texts(lines)[-2]
    assert axis[-2] == "D"
    assert abs(axis.index("F") - 21) <= 2
    assert role_text(lines, "mark") == "FD"


def test_a_message_needs_no_numpy():
    import subprocess

    code = (
        "import sys; from widgets.chart import ChartData, draw; "
        "draw(ChartData('t', (), message='none'), 40, 10); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_four_series_are_drawn_within_the_budget():
    values = [math.sin(i / 7) * 3 + (i * 7919 % 13) / 5 for i in range(360)]
    data = ChartData(
        "T", tuple(Series(str(k), values, f"r{k}") for k in range(4)), (Threshold(3, "3"),)
    )
    assert cost_in_paces(lambda: draw(data, 100, 20), turns=15) <= 10.0


class ChartApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_the_widget_fills_its_room_and_follows_its_size(size):
    async with ChartApp().run_test(size=size) as pilot:
        widget = pilot.app.query_one(Chart)
        widget.show(chart([1.0, 2.0, 3.0], 2.0))
        await pilot.pause()
        assert widget.plain.count("\n") == size[1] - 1
        assert {cell_len(line) for line in widget.plain.splitlines()} == {size[0]}
        await pilot.resize_terminal(60, 12)
        await pilot.pause()
        assert {cell_len(line) for line in widget.plain.splitlines()} == {60}
        widget.glyphs = "ascii"
        assert widget.plain.isascii()


async def test_only_what_changed_is_repainted(monkeypatch):
    async with ChartApp().run_test(size=(80, 24)) as pilot:
        widget = pilot.app.query_one(Chart)
        widget.show(chart([1.0, 2.0], footer=(("now 1", "text"),)))
        await pilot.pause()
        asked: list[tuple[object, ...]] = []
        monkeypatch.setattr(widget, "refresh", lambda *regions, **_: asked.append(regions))
        widget.show(chart([1.0, 2.0], footer=(("now 1", "text"),)))
        assert asked == []
        widget.show(chart([1.0, 2.0], footer=(("now 2", "text"),)))
        assert [region.y for region in asked[0]] == [22]  # type: ignore[attr-defined]
