from msgspec.structs import fields
from rich.cells import cell_len

from themes.glyphs import ASCII, UNICODE, glyphs, to_ascii


def texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return list(value.values()) if hasattr(value, "values") else list(value)  # type: ignore[call-overload]


def test_the_ascii_set_is_ascii():
    for field in fields(ASCII):
        assert all(text.isascii() for text in texts(getattr(ASCII, field.name))), field.name


def test_severity_marks_keep_their_width_and_their_digit():
    assert set(UNICODE.severity) == set(ASCII.severity)
    for level, mark in UNICODE.severity.items():
        assert cell_len(mark) == cell_len(ASCII.severity[level]) == 2
        assert mark[1] == ASCII.severity[level][1]
    assert list(ASCII.severity.values())[:5] == ["#1", "^2", "+3", ".4", "?-"]
    assert len(set(UNICODE.severity.values())) == len(UNICODE.severity)


def test_lines_and_corners_take_one_cell():
    for chosen in (UNICODE, ASCII):
        for text in (chosen.rule, chosen.bar, *chosen.corners, chosen.half_or_more):
            assert cell_len(text) == 1


def test_to_ascii_keeps_the_meaning_and_hides_the_rest():
    assert to_ascii("■1 fraud → ok ✓ ▁█ §") == "#1 fraud -> ok ok _# ?"
    assert to_ascii("plain") == "plain"
    assert all(
        to_ascii(mark) == ASCII.severity[key]
        for key, mark in UNICODE.severity.items()
        if key != "s4"
    )


def test_typographic_marks_outside_our_own_set_are_readable():
    assert to_ascii("DEMO — simulation “x” ‘y’ a–b") == "DEMO - simulation \"x\" 'y' a-b"
    assert to_ascii("├─┼─┤ ┌┬┐ ╭╮ ▟▙") == "|-+-+ +++ ++ ##"
    assert to_ascii("ö 模") == "? ?"


def test_choosing():
    assert glyphs() is UNICODE
    assert glyphs(ascii_only=True) is ASCII
