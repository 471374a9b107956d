"""Fields of a box: which is next, and what a key that edits leaves."""

from __future__ import annotations

import pytest

from console.screens.dialogs.choose import edited, next_field


def test_the_focus_goes_round_and_a_field_that_is_gone_counts_as_the_first() -> None:
    fields = ["cancel", "reason", "typed"]
    assert next_field(fields, "reason", 1) == "typed"
    assert next_field(fields, "typed", 1) == "cancel"
    assert next_field(fields, "cancel", -1) == "typed"
    assert next_field(fields, "glass", 1) == "reason"


@pytest.mark.parametrize(
    ("key", "left"),
    [("backspace", "two word"), ("ctrl+u", ""), ("ctrl+w", "two"), ("a", None), ("enter", None)],
)
def test_only_keys_that_edit_change_a_text(key: str, left: str | None) -> None:
    assert edited("two words", key) == left
