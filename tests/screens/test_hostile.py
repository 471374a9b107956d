"""Outside text is shown and never obeyed, on every screen and at any size."""

import random

import pytest
from textual import _wait
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.text import ConsoleOptions
from console.screens.base import SnapshotArrived
from console.settings.schema import Settings
from tests.screens.support import make_app, picture, settle, still
from tests.support.incident_nights import hostile_night, hostile_view
from tests.support.snapshots import big_snapshot, hostile_snapshot, sample_snapshot
from widgets.text_width import cells_of


@pytest.fixture(autouse=True)
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for an idle console every 4 ms instead of every 20: hundreds of keys are pressed."""
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", 0.004)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", 0.0004)


FORBIDDEN = {chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x202E, 0x200B)}


def assert_harmless(app: MidwatchApp) -> None:
    for line in picture(app):
        assert not FORBIDDEN & set(line), ascii(line)
        assert cells_of(line) == app.size.width, ascii(line)


async def walk(pilot: Pilot[None], app: MidwatchApp) -> None:
    """Visit every screen, pane, view and box with the row under the cursor."""
    assert_harmless(app)
    seen = set()
    for keys in (
        ("1",), ("1",), ("escape",),
        ("right", "right", "question_mark"), ("escape",), ("escape",),
        ("f1",), ("escape",),
        ("enter",), ("tab",), ("tab",), ("tab",), ("pagedown",), ("tab",), ("tab",),
        ("question_mark",), ("pagedown",), ("escape",), ("x",), ("escape",), ("y",), ("escape",),
        ("i",), ("I",), ("down",), ("enter",), ("tab",), ("tab",), ("pageup",), ("c",), ("escape",),
        ("X",), ("escape",), ("E",), ("escape",), ("escape",), ("S",), ("escape",), ("escape",),
        ("escape",), ("r",), ("escape",),
    ):  # fmt: skip
        await pilot.press(*keys)
        await pilot.pause()
        assert app.is_running
        assert_harmless(app)
        seen.add(type(app.screen).__name__)
    assert seen == {
        "FleetScreen", "ModelScreen", "Textbox", "IncidentsScreen", "IncidentScreen", "ChoiceBox",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("size", "ascii_only", "rows_walked"),
    [((80, 24), False, 2), ((120, 36), True, 1), ((160, 45), False, 1)],
)
async def test_hostile_text_on_every_screen(
    size: tuple[int, int], ascii_only: bool, rows_walked: int
) -> None:
    app, engine = make_app(
        hostile_night(),
        settings=Settings(environment="prod", writes="open"),
        options=ConsoleOptions(ascii=ascii_only),
    )
    engine.answer_view = lambda key: hostile_view()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.session.take_mode()
        rows = app.screen_stack[0].query_one("#table").rows  # type: ignore[attr-defined]
        for _ in range(len(rows)):
            assert_harmless(app)
            await pilot.press("down")
        await pilot.press("home")
        for _ in range(rows_walked):
            await walk(pilot, app)
            await pilot.press("down")
        engine.tell_problem("[/red] \x1b]52;c;aGk=\x07 {0} %s")
        await pilot.pause()
        assert_harmless(app)


async def test_hostile_typing() -> None:
    app, _ = make_app(hostile_snapshot())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for typed in ("[/foo]", "!{0}%s"):
            for opener in ("slash", "colon", "o"):
                await pilot.press(opener)
                for character in typed:
                    await pilot.press(character)
                await pilot.press("enter")
                await pilot.pause()
                assert_harmless(app)
                await pilot.press("escape")
        assert app.is_running


async def test_a_storm_of_sizes() -> None:
    app, _ = make_app()
    choose = random.Random(7)
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        for number in range(20):
            width, height = choose.randint(20, 220), choose.randint(5, 70)
            await pilot.resize_terminal(width, height)
            if number % 5 == 4:
                await pilot.press("enter" if number % 2 else "escape")
            app.post_message(SnapshotArrived(sample_snapshot(tick=number)))
            await pilot.pause()
            assert_harmless(app)
        await pilot.resize_terminal(80, 24)
        await pilot.press("escape")
        await still(pilot)
        assert "fraud-scorer" in "\n".join(picture(app))


async def test_a_large_fleet_comes_and_goes() -> None:
    app, _ = make_app(big_snapshot(5000))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        await pilot.press("end", "pageup", "down")
        for seed in range(3):
            app.post_message(SnapshotArrived(big_snapshot(5000, seed=seed)))
            await pilot.pause()
        assert_harmless(app)
        app.post_message(SnapshotArrived(big_snapshot(2)))
        await pilot.pause()
        assert_harmless(app)
