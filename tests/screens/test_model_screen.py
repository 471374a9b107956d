"""The model screen: every signal, and where each number comes from."""

import pytest

from console.domain.signals import SIGNALS
from console.screens.base import SnapshotArrived
from console.screens.model import ModelScreen
from tests.screens.support import Clock, make_app, model, part, picture, settle, still
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from widgets.chart import Chart
from widgets.textbox import Textbox


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_every_signal_has_a_line(size: tuple[int, int]) -> None:
    app, engine = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        screen = model(app)
        rows = screen.grid.rows
        assert {rows.key(index) for index in range(len(rows))} == set(SIGNALS)
        text = "\n".join(picture(app))
        assert "fraud-scorer ■1 burn 69x on 1h, 833x on 5m" in text
        assert "69x/1h 833x/5m" in text
        assert "14.4x 1h & 5m" in text
        assert "■1 since 02:43" in text
        assert "1.9s (.4s)" in text
        assert any(asked[2] == 3600 and "latency_p95" in asked[1] for asked in engine.asked)
        assert any(block in text for block in "▂▃▄▅▆▇"), "the strips are drawn"


async def test_a_value_over_its_limit_is_never_called_ok() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        states = {line.signal: line.state.text for line in model(app)._lines}
        assert states["latency_p95"] == "above"
        assert states["low_confidence_ratio"] == "above"
        assert states["spend_burn"] == "ok"
        assert states["tokens_rate"] == "no data"
        assert states["requests_rate"] == ""


async def test_every_state_is_told_apart() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for name, signal, state in (
            ("price-opt", "drift_psi", "too few, n=120"),
            ("price-opt", "error_ratio", "error"),
            ("price-opt", "latency_p95", "stale 4m"),
            ("lead-score", "low_confidence_ratio", "idle, no traffic"),
            ("lead-score", "ttft_p95", "no data"),
        ):
            app.screen.ask_line(f"open {name}")  # type: ignore[attr-defined]
            await pilot.pause()
            await pilot.pause()
            states = {line.signal: line.state.text for line in model(app)._lines}
            assert states[signal] == state


async def test_large_screens_show_people_and_lineage_beside_the_signals() -> None:
    app, _ = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        side = part(app, "#side")
        for text in (
            "breaker   OPN refusing for 3m",
            "L2 fraud-small eu ✓ 516/min",
            "owner     risk-ml: ana (pri)",
            "runbook   https://runbooks.example.net",
            "feature-store-eu ■38% 4.1 OPN",
            "code      9be2c1",
            "gaps      not known: when it was",
            "[met 99%] error_ratio > 0.2 for 3m",
        ):
            assert text in side


async def test_small_screens_show_one_view_at_a_time() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        assert "LAST 60 MIN" in picture(app)[4]
        await pilot.press("tab")
        await still(pilot)
        assert "1 LATENCY" in picture(app)[4]
        await pilot.press("tab")
        for _ in range(50):
            await pilot.pause(0.1)
            if "% of the time" in part(app, "#text"):
                break
        assert "% of the time" in part(app, "#text")
        await pilot.press("tab")
        assert "PEOPLE" in part(app, "#text")
        await pilot.press("end")
        assert "INTERVENTION" in "\n".join(picture(app))
        await pilot.press("tab")
        assert "burn_page_fast" in part(app, "#text")
        await pilot.press("tab")
        assert "REPLICAS" in part(app, "#text")
        await pilot.press("tab")
        assert model(app).current == "signals"
        await pilot.press("shift+tab")
        assert model(app).current == "replicas"


async def test_ranges_change_what_is_asked() -> None:
    app, engine = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        for key, seconds in (
            ("right_square_bracket", 21600.0),
            ("right_square_bracket", 86400.0),
            ("left_square_bracket", 21600.0),
        ):
            engine.asked.clear()
            await pilot.press(key)
            await still(pilot)
            assert [asked[2] for asked in engine.asked if "latency_p95" in asked[1]] == [seconds]
        assert "6h" in model(app).query_one("#pane-latency", Chart).plain
        await pilot.press("colon", *"range", "space", *"2h", "enter")
        await pilot.pause()
        assert "15m, 1h, 6h, 24h" in part(app, "#footer")


async def test_a_question_mark_tells_where_a_number_comes_from() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        screen = model(app)
        screen.grid.move_cursor_to("latency_p95")
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, Textbox)
        text = "\n".join(picture(app))
        for told in (
            "latency p95 of fraud-scorer",
            "0.95 quantile of summed request duration buckets",
            "histogram_quantile(0.95) over 5m",
            "n = 2070",
            "prom-eu, profile midwatch",
            'sum by (model) (latency_p95{model="fraud-scorer"})',
        ):
            assert told in text
        await pilot.press("escape")
        assert isinstance(app.screen, ModelScreen)


async def test_the_model_can_go_away() -> None:
    clock = Clock()
    app, _ = make_app(clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        base = sample_snapshot(SAMPLE_NOW + 5)
        from tests.support.snapshots import big_snapshot

        app.post_message(SnapshotArrived(big_snapshot(3, now=SAMPLE_NOW + 5)))
        await pilot.pause()
        assert "is not in the newest answer" in part(app, "#header")
        app.post_message(SnapshotArrived(base))
        await pilot.pause()
        assert "burn 69x" in part(app, "#header")
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, ModelScreen)
