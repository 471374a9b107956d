"""Fields to type into, as every box has them: which is next, and keys that edit; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Name = TypeVar("Name", bound=str)


def next_field(fields: Sequence[Name], focus_on: Name, step: int) -> Name:
    """Return the field that has the focus after ``step``; one that is gone counts as the first."""
    place = fields.index(focus_on) if focus_on in fields else 0
    return fields[(place + step) % len(fields)]


def edited(text: str, key: str) -> str | None:
    """Return a text after a key that edits, None for a key that does not."""
    match key:
        case "backspace":
            return text[:-1]
        case "ctrl+u":
            return ""
        case "ctrl+w":
            return text.rstrip().rpartition(" ")[0]
        case _:
            return None
