import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import get_character_cell_size

from widgets.frame import _NARROW, Frame, Run, _same_blank, cells_of, encode, transition

WIDTH, HEIGHT = 24, 4
CODES = [
    "",
    "1",
    "4;31",
    "38;2;255;85;85;48;2;16;18;20",
    "1;38;2;255;85;85;48;2;16;18;20",
    "38;2;9;9;9;48;2;16;18;20",
    "7;39;49",
    "2;38;5;12",
    "1;2;97;100",
    "3;9;35",
]
PIECES = ["a", "word", " ", "      ", "日本", "é", "e\u0301", "│", "⣿⣿", "→"]

Row = list[tuple[str, str]]
rows = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(CODES)), min_size=1, max_size=14)
pictures = st.lists(rows, min_size=HEIGHT, max_size=HEIGHT)


def cells(row: Row) -> tuple[list[str], list[str]]:
    chars: list[str] = []
    codes: list[str] = []
    for text, code in row:
        expanded = cells_of(text)
        if len(chars) + len(expanded) > WIDTH:
            break
        chars.extend(expanded)
        codes.extend([code] * len(expanded))
    blank = WIDTH - len(chars)
    return chars + [" "] * blank, codes + [""] * blank


def terminal() -> tuple[pyte.Screen, pyte.Stream]:
    """A terminal that does not wrap at the right edge: Textual tells them not to."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    stream.feed("\x1b[?7l")
    return screen, stream


def look(screen: pyte.Screen) -> list[list[object]]:
    picture: list[list[object]] = []
    for y in range(HEIGHT):
        line: list[object] = []
        for x in range(WIDTH):
            c = screen.buffer[y][x]
            lines = (c.underscore, c.reverse, c.strikethrough)
            if c.data == " " and not any(lines):
                line.append((" ", c.bg))
            else:
                line.append((c.data, c.fg, c.bg, c.bold, c.italics, *lines))
        picture.append(line)
    return picture


def fresh(picture: list[Row]) -> list[list[object]]:
    """Draw each cell on its own, with nothing remembered."""
    screen, stream = terminal()
    for y, row in enumerate(picture):
        chars, codes = cells(row)
        for x, (char, code) in enumerate(zip(chars, codes, strict=True)):
            if char:
                stream.feed(
                    f"\x1b[{y + 1};{x + 1}H\x1b[0;{code}m{char}"
                    if code
                    else f"\x1b[{y + 1};{x + 1}H\x1b[0m{char}"
                )
    return look(screen)


@settings(max_examples=200, deadline=None)
@given(st.lists(pictures, min_size=1, max_size=4), st.booleans())
def test_a_terminal_shows_each_picture_as_if_drawn_afresh(shown, erase_colours):
    frame = Frame(WIDTH, HEIGHT)
    screen, stream = terminal()
    for picture in shown:
        runs: list[Run] = []
        for y, row in enumerate(picture):
            frame.paint(y, 0, *cells(row), runs)
        stream.feed(encode(runs, WIDTH, erase_colours=erase_colours))
        assert look(screen) == fresh(picture)
        again: list[Run] = []
        for y, row in enumerate(picture):
            frame.paint(y, 0, *cells(row), again)
        assert encode(again, WIDTH) == ""


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CODES), st.sampled_from(CODES))
def test_a_transition_gives_the_new_style_from_the_old(before, after):
    seen = []
    for sequence in (transition("", before) + transition(before, after), f"\x1b[0;{after}m"):
        screen = pyte.Screen(4, 1)
        pyte.Stream(screen).feed(sequence.replace("[0;m", "[0m") + "x")
        seen.append(screen.buffer[0][0])
    assert seen[0] == seen[1]


def test_nothing_changed_costs_nothing():
    frame = Frame(WIDTH, HEIGHT)
    frame.paint(0, 0, ["a"], [""], [])
    runs: list[Run] = []
    frame.paint(0, 0, ["a"], [""], runs)
    assert runs == []
    assert encode(runs, WIDTH) == ""


def test_a_change_in_one_cell_costs_a_few_bytes():
    frame = Frame(WIDTH, HEIGHT)
    frame.paint(0, 0, list("abcdef"), [""] * 6, [])
    runs: list[Run] = []
    frame.paint(0, 0, list("abXdef"), [""] * 6, runs)
    assert encode(runs, WIDTH) == "\x1b[1;3HX"


def test_blanks_up_to_the_edge_are_erased_where_that_looks_the_same():
    def sent(code: str, *, erase_colours: bool) -> str:
        runs: list[Run] = []
        Frame(9, 1).paint(0, 0, list("ab       "), [code] * 9, runs)
        return encode(runs, 9, erase_colours=erase_colours)

    assert sent("", erase_colours=False) == "\x1b[1Hab\x1b[K"
    assert sent("44", erase_colours=True) == "\x1b[1H\x1b[44mab\x1b[K\x1b[m"
    assert sent("44", erase_colours=False) == "\x1b[1H\x1b[44mab       \x1b[m"
    assert sent("4", erase_colours=True) == "\x1b[1H\x1b[4mab       \x1b[m"


def test_a_colour_change_under_a_blank_is_not_sent():
    assert _same_blank("31", "1;32")
    assert not _same_blank("31;44", "31")
    assert not _same_blank("4;31", "31")


def test_what_lies_outside_the_screen_is_cut():
    frame = Frame(3, 1)
    runs: list[Run] = []
    frame.paint(0, 1, list("abcdef"), [""] * 6, runs)
    frame.paint(5, 0, ["x"], [""], runs)
    assert encode(runs, 3) == "\x1b[1;2Hab"


def test_control_characters_never_reach_the_terminal():
    assert "".join(cells_of("a\x1b[2J\x07\x9bb")) == "a[2Jb"


def test_a_row_with_a_doubtful_character_is_repainted_whole_when_it_leaves():
    frame = Frame(6, 1)
    frame.paint(0, 0, ["e\u0301", "a", "b", "c", "d", "e"], [""] * 6, [])
    runs: list[Run] = []
    frame.paint(0, 0, ["e"], [""], runs)
    assert encode(runs, 6) == "\x1b[1Heabcde"


def test_a_hyperlink_is_opened_and_closed():
    runs: list[Run] = []
    frame = Frame(6, 1)
    link = "31\x00id=7;https://example.org"
    frame.paint(0, 0, list("ab"), [link, link], runs)
    assert encode(runs, 6) == (
        "\x1b[1H\x1b]8;id=7;https://example.org\x1b\\\x1b[31mab\x1b[m\x1b]8;;\x1b\\"
    )


def test_what_is_taken_for_narrow_is_narrow() -> None:
    assert {each for each in _NARROW if get_character_cell_size(each) != 1} == set()
