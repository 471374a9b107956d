"""The characters Midwatch draws with, and their ASCII twins for terminals that know no others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

ChartGlyphs = Literal["braille", "block", "ascii"]


class Glyphs(Struct, frozen=True):
    """One set of characters; every text that stands for a state has the same width in both."""

    name: Literal["unicode", "ascii"]
    severity: Mapping[str, str]
    """``s1`` to ``s4``, ``unknown``, ``planned`` and ``ok`` (blank), two cells each."""
    arrow: str
    dot: str
    """Between the parts of a line."""
    ellipsis: str
    tick: str
    cross: str
    rule: str
    """One cell of a horizontal line."""
    bar: str
    """One cell of a vertical line between columns of text."""
    corners: tuple[str, str, str, str]
    """Top left, top right, bottom left, bottom right."""
    branch: str
    """A dependency's child, another follows."""
    last_branch: str
    chain: str
    """Between the links of a dependency chain."""
    pointer: str
    """Marks the current step."""
    half_or_more: str
    """A filled part of a bar."""
    empty_bar: str
    up_down: str
    """The two keys that move a cursor."""
    more: str
    """Marks a text whose rest is not shown."""
    times: str
    at_least: str
    about: str
    chart: ChartGlyphs
    spark: str
    """Low to high, one character each."""
    border_style: Literal["solid", "ascii"]
    """The name of the border in a style sheet."""


UNICODE = Glyphs(
    name="unicode",
    severity=MappingProxyType(
        {
            "s1": "■1",
            "s2": "▲2",
            "s3": "◆3",
            "s4": "·4",
            "unknown": "?-",
            "unjudged": "– ",
            "over_s1": "□1",
            "over_s2": "△2",
            "planned": "m ",
            "ok": "  ",
        }
    ),
    arrow="→",
    dot="·",
    ellipsis="…",
    tick="✓",
    cross="✗",
    rule="─",
    bar="│",
    corners=("┌", "┐", "└", "┘"),
    branch="├",
    last_branch="└",
    chain="─",
    pointer="▶",
    half_or_more="█",
    empty_bar="░",
    up_down="↑↓",
    more="…",
    times="×",
    at_least="≥",
    about="≈",
    chart="braille",
    spark="▁▂▃▄▅▆▇█",
    border_style="solid",
)

ASCII = Glyphs(
    name="ascii",
    severity=MappingProxyType(
        {
            "s1": "#1",
            "s2": "^2",
            "s3": "+3",
            "s4": ".4",
            "unknown": "?-",
            "unjudged": "- ",
            "over_s1": "o1",
            "over_s2": "o2",
            "planned": "m ",
            "ok": "  ",
        }
    ),
    arrow="->",
    dot="-",
    ellipsis="...",
    tick="ok",
    cross="x",
    rule="-",
    bar="|",
    corners=("+", "+", "+", "+"),
    branch="|",
    last_branch="`",
    chain="-",
    pointer=">",
    half_or_more="#",
    empty_bar=".",
    up_down="Up/Dn",
    more="~",
    times="x",
    at_least=">=",
    about="~",
    chart="ascii",
    spark="_.-=+*#",
    border_style="ascii",
)


def glyphs(ascii_only: bool = False) -> Glyphs:
    """Return the ASCII set when asked for, the Unicode set otherwise."""
    return ASCII if ascii_only else UNICODE


_PAIRED = (
    "arrow",
    "dot",
    "ellipsis",
    "tick",
    "cross",
    "rule",
    "bar",
    "branch",
    "last_branch",
    "pointer",
    "half_or_more",
    "empty_bar",
    "times",
    "at_least",
    "about",
)

_TWINS: Mapping[str, str] = MappingProxyType(
    {
        **{getattr(UNICODE, name): getattr(ASCII, name) for name in _PAIRED},
        "■": "#",
        "▲": "^",
        "◆": "+",
        "□": "o",
        "△": "o",
        "┌": "+",
        "┐": "+",
        "┘": "+",
        **dict.fromkeys("┘┤┴┬┼╭╮╰╯", "+"),
        **dict.fromkeys("┄╌–—‒―‐‑−─━", "-"),
        **dict.fromkeys("‘’‚′", "'"),
        **dict.fromkeys("“”„″«»", '"'),
        **dict.fromkeys("•∙‣", "*"),
        **dict.fromkeys("\u00a0\u2009\u202f", " "),
        **dict.fromkeys("▄▟▙▛▜▌▐▚▞▀", "#"),
        **dict.fromkeys("▖▗▘▝", "."),
        "≤": "<=",
        "÷": "/",
        "▾": "v",
        "▴": "^",
        "±": "+/-",
        "σ": "sd",
        "τ": "thr",
        "λ": "in",
        "μ": "out",
        # Not ^ and v: with a letter behind it ^ is the control key.
        "↑": "Up",
        "↓": "Dn",
        "←": "<-",
        **{block: ASCII.spark[min(i, 6)] for i, block in enumerate(UNICODE.spark)},
    }
)


def to_ascii(text: str) -> str:
    """Return ``text`` with each of our characters replaced by its ASCII twin.

    What has no twin, outside text included, becomes ``?``; lengths may change.
    """
    if text.isascii():
        return text
    return "".join(c if c.isascii() else _TWINS.get(c, "?") for c in text)
