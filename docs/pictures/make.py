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

from console.actions.availability import Outlook  # noqa: E402
from console.app import MidwatchApp  # noqa: E402
from console.domain.action import Blast, Measure  # noqa: E402
from console.settings.schema import Settings  # noqa: E402
from tests.screens.support import make_app, settle, still  # noqa: E402
from tests.support.prepared import prepared_action  # noqa: E402

FONT = '"Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace'

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
