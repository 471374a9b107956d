"""What tests of the screens share: a console on a stub engine, with a clock that stands still."""

import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

from textual.pilot import Pilot

from console.app import MidwatchApp
from console.facts.options import ConsoleOptions
from console.facts.snapshot import Snapshot
from console.screens.fleet import FleetScreen
from console.screens.model import ModelScreen
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from tests.support.stub_engine import StubEngine
from widgets.lines import Lines

START_SECONDS = 20.0


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
    await pilot.pause(0.3 if panes else None)


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
