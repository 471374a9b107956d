"""Readiness on screen: gaps first, what proves a check, and why nothing can be judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.app import MidwatchApp
from console.domain.entry import Record
from console.domain.proof import Attested, ModelReadiness, Proofs
from console.domain.text import ConsoleOptions
from console.engine.client import Refused
from console.readiness.checks import assess
from console.readiness.subject import DAY_SECONDS, Subject
from console.screens.readiness import ReadinessScreen
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.screens.support import Clock, part, picture, settle, still
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from tests.support.stub_engine import StubEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.domain.snapshot import Snapshot

MODEL = "fraud-scorer"
HOSTILE = "2x peak \x1b[2J [bold] \u202e"


def night() -> Snapshot:
    proof = Attested(
        check="load-test",
        target=MODEL,
        by="ana",
        account="ana@ops-1",
        at=SAMPLE_NOW - DAY_SECONDS,
        until=SAMPLE_NOW + 20.5 * DAY_SECONDS,
        note=HOSTILE,
        evidence="load.pdf",
        sha256="ab" * 32,
        entry=7,
        entry_hash="cd" * 32,
    )
    proofs = Proofs(attested={(MODEL, "load-test"): proof})
    return replace(sample_snapshot(), record=Record("open"), proofs=proofs)


class Judging(StubEngine):
    """An engine that judges the sample night; ``refused`` is said instead."""

    refused = ""

    def request_readiness(
        self, model: str, deliver: Callable[[ModelReadiness | Refused], None]
    ) -> None:
        found = night()
        if self.refused:
            deliver(Refused((self.refused,)))
            return
        subject = Subject(
            snapshot=found,
            row=found.index[model],
            settings=Settings(),
            proofs=found.proofs,
            now=SAMPLE_NOW,
        )
        deliver(assess(subject))


def console(engine: Judging) -> MidwatchApp:
    return MidwatchApp(
        Loaded(Settings(environment="prod"), {}, Path("unused.toml")),
        ConsoleOptions(),
        lambda: engine,
        clock=Clock(),
        zone=UTC,
    )


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_v_shows_what_is_missing_first_and_what_proves_the_rest(
    size: tuple[int, int],
) -> None:
    app = console(Judging(night()))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("V")
        await still(pilot)
        screen = app.screen
        assert isinstance(screen, ReadinessScreen)
        assert screen.model == MODEL, "the row under the cursor"
        title = picture(app)[1]
        assert title.startswith("READINESS fraud-scorer tier 1")
        assert "gates closed" in title
        found = screen.grid.rows
        order = [found.key(index) for index in range(len(found))]
        assert len(order) == 30
        assert order.index("rollback") < order.index("drift-reference") < order.index("load-test")
        assert screen.grid.move_cursor_to("load-test")
        await still(pilot)
        said = part(app, "#detail")
        assert "manual" in said
        assert "load.pdf" in said
        assert "abababab" in said
        assert "\x1b" not in "".join(picture(app))
        await pilot.press("V")
        await still(pilot)
        assert not isinstance(app.screen, ReadinessScreen)


async def test_a_reason_is_said_where_nothing_can_be_judged() -> None:
    engine = Judging(night())
    engine.refused = "nothing was read yet"
    app = console(engine)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("V")
        await still(pilot)
        assert "nothing was read yet" in picture(app)[1]
        engine.refused = ""
        await pilot.press("n")
        await still(pilot)
        assert "gaps" in picture(app)[1]
