import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from widgets.grid import Grid
from widgets.lines import Lines, changed_cells
from widgets.prompt import MAX_LENGTH, Prompt
from widgets.textbox import Confirm, Textbox, framed


class BoxApp(App[None]):
    BINDINGS = [("a", "boom", "Boom"), ("q", "boom", "Boom"), ("Y", "boom", "Boom")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.booms = 0
        self.said: list[tuple[str, str, str]] = []
        self.answers: list[bool | None] = []

    def compose(self) -> ComposeResult:
        yield Grid()
        yield Prompt()

    def on_mount(self) -> None:
        self.query_one(Grid).focus()

    def action_boom(self) -> None:
        self.booms += 1

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        self.said.append(("changed", message.label, message.text))

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        self.said.append(("submitted", message.label, message.text))

    def on_prompt_cancelled(self, message: Prompt.Cancelled) -> None:
        self.said.append(("cancelled", message.label, message.text))


def shown(app: BoxApp) -> str:
    return app.screen.query_one(Lines).plain


# The prompt


async def test_letters_of_bindings_can_be_typed_and_the_focus_comes_back():
    app = BoxApp()
    async with app.run_test(size=(80, 24)) as pilot:
        prompt = app.query_one(Prompt)
        prompt.open("/")
        await pilot.press("a", "space", "q", "left", "x", "enter")
        await pilot.pause()
        assert app.said[-1] == ("submitted", "/", "a xq")
        assert app.booms == 0
        assert not prompt.is_open
        assert isinstance(app.focused, Grid)
        await pilot.press("a")
        assert app.booms == 1


async def test_editing_keys():
    app = BoxApp()
    async with app.run_test(size=(40, 10)) as pilot:
        prompt = app.query_one(Prompt)
        prompt.open(":", "trip fraud scorer")
        await pilot.press("ctrl+w")
        assert prompt.text == "trip fraud "
        await pilot.press("home", "delete", "end", "backspace", "!")
        assert prompt.text == "rip fraud!"
        await pilot.press("home", "right", "ctrl+k")
        assert prompt.text == "r"
        await pilot.press("ctrl+u")
        assert prompt.text == ""
        await pilot.press("backspace")
        await pilot.pause()
        assert app.said[-1] == ("cancelled", ":", "")


async def test_escape_cancels_and_losing_the_focus_too():
    app = BoxApp()
    async with app.run_test(size=(40, 10)) as pilot:
        prompt = app.query_one(Prompt)
        prompt.open("/", "abc")
        await pilot.press("escape")
        await pilot.pause()
        assert app.said == [("cancelled", "/", "abc")]
        prompt.open("/", "xyz")
        await pilot.pause()
        app.query_one(Grid).focus()
        await pilot.pause()
        assert not prompt.is_open
        assert app.said[-1] == ("cancelled", "/", "xyz")


async def test_long_and_hostile_text_fits_one_line_with_its_cursor_in_sight():
    app = BoxApp()
    async with app.run_test(size=(30, 10)) as pilot:
        prompt = app.query_one(Prompt)
        prompt.open("/", "\x1b[2J" + "日本" * 5000, hint="[/foo] no match")
        await pilot.pause()
        assert len(prompt.text) == MAX_LENGTH
        strip = prompt.render_line(0)
        assert strip.cell_length == 30
        assert "\x1b" not in strip.text
        assert any(segment.style and segment.style.reverse for segment in strip)
        prompt.replace_text("ok")
        prompt.show_hint("3 of 11")
        assert prompt.render_line(0).text.rstrip() == "/ok   3 of 11"


# The text box


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_text_is_shown_as_it_is_and_scrolls(size):
    app = BoxApp()
    async with app.run_test(size=size) as pilot:
        lines = [
            "[/foo] \x1b[2J",
            "שלום",
            "日本語",
            "x" * 10_000,
            *(f"line {i}" for i in range(60)),
        ]
        app.push_screen(Textbox("HELP [b]", lines))
        await pilot.pause()
        assert "HELP [b]" in shown(app)
        assert "[/foo] ?[2J" in shown(app)
        await pilot.press("G")
        assert "line 59" in shown(app)
        assert "[/foo]" not in shown(app)
        await pilot.press("g", "down", "pagedown", "home")
        assert "[/foo]" in shown(app)
        await pilot.press("q")
        await pilot.pause()
        assert not isinstance(app.screen, Textbox)
        assert app.booms == 0


async def test_a_box_in_ascii_is_ascii():
    app = BoxApp()
    async with app.run_test(size=(40, 8)) as pilot:
        app.push_screen(Textbox("HELP", [f"line {i}" for i in range(30)], ascii_only=True))
        await pilot.pause()
        assert shown(app).isascii()


def test_a_frame_is_exactly_as_wide_as_asked():
    from rich.cells import cell_len

    for width in (2, 3, 5, 20, 61):
        for line in framed("日本語 title", [[("日本" * 20, "")], []], width, "note note"):
            assert cell_len("".join(text for text, _ in line)) == width


# The question


async def test_enter_cancels_and_only_the_confirm_key_confirms():
    app = BoxApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for key, answer in (("enter", False), ("escape", False), ("Y", True)):
            app.push_screen(
                Confirm("Trip?", Content("moves [/foo] 414"), confirm_label="Trip it"),
                app.answers.append,
            )
            await pilot.pause()
            assert "moves [/foo] 414" in shown(app)
            assert "[ Cancel ]" in shown(app)
            assert "press Y = Trip it" in shown(app)
            await pilot.press("a", "y", key)
            await pilot.pause()
            assert app.answers[-1] is answer
        assert app.booms == 0


async def test_a_name_that_must_be_typed():
    app = BoxApp()
    async with app.run_test(size=(80, 24)) as pilot:

        async def ask(*keys: str) -> None:
            app.push_screen(Confirm("Close?", "x", must_type="ab"), app.answers.append)
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()

        await ask("enter")
        await ask("a", "x", "backspace", "b", "enter")
        await ask("Y", "enter")
        assert app.answers == [False, True]
        assert isinstance(app.screen, Confirm)
        await pilot.press("escape")
        await pilot.pause()
        assert app.answers == [False, True, False]


@pytest.mark.parametrize("key", ["enter", "escape", "T", ""])
def test_a_confirm_key_that_could_be_pressed_by_accident_is_refused(key):
    with pytest.raises(ValueError, match="confirm key"):
        Confirm("Trip?", "x", confirm_key=key, opened_by="T")


async def test_a_small_window_keeps_the_choices():
    app = BoxApp()
    async with app.run_test(size=(50, 9)) as pilot:
        app.push_screen(Confirm("Trip?", [f"fact {i}" for i in range(30)]))
        await pilot.pause()
        assert "[ Cancel ]" in shown(app)
        assert "too small" in shown(app)
        assert len(shown(app).splitlines()) <= 9


# The lines


def test_changed_cells_are_those_between_what_stays():
    before = [("ab", ""), ("日", "x"), ("cd", "")]
    assert changed_cells(before, [("ab", ""), ("本", "x"), ("cd", "")]) == (2, 4)
    assert changed_cells(before, [("ab", ""), ("日", "y"), ("cd", "")]) == (2, 4)
    assert changed_cells(before, [("ab", "")]) == (2, 6)
    assert changed_cells([], before) == (0, 6)
