"""One incident whole: timeline, facts and checks, at three sizes, fresh or said not to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.action import Measure
from console.domain.incident import (
    IncidentClock,
    IncidentImpact,
    IncidentView,
    SameBefore,
    TimelineEvent,
    UpdateDue,
)
from console.domain.text import ConsoleOptions
from console.engine.client import Refused
from console.incidents.similar import Past, recorded, same_before
from console.screens.base import SnapshotArrived
from console.screens.dialogs.confirm_box import ConfirmBox
from console.screens.incident import IncidentScreen
from console.screens.panels.incident_blocks import (
    can_lines,
    clock_lines,
    impact_lines,
    took_text,
    update_line,
    update_word,
)
from console.screens.panels.timeline import timeline_lines
from console.settings.schema import Settings
from tests.screens.support import Clock, make_app, part, picture, settle
from tests.support.incident_nights import LATE, hostile_night, hostile_view, incident_night
from tests.support.incident_views import SAMPLE_INCIDENT, sample_incident_view
from tests.support.overrides import entry
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW
from tests.support.stub_engine import StubEngine
from themes.glyphs import glyphs
from widgets.text_width import cells_of
from widgets.textbox import Textbox

SIZES = [(80, 24), (120, 36), (160, 45)]
PARTS = ("CAN", "IMPACT", "PEOPLE", "CLOCK", "IN FORCE BECAUSE OF THIS INCIDENT", "CLOSE CHECKLIST")
STRIP = "??··▂·▂················▂"


async def shown(pilot: Pilot[None], key: str = SAMPLE_INCIDENT) -> IncidentScreen:
    app = pilot.app
    assert isinstance(app, MidwatchApp)
    await settle(pilot)
    await pilot.press("colon", *f"incident {key}", "enter")
    await pilot.pause()
    screen = app.screen
    assert isinstance(screen, IncidentScreen)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_everything_has_its_place(size: tuple[int, int]) -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        lines = picture(app)
        assert len(lines) == size[1]
        assert all(cells_of(line) == size[0] for line in lines)
        assert lines[1].startswith("4b1c9e07 ■1  mitigated  feature-store-eu")
        assert "held by ana 37m  check in 15m" in lines[1]
        assert "WHAT   burn 69x over 1h" in lines[2]
        text = "\n".join(lines)
        assert "TIMELINE (UTC, newest last)" in text
        assert "02:11:10 action   ana fallback fraud-scorer to fraud-small" in text
        assert "before   primary (L0), 414 requests a minute → fraud-small (L2)" in text
        assert "effect   applied, read back after 38s" in text
        assert "SAY    02:37:13Z fraud-scorer: bad requests end" in text
        if size == (80, 24):
            assert "CAN    fraud-scorer and churn-ranker fail" in text
            assert "NEEDS  Watch until 03:47" in text
            assert lines[4].rstrip().endswith("! update OVERDUE 2m")
        else:
            assert "── SAME BEFORE (24 blocks = days, newest last) " in text
            assert "2 before, record since 29 Sep 2026" in text
            same = "same dependency, mitigated after 25m, closed after 31m, page useful"
            assert f"{STRIP}   4b1c9e07 18d ago ■1 {same}" in text
            left = 'to do "reverted #8731; action item: contract test"'
            assert f"{left} · decided HOLD fraud-scorer, OVERDUE" in text
            assert "9f10bb02 20d ago ▲2 same model churn-ranker, nobody wrote how it ended" in text
            assert "│ ! update OVERDUE 2m, was due 02:45" in text
            assert all(f"── {name} ──" in text for name in PARTS)
            assert "TTD 1m30  TTA 5m25  TTM 33m  TTR open" in text
            assert "excess ? fraud-scorer has no cost metric" in text
            assert "[ ] overrides ended · fraud-scorer fb fraud-small, 24 min" in text
            assert "fraud-scorer fb fraud-small   ana   ends 23m → restore" in text


async def test_a_small_screen_has_the_rest_behind_tab() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        await pilot.press("tab")
        facts = part(app, "#text")
        assert all(f"── {name} ──" in facts for name in PARTS[:4])
        assert "Bad requests ended at 03:17; fraud-scorer is served by" in facts
        assert "! update OVERDUE 2m, was due 02:45" in facts
        await pilot.press("tab")
        before = part(app, "#text").splitlines()
        assert before[0].startswith("── SAME BEFORE (24 blocks = days, newest last) ──")
        assert before[1].rstrip() == f"{STRIP}   ▂ 1 ▄ 2 ▆ 3 █ 4 or more"
        assert before[2].rstrip() == "2 before, record since 29 Sep 2026"
        assert before[4].rstrip() == "4b1c9e07 18d ago ■1 same dependency feature-store-eu"
        assert 'to do    "reverted #8731; action item: contract test"' in before[6]
        assert any(line.startswith("done     fallback fraud-scorer") for line in before)
        assert any("reached S2, nobody wrote how it ended" in line for line in before)
        await pilot.press("tab")
        checks = part(app, "#text")
        assert all(f"── {name} ──" in checks for name in PARTS[4:])
        assert "[?] retraining decided · no decision names this incident" in checks
        await pilot.press("tab")
        assert "TIMELINE" in part(app, "#text")
        await pilot.press("shift+tab")
        assert "CLOSE CHECKLIST" in part(app, "#text")
        await pilot.press("colon", *"view nothing", "enter")
        assert "views are timeline, facts, before, checks" in part(app, "#footer")


async def at_rest(
    view: IncidentView, size: tuple[int, int], *keys: str, ascii: bool = False
) -> str:
    """Return what the screen shows of a view after some keys."""
    app, engine = make_app(incident_night(), options=ConsoleOptions(ascii=ascii))
    engine.answer_view = lambda key: view
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press(*keys)
        await pilot.pause()
        lines = picture(app)
        assert all(cells_of(line) == size[0] for line in lines)
        return "\n".join(lines)


@pytest.mark.parametrize("size", [*SIZES, (108, 32)])
@pytest.mark.parametrize(
    ("before", "said"),
    [
        (SameBefore(since=SAMPLE_NOW - 86400.0), "none in the record since 21 Oct 2026"),
        (SameBefore(), "none: nothing was ever written into the record"),
        (SameBefore(unknown="the record cannot be read"), "not known: the record cannot be read"),
    ],
)
async def test_none_before_is_told_from_a_record_nobody_can_read(
    size: tuple[int, int], before: SameBefore, said: str
) -> None:
    view = replace(sample_incident_view(SAMPLE_NOW), before=before)
    keys = ("tab", "tab") if size == (80, 24) else ()
    text = await at_rest(view, size, *keys)
    assert said in text
    assert ("?" * 23 in text) is not bool(before.unknown)  # no strip of what nobody read
    assert "CLOSE CHECKLIST" in text or size == (80, 24)


async def test_on_a_low_screen_what_came_before_is_one_line_and_the_clock_stays() -> None:
    text = await at_rest(sample_incident_view(SAMPLE_NOW), (108, 32))
    assert f"\nBEFORE {STRIP}   4b1c9e07 18d ago ■1 same dependency, mitigated after 25m" in text
    assert "SAME BEFORE" not in text
    assert "│ ! update OVERDUE 2m, was due 02:45" in text


async def test_many_long_ones_give_way_to_the_first_and_the_rest_is_counted() -> None:
    view = sample_incident_view(SAMPLE_NOW)
    one = msgspec.structs.replace(
        view.before.earlier[0], done=("x " * 90,), decided=("y " * 90,), left=("z " * 90,)
    )
    many = msgspec.structs.replace(view.before, earlier=(one, one, one))
    text = await at_rest(replace(view, before=many), (80, 24), "tab", "tab")
    assert text.count("same dependency feature-store-eu") == 1
    assert "and 2 more: midwatch incidents show tells all" in text


async def test_numbers_stand_for_blocks_where_only_ascii_may_be_sent() -> None:
    view = sample_incident_view(SAMPLE_NOW)
    begins = (*(SAMPLE_NOW - 3.5 * 86400.0 for _ in range(12)), *view.before.begins)
    view = replace(view, before=msgspec.structs.replace(view.before, begins=begins))
    text = await at_rest(view, (160, 45), ascii=True)
    assert text.isascii()
    assert "??..1.1.............9..1   4b1c9e07 18d ago #1 same dependency" in text
    assert "! update OVERDUE 2m, was due 02:45" in text


@pytest.mark.parametrize("ascii", [False, True])
async def test_an_earlier_incident_with_hostile_texts_obeys_nobody(ascii: bool) -> None:
    bad = " ".join(HOSTILE_NAMES)
    acked = entry(
        1, "ack", at=SAMPLE_NOW - 9e5, incident=SAMPLE_INCIDENT,
        details={"step": "taken", "since": SAMPLE_NOW - 9e5, "title": bad, "models": [bad]},
    )  # fmt: skip
    closed = entry(
        2, "close", at=SAMPLE_NOW - 8.9e5, incident=SAMPLE_INCIDENT, why=f"TODO {bad}",
        details={"since": SAMPLE_NOW - 9e5, "title": bad, "verdict": bad, "decision": bad},
    )  # fmt: skip
    incident = replace(sample_incident_view(SAMPLE_NOW).incident, dependency=bad)
    past = Past(SAMPLE_NOW, recorded((acked, closed)), since=SAMPLE_NOW - 1e6)
    before = same_before(incident, past)
    view = replace(sample_incident_view(SAMPLE_NOW), before=before)
    for size, keys in (((80, 24), ("tab", "tab")), ((120, 36), ()), ((160, 45), ())):
        text = await at_rest(view, size, *keys, ascii=ascii)
        assert "same dependency" in text
        assert all(line.isprintable() for line in text.splitlines())
        assert text.isascii() or not ascii


def test_when_the_next_word_is_due_is_said_with_what_it_counts_from() -> None:
    def said(update: UpdateDue) -> str:
        return "".join(text for text, _ in update_line(update, SAMPLE_NOW))

    at = SAMPLE_NOW
    assert said(UpdateDue(at + 720.0, at - 1080.0, 1800.0)) == "update due 02:59 in 12m (every 30m)"
    assert said(UpdateDue(at + 90.0, None, 1800.0)) == "update due 02:48 in 1m, no word yet"
    assert said(UpdateDue(at - 90.0, None, 1800.0)) == "! update OVERDUE 1m, no word yet"
    assert said(UpdateDue(why="it is resolved")) == "no update is due, it is resolved"
    assert said(UpdateDue(unknown="the record cannot be read")) == (
        "update due ? the record cannot be read"
    )
    assert update_word(UpdateDue(at + 90.0, None, 1800.0), at)[1] == "s3"


async def test_it_becomes_overdue_while_nobody_touches_a_key() -> None:
    clock = Clock()
    app, engine = make_app(incident_night(), clock=clock)
    due = UpdateDue(SAMPLE_NOW + 30.0, SAMPLE_NOW - 1770.0, 1800.0)
    engine.answer_view = lambda key: replace(sample_incident_view(SAMPLE_NOW), update=due)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert "update due 02:47 in 30s (every 30m)" in part(app, "#side")
        clock.now += 31.0
        screen.show_clock()
        assert "! update OVERDUE 1s, was due 02:47" in part(app, "#side")


def long_view(count: int, now: float = SAMPLE_NOW) -> IncidentView:
    events = tuple(
        TimelineEvent(now - 600.0 + number, "note", f"event {number}", "ana")
        for number in range(count)
    )
    return replace(sample_incident_view(now), events=events)


async def test_the_timeline_follows_its_end_unless_somebody_reads_further_up() -> None:
    clock = Clock()
    app, engine = make_app(incident_night(), clock=clock)
    engine.answer_view = lambda key: long_view(60)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert "event 59" in part(app, "#text")
        await pilot.press("pageup")
        assert "event 59" not in part(app, "#text")
        assert "lines below, End" in part(app, "#text")
        seen = part(app, "#text").splitlines()[1]
        engine.answer_view = lambda key: long_view(62)
        clock.now += 6.0
        engine.tell(incident_night())
        await pilot.pause()
        assert part(app, "#text").splitlines()[1] == seen  # what is read stays where it is
        assert "event 61" not in part(app, "#text")
        await pilot.press("end")
        assert "event 61" in part(app, "#text")
        assert screen.following
        engine.answer_view = lambda key: long_view(63)
        clock.now += 6.0
        engine.tell(incident_night())
        await pilot.pause()
        assert "event 62" in part(app, "#text")
        await pilot.press("home")
        assert "event 0" in part(app, "#text")


class SlowEngine(StubEngine):
    """Answers only when it is told to."""

    def __init__(self) -> None:
        super().__init__(incident_night())
        self.delivers: list[Callable[[IncidentView | Refused], None]] = []

    def request_incident_view(
        self, incident_id: str, deliver: Callable[[IncidentView | Refused], None]
    ) -> None:
        self.views_asked.append(incident_id)
        self.delivers.append(deliver)


async def test_it_is_asked_for_again_every_5_s_and_never_while_it_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, engine = Clock(), SlowEngine()
    app, _ = make_app(clock=clock)
    monkeypatch.setattr(app, "_make_engine", lambda: engine)
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot)

        async def tick(seconds: float) -> int:
            clock.now += seconds
            app.post_message(SnapshotArrived(incident_night()))
            await pilot.pause()
            return len(engine.views_asked)

        assert "gathering what happened" in part(app, "#text")
        assert await tick(6.0) == 1
        assert await tick(6.0) == 1
        engine.delivers[0](sample_incident_view(SAMPLE_NOW))
        await pilot.pause()
        assert "FeatureStoreTimeouts begins" in part(app, "#text")
        assert await tick(0.0) == 2
        engine.delivers[1](sample_incident_view(SAMPLE_NOW))
        await pilot.pause()
        assert await tick(3.0) == 2
        assert await tick(3.0) == 3
        assert await tick(31.0) == 4  # an answer that never came is not waited for for ever
        engine.delivers[3](sample_incident_view(SAMPLE_NOW))
        night = incident_night()
        let_go = replace(night.care[SAMPLE_INCIDENT], hold=None)
        app.post_message(SnapshotArrived(replace(night, care={SAMPLE_INCIDENT: let_go})))
        await pilot.pause()
        assert len(engine.views_asked) == 5, "what somebody did about it shows at once"


async def test_what_is_old_or_refused_is_marked_and_the_last_of_it_stays() -> None:
    clock = Clock()
    app, engine = make_app(incident_night(), clock=clock)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert "as of" not in part(app, "#text")
        engine.answer_view = lambda key: Refused((f"no incident {key} is known now",))
        clock.now += 40.0
        engine.tell(incident_night())
        await pilot.pause()
        assert "as of 40s ago" in part(app, "#text").splitlines()[0]
        assert "FeatureStoreTimeouts begins" in part(app, "#text")
        screen.show_incident(LATE)
        await pilot.pause()
        assert f"no incident {LATE} is known now" in part(app, "#text")
        assert part(app, "#header").splitlines()[1].startswith(f"{LATE} ◆3  firing  kyc-vision")


async def test_an_incident_nobody_knows_is_said_to_be_so() -> None:
    app, engine = make_app(incident_night())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"incident nosuch", "enter")
        assert "there is no incident nosuch; :incidents lists them" in part(app, "#footer")
        engine.answer_view = lambda key: Refused(("gone",))
        await shown(pilot, LATE)
        engine.tell(replace(incident_night(), incidents=(), care={}))
        await pilot.pause()
        assert f"{LATE} is not known now" in part(app, "#header")
        await pilot.press("a")
        assert "read-only" in part(app, "#footer")


async def test_can_is_shown_and_copied() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert isinstance(app.screen, Textbox)
        text = "\n".join(picture(app))
        assert "CAN of 4b1c9e07" in text
        assert "Condition: fraud-scorer and churn-ranker fail" in text
        assert "Needs: Watch until 03:47" in text


async def test_x_saves_the_postmortem_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app, engine = make_app(incident_night())
    async with app.run_test(size=(160, 45)) as pilot:
        await shown(pilot)
        await pilot.press("x")
        await pilot.pause()
        (path,) = (tmp_path / "midwatch" / "postmortems").iterdir()
        assert path.read_text() == f"# Postmortem of {SAMPLE_INCIDENT}\n"
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.name.startswith(f"{SAMPLE_INCIDENT}-")
        assert path.name.endswith(".md")
        assert "saved " in "\n".join(picture(app))
        engine.answer_postmortem = lambda _: Refused(("nobody knows [/x] it",))
        await pilot.press("x")
        await pilot.pause()
        assert "nobody knows [/x] it" in "\n".join(picture(app))
        assert len(list(path.parent.iterdir())) == 1


async def test_enter_opens_the_model() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert type(app.screen).__name__ == "ModelScreen"
        assert "churn-ranker" in part(app, "#header")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36), (160, 45)])
@pytest.mark.parametrize("options", [ConsoleOptions(ascii=True), ConsoleOptions(colour=False)])
async def test_hostile_text_obeys_nobody(size: tuple[int, int], options: ConsoleOptions) -> None:
    app, engine = make_app(hostile_night(), options=options)
    engine.answer_view = lambda key: hostile_view()
    async with app.run_test(size=size) as pilot:
        await shown(pilot, "00000001")
        for keys in (("tab",), ("tab",), ("home",), ("end",), ("c",), ("escape",)):
            lines = picture(app)
            assert all(cells_of(line) == size[0] for line in lines)
            assert all("\x1b" not in line and "\u202e" not in line for line in lines)
            await pilot.press(*keys)
            await pilot.pause()
        assert app.is_running


async def test_ascii_is_ascii() -> None:
    app, _ = make_app(incident_night(), options=ConsoleOptions(ascii=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot)
        assert "\n".join(picture(app)).isascii()
        await pilot.press("escape", "I")
        await pilot.pause()
        assert "\n".join(picture(app)).isascii()


async def test_too_small_says_so_and_growing_helps() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(50, 10)) as pilot:
        await shown(pilot)
        assert "60x16 is the least" in part(app, "#header")
        await pilot.resize_terminal(60, 16)
        await pilot.pause()
        assert "TIMELINE" in "\n".join(picture(app))


def plain(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in lines]


def test_a_long_text_is_wrapped_under_itself_and_days_are_told_apart() -> None:
    events = (
        TimelineEvent(SAMPLE_NOW - 90_000.0, "change", "word " * 30, "li", "#7"),
        TimelineEvent(SAMPLE_NOW, "state", "resolved"),
    )
    lines = plain(timeline_lines(events, 60, glyphs(False)))  # type: ignore[arg-type]
    assert lines[0].endswith("UTC")
    assert lines[1][9:].startswith("change   li word")
    assert lines[2].startswith(" " * 18 + "word")
    assert sum(line.startswith("── ") for line in lines) == 2
    assert all(len(line) <= 60 for line in lines)


def test_what_nobody_measures_is_no_zero() -> None:
    impact = IncidentImpact(SAMPLE_NOW, refused=Measure(0.0, "requests"))
    lines = plain(impact_lines(impact, 60, glyphs(False)))  # type: ignore[arg-type]
    assert lines[0].startswith("refused 0")
    assert "failed ?" in lines[0]
    assert lines[3] == "excess ? not measured"


def test_the_clock_counts_from_the_impact() -> None:
    assert plain(clock_lines(IncidentClock(), 40)) == ["no impact is known to have begun"]  # type: ignore[arg-type]
    clock = IncidentClock(impact_at=0.0, detected_at=85.0, acked_at=160.0, mitigated_at=4000.0)
    assert plain(clock_lines(clock, 60)) == ["TTD 1m25  TTA 2m40  TTM 1h06  TTR open"]  # type: ignore[arg-type]
    assert [took_text(seconds) for seconds in (45.0, 605.0)] == ["45s", "10m"]


def test_can_gives_each_part_a_line_however_short_the_room() -> None:
    lines = plain(can_lines(sample_incident_view(SAMPLE_NOW), 40, 3))  # type: ignore[arg-type]
    assert [line.split()[0] for line in lines] == ["Condition", "Actions", "Needs"]
    assert all(line.endswith("…") and len(line) <= 40 for line in lines)


async def test_a_key_of_the_fleet_says_here_which_model_is_meant() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        assert len(screen.models_meant) == 2
        await pilot.press("F")
        await pilot.pause()
        assert app.screen is screen
        assert "which of churn-ranker, fraud-scorer? Open the model, then F" in "\n".join(
            picture(app)
        )


async def test_a_key_that_has_no_action_here_says_where_it_has_one() -> None:
    app, _ = make_app(incident_night())
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(pilot)
        await pilot.press("g")
        await pilot.pause()
        text = "\n".join(picture(app))
        assert "is for the fleet screen; Esc goes back" in text


async def test_with_one_model_a_key_of_the_fleet_acts_on_it() -> None:
    app, _ = make_app(incident_night(), settings=Settings(environment="prod", writes="open"))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot)
        snapshot = app.session.snapshot
        assert snapshot is not None
        alone = [
            replace(one, models=one.models[:1]) if one.id == SAMPLE_INCIDENT else one
            for one in snapshot.incidents
        ]
        app.session.snapshot = replace(snapshot, incidents=tuple(alone))
        screen.show_snapshot()
        assert len(screen.models_meant) == 1
        await pilot.press("T")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmBox)
        assert app.screen.form.requests[0].target == screen.models_meant[0]
