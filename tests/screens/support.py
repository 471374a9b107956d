"""What tests of the screens share: a console on a stub engine, with a clock that stands still."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from textual.pilot import Pilot
from textual.strip import Strip

from console.app import MidwatchApp
from console.domain.snapshot import Snapshot
from console.domain.text import ConsoleOptions
from console.screens.dialogs.confirm_box import ConfirmBox
from console.screens.dialogs.decide_box import DecideBox
from console.screens.fleet import FleetScreen
from console.screens.model import ModelScreen
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from tests.support.stub_engine import StubEngine
from widgets.lines import Lines

START_SECONDS = 40.0


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: float = SAMPLE_NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def make_app(
    *snapshots: Snapshot,
    settings: Settings | None = None,
    options: ConsoleOptions | None = None,
    clock: Callable[[], float] | None = None,
) -> tuple[MidwatchApp, StubEngine]:
    """Return a console that has not started, and the engine it will ask."""
    settings = settings or Settings(environment="prod")
    engine = StubEngine(*(snapshots or (sample_snapshot(),)), settings=settings)
    app = MidwatchApp(
        Loaded(settings, {}, Path("unused.toml")),
        options or ConsoleOptions(),
        lambda: engine,
        clock=clock or Clock(),
        zone=UTC,
    )
    return app, engine


async def settle(pilot: Pilot[None], *, panes: bool = False) -> None:
    """Wait until the engine has started and what it told is on screen.

    With ``panes`` also until their curves are there: they are asked for when the cursor rests.
    """
    app = pilot.app
    assert isinstance(app, MidwatchApp)
    limit = time.monotonic() + START_SECONDS
    while app.session.engine is None or app.session.snapshot is None:
        assert time.monotonic() < limit, "the engine told nothing"
        await pilot.pause()
    await pilot.pause()
    if panes:
        await still(pilot)


async def until(
    pilot: Pilot[None], met: Callable[[], object], what: str, limit_seconds: float = START_SECONDS
) -> float:
    """Wait until something holds; return the seconds it took."""
    began_at = time.monotonic()
    while not met():
        assert time.monotonic() - began_at < limit_seconds, what
        await pilot.pause(0.05)
    return time.monotonic() - began_at


async def alive(pilot: Pilot[None]) -> None:
    """Wait until the box on top can be confirmed: what it shows could have been read."""
    await pilot.pause()
    box = pilot.app.screen
    assert isinstance(box, ConfirmBox | DecideBox)
    await until(pilot, lambda: box.form.live, f"the box never came alive: {box.form.hint}")
    await pilot.pause()


async def still(pilot: Pilot[None], seconds: float = 0.35) -> None:
    """Wait until the screen has shown the same for ``seconds``.

    Longer than any timer that asks when the cursor rests, and no guess at how long a busy machine
    takes to answer and draw.
    """
    limit = time.monotonic() + START_SECONDS
    shown: list[Strip] = []
    since = time.monotonic()
    while time.monotonic() - since < seconds:
        assert time.monotonic() < limit, "the screen never stands still"
        await asyncio.sleep(0.04)
        await pilot.pause()
        now_shown = list(pilot.app.screen._compositor.render_strips(pilot.app.size))
        if now_shown != shown:
            shown, since = now_shown, time.monotonic()


def fleet(app: MidwatchApp) -> FleetScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, FleetScreen)
    return screen


def model(app: MidwatchApp) -> ModelScreen:
    screen = app.screen
    assert isinstance(screen, ModelScreen)
    return screen


def part(app: MidwatchApp, selector: str) -> str:
    """Return the text of one part of the uppermost screen."""
    return app.screen.query_one(selector, Lines).plain


def picture(app: MidwatchApp) -> list[str]:
    """Return what the whole screen shows, line by line."""
    width, height = app.size
    strips = app.screen._compositor.render_strips(app.size)
    lines = ["".join(segment.text for segment in strip) for strip in strips]
    assert len(lines) == height, (len(lines), width)
    return lines
