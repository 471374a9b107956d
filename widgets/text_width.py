"""Fit outside text into an exact number of terminal cells.

Text from metrics, alerts and HTTP bodies is data. Whatever it holds (escape sequences,
direction overrides, ten kilobytes of one word, stacked accents), what comes out of here takes
exactly the room it was given and moves nothing else on the screen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal
from unicodedata import category

from rich.cells import cell_len, get_character_cell_size, split_graphemes

Align = Literal["left", "right", "center"]

UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (direction overrides, joiners), surrogate, private, unassigned, line breaks."""

REPLACEMENT = "?"
"""Stands for one character a terminal must not see; ASCII so that it is safe everywhere."""

MAX_MARKS = 2
"""Combining marks kept on one character; more are a way to draw over the neighbours."""

_FITZPATRICK = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
"""Skin tones: no two terminals agree how wide one is after a hand."""

_PLAIN = frozenset(map(chr, range(0x20, 0x7F)))
_is_plain = _PLAIN.issuperset


@lru_cache(maxsize=4096)
def _is_unsafe(character: str) -> bool:
    return category(character) in UNSAFE_CATEGORIES


def harmless(text: str) -> str:
    """Return ``text`` with every character a terminal could act upon replaced by ``?``.

    Combining marks beyond two on one character are dropped, and so are one without a character
    to stand on, variation selectors and skin tones: terminals disagree about their width.
    """
    if _is_plain(text):
        return text
    kept: list[str] = []
    marks = MAX_MARKS
    for character in text:
        if _is_unsafe(character):
            kept.append(REPLACEMENT)
            marks = 0
        elif character in _FITZPATRICK:
            continue
        elif get_character_cell_size(character):
            kept.append(character)
            marks = 0
        elif marks < MAX_MARKS and not "\ufe00" <= character <= "\ufe0f":
            kept.append(character)
            marks += 1
    return "".join(kept)


def cells_of(text: str) -> int:
    """Return the width of harmless ``text`` in terminal cells."""
    return len(text) if _is_plain(text) else cell_len(text)


def cut(text: str, width_cells: int) -> str:
    """Return the longest harmless beginning of ``text`` that fits into ``width_cells``.

    The text is shortened before it is measured, so the cost does not grow with its length.
    """
    if width_cells <= 0:
        return ""
    text = harmless(text[: width_cells * (MAX_MARKS + 1) + MAX_MARKS])
    if _is_plain(text):
        return text[:width_cells]
    if cell_len(text) <= width_cells:
        return text
    spans, _ = split_graphemes(text)
    used = end = 0
    for _, stop, size in spans:
        if used + size > width_cells:
            break
        used += size
        end = stop
    return text[:end]


@lru_cache(maxsize=16384)
def _fit_short(text: str, width_cells: int, align: Align) -> str:
    text = cut(text, width_cells)
    spare = width_cells - cells_of(text)
    if spare <= 0:
        return text
    if align == "right":
        return " " * spare + text
    if align == "center":
        return " " * (spare // 2) + text + " " * (spare - spare // 2)
    return text + " " * spare


def fit(text: str, width_cells: int, align: Align = "left") -> str:
    """Return harmless ``text`` cut or padded to exactly ``width_cells`` terminal cells."""
    if width_cells <= 0:
        return ""
    return _fit_short(text[: width_cells * (MAX_MARKS + 1) + MAX_MARKS], width_cells, align)


def wrap(text: str, width_cells: int, lines: int) -> list[str]:
    """Break harmless ``text`` at spaces into at most ``lines`` lines of ``width_cells``."""
    if width_cells <= 0 or lines <= 0:
        return []
    wrapped: list[str] = []
    line = ""
    for word in text[: width_cells * lines * (MAX_MARKS + 2)].split():
        word = harmless(word)
        candidate = f"{line} {word}" if line else word
        if cells_of(candidate) <= width_cells:
            line = candidate
            continue
        if line:
            wrapped.append(line)
        while cells_of(word) > width_cells:
            head = cut(word, width_cells)
            if not head:
                word = ""
                break
            wrapped.append(head)
            word = word[len(head) :]
        line = word
        if len(wrapped) >= lines:
            return wrapped[:lines]
    if line:
        wrapped.append(line)
    return wrapped[:lines]
