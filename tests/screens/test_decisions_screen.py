"""Decisions on screen: the list, a model's block, marks on charts; hostile text stays text."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from console.domain.decision import Lineage, PlannedSend, SentOn
from console.domain.entry import Record
from console.domain.snapshot import Snapshot
from console.screens.decisions import DecisionsScreen
from console.screens.model import ModelScreen
from console.screens.panels.charts import PaneFrame, pane_data
from console.screens.panels.curves import Curves
from console.screens.row_view import RowView
from console.screens.tables.decisions import by_due
from tests.screens.support import make_app, part, picture, settle, still
from tests.support.decisions import DAY, record
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

NOW = SAMPLE_NOW
TAGS = PlannedSend(sink="tags", control="t", wanted="HOLD", before="none")
ALIAS = PlannedSend(sink="alias", control="a", wanted="41", before="42")
LATE = record(id="01KB2DECISION00000000LATE00", review_by=NOW - 3 * DAY, kind="RECALIBRATE-SCORES")
STANDS = msgspec.structs.replace(
    record(
        id="01KB2DECISION000000STANDS00",
        kind="ROLLBACK",
        review_by=NOW + 30 * DAY,
        taken_at=NOW - 600.0,
        to_version="41",
        reason="v42 fails \x1b[2J on \u202enew merchants [bold]",
        sends=(TAGS, ALIAS),
        lineage=Lineage(model="fraud-scorer", version="v42", conflicts=("code: two say two",)),
    ),
    sent=(SentOn(sink="tags", op_id="OP1", at=NOW, by="ana", outcome="applied"),),
)
WAITS = record(id="01KB2DECISION00000000WAITS0", review_by=NOW + 20 * DAY, needs_approval=True)
CLOSED = msgspec.structs.replace(
    record(id="01KB2DECISION0000000CLOSED0", model="toxicity"),
    closed_at=NOW - DAY, closed_by="ben", outcome="labels came: ECE .03",
)  # fmt: skip


def decided() -> Snapshot:
    told = Record("open", place="/var/lib/midwatch/journal.db", read_at=NOW)
    return replace(sample_snapshot(), decisions=(CLOSED, WAITS, STANDS, LATE), record=told)


def test_the_overdue_come_first_and_the_closed_last() -> None:
    kinds = [each.state(NOW) for each in by_due(decided().decisions, NOW)]
    assert kinds == ["overdue", "pending", "in_force", "closed"]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_the_list_says_what_is_due_what_waits_and_what_is_not_sent(
    size: tuple[int, int],
) -> None:
    app, _ = make_app(decided())
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press(":", *"decisions", "enter")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, DecisionsScreen)
        lines = picture(app)
        text = "\n".join(lines)
        assert "DECISIONS  3 open  overdue 1  pending 1" in text
        assert "10-19 3d late" in text
        assert "closed 10-21" in text
        assert "RECALIBRATE-SCORES" in next(line for line in lines if "OVERDUE" in line)
        assert "midwatch decisions close 01KB2DECISION00000000LATE00" in part(app, "#detail")
        await pilot.press("down")
        await pilot.pause()
        assert "midwatch approve 01KB2DECISION00000000WAITS0" in part(app, "#detail")
        await pilot.press("down")
        await pilot.pause()
        detail = part(app, "#detail")
        assert "tags ok, alias not sent" in detail
        assert "midwatch decisions send 01KB2DECISION000000STANDS00" in detail
        assert "code: two say two" in detail
        assert "\x1b" not in text + detail
        assert "\u202e" not in text + detail
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ModelScreen)
        assert app.screen.model == "fraud-scorer"


async def test_the_model_screen_has_its_decisions_and_names_what_lineage_lacks() -> None:
    app, _ = make_app(decided())
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        side = part(app, "#side")
        assert "DECISIONS" in side
        assert "LATE00 RECALIBRATE-SCORES OVERDUE 3d" in side
        assert "rev 10-19" in side
        assert "WAITS0 HOLD pending" in side
        assert "ROLLBACK in force" in side


def test_a_chart_marks_when_it_was_decided() -> None:
    snapshot = decided()
    view = RowView(snapshot, snapshot.index["fraud-scorer"])
    data = pane_data("drift", view, Curves("fraud-scorer"), PaneFrame(NOW, 3600.0, "1h"))
    assert (1 - 600.0 / 3600.0, "D") in data.marks
