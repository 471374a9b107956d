from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.strip import Strip

from widgets.grid import Cell, Column, Grid
from widgets.grid_rows import changed_span

COLUMNS = (Column("name", "NAME", 8), Column("value", "VALUE", 6, "right"))


class ListRows:
    def __init__(self, rows: Sequence[tuple[str, str]]) -> None:
        self.rows = list(rows)
        self.places = {key: place for place, (key, _) in enumerate(self.rows)}
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, index: int) -> str:
        return self.rows[index][0]

    def index(self, key: str) -> int | None:
        return self.places.get(key)

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        self.asked.append(index)
        key, value = self.rows[index]
        found = {"name": Cell(key), "value": Cell(value, "s1")}
        return [found[column] for column in columns]


def many(count: int, value: str = "1") -> ListRows:
    return ListRows([(f"m{i}", value) for i in range(count)])


class GridApp(App[None]):
    CSS = "Screen { overflow: hidden; }"

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[str | None] = []
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield Grid()

    def on_mount(self) -> None:
        grid = self.query_one(Grid)
        grid.show_columns(COLUMNS)
        grid.focus()

    def on_grid_cursor_moved(self, message: Grid.CursorMoved) -> None:
        self.moves.append(message.key)

    def on_grid_chosen(self, message: Grid.Chosen) -> None:
        self.chosen.append(message.key)


def texts(grid: Grid) -> list[str]:
    return [grid.render_line(y).text for y in range(grid.size.height)]


async def test_shows_header_and_rows_aligned():
    async with GridApp().run_test(size=(20, 4)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(ListRows([("alpha", "1.5"), ("a-very-long-name", "-3")]))
        await pilot.pause()
        assert texts(grid) == [
            "NAME      VALUE     ",
            "alpha       1.5     ",
            "a-very-l     -3     ",
            "                    ",
        ]


async def test_too_many_columns_are_cut_at_the_right_edge():
    async with GridApp().run_test(size=(11, 3)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(many(3, "123456"))
        await pilot.pause()
        assert texts(grid)[1] == "m0       12"


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_only_visible_rows_are_asked_whatever_the_fleet(size):
    async with GridApp().run_test(size=size) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(many(5000))
        await pilot.pause()
        rows = many(5000, "2")
        grid.show_rows(rows)
        await pilot.pause()
        assert set(rows.asked) == set(range(size[1] - 1))
        assert len(rows.asked) <= 2 * size[1]


async def test_cursor_stays_on_its_key_when_the_order_changes():
    app = GridApp()
    async with app.run_test(size=(20, 6)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(ListRows([("a", "1"), ("b", "1"), ("c", "1")]))
        await pilot.press("down")
        grid.show_rows(ListRows([("c", "1"), ("a", "1"), ("d", "1"), ("b", "1")]))
        await pilot.pause()
        assert grid.cursor_key == "b"
        assert grid.cursor_index == 3
        assert app.moves == ["a", "b"]


async def test_cursor_takes_the_same_place_when_its_key_leaves():
    app = GridApp()
    async with app.run_test(size=(20, 6)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(ListRows([("a", "1"), ("b", "1"), ("c", "1")]))
        await pilot.press("down")
        grid.show_rows(ListRows([("a", "1"), ("c", "1")]))
        await pilot.pause()
        assert grid.cursor_key == "c"
        grid.show_rows(ListRows([]))
        await pilot.pause()
        assert not grid.move_cursor_to("a")
        await pilot.press("down", "end", "pageup", "enter")
        assert app.moves == ["a", "b", "c", None]
        assert app.chosen == []


async def test_keys_move_page_and_choose():
    app = GridApp()
    async with app.run_test(size=(20, 11)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(many(100))
        await pilot.press("pagedown")
        assert grid.cursor_key == "m9"
        await pilot.press("pagedown", "up")
        assert grid.cursor_key == "m17"
        assert grid.first_visible_index == 9
        await pilot.press("end")
        assert grid.cursor_key == "m99"
        assert texts(grid)[-1].startswith("m99")
        await pilot.press("home", "enter")
        assert grid.first_visible_index == 0
        assert grid.move_cursor_to("m50")
        assert not grid.move_cursor_to("nobody")
        await pilot.pause()
        assert "m50" in "".join(texts(grid))
        assert app.chosen == ["m0"]


async def test_cursor_and_marks_are_seen_without_colour():
    async with GridApp().run_test(size=(20, 5)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(many(3))
        grid.marked = frozenset({"m2"})
        await pilot.pause()

        def looks(y: int) -> tuple[bool, bool]:
            styles = [segment.style for segment in grid.render_line(y) if segment.style]
            return all(style.reverse for style in styles), all(s.underline for s in styles)

        assert [looks(y) for y in (1, 2, 3)] == [(True, False), (False, False), (False, True)]


async def test_roles_colour_their_cells_only():
    async with GridApp().run_test(size=(20, 5)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_roles({"s1": "bold #ff0000"})
        grid.show_rows(many(2, "9"))
        await pilot.pause()
        red = [s.text for s in grid.render_line(2) if s.style and s.style.bold]
        assert red == ["     9"]


async def test_hostile_text_is_shown_as_data_and_moves_nothing():
    hostile = ["[/foo]", "\x1b[2J\x1b]0;x\x07", "שלום \u202eevil", "日本語日本語", "x" * 10_000]
    async with GridApp().run_test(size=(20, 8)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(ListRows([(text, text) for text in hostile]))
        await pilot.pause()
        for y in range(1, 6):
            strip: Strip = grid.render_line(y)
            assert strip.cell_length == 20
            assert Strip(list(strip)).cell_length == 20
            assert "\x1b" not in strip.text
        assert texts(grid)[1].startswith("[/foo]")


async def test_nothing_is_repainted_when_nothing_changed(monkeypatch):
    async with GridApp().run_test(size=(20, 8)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(many(20))
        await pilot.pause()
        asked: list[tuple[Region, ...]] = []
        monkeypatch.setattr(grid, "refresh", lambda *regions, **_: asked.append(regions))
        grid.show_rows(many(20))
        assert asked == []
        changed = many(20)
        changed.rows[3] = ("m3", "7")
        grid.show_rows(changed)
        assert asked == [(Region(9, 4, 7, 1),)]


async def test_shrinking_the_window_keeps_the_cursor_on_screen():
    async with GridApp().run_test(size=(20, 20)) as pilot:
        grid = pilot.app.query_one(Grid)
        grid.show_rows(many(100))
        for _ in range(15):
            await pilot.press("down")
        await pilot.resize_terminal(20, 6)
        await pilot.pause()
        assert any(text.startswith("m15") for text in texts(grid))


def test_changed_span_covers_the_first_to_the_last_difference():
    before = [Cell("a"), Cell("b")]
    assert changed_span(COLUMNS, before, [Cell("a"), Cell("c")]) == (9, 16)
    assert changed_span(COLUMNS, before, [Cell("x"), Cell("c")]) == (0, 16)
    assert changed_span(COLUMNS, before, before[:1]) == (0, 16)
