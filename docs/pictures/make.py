"""Draw the pictures of the README: ``python docs/pictures/make.py``.

They show the sample night of the tests at a fixed moment, so that the same code always gives the
same bytes and a test can tell when they are stale.
"""

from __future__ import annotations

import asyncio
import html
import io
import re
import sys
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from console.actions.availability import Outlook  # noqa: E402
from console.app import MidwatchApp  # noqa: E402
from console.domain.action import Blast, Measure  # noqa: E402
from console.settings.schema import Settings  # noqa: E402
from tests.screens.support import make_app, settle, still  # noqa: E402
from tests.support.prepared import prepared_action  # noqa: E402

FONT = "'DejaVu Sans Mono', 'Fira Code', Menlo, Consolas, monospace"
FONT_SIZE, CELL_WIDTH, LINE_HEIGHT, BASELINE, PADDING = 14.0, 8.4, 17.0, 13.0, 10.0
INK, PAPER = "#d4d7da", "#101214"

PICTURES: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "fleet.svg": ((160, 45), ()),
    "fleet-80x24.svg": ((80, 24), ()),
    "model.svg": ((120, 36), ("enter",)),
    "confirm.svg": ((100, 30), ("F", "1")),
}
"""File name: size in cells, and keys pressed before the picture is taken."""


LADDER = tuple(
    Outlook(
        "fallback",
        "fraud-scorer",
        name,
        level,
        "C1",
        blast=Blast(
            room_per_minute=Measure(room, "req/min", 2.0),
            room_enough=True,
            room_health="healthy",
            region_from="eu",
            region_to="eu",
            region_allowed=True,
        ),
    )
    for name, level, room in (("fraud-small", "L2", 520.0), ("rules-v9", "L3", 9000.0))
)
"""What the engine would say could be done to the row under the cursor."""


async def _draw(size: tuple[int, int], keys: tuple[str, ...]) -> str:
    app, engine = make_app(settings=Settings(environment="prod", writes="open"))
    engine.found, engine.answer_prepare = LADDER, lambda request, _: prepared_action(request)
    async with app.run_test(size=size) as pilot:
        await settle(pilot, panes=True)
        for key in keys:
            await pilot.press(key)
            await still(pilot, 0.7)
        return _svg(_cells(app), size[0])


def _cells(app: MidwatchApp) -> list[list[Segment]]:
    """Return the screen's lines as styled runs of cells."""
    width, height = app.size
    console = Console(
        width=width, height=height, file=io.StringIO(), force_terminal=True,
        color_system="truecolor", legacy_windows=False, safe_box=False,
    )  # fmt: skip
    update = app.screen._compositor.render_update(full=True)
    lines = Segment.split_and_crop_lines(console.render(update), width, include_new_lines=False)
    return list(lines)[:height]


def _svg(lines: list[list[Segment]], width: int) -> str:
    """Return a picture in which every word stands at its own cell, whatever font is there.

    A renderer that swallows spaces or has other widths moves nothing.
    """
    shapes: list[str] = []
    for row, segments in enumerate(lines):
        column = 0
        top = PADDING + row * LINE_HEIGHT
        for text, style, control in segments:
            if control:
                continue
            ink, paper = _colours(style)
            cells = cell_len(text)
            if paper != PAPER:
                shapes.append(
                    f'<rect x="{PADDING + column * CELL_WIDTH:g}" y="{top:g}" fill="{paper}" '
                    f'width="{cells * CELL_WIDTH:g}" height="{LINE_HEIGHT:g}"/>'
                )
            for word in re.finditer(r"\S+", text):
                at = column + cell_len(text[: word.start()])
                shapes.append(_word(word.group(), at, top, ink, style))
            column += cells
    across = 2 * PADDING + width * CELL_WIDTH
    down = 2 * PADDING + len(lines) * LINE_HEIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:g} {down:g}" '
        f'font-family="{html.escape(FONT)}" font-size="{FONT_SIZE:g}">'
    )
    back = f'<rect width="{across:g}" height="{down:g}" rx="8" fill="{PAPER}"/>'
    return "\n".join((head, back, *shapes, "</svg>\n"))


def _word(text: str, column: int, top: float, ink: str, style: Style | None) -> str:
    weight = ' font-weight="bold"' if style is not None and style.bold else ""
    slant = ' font-style="italic"' if style is not None and style.italic else ""
    line = ' text-decoration="underline"' if style is not None and style.underline else ""
    return (
        f'<text x="{PADDING + column * CELL_WIDTH:g}" y="{top + BASELINE:g}" fill="{ink}" '
        f'textLength="{cell_len(text) * CELL_WIDTH:g}" lengthAdjust="spacingAndGlyphs"'
        f"{weight}{slant}{line}>{html.escape(text)}</text>"
    )


def _colours(style: Style | None) -> tuple[str, str]:
    """Return ink and paper of a style as #rrggbb; reversed ones change places, dim ones mix."""
    if style is None:
        return INK, PAPER
    ink = INK if style.color is None else style.color.get_truecolor(SVG_EXPORT_THEME).hex
    paper = PAPER
    if style.bgcolor is not None and not style.bgcolor.is_default:
        paper = style.bgcolor.get_truecolor(SVG_EXPORT_THEME, foreground=False).hex
    if style.reverse:
        ink, paper = paper, ink
    if style.dim:
        pairs = zip(_rgb(ink), _rgb(paper), strict=True)
        ink = "#" + "".join(f"{(one + other) // 2:02x}" for one, other in pairs)
    return ink, paper


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def draw(name: str) -> str:
    """Return one picture as SVG text."""
    return asyncio.run(_draw(*PICTURES[name]))


def main() -> None:
    """Write all pictures beside this script."""
    for name in PICTURES:
        (HERE / name).write_text(draw(name), encoding="utf-8")


if __name__ == "__main__":
    main()
