"""The fleet screen: what stands where, and what keys do to it."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.model import OnCall
from console.domain.samples import SourceStatus
from console.domain.snapshot import Change, Snapshot
from console.domain.text import ConsoleOptions
from console.screens.base import SnapshotArrived
from console.screens.fleet_order import HOLD_SECONDS
from console.settings.schema import Settings
from tests.screens.support import Clock, fleet, make_app, part, picture, settle, still
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from widgets.chart import Chart

SIZES = ((80, 24), (120, 36), (160, 45))


def moved(now: float = SAMPLE_NOW) -> Snapshot:
    """The sample night with kyc-vision suddenly on top."""
    base = sample_snapshot(now, tick=8)
    rank = base.order.tolist()
    kyc = base.index["kyc-vision"]
    rank.remove(kyc)
    severities = base.severities.copy()
    severities[kyc] = 1
    order = base.order.copy()
    order[:] = [kyc, *rank]
    return replace(base, severities=severities, order=order)


def names(app: MidwatchApp) -> list[str]:
    rows = fleet(app).grid.rows
    return [rows.key(index) for index in range(len(rows))]


async def send(pilot: Pilot[None], snapshot: Snapshot) -> None:
    pilot.app.post_message(SnapshotArrived(snapshot))
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_the_night_at_a_glance(size: tuple[int, int]) -> None:
    app, _ = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = "\n".join(picture(app))
        header = part(app, "#header")
        assert "MIDWATCH prod" in header
        assert "02:47:13Z" in header
        assert "!prom-ap DOWN 4m" in header
        assert "■1 1  ▲2 2  ◆3 2" in header
        assert "11 models" in header
        assert names(app)[0] == "fraud-scorer"
        assert "■1 fraud-scorer" in screen
        assert "1.9/.4s" in screen
        detail = part(app, "#detail")
        for text in (
            "act now: burn 69x on 1h, 833x on 5m since 02:43",
            "WHY    likely: feature-store-eu, timeouts 38% since 02:43",
            "CHAIN  feature-store-eu ■38% 4.1 OPN ── fraud-scorer OPN refusing",
            "OWNER  risk-ml: ana (pri) → joel (sec)",
            "SAY    02:44:10 fraud-scorer's breaker opened, nothing answers",
        ):
            assert text in detail
        assert "? help" in part(app, "#footer")


async def test_what_decides_stands_first_and_nothing_empty_stands_at_all() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        detail = part(app, "#detail").splitlines()
        labels = [line.split()[0] for line in detail[1:]]
        assert labels == ["NEXT", "WHY", "CHAIN", "OWNER", "CHANGE", "SAY"]
        footer = part(app, "#footer")
        for key in ("i incident", "w arm", "/ find", ": command", "? help"):
            assert key in footer


async def test_a_symptom_is_no_change_and_a_deploy_is() -> None:
    snapshot = sample_snapshot()
    opened = Change(SAMPLE_NOW - 60.0, "fraud-scorer", "its breaker opened", "breaker")
    deployed = Change(SAMPLE_NOW - 90.0, "fraud-scorer", "version 8 is served")
    app, _ = make_app(replace(snapshot, changes=(opened,)))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert "CHANGE no deploy seen" in part(app, "#detail")
        assert "its breaker opened" in part(app, "#detail"), "SAY tells it"
        await send(pilot, replace(snapshot, changes=(opened, deployed)))
        assert "version 8 is served" in part(app, "#detail")
        assert "no deploy seen" not in part(app, "#detail")


async def test_rows_below_the_fold_are_counted_with_their_levels() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 20)) as pilot:
        await settle(pilot)
        screen = fleet(app)
        hidden = screen.shown_count - screen.grid.visible_rows
        assert hidden > 0
        assert f"{hidden} more below" in part(app, "#detail").splitlines()[0]
        await pilot.press("end")
        await pilot.pause()
        assert "more below" not in part(app, "#detail")


async def test_every_state_has_a_text_of_its_own() -> None:
    app, _ = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        lines = {line[3:16].strip(): line for line in picture(app)[4:15]}
        assert "err" in lines["price-opt"]
        assert "n<200" in lines["price-opt"]
        assert ".2s*" in lines["price-opt"], "a stale value is marked, not only grey"
        assert lines["price-opt"].count("?") > 3
        assert "idle" in lines["lead-score"]
        assert "–" in lines["lead-score"]
        assert "av.1/.1s" in lines["lead-score"], "a mean is never shown as a percentile"
        assert lines["kyc-vision"].startswith("   kyc-vision"), "healthy rows are blank"
        assert lines["toxicity"].startswith("m  toxicity")


@pytest.mark.parametrize(
    ("size", "shown"), [((80, 24), 0), ((90, 32), 1), ((120, 36), 2), ((160, 45), 4)]
)
async def test_panes_follow_the_size(size: tuple[int, int], shown: int) -> None:
    app, engine = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot, panes=True)
        charts = [chart for chart in app.screen.query(Chart) if chart.display]
        assert len(charts) == shown
        if shown:
            assert engine.asked, "what is shown is asked for"
            assert {model for model, _, _ in engine.asked} == {"fraud-scorer"}
            assert "p95 1.9s (.4s)" in charts[0].plain
        else:
            assert not engine.asked, "what is not shown is not asked for"


async def test_a_pane_can_have_the_middle() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await still(pilot)
        charts = [chart for chart in app.screen.query(Chart) if chart.display]
        assert [chart.id for chart in charts] == ["pane-drift"]
        assert charts[0].size.height > 10
        assert not app.screen.query_one("#middle").display
        await pilot.press("escape")
        assert app.screen.query_one("#middle").display


async def test_an_empty_pane_says_what_would_fill_it() -> None:
    app, _ = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        await pilot.press("o", *"summarizer", "enter")
        await still(pilot)
        assert fleet(app).grid.cursor_key == "summarizer"
        confidence = app.screen.query_one("#pane-confidence", Chart).plain
        assert "model_prediction_confidence" in confidence


async def test_the_order_holds_still_while_somebody_works_in_the_table() -> None:
    clock = Clock()
    app, _ = make_app(clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("down", "down")
        before = names(app)
        await send(pilot, moved())
        assert names(app) == before
        assert "moves pending m" in part(app, "#header")
        assert fleet(app).grid.cursor_key == "doc-extract"
        await pilot.press("m")
        assert names(app)[0] == "kyc-vision"
        assert fleet(app).grid.cursor_key == "doc-extract", "the cursor stays with its model"
        assert "pending" not in part(app, "#header")


async def test_the_order_is_released_when_nobody_touches_it() -> None:
    clock = Clock()
    app, _ = make_app(clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("down")
        await send(pilot, moved())
        assert names(app)[0] == "fraud-scorer"
        clock.now += HOLD_SECONDS + 1
        await send(pilot, moved(clock.now))
        assert names(app)[0] == "kyc-vision"


@pytest.mark.parametrize("key", ["F", "i", "1", "w"])
async def test_any_key_holds_the_row_for_the_next_one(key: str) -> None:
    clock = Clock()
    app, _ = make_app(clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await send(pilot, moved())
        assert fleet(app).grid.cursor_key == "fraud-scorer"
        clock.now += HOLD_SECONDS + 1
        await send(pilot, moved(clock.now))
        assert names(app)[0] == "kyc-vision"


async def test_an_untouched_cursor_stays_on_the_worst_row() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert fleet(app).grid.cursor_key == "fraud-scorer"
        await send(pilot, moved())
        assert fleet(app).grid.cursor_key == "kyc-vision"


async def test_freeze_holds_the_table_and_not_the_header() -> None:
    clock = Clock()
    app, _ = make_app(clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("z")
        before = names(app)
        clock.now += 61
        await send(pilot, moved(clock.now))
        fleet(app).show_clock()
        assert names(app) == before
        header = part(app, "#header")
        assert "FROZEN 1m" in header
        assert "02:48:14Z" in header
        assert "moves pending" in header
        await pilot.press("z")
        assert names(app)[0] == "kyc-vision"
        assert "FROZEN" not in part(app, "#header")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("s2", {"support-llm", "doc-extract"}),
        ("tier1 !eu", {"price-opt"}),
        ("unknown", {"price-opt"}),
        ("vector-db", {"search-rerank", "toxicity"}),
        ("!ok !s4 us", {"doc-extract", "search-rerank"}),
        ("nothing-is-called-so", set()),
    ],
)
async def test_filter(typed: str, expected: set[str]) -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *["space" if c == " " else c for c in typed])
        assert set(names(app)) == expected, "the filter follows the typing"
        await pilot.press("enter")
        assert f"/{typed}: {len(expected)} shown" in part(app, "#header")
        await pilot.press("escape")
        assert len(names(app)) == 11


async def test_escape_takes_a_filter_back() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("slash", "z", "z", "escape")
        assert len(names(app)) == 11
        assert fleet(app).frozen_at is None, "letters of the filter are not keys"


async def test_sorting_by_columns() -> None:
    app, _ = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        fleet(app).ask_line("sort rps")
        await pilot.pause()
        assert names(app)[:3] == ["embedder", "search-rerank", "toxicity"]
        assert "by RPS" in part(app, "#header")
        await pilot.press("equals_sign")
        assert names(app)[0] == "lead-score"
        fleet(app).ask_line("sort rank")
        await pilot.pause()
        assert names(app)[0] == "fraud-scorer"
        fleet(app).ask_line("sort rpz")
        await pilot.pause()
        assert "did you mean rps?" in part(app, "#footer")


async def test_rows_without_a_value_sort_last_either_way() -> None:
    app, _ = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        fleet(app).ask_line("sort att")
        await pilot.pause()
        last = set(names(app)[-3:])
        await pilot.press("equals_sign")
        assert set(names(app)[-3:]) == last == {"price-opt", "summarizer", "lead-score"}


async def test_grouping_keeps_rows_together() -> None:
    app, _ = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        await pilot.press("g")
        tiers = [fleet(app).shown.rows[row].tier for row in _rows(app)]  # type: ignore[union-attr]
        configured = tiers[:9]
        assert configured == sorted(configured)
        assert "grouped by tier" in part(app, "#header")


def _rows(app: MidwatchApp) -> list[int]:
    shown = fleet(app).shown
    assert shown is not None
    return [shown.index[name] for name in names(app)]


async def test_a_view_that_is_old_shouts() -> None:
    clock = Clock()
    app, _ = make_app(clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        clock.now += 95
        fleet(app).show_clock()
        header = part(app, "#header")
        assert "STALE  LAST VALUES 1m OLD" in header
        assert "fraud-scorer" in "\n".join(picture(app)), "the last values stay"


async def test_a_source_that_was_never_there() -> None:
    nobody = replace(
        sample_snapshot(), sources=(SourceStatus("direct", "scrape", "down", None, "refused"),)
    )
    app, _ = make_app(nobody)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert "NEVER ANSWERED" in part(app, "#header")


async def test_before_the_first_answer() -> None:
    app, engine = make_app()
    engine._snapshots.clear()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "waiting for the first answer" in part(app, "#header")
        await pilot.press("down", "enter", "x", "1", "z", "question_mark")
        await pilot.pause()
        assert app.is_running


async def test_a_problem_of_the_engine_is_told() -> None:
    app, engine = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        engine.tell_problem("a fault in a tick: [/oops] \x1b[2J")
        await pilot.pause()
        assert "a fault in a tick: [/oops] ␛[2J" in part(app, "#header")


async def test_the_demo_says_so() -> None:
    app, _ = make_app(options=ConsoleOptions(title="DEMO — simulation"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "MIDWATCH DEMO — simulation" in part(app, "#header")


async def test_the_smallest_screens() -> None:
    app, _ = make_app()
    async with app.run_test(size=(59, 16)) as pilot:
        await settle(pilot)
        assert "60x16 is the least" in picture(app)[0]
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        text = "\n".join(picture(app))
        assert "fraud-scorer" in text
        assert " WHO" in text
        assert " AGE" in text


async def test_ascii_only_means_ascii_only() -> None:
    app, _ = make_app(options=ConsoleOptions(ascii=True))
    for size in SIZES:
        app, _ = make_app(options=ConsoleOptions(ascii=True))
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            assert "\n".join(picture(app)).isascii()
            await pilot.press("enter")
            await still(pilot)
            assert "\n".join(picture(app)).isascii()
            await pilot.press("question_mark")
            await pilot.pause()
            assert "\n".join(picture(app)).isascii()


async def test_own_keys() -> None:
    settings = Settings(environment="prod", keymap={"sort.reverse": "Z"})
    app, _ = make_app(settings=settings)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("Z")
        assert names(app)[0] == "lead-score"


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
async def test_quitting(key: str) -> None:
    app, engine = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await pilot.pause()
    assert app.return_code == 0
    assert engine.stopped


async def test_quitting_out_of_a_box_and_a_prompt() -> None:
    for keys in (("question_mark",), ("slash", "q", "q")):
        app, _ = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await pilot.press(*keys)
            await pilot.pause()
            assert app.is_running
            await pilot.press("ctrl+q")
            await pilot.pause()
        assert app.return_code == 0


async def test_no_configuration_shows_what_there_is() -> None:
    base = sample_snapshot()
    bare = replace(
        base,
        rows=tuple(
            replace(row, configured=False, owner="", region="", dependencies=(), oncall=OnCall())
            for row in base.rows
        ),
        breakers={},
        routes={},
        dependencies=(),
        columns={
            name: column
            for name, column in base.columns.items()
            if name.startswith(("latency", "requests", "error", "ttft", "tokens", "kv", "queue"))
        },
    )
    app, _ = make_app(bare, settings=Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        titles = [column.title for column in fleet(app).grid.columns]
        assert not {"T", "RG", "BRK", "ROUTE", "BURN", "LOWC%", "DRIFT", "PACE"} & set(titles)
        assert {"RPS", "ERR%", "LAT/base", "P50", "P99", "TTFT", "TOK/s", "QUEUE"} <= set(titles)


async def test_a_click_chooses_a_row_and_holds_the_order() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.click("#table", offset=(5, 3))
        await pilot.pause()
        assert fleet(app).grid.cursor_key == "doc-extract"
        assert fleet(app).holding
