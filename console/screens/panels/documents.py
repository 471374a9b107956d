"""Draws a distribution aside, and a document as wrapped lines of a screen."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from console.domain.blocks import Drawing, Heading, Items, Paragraph, Table
from console.domain.text import visible
from console.handover.handover_text import handover_blocks
from console.metrics.units import format_signal
from console.screens.base import PlotDrawn
from themes.glyphs import to_ascii
from widgets.grid_rows import Cell
from widgets.lines import Run
from widgets.text_width import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.screen import Screen

    from console.domain.blocks import Block, Item
    from console.domain.samples import Series
    from console.engine.client import SeriesSet
    from console.handover.handover_document import HandoverDocument
    from console.screens.session import Session
    from themes.glyphs import Glyphs

POINTS = 400
LEAST = (20, 6)
MOST = (100, 24)


class Distribution:
    """The newest plot asked for; a new one is fetched when model, signal, range or size differ."""

    def __init__(self, session: Session, screen: Screen[None]) -> None:
        self._session = session
        self._screen = screen
        self._made_for: tuple[str, str, str, int, int] | None = None
        self._drawn: list[str] = []

    def forget(self) -> None:
        """Fetch anew at the next look."""
        self._made_for = None

    def lines(self, model: str, signal: str, width: int, height: int) -> list[list[Run]]:
        """Return the plot for this room, or the sentence that it is being fetched."""
        made_for = (model, signal, self._session.range_name, width, height)
        if self._made_for != made_for:
            self._made_for = made_for
            self._drawn = [f"fetching {self._session.range_name} of {signal}"]
            if self._session.engine is not None:
                self._session.engine.request_series(
                    model, (signal,), self._session.range_seconds, POINTS, self._deliver
                )
        plain = self._session.glyphs.name == "ascii"
        if not plain:
            return [[Run(line, "text")] for line in self._drawn]
        # A corner here, not the branch of a tree.
        return [[Run(to_ascii(line.replace("└", "+")), "text")] for line in self._drawn]

    def take(self, message: PlotDrawn) -> bool:
        """Take a plot; False when something else is wanted by now."""
        if message.made_for != self._made_for:
            return False
        self._drawn = message.lines
        return True

    def _deliver(self, answer: SeriesSet) -> None:
        # In the engine's thread on purpose: plotext takes longer than a frame may.
        made_for = self._made_for
        if made_for is None or not answer.series:
            return
        series = answer.series[0]
        if series.error is not None:
            drawn = f"no history: {visible(series.error, 300)}"
        elif (only := _only_value(series)) is not None:
            shown = format_signal(series.signal, only)
            drawn = f"{series.signal} was {shown} all through the last {made_for[2]}"
        else:
            from console.reports.plots import distribution_of

            width = max(LEAST[0], min(MOST[0], made_for[3]))
            height = max(LEAST[1], min(MOST[1], made_for[4]))
            drawn = distribution_of(series, width=width, height=height)
        lines = drawn.splitlines() or [f"no values of {made_for[1]} in the last {made_for[2]}"]
        self._screen.post_message(PlotDrawn(made_for, lines))


def _only_value(series: Series) -> float | None:
    """Return the one value a signal had all the time, None where there were several or none.

    A histogram of one value invents a width for it, below zero as well.
    """
    known = {value for value in series.values.tolist() if isfinite(value)}
    return known.pop() if len(known) == 1 else None


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
