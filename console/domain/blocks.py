"""The parts of a report before it is laid out: headings, sentences, lists, tables, drawings.

Texts are plain and unescaped here; each way of writing (Markdown, a screen) makes them harmless in
its own terms.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``level`` 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or a few; ``lead`` stands before it and stands out."""

    text: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list, with lines of its own below it."""

    text: str
    lead: str = ""
    below: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines whose columns matter, such as a chart."""

    text: str


Block = Heading | Paragraph | Items | Table | Drawing


def part(title: str, items: tuple[Item, ...], nothing: str) -> tuple[Block, ...]:
    """Return a titled list, or one line that says ``nothing`` is in it."""
    if not items:
        return (Paragraph(nothing, lead=f"{title}:"),)
    return Heading(f"{title} ({len(items)})"), Items(items)


def limited(items: tuple[Item, ...], most: int, more: str) -> tuple[Item, ...]:
    """Return at most ``most`` items, and how many are left out and where they stand."""
    if len(items) <= most:
        return items
    return (*items[:most], Item(f"and {len(items) - most} more: {more}"))
