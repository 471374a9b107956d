"""Draw the pictures of the README: ``python docs/pictures/make.py``.

They show the sample night of the tests at a fixed moment, so that the same code always gives the
same bytes and a test can tell when they are stale.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from console.app import MidwatchApp  # noqa: E402
from tests.screens.support import make_app, settle  # noqa: E402

FONT = '"Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace'

PICTURES: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "fleet.svg": ((160, 45), ()),
    "fleet-80x24.svg": ((80, 24), ()),
    "model.svg": ((120, 36), ("enter",)),
}
"""File name: size in cells, and keys pressed before the picture is taken."""


async def _draw(size: tuple[int, int], keys: tuple[str, ...]) -> str:
    app, _ = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot, panes=True)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.5)
        return _without_downloads(app)


def _without_downloads(app: MidwatchApp) -> str:
    """Return the picture with fonts of the reader's own machine instead of one from the net."""
    svg = app.export_screenshot(title="midwatch")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: Fira Code, monospace", f"font-family: {FONT}", svg)


def draw(name: str) -> str:
    """Return one picture as SVG text."""
    return asyncio.run(_draw(*PICTURES[name]))


def main() -> None:
    """Write all pictures beside this script."""
    for name in PICTURES:
        (HERE / name).write_text(draw(name), encoding="utf-8")


if __name__ == "__main__":
    main()
