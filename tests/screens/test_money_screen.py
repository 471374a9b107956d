"""The cost screen: bars against budgets, groups, months gone by, what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.evaluation.cost import DAYS
from console.evaluation.spend import SpendFacts
from console.screens.money import MoneyScreen, month_after, month_before
from console.screens.tables.cost_lines import budget_bar, share_bar
from tests.screens.support import make_app, part, picture, settle
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from themes.glyphs import ASCII

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.domain.snapshot import Snapshot
    from tests.support.stub_engine import StubEngine

DAY = 86400.0


def spent(snapshot: Snapshot) -> SpendFacts:
    """Every model spends 10 USD a day, the first a fifth of it on retries; the last is unknown."""
    from dataclasses import replace

    rows = tuple(
        replace(row, budget_month_usd=100.0 if place == 0 else None)
        for place, row in enumerate(snapshot.rows)
    )
    known = range(len(rows) - 1)
    hostile = "care\x1b[2J[bold]"
    shares = {("risk", "inference", "useful"): 80.0, (hostile, "inference", "retry"): 20.0}
    each = {row: dict(shares) for row in known}
    day = {row: {("risk", "inference", "useful"): 10.0} for row in known}
    return SpendFacts(
        at=SAMPLE_NOW - SAMPLE_NOW % 60,
        begin=SAMPLE_NOW - 21 * DAY,
        end=SAMPLE_NOW + 9 * DAY,
        rows=rows,
        usd={"month": each, "today": day, "day": day, "day_before": day},
        requests={"month": dict.fromkeys(known, 1000.0)},
        unknown={len(rows) - 1: "its server (triton) tells no cost; declare its price"},
        days=np.full((DAYS, len(rows)), 10.0),
        gone=np.full(len(rows), 0.5),
    )


def answering(engine: StubEngine) -> list[str]:
    """Let the stub engine say what was spent; return the months it is asked for."""
    months: list[str] = []

    def request_spend(month: str, deliver: Callable[[SpendFacts | str], None]) -> None:
        months.append(month)
        latest = engine.latest
        assert latest is not None
        deliver(spent(latest) if not month else f"{month} cannot be read")

    engine.request_spend = request_spend  # type: ignore[attr-defined]
    return months


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_the_screen_shows_months_bars_waste_and_what_is_not_known(
    size: tuple[int, int],
) -> None:
    app, engine = make_app(sample_snapshot())
    answering(engine)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("$")
        await settle(pilot)
        assert isinstance(app.screen, MoneyScreen)
        text = "\n".join(picture(app))
        assert "by model" in text
        count = len(sample_snapshot().rows)
        assert f"1 of {count} models not known" in text
        assert "OF BUDGET" in text
        assert "$100" in text
        detail = part(app, "#detail")
        assert "retry" in detail
        assert "$20.0" in detail
        assert "36 days" in detail
        await pilot.press("b")
        await settle(pilot)
        text = "\n".join(picture(app))
        assert "TEAM" in text
        assert "risk" in text
        assert "\x1b" not in text
        assert "[bold]" in text
        assert all(len(line) <= size[0] for line in picture(app))


async def test_a_month_that_cannot_be_read_says_so_and_the_next_is_this_one() -> None:
    app, engine = make_app(sample_snapshot())
    months = answering(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("$")
        await settle(pilot)
        await pilot.press(".")
        await settle(pilot)
        assert "is the month that runs" in "\n".join(picture(app))
        await pilot.press(",")
        await settle(pilot)
        assert months[-1] == month_before(months[-1] and month_after(months[-1]))
        assert "cannot be read" in "\n".join(picture(app))
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, MoneyScreen)


async def test_an_engine_that_cannot_say_names_the_command() -> None:
    app, _ = make_app(sample_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(":", *"cost", "enter")
        await settle(pilot)
        assert "midwatch cost" in "\n".join(picture(app))


def test_months_go_by_over_new_year() -> None:
    assert month_before("2026-01") == "2025-12"
    assert month_after("2025-12") == "2026-01"
    assert month_after("2026-08") == "2026-09"


def test_a_bar_shows_what_is_spent_what_comes_and_the_budget() -> None:
    from console.reports.cost_document import cost_document

    facts = spent(sample_snapshot())
    line = cost_document(facts, "model", [0], "prod").lines[0]
    drawn, role = budget_bar(line, 20, ASCII)
    # 100 of 100 spent: sixteen cells up to the budget, then what is still to come.
    assert drawn == "#" * 16 + "|" + "." * 3
    assert role == "s2"
    assert share_bar(0.001, 100.0, 20, ASCII) == "#"
    assert share_bar(0.0, 100.0, 20, ASCII) == ""
    assert share_bar(None, 100.0, 20, ASCII) == ""
