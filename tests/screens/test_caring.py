"""What is done about incidents by key and command: what is asked first, sent, and said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.action import Outcome
from console.domain.incident import CareWish
from console.domain.snapshot import Snapshot
from console.engine.client import Refused
from console.screens.dialogs.choose import ChoiceBox
from console.screens.flows.incident_words import (
    level_choices,
    merge_choices,
    people_to_call,
    read_care,
)
from console.screens.incidents import IncidentsScreen
from console.screens.tables.incidents import find_incident
from console.settings.schema import Settings
from tests.screens.support import Clock, fleet, make_app, part, picture, settle
from tests.support.incident_nights import (
    LATE,
    OLD,
    QUIET,
    UNHELD,
    incident,
    incident_night,
    quiet_night,
)
from tests.support.incident_views import SAMPLE_INCIDENT
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from tests.support.stub_engine import StubEngine
from themes.glyphs import glyphs

OPEN = Settings(environment="prod", writes="open")


def open_app(snapshot: Snapshot | None = None) -> tuple[MidwatchApp, StubEngine, Clock]:
    clock = Clock()
    app, engine = make_app(snapshot or incident_night(), settings=OPEN, clock=clock)
    return app, engine, clock


async def at(pilot: Pilot[None], model: str) -> None:
    app = pilot.app
    assert isinstance(app, MidwatchApp)
    await settle(pilot)
    app.session.take_mode()
    fleet(app).grid.move_cursor_to(model)
    await pilot.pause()


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if one == " " else one for one in text), "enter")
    await pilot.pause()


async def command(pilot: Pilot[None], text: str) -> None:
    await pilot.press("colon")
    await typed(pilot, text)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_one_key_takes_the_incident_of_the_row(size: tuple[int, int]) -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=size) as pilot:
        await at(pilot, "support-llm")
        assert "a ack" in part(app, "#detail")  # NEXT offers it
        await pilot.press("a")
        await pilot.pause()
        assert engine.cared == [CareWish("ack", UNHELD, "looking")]
        assert engine.refreshes == 1  # what it changed is looked at, at once
        assert part(app, "#footer") == f"ack {UNHELD}; u undoes for 30 s"
        assert f"SENT   02:47:13 ack {UNHELD}" in part(app, "#detail")
        assert "u undoes, 30s" in part(app, "#detail")


async def test_u_takes_it_back_for_30_s_and_not_longer() -> None:
    app, engine, clock = open_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "support-llm")
        await pilot.press("a")
        await pilot.pause()
        clock.now += 10.0
        await pilot.press("u")
        await pilot.pause()
        undo = engine.cared[-1]
        assert (undo.verb, undo.incident) == ("undo", UNHELD)
        assert undo.op_id == "01CARE00000000000000000001"
        await pilot.press("u")
        await pilot.pause()
        assert len(engine.cared) == 2  # it is taken back once
        await pilot.press("a")
        await pilot.pause()
        clock.now += 31.0
        await pilot.press("u")
        await pilot.pause()
        assert [one.verb for one in engine.cared] == ["ack", "undo", "ack"]
        assert "nothing to undo" in part(app, "#footer")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Refused(("ana has it already",)), "ana has it already"),
        (Outcome("01X", "unverified", "am answered nothing"), "UNVERIFIED: am answered nothing"),
        (Outcome("01X", "superseded", "li was faster"), "SUPERSEDED: li was faster"),
    ],
)
async def test_what_did_not_work_is_said(answer: Outcome | Refused, said: str) -> None:
    app, engine, _ = open_app()
    engine.answer_care = lambda wish: answer
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "support-llm")
        await pilot.press("a")
        await pilot.pause()
        assert part(app, "#footer") == said


async def test_a_second_key_waits_for_the_first_outcome() -> None:
    app, engine, _ = open_app()
    engine.answer_care = lambda wish: None
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "support-llm")
        await pilot.press("a", "a")
        await pilot.pause()
        assert len(engine.cared) == 1
        assert "still on its way" in part(app, "#footer")


async def test_a_row_without_one_says_so_and_of_several_one_is_chosen() -> None:
    both = incident("aa", "fraud-scorer", incident_night().incidents[0].severity, SAMPLE_NOW - 60)
    night = incident_night()
    app, engine, _ = open_app(replace(night, incidents=(*night.incidents, both)))
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "lead-score")
        for key in ("a", "i", "N"):
            await pilot.press(key)
            assert part(app, "#footer") == "no incident touches lead-score; I lists all"
        await at(pilot, "fraud-scorer")
        await pilot.press("a")
        assert "2 incidents touch fraud-scorer: i lists them" in part(app, "#footer")
        assert engine.cared == []
        await pilot.press("i")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, IncidentsScreen)
        assert screen.row_count == 2
        assert "touching fraud-scorer: 2" in part(app, "#header")
        await pilot.press("a")
        await pilot.pause()
        assert engine.cared[-1].incident == "aa"


async def test_a_read_only_console_says_how_to_arm() -> None:
    app, engine = make_app(incident_night(), settings=Settings(environment="prod", writes="armed"))
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "support-llm")
        engine.clock = app.session.clock
        for asked in ("a", "N"):
            await pilot.press(asked)
            footer = part(app, "#footer")
            assert "changes the record and this session is read-only" in footer
            assert footer.endswith("w arms it for 30 min")
        await command(pilot, "ack")
        assert "read-only" in part(app, "#footer")
        assert engine.cared == []
        await pilot.press("w", "a")
        await pilot.pause()
        assert engine.cared == [CareWish("ack", UNHELD, "looking")]


async def test_on_the_model_screen_the_same_keys_hold() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "churn-ranker")
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("a")
        await pilot.pause()
        assert engine.cared == [CareWish("ack", SAMPLE_INCIDENT, "looking")]
        await pilot.press("i")
        await pilot.pause()
        assert part(app, "#header").splitlines()[1].startswith(SAMPLE_INCIDENT)


async def test_a_note_is_typed_and_taken_as_it_is() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "support-llm")
        await pilot.press("N")
        await typed(pilot, "it's --odd [x]")
        assert engine.cared == [CareWish("note", UNHELD, "it's --odd [x]")]
        await pilot.press("N", "enter")
        await pilot.pause()
        assert "nothing was done: note needs words" in part(app, "#footer")
        await pilot.press("N", "x", "escape")
        await pilot.pause()
        await command(pilot, f"note {OLD} seen it")
        assert engine.cared[-1] == CareWish("note", OLD, "seen it")
        assert len(engine.cared) == 2


async def in_list(pilot: Pilot[None], key: str) -> None:
    await at(pilot, "support-llm")
    await pilot.press("I")
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, IncidentsScreen)
    screen.grid.move_cursor_to(key)
    await pilot.pause()


async def test_raising_is_free_and_lowering_asks_why() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(100, 30)) as pilot:
        await in_list(pilot, UNHELD)
        await pilot.press("S")
        await pilot.pause()
        box = "\n".join(picture(app))
        assert "▲2 S2   degraded but answering; it is this now" in box
        assert "S3   today; lowers it, asks for a reason" in box
        await pilot.press("1")
        await pilot.pause()
        assert engine.cared == [CareWish("severity", UNHELD, level="S1")]
        await pilot.press("S", "3")
        await pilot.pause()
        await typed(pilot, "nobody is hurt")
        assert engine.cared[-1] == CareWish("severity", UNHELD, "nobody is hurt", level="S3")
        await pilot.press("S", "2")
        await pilot.pause()
        assert "is S2 already" in part(app, "#footer")
        await pilot.press("S", "escape")
        await pilot.pause()
        assert "nothing was done" in part(app, "#footer")
        assert len(engine.cared) == 2


async def test_closing_asks_for_a_verdict_a_decision_and_words() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await in_list(pilot, SAMPLE_INCIDENT)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("X")
        await pilot.pause()
        box = "\n".join(picture(app))
        assert "[ ] overrides ended · fraud-scorer fb fraud-small, 24 min" in box
        assert "y  useful    somebody had to act" in box
        await pilot.press("n")
        await pilot.pause()
        await pilot.press("enter")  # HOLD stands there already
        await pilot.pause()
        await typed(pilot, "a deploy")
        assert engine.cared == [
            CareWish("close", SAMPLE_INCIDENT, "a deploy", verdict="noise", decision="HOLD")
        ]


async def test_merging_and_calling_for_help() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await in_list(pilot, UNHELD)
        await pilot.press("M")
        await pilot.pause()
        assert isinstance(app.screen, ChoiceBox)
        await pilot.press("down", "up", "down", "enter")
        await pilot.pause()
        assert engine.cared[-1].verb == "merge"
        assert engine.cared[-1].into == OLD
        await pilot.press("E")
        await pilot.pause()
        assert app.screen.query_one("#prompt").text == "ben"  # type: ignore[attr-defined]
        await pilot.press("ctrl+u")
        await typed(pilot, "tom, feature-platform")
        await typed(pilot, "owns the store")
        assert engine.cared[-1] == CareWish(
            "escalate", UNHELD, "owns the store", to=("tom", "feature-platform")
        )


async def test_a_long_snooze_asks_once_more() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await at(pilot, "support-llm")
        await command(pilot, "snooze 30m rollout")
        assert engine.cared == [CareWish("snooze", UNHELD, "rollout", ttl_seconds=1800.0)]
        await command(pilot, "snooze")
        await pilot.press("3")
        await pilot.pause()
        await typed(pilot, "rollout")
        assert isinstance(app.screen, ChoiceBox)
        await pilot.press("enter")  # Cancel is chosen
        await pilot.pause()
        assert len(engine.cared) == 1
        await command(pilot, "snooze 4h rollout")
        await pilot.press("Y")
        await pilot.pause()
        assert engine.cared[-1].confirmed
        assert engine.cared[-1].ttl_seconds == 14_400.0


async def test_the_runbook_of_a_row_is_shown_and_offered() -> None:
    app, _, _ = open_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await at(pilot, "support-llm")
        assert f"RUN    https://runbooks.example.net/{UNHELD} · r opens" in part(app, "#detail")
        await pilot.press("r")
        await pilot.pause()
        text = "\n".join(picture(app))
        assert "Runbook for 9f10aa01" in text
        await pilot.press("escape")
        await at(pilot, "lead-score")
        await pilot.press("r")
        assert "no runbook for lead-score: set runbook" in part(app, "#footer")
        assert "RUN    no runbook is declared" in part(app, "#detail")


async def test_who_shows_who_has_the_incident_and_not_who_is_on_call() -> None:
    app, engine, _ = open_app()
    async with app.run_test(size=(160, 45)) as pilot:
        await at(pilot, "support-llm")

        def who(model: str) -> str:
            rows = fleet(app).grid.rows
            place = rows.index(model)
            assert place is not None
            return rows.cells(place, ["who"])[0].text

        assert (who("support-llm"), who("doc-extract"), who("lead-score")) == ("--", "ben", "--")
        assert who("embedder") == "ben"  # on call: its incident is silenced
        assert "incidents 4, 1 unheld" in part(app, "#header")
        assert "INCIDENTS 4? open" in part(app, "#side")
        assert "nobody has its incident" in part(app, "#detail")
        engine.tell(sample_snapshot())
        await pilot.pause()
        assert who("support-llm") == "ben"
        assert "incidents" not in part(app, "#header")


KNOWN = frozenset({UNHELD, OLD})


@pytest.mark.parametrize(
    ("verb", "argument", "wish"),
    [
        ("ack", "", CareWish("ack", "x")),
        ("ack", "2h on it", CareWish("ack", "x", "on it", ttl_seconds=7200.0)),
        ("ack", f"inc:{OLD} on it", CareWish("ack", OLD, "on it")),
        ("ack", '--reason "on it" --ttl 1h', CareWish("ack", "x", "on it", ttl_seconds=3600.0)),
        ("severity", "s1", CareWish("severity", "x", level="S1")),
        ("severity", f"{OLD} S3 nobody hurt", CareWish("severity", OLD, "nobody hurt", level="S3")),
        ("merge", UNHELD, CareWish("merge", UNHELD)),
        ("merge", f"{OLD} {UNHELD}", CareWish("merge", OLD, into=UNHELD)),
        ("escalate", "ana,tom", CareWish("escalate", "x", to=("ana", "tom"))),
        (
            "close",
            "noise RD-7 a deploy",
            CareWish("close", "x", "a deploy", verdict="noise", decision="RD-7"),
        ),
        ("note", "it's -- odd", CareWish("note", "x", "it's -- odd")),
        ("release", "done", CareWish("release", "x", "done")),
    ],
)
def test_what_is_typed_is_understood(verb: str, argument: str, wish: CareWish) -> None:
    assert read_care(verb, argument, "x", KNOWN) == wish  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verb", "argument", "said"),
    [
        ("severity", "high", "high is no level; levels are S1, S2, S3, S4"),
        ("close", "bad", "bad is no verdict; it was useful, noise, unclear"),
        ("ack", "--ttl soon", "--ttl soon is no duration such as 30m or 2h"),
        ("ack", "--loud", "--loud is not known here"),
        ("close", "--reason 'x", "a quotation mark is not closed"),
    ],
)
def test_what_cannot_be_understood_is_said(verb: str, argument: str, said: str) -> None:
    assert str(read_care(verb, argument, "x", KNOWN)).startswith(said)  # type: ignore[arg-type]


def test_choices_follow_what_is_known() -> None:
    night = incident_night()
    late = find_incident(night, LATE)
    choices, place = level_choices(late, glyphs(False))
    assert place == 2
    assert [one.about.rpartition("; ")[2] for one in choices] == [
        "raises it", "raises it", "it is this now", "lowers it, asks for a reason",
    ]  # fmt: skip
    assert level_choices(None, glyphs(False))[1] == 0
    ids = {one.value for one in merge_choices(LATE, night, glyphs(True))}
    assert LATE not in ids
    assert {UNHELD, OLD, QUIET, SAMPLE_INCIDENT} == ids
    assert merge_choices(LATE, quiet_night(), glyphs(True)) == ()
    held = find_incident(night, SAMPLE_INCIDENT)
    assert people_to_call(held, night) == ("joel", "#risk", "cto")  # ana has it
    assert people_to_call(None, night) == ()
