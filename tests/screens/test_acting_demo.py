"""From a key to the world and back: the console on the demo's real services, journal and all."""

import asyncio
import os
import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.cli.bootstrap import Prepared, prepare
from console.demo.demo_fleet import DemoFleet
from console.domain.action import ActionRequest, Override
from console.domain.text import ConsoleOptions
from console.engine.thread import EngineThread
from console.engine.write_service import Acting
from console.journal import open_configured
from console.screens.dialogs.choose import RungBox
from console.screens.dialogs.confirm_box import ConfirmBox
from console.settings.load import Flags
from tests.screens.support import fleet as fleet_screen
from tests.screens.support import part, until

MODEL = "fraud-scorer"

TICK_SECONDS = 1.0


@pytest.fixture
def demo() -> Iterator[DemoFleet]:
    made = DemoFleet(scenario="calm", seed=3)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def prepared(demo: DemoFleet, tmp_path: Path) -> Prepared:
    text = demo.config_toml().replace('refresh = "5s"', 'refresh = "1s"')
    text = re.sub(r"\n\[journal\]\nurl = [^\n]*\n", "\n", text)
    path = tmp_path / "config.toml"
    path.write_text(f'{text}\n[journal]\nurl = "sqlite:///{tmp_path}/journal.db"\n')
    path.chmod(0o600)
    return prepare(Flags(config=path))


def console_on(prepared: Prepared) -> MidwatchApp:
    def engine() -> EngineThread:
        return EngineThread(
            prepared.engine,
            prepared.loaded.settings,
            lambda: Acting(prepared.loaded, prepared.resolver, os.environ),
        )

    return MidwatchApp(prepared.loaded, ConsoleOptions(), engine, zone=UTC)


def refused(demo: DemoFleet) -> float:
    """Return how many requests the service itself says it has refused."""
    address = next(one for one in demo.services if one.name == MODEL)
    with urllib.request.urlopen(address.metrics_url, timeout=5) as answer:
        text = answer.read().decode()
    found = [
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("model_requests_total") and 'outcome="refused"' in line
    ]
    return sum(found)


async def confirm(pilot: Pilot[None], reason: str) -> None:
    """Give a reason in the box that is open, and say yes."""
    box = pilot.app.screen
    assert isinstance(box, ConfirmBox)
    await until(pilot, lambda: box.form.live, f"the box never came alive: {box.form.refused}")
    await pilot.press("r", *reason, "enter", "Y")
    await until(pilot, lambda: pilot.app.screen is not box, f"it stayed open: {box.form.hint}")


def held(app: MidwatchApp) -> list[Override]:
    snapshot = app.session.snapshot
    return [] if snapshot is None else [one for one in snapshot.overrides if one.target == MODEL]


async def test_trip_fall_back_and_undo_on_real_services(
    demo: DemoFleet, prepared: Prepared
) -> None:
    app = console_on(prepared)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await until(
            pilot, lambda: session.snapshot is not None and session.engine is not None, "no numbers"
        )
        await until(
            pilot, lambda: session.writing is not None and session.writing.who, "no write side"
        )
        fleet_screen(app).grid.move_cursor_to(MODEL)
        await pilot.press("T")
        assert "read-only: w arms it for 30 min" in part(app, "#footer")
        await pilot.press("w")
        assert "ARMED 29m" in part(app, "#header") or "ARMED 30m" in part(app, "#header")

        await pilot.press("T")
        await confirm(pilot, "drain")
        await until(pilot, lambda: session.sent.entries[-1].kind == "applied", "not tripped")
        before = refused(demo)
        await until(pilot, lambda: refused(demo) > before + 3, "a tripped breaker refuses")

        await pilot.press("F")
        await pilot.pause()
        rungs = app.screen
        assert isinstance(rungs, RungBox)
        await until(pilot, lambda: rungs.rungs, "no rungs")
        assert [(one.to, one.reachable) for one in rungs.rungs] == [
            ("fraud-small", True), ("fraud-rules", True),
        ]  # fmt: skip
        await pilot.press("enter")
        await pilot.pause()
        await confirm(pilot, "serve")
        await until(pilot, lambda: session.sent.entries[-1].kind == "applied", "not moved")
        done = session.snapshot
        assert done is not None
        still = refused(demo)
        await until(pilot, lambda: "seen in the metrics" in session.sent.entries[-1].effect, "")
        seen = session.snapshot
        assert seen is not None
        assert seen.tick <= done.tick + 2, "its effect is on screen within two ticks"
        assert seen.route(seen.index[MODEL]).target == "fraud-small"
        assert refused(demo) <= still + 6, "the fallback answers what was refused"
        settled = refused(demo)
        await asyncio.sleep(2.0)
        assert refused(demo) == settled, "nothing is refused any more"

        await until(pilot, lambda: len(held(app)) == 2, "overrides never appeared")
        assert fleet_screen(app).grid.cursor_key == MODEL, "the cursor stayed where it acted"
        assert f"{MODEL} fb fraud-small" in part(app, "#detail")
        assert "in force 2 next" in part(app, "#header")
        left = [one.left_seconds(session.clock()) for one in held(app)]
        assert all(one is not None and 3500 < one < 3600 for one in left), left

        await pilot.press("u")
        await confirm(pilot, "back again")
        await until(pilot, lambda: session.sent.entries[-1].kind == "applied", "not undone")
        await until(pilot, lambda: len(held(app)) == 1, "the override of the route is over")
        assert [one.verb for one in held(app)] == ["trip"]

    journal = open_configured(prepared.loaded, prepared.resolver, os.environ)
    try:
        assert journal.verify().ok
        done_kinds = [entry.kind for entry in journal.entries()]
        assert done_kinds.count("intent") == done_kinds.count("outcome") == 3
        whys = [entry.why for entry in journal.entries() if entry.kind == "intent"]
        assert whys == ["drain", "serve", "back again"]
    finally:
        journal.close()


async def test_what_no_control_can_do_says_what_to_declare(
    demo: DemoFleet, prepared: Prepared
) -> None:
    app = console_on(prepared)
    session = app.session
    async with app.run_test(size=(160, 40)) as pilot:
        await until(
            pilot, lambda: session.snapshot is not None and session.engine is not None, "no numbers"
        )
        await until(
            pilot, lambda: session.writing is not None and session.writing.who, "no write side"
        )
        await pilot.press("w")
        fleet_screen(app).grid.move_cursor_to("embedder")
        await until(pilot, lambda: session.outlooks_of("embedder"), "nobody looked ahead")
        await pilot.press("T")
        footer = part(app, "#footer")
        assert "nothing declared can trip embedder" in footer
        assert "declare models.embedder.controls.breaker" in footer


async def test_several_together_are_class_c3_at_the_engine_itself(
    demo: DemoFleet, prepared: Prepared
) -> None:
    app = console_on(prepared)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await until(
            pilot, lambda: session.writing is not None and session.writing.who, "no write side"
        )
        await until(pilot, lambda: session.snapshot is not None, "no numbers")
        came: list[object] = []
        request = ActionRequest("trip", MODEL, "maintenance")
        assert session.engine is not None
        session.engine.prepare_action(request, came.append, 1)
        await until(pilot, lambda: len(came) == 1, "never prepared")
        session.engine.prepare_action(request, came.append, 2)
        await until(pilot, lambda: len(came) == 2, "never prepared")
        assert [getattr(one, "confirm_class", one) for one in came] == ["C1", "C3"]


async def test_a_dependency_is_tripped_by_its_name(demo: DemoFleet, prepared: Prepared) -> None:
    app = console_on(prepared)
    session = app.session
    async with app.run_test(size=(120, 40)) as pilot:
        await until(
            pilot, lambda: session.snapshot is not None and session.engine is not None, "no numbers"
        )
        await until(
            pilot, lambda: session.writing is not None and session.writing.who, "no write side"
        )
        await pilot.press("w")
        fleet_screen(app).ask_line(":trip dep:feature-store-eu --reason 'config push' --ttl 15m")
        await pilot.pause()
        box = app.screen
        assert isinstance(box, ConfirmBox)
        # Where a busy machine's numbers are too old to decide on, the box reads them again.
        await until(
            pilot,
            lambda: box.form.live and box.form.confirm_class == "C2",
            "every model that shares it is touched",
        )
        assert box.form.choices[box.form.chosen][1] == 900.0
        assert len(box.form.first.blast.models) > 1
        names = {"-": "minus"}
        await pilot.press("Y", *(names.get(one, one) for one in "feature-store-eu"), "enter")
        await until(pilot, lambda: session.sent.entries, "never sent")
        await until(pilot, lambda: session.sent.entries[-1].kind == "applied", "not tripped")
