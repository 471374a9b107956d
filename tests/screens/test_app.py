"""What belongs to the console as a whole: commands, boxes, themes, reload, pictures."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.command import CommandPalette

from console.actions.keymap import keymap
from console.domain.text import ConsoleOptions
from console.engine.client import ReloadOutcome
from console.screens.model import ModelScreen
from console.screens.panels.footer import help_lines
from console.screens.tables.fleet import BY_KEY
from console.settings.schema import Settings
from tests.screens.support import fleet, make_app, part, picture, settle, still
from tests.support.snapshots import sample_snapshot
from themes.glyphs import glyphs
from themes.palette import THEMES
from widgets.chart import Chart
from widgets.prompt import Prompt
from widgets.textbox import Textbox


def typed(text: str) -> list[str]:
    names = {" ": "space", "-": "minus", "/": "slash", ".": "full_stop", "_": "underscore"}
    return [names.get(character, character) for character in text]


async def test_help_lists_every_key_of_the_place() -> None:
    app, _ = make_app()
    async with app.run_test(size=(100, 60)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        text = "\n".join(picture(app))
        assert "Keys on the fleet screen" in text
        assert "act now" in text
        assert "no traffic: 0/0" in text
        await pilot.press("pagedown")
        text += "\n".join(picture(app))
        await pilot.press("end")
        text += "\n".join(picture(app))
        assert "One row up." in text
        assert "Also :filter WORDS" in text
        assert "Next view" not in text


async def test_a_chosen_column_is_explained() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        titles = [column.key for column in fleet(app).grid.columns]
        for _ in range(titles.index("lat") + 1):
            await pilot.press("right")
        assert "p95 latency now / normal" in part(app, "#footer")
        await pilot.press("down", "x")
        await pilot.pause()
        text = "\n".join(picture(app))
        assert "time to first token p95 of support-llm" in text, "what the cell really shows"
        await pilot.press("escape", "escape", "x")
        assert "choose a column" in part(app, "#footer")


async def test_commands_are_completed_and_corrected() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *typed("the"), "tab")
        prompt = app.screen.query_one(Prompt)
        assert prompt.text == "theme "
        await pilot.press(*typed("light"), "enter")
        await pilot.pause()
        assert app.theme == "midwatch-light"
        await pilot.press("colon", *typed("relaod"), "enter")
        await pilot.pause()
        assert "did you mean :reload?" in part(app, "#footer")
        await pilot.press("colon", *typed("explain latency_p59"), "enter")
        await pilot.pause()
        assert "did you mean latency_p" in part(app, "#footer")


async def test_every_theme_draws_every_screen() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        seen = set()
        for _ in THEMES:
            await pilot.press("ctrl+t")
            await pilot.pause()
            seen.add(app.theme)
            assert "fraud-scorer" in "\n".join(picture(app))
        assert seen == {f"midwatch-{name}" for name in THEMES}


async def test_no_colour_is_sent_when_none_is_wanted() -> None:
    app, _ = make_app(options=ConsoleOptions(colour=False))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for strip in app.screen._compositor.render_strips(app.size):
            for segment in strip:
                style = segment.style
                for colour in (style.color, style.bgcolor) if style else ():
                    assert colour is None or colour.is_default, (segment.text, colour)


async def test_reload_says_how_it_went() -> None:
    app, engine = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *typed("reload"), "enter")
        await pilot.pause()
        assert "reloaded: nothing differs" in part(app, "#footer")
        engine.reload_outcome = ReloadOutcome(
            False, "the new configuration was refused", ("config.toml:3: sorces: did you mean",)
        )
        app.request_reload()
        await pilot.pause()
        assert isinstance(app.screen, Textbox)
        assert "config.toml:3: sorces" in "\n".join(picture(app))


async def test_reload_takes_over_the_panes() -> None:
    app, engine = make_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(pilot)
        engine._settings = Settings(environment="prod", panes=("latency", "cost"))
        app.request_reload()
        await still(pilot)
        shown = [chart.id for chart in app.screen.query(Chart) if chart.display]
        assert shown == ["pane-latency", "pane-cost"]


async def test_sources_say_what_they_said() -> None:
    base = sample_snapshot()
    told = replace(
        base,
        sources=tuple(
            replace(one, warnings=("PromQL warning: [/x] \x1b[2J",), infos=("an info",))
            for one in base.sources
        ),
    )
    app, _ = make_app(told)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "3 warnings" in part(app, "#header")
        await pilot.press("s")
        await pilot.pause()
        text = "\n".join(picture(app))
        assert "connection refused by prom-ap.example.net" in text
        assert "PromQL warning: [/x] ␛[2J" in text
        assert "next try in 12s" in text


async def test_help_begins_with_what_the_signs_and_columns_here_mean() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("?")
        await pilot.pause()
        first = "\n".join(picture(app))
        assert "act now" in first
        assert "no traffic: 0/0" in first
        lines = help_lines("fleet", keymap({}), glyphs(False), columns=[BY_KEY["bad"]])
        texts = [each if isinstance(each, str) else each[0].text.strip() for each in lines]
        order = ["Marks", "Columns", "BAD/m", "Acting", "Moving"]
        assert [text for text in texts if text in order] == order


async def test_the_palette_offers_what_can_be_done() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await pilot.pause()
        assert isinstance(app.screen, CommandPalette)
        await pilot.press(*typed("freeze"))
        await still(pilot)
        await pilot.press("enter")
        await still(pilot)
        await pilot.press("enter")
        await still(pilot)
        assert fleet(app).frozen_at is not None


async def test_a_picture_is_saved_where_it_is_asked_for(tmp_path: Path) -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *typed("screenshot"), "enter")
        await pilot.pause()
        saved = list((tmp_path / "xdg-state" / "midwatch" / "pictures").glob("fleet-*.svg"))
        assert len(saved) == 1
        assert "<svg" in saved[0].read_text("utf-8")
        (tmp_path / "file").write_text("")
        app.screen.ask_line(f"screenshot {tmp_path}/file/no.svg")  # type: ignore[attr-defined]
        await pilot.pause()
        assert "was not saved" in part(app, "#footer")


async def test_refresh_asks_the_engine() -> None:
    app, engine = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert engine.refreshes == 1


async def test_what_cannot_be_done_says_why() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("m")
        assert "no rows are waiting to move" in part(app, "#footer")
        app.screen.ask_line("open no-such-model")  # type: ignore[attr-defined]
        await pilot.pause()
        assert "there is no model no-such-model" in part(app, "#footer")
        app.screen.ask_line("view charts")  # type: ignore[attr-defined]
        await pilot.pause()
        assert "not for this screen" in part(app, "#footer")


async def test_the_model_screen_can_go_on_to_another_model() -> None:
    app, _ = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await still(pilot)
        app.screen.ask_line("open kyc-vision")  # type: ignore[attr-defined]
        await still(pilot)
        assert isinstance(app.screen, ModelScreen)
        assert "kyc-vision" in part(app, "#header")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Textbox), "Enter on a signal tells where it comes from"


def test_a_bad_keymap_ends_with_78(capsys: pytest.CaptureFixture[str]) -> None:
    from console.app import run
    from console.settings.load import Loaded
    from tests.support.stub_engine import StubEngine

    settings = Settings(keymap={"sort.revers": "r"})
    code = run(Loaded(settings, {}, None), ConsoleOptions(), lambda: StubEngine())
    assert code == 78
    assert "did you mean sort.reverse?" in capsys.readouterr().err
