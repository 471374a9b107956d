"""The list of incidents: who has what and until when, at three sizes, with none and with many."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.incident import Care
from console.domain.severity import Severity
from console.domain.snapshot import Snapshot
from console.domain.text import ConsoleOptions
from console.screens.incident import IncidentScreen
from console.screens.incidents import IncidentsScreen
from console.screens.panels.sidebar import incident_block
from console.screens.tables.incidents import incidents_of, listed_incidents
from tests.screens.support import Clock, make_app, part, picture, settle
from tests.support.incident_nights import (
    LATE,
    MERGED,
    OLD,
    OVER,
    QUIET,
    UNHELD,
    alert_place,
    hold,
    hostile_night,
    incident,
    incident_night,
    many_incidents,
    quiet_night,
)
from tests.support.incident_views import SAMPLE_INCIDENT
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW, sample_snapshot
from themes.glyphs import glyphs

SIZES = [(80, 24), (120, 36), (160, 45)]


async def shown(pilot: Pilot[None]) -> IncidentsScreen:
    app = pilot.app
    assert isinstance(app, MidwatchApp)
    await settle(pilot)
    await pilot.press("I")
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, IncidentsScreen)
    return screen


def keys_of(screen: IncidentsScreen) -> list[str]:
    rows = screen.grid.rows
    return [rows.key(place) for place in range(len(rows))]


def cell(screen: IncidentsScreen, key: str, column: str) -> tuple[str, str]:
    rows = screen.grid.rows
    place = rows.index(key)
    assert place is not None
    found = rows.cells(place, [column])[0]
    return found.text, found.role


@pytest.mark.parametrize("size", SIZES)
async def test_open_first_then_held_the_longest_then_quiet_merged_and_over(
    size: tuple[int, int],
) -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot)
        assert keys_of(screen) == [UNHELD, LATE, OLD, SAMPLE_INCIDENT, QUIET, MERGED, OVER]
        assert "1? unheld  3 held  1 quiet  2 over" in part(app, "#header")
        assert cell(screen, UNHELD, "who") == ("--", "s2")
        assert cell(screen, OLD, "who") == ("ben", "text")
        assert cell(screen, OLD, "held")[0] == "1h"
        assert cell(screen, MERGED, "state")[0] == "merged"
        assert cell(screen, MERGED, "what")[0] == f"merged into {SAMPLE_INCIDENT}"
        assert "silenced by ben" in cell(screen, QUIET, "what")[0]
        assert cell(screen, LATE, "check")[1] == "s2"
        lines = picture(app)
        assert len(lines) == size[1]
        assert sum(UNHELD in line for line in lines[3:12]) == 1


@pytest.mark.parametrize("size", SIZES)
async def test_the_lines_below_say_who_has_it_and_until_when(size: tuple[int, int]) -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot)
        detail = part(app, "#detail")
        assert "WHO    nobody has it" in detail
        assert "WHAT   flapping 6/h · TTFT 3.4s" in detail
        assert f"RUN    https://runbooks.example.net/{UNHELD}" in detail
        screen.grid.move_cursor_to(SAMPLE_INCIDENT)
        await pilot.pause()
        detail = part(app, "#detail")
        assert 'ana has it for 37m "looking at fs-eu", check in 15m' in detail
        assert "NOTES" in detail
        assert "ana escalated to tom, feature-platform (in the record alone)" in detail
        screen.grid.move_cursor_to(LATE)
        await pilot.pause()
        assert "check OVERDUE 4m" in part(app, "#detail")


async def test_what_runs_out_counts_down_and_shouts_when_it_is_over() -> None:
    clock = Clock()
    app, _ = make_app(incident_night(), clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert cell(screen, OLD, "check") == ("ends in 30m", "text")
        clock.now += 1600.0
        screen.show_clock()
        assert cell(screen, OLD, "check") == ("ends in 3:20", "s3")
        clock.now += 400.0
        screen.show_clock()
        assert cell(screen, OLD, "check") == ("ends OVERDUE 3m", "s2")


async def test_another_consoles_ack_shows_with_the_next_tick() -> None:
    app, engine = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        night = incident_night()
        taken = Care(UNHELD, SAMPLE_NOW, hold=hold(UNHELD, "joel", SAMPLE_NOW, SAMPLE_NOW + 3600.0))
        engine.tell(replace(night, care={**night.care, UNHELD: taken}))
        await pilot.pause()
        assert cell(screen, UNHELD, "who") == ("joel", "text")
        assert "0? unheld  4 held" in part(app, "#header")
        assert screen.grid.cursor_key == UNHELD  # it moved down, and the cursor with it
        assert keys_of(screen)[3] == UNHELD


async def test_a_hold_that_no_source_tells_of_any_more_is_not_forgotten() -> None:
    night = incident_night()
    lost = hold("ab12", "li", SAMPLE_NOW - 60.0, SAMPLE_NOW + 60.0, title="model lost", level="S2")
    app, _ = make_app(replace(night, care={**night.care, "ab12": Care("ab12", 0.0, hold=lost)}))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert cell(screen, "ab12", "state") == ("gone", "s3")
        assert cell(screen, "ab12", "s") == ("▲2", "s2")
        assert "no source tells of it now; held: looking" in cell(screen, "ab12", "what")[0]


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (quiet_night(), "nothing fires and nothing is held"),
        (
            replace(quiet_night(), alert_sources=(alert_place(SAMPLE_NOW, state="down"),)),
            "none is known, but am DOWN 2s",
        ),
        (
            replace(quiet_night(), alert_sources=(alert_place(SAMPLE_NOW, warnings=("half",)),)),
            "none is known, but am in part 2s",
        ),
        (
            replace(quiet_night(), alert_sources=()),
            "nothing fires and nothing is held; no alert server is read",
        ),
        (
            replace(quiet_night(), sources=sample_snapshot().sources),
            "none is known, but prom-ap DOWN 4m",
        ),
        (
            replace(quiet_night(), record=replace(quiet_night().record, state="unreadable")),
            "nothing fires; what is held is not known",
        ),
    ],
)
async def test_nothing_is_only_said_where_every_place_has_answered(
    snapshot: Snapshot, said: str
) -> None:
    app, _ = make_app(snapshot)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        assert said in part(app, "#detail")
        await pilot.press("enter", "a", "X")
        await pilot.pause()
        assert isinstance(app.screen, IncidentsScreen)


async def test_three_hundred_in_a_flood() -> None:
    app, _ = make_app(many_incidents(300))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert screen.row_count == 300
        header = part(app, "#header")
        assert "300? unheld" in header
        assert "FLOOD: grouped by what models share" in header
        await pilot.press("end")
        assert screen.grid.cursor_index == 299
        await pilot.press("slash", *"model-77")
        await pilot.pause()
        assert screen.row_count == 1
        assert "/model-77: 1" in part(app, "#header")
        await pilot.press("escape")
        await pilot.pause()
        assert screen.row_count == 300


async def test_filters_are_taken_away_before_the_screen() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        await pilot.press("colon", *"incidents churn-ranker", "enter")
        await pilot.pause()
        assert keys_of(screen) == [SAMPLE_INCIDENT]
        assert "touching churn-ranker: 1" in part(app, "#header")
        await pilot.press("slash", *"!ana", "enter")
        assert screen.row_count == 0
        assert "no incident matches; Esc shows all" in part(app, "#detail")
        await pilot.press("escape")
        assert screen.row_count == 7
        assert app.screen is screen
        await pilot.press("escape")
        assert app.screen is not screen


async def test_enter_opens_the_incident_under_the_cursor() -> None:
    app, engine = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        screen.grid.move_cursor_to(OLD)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, IncidentScreen)
        assert app.screen.incident == OLD
        assert engine.views_asked == [OLD]
        await pilot.press("escape")
        assert type(app.screen).__name__ == "IncidentsScreen"
        assert screen.grid.cursor_key == OLD


async def test_the_footer_says_what_cannot_be_done_now_dimmed() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot)
        footer = app.screen.query_one("#footer").shown  # type: ignore[attr-defined]
        roles = {text: role for line in footer for text, role in line}
        assert roles["a"] == "dim"  # a read-only console
        assert roles["Enter"] == "key"
        await pilot.press("a")
        said = part(app, "#footer")
        assert said.startswith("Acknowledge changes the record and this session is read-only: ")


@pytest.mark.parametrize("options", [ConsoleOptions(ascii=True), ConsoleOptions(colour=False)])
async def test_hostile_text_obeys_nobody(options: ConsoleOptions) -> None:
    app, _ = make_app(hostile_night(), options=options)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot)
        assert screen.row_count == len(HOSTILE_NAMES)
        for _ in HOSTILE_NAMES:
            lines = picture(app)
            assert all("\x1b" not in line and "\u202e" not in line for line in lines)
            await pilot.press("down")


async def test_too_small_says_so_and_growing_helps() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(50, 10)) as pilot:
        await shown(pilot)
        assert "60x16 is the least" in part(app, "#header")
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        assert UNHELD in "\n".join(picture(app))


def test_which_incidents_touch_a_row() -> None:
    night = incident_night()
    assert [one.id for one in incidents_of(night, "churn-ranker")] == [SAMPLE_INCIDENT]
    assert incidents_of(night, "toxicity") == ()  # it is over
    assert incidents_of(None, "toxicity") == ()
    assert listed_incidents(sample_snapshot()) == ()


def test_a_level_given_by_a_person_and_that_of_the_alerts_are_both_known() -> None:
    given = incident("cc", "kyc-vision", Severity.S1, SAMPLE_NOW)
    given = replace(given, severity=Severity.S3)
    found = listed_incidents(replace(quiet_night(), incidents=(given,)))[0]
    assert (found.alerts_level, found.severity) == (Severity.S1, Severity.S3)


def _block(snapshot: Snapshot, most: int = 8) -> list[str]:
    lines = incident_block(snapshot, SAMPLE_NOW, 36, most, glyphs(False))
    return ["".join(text for text, _ in line) for line in lines]


def test_the_side_column_names_the_worst_first_and_whose_each_is() -> None:
    text = _block(incident_night())
    assert text[0] == "INCIDENTS 4? open"
    assert text[1].startswith("■1 4b1c9e07 43m ana")
    assert text[2].startswith("▲2 9f10aa01 22m --")
    wide = _block(incident_night(), 12)
    assert wide[2].strip().startswith("burn 69x")
    assert all(len(line) <= 36 for line in wide)
    assert _block(many_incidents(50), 6)[-1] == "and 46 more: I"
    assert _block(quiet_night()) == ["INCIDENTS 0 open", "none"]
    away = replace(quiet_night(), alert_sources=(alert_place(SAMPLE_NOW, state="down"),))
    assert _block(away) == ["INCIDENTS 0? open", "not known"]
