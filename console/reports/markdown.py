"""Blocks as Markdown (CommonMark with tables), in which no text from outside means anything.

A backslash takes the meaning from whatever could open emphasis, code, a link, an image, HTML, an
entity, a table cell or, at the start, a heading, a list, a quotation or a rule. Addresses are kept
from becoming links: where a link leads nobody has looked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.domain.blocks import Drawing, Heading, Items, Paragraph, Table
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from console.domain.blocks import Block, Item

LONGEST_TEXT = 4000

_ALWAYS = re.compile(r"([`*\[\]|~])")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~]|$)")
_UNDERSCORE = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_ANGLE = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=[#A-Za-z])")
_ADDRESS = re.compile(r"(?i)((?:https?|ftp|mailto|xmpp):)(?=[^\s])|www(?=\.)")
_START = re.compile(r"^([>=]|#{1,6}(?=\s|$)|\+(?=\s|$)|-(?=[\s-]|$))")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")


def escaped(text: str) -> str:
    """Return text from outside as Markdown that shows exactly it, on one line."""
    shown = visible(text, LONGEST_TEXT).strip()
    shown = _BACKSLASH.sub(r"\\\\", shown)
    shown = _ALWAYS.sub(r"\\\1", shown)
    for found in (_UNDERSCORE, _ANGLE, _ENTITY):
        shown = found.sub(lambda match: f"\\{match.group(0)}", shown)
    shown = _ADDRESS.sub(_unlinked, shown)
    shown = _START.sub(r"\\\1", shown)
    return _NUMBERED.sub(r"\1\\\2", shown)


def _unlinked(match: re.Match[str]) -> str:
    scheme = match.group(1)
    return f"{scheme[:-1]}\\:" if scheme else f"{match.group(0)}\\"


def markdown(blocks: Iterable[Block]) -> str:
    """Return the blocks as one Markdown document."""
    return "\n\n".join("\n".join(_lines(block)) for block in blocks) + "\n"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {escaped(text)}"
        case Paragraph(text, lead):
            yield _led(text, lead)
        case Items(items):
            yield from _listed(items, "")
        case Table(headings, rows):
            yield _row(headings)
            yield f"|{' --- |' * len(headings)}"
            yield from map(_row, rows)
        case Drawing(text):
            yield from _fenced(text)


def _listed(items: Sequence[Item], indent: str) -> Iterator[str]:
    for item in items:
        yield f"{indent}- {_led(item.text, item.lead)}"
        yield from _listed(item.below, f"{indent}  ")


def _led(text: str, lead: str) -> str:
    if not lead:
        return escaped(text) or "–"
    # Emphasis wants something that is no space inside it.
    return f"**{escaped(lead) or '–'}** {escaped(text)}".rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def _fenced(text: str) -> Iterator[str]:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from (visible(line, LONGEST_TEXT) for line in text.splitlines())
    yield fence
