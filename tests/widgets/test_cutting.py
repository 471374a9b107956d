from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.support.pace import cost_in_paces
from widgets.text_width import cells_of, cut, fit, harmless, wrap

ANY_TEXT = st.text(st.characters(blacklist_categories=()), max_size=60)


@given(ANY_TEXT, st.integers(-2, 30), st.sampled_from(["left", "right", "center"]))
def test_fitted_text_takes_exactly_its_room(text, width, align):
    assert cell_len(fit(text, width, align)) == max(0, width)


@given(ANY_TEXT, st.integers(0, 30))
def test_cut_text_never_takes_more_than_its_room(text, width):
    assert cell_len(cut(text, width)) <= width


@given(ANY_TEXT)
def test_harmless_text_holds_nothing_a_terminal_acts_upon(text):
    safe = harmless(text)
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in safe)
    assert not set(safe) & set("\u200b\u200d\u200e\u200f\u202a\u202e\u2066\u2069\ufeff\u2028")


@given(ANY_TEXT, st.integers(0, 30), st.integers(0, 5))
def test_wrapped_lines_fit(text, width, lines):
    wrapped = wrap(text, width, lines)
    assert len(wrapped) <= lines
    assert all(cells_of(line) <= width for line in wrapped)


def test_a_wide_character_that_does_not_fit_leaves_a_blank():
    assert fit("日本", 3) == "日 "
    assert fit("日本", 3, "right") == " 日"


def test_escape_sequences_and_overrides_become_question_marks():
    assert harmless("\x1b[2Jboom\u202egnp") == "?[2Jboom?gnp"


def test_stacked_marks_are_limited():
    assert harmless("a" + "\u0301" * 50) == "a\u0301\u0301"
    assert cell_len(fit("\u0301" * 500 + "abc", 3)) == 3


def test_very_long_text_costs_no_more_than_its_beginning():
    texts = [f"{i}" + "日\u0301x" * 300_000 for i in range(5)]
    fitted: list[str] = []
    assert cost_in_paces(lambda: fitted.extend(fit(text, 12) for text in texts)) < 20.0
    assert all(cell_len(text) == 12 for text in fitted)


def test_wrap_breaks_at_spaces_and_splits_long_words():
    assert wrap("set the metric abcdefghijkl", 7, 9) == ["set the", "metric", "abcdefg", "hijkl"]
