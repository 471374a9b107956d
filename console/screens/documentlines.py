"""A document as lines of a screen: headings, lists and drawings, wrapped to its width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.reports.blocks import Drawing, Heading, Items, Paragraph, Table
from console.reports.handover_text import handover_blocks
from themes.glyphs import to_ascii
from widgets.cutting import wrap
from widgets.gridrows import Cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.reports.blocks import Block, Item
    from console.reports.handover_document import HandoverDocument
    from themes.glyphs import Glyphs

_LONGEST = 4000
_MOST_LINES = 60
_LOUD = ("S1", "S2")


class DocumentRows:
    """Lines as a table asks for them; a line's key is its number."""

    def __init__(self, lines: Sequence[Cell]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def key(self, index: int) -> str:
        """Return the number of a line."""
        return str(index)

    def index(self, key: str) -> int | None:
        """Return where a line stands."""
        place = int(key)
        return place if place < len(self._lines) else None

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the one cell of a line."""
        return (self._lines[index],) * len(columns)


def document_lines(found: HandoverDocument, width: int, glyphs: Glyphs) -> list[Cell]:
    """Return a handover as lines of at most ``width`` cells, each with its role."""
    lines: list[Cell] = []
    for block in handover_blocks(found):
        if isinstance(block, Heading) and lines and lines[-1].text:
            lines.append(Cell(""))
        lines += _block(block, width)
    if glyphs.name != "ascii":
        return lines
    return [Cell(to_ascii(line.text), line.role) for line in lines]


def _block(block: Block, width: int) -> Iterator[Cell]:
    match block:
        case Heading(text, level):
            yield from _wrapped(text, "title", width)
            if level == 1:
                yield Cell("")
        case Paragraph(text, lead):
            yield from _wrapped(f"{lead} {text}" if lead else text, "text", width)
        case Items(items):
            for item in items:
                yield from _item(item, width, 0)
            yield Cell("")
        case Table(_, rows):
            for row in rows:
                yield from _wrapped("  ".join(cell for cell in row if cell), "text", width)
        case Drawing(text):
            yield from (Cell(visible(line, width), "text") for line in text.splitlines())


def _item(item: Item, width: int, depth: int) -> Iterator[Cell]:
    indent = "  " * depth
    text = f"{item.lead} {item.text}" if item.lead else item.text
    role = "s1" if item.lead[:2] == _LOUD[0] else "s2" if item.lead[:2] == _LOUD[1] else "text"
    yield from _wrapped(text, role, width, f"{indent}- ", f"{indent}  ")
    for below in item.below:
        yield from _item(below, width, depth + 1)


def _wrapped(
    text: str, role: str, width: int, first: str = "", following: str = ""
) -> Iterator[Cell]:
    room = max(8, width - len(first))
    pieces = wrap(visible(text, _LONGEST), room, lines=_MOST_LINES) or [""]
    for number, piece in enumerate(pieces):
        yield Cell(f"{following if number else first}{piece}", role)
