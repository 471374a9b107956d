"""Overrides and journal on screen: at three sizes, hostile text, what is unknown said to be so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.action import Override
from console.domain.entry import BrokenEntry, JournalHead, Record, RecordPage, Verification
from console.domain.snapshot import Snapshot
from console.domain.text import ConsoleOptions
from console.screens.base import ActionAsked, SnapshotArrived, keyed
from console.screens.journal import JournalScreen
from console.screens.list_screen import ListScreen
from console.screens.overrides import OverridesScreen
from console.screens.panels.sidebar import side_lines
from console.screens.tables.journal import entry_details, matches
from tests.screens.support import Clock, make_app, part, picture, settle
from tests.support.overrides import entry, fallback, held
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW, sample_snapshot
from tests.support.stub_engine import StubEngine
from themes.glyphs import glyphs
from widgets.textbox import Textbox

SIZES = [(80, 24), (120, 36), (160, 45)]
ENTRIES = (
    entry(43, "override", action="trip", target="toxicity", why="provider bug", op_id="OP3"),
    entry(42, "outcome", action="trip", confirm_class="C1", details={"outcome": "applied"}),
    entry(41, "intent", action="trip", before="CLOSED", wanted="FORCED_OPEN"),
    entry(40, "note", target="fraud-scorer", why="looked at the dashboards"),
)


def night(*overrides: Override, **record: object) -> Snapshot:
    fields: dict[str, object] = {
        "state": "open", "place": "/var/lib/midwatch/journal.db", "read_at": SAMPLE_NOW,
        "head_seq": 43, "followed_from": 12, "entries": ENTRIES, **record,
    }  # fmt: skip
    told = Record(**fields)  # type: ignore[arg-type]
    return replace(sample_snapshot(), overrides=overrides, record=told)


async def shown(pilot: Pilot[None], screen: type[ListScreen], *, panes: bool = False) -> ListScreen:
    app = pilot.app
    assert isinstance(app, MidwatchApp)
    await settle(pilot, panes=panes)
    made = keyed(screen, app.session.keys)(app.session)
    await app.push_screen(made)
    await pilot.pause()
    return made


@pytest.mark.parametrize("size", SIZES)
async def test_who_what_until_when_and_what_ends_it(size: tuple[int, int]) -> None:
    nobody = replace(fallback("kyc-vision", "rules"), op_id="OP9", enforced_by="nobody")
    app, _ = make_app(night(held(), fallback(), nobody))
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot, OverridesScreen)
        lines = picture(app)
        assert "OVERRIDES" in lines[1]
        assert "in force 3 next 12m 1 NO END" in lines[1]
        rows = [line for line in lines[4:] if "NO END" in line or "12m" in line or "1h" in line]
        assert "kyc-vision" in rows[0]  # nobody ends it: before those that end by themselves
        assert "toxicity" in rows[1]
        assert "F-OP" in rows[1]
        assert "service" in rows[1]
        assert "li" in rows[1]
        assert "doc-extract" in rows[2]
        assert "keeper" in rows[2]
        screen.grid.move_cursor_to(held().op_id)
        await pilot.pause()
        detail = part(app, "#detail")
        assert "WHY    provider bug" in detail
        assert "ENDS   02:59:13Z, in 12m, then half-open; the service ends it by itself" in detail
        assert "SEEN   breaker F-OP refusing by hand" in detail
        assert "SENT   nothing" in detail
        assert "e end now  r renew" in part(app, "#footer")
        assert len(lines) == size[1]


@pytest.mark.parametrize("size", SIZES)
async def test_a_dead_keeper_is_loud_everywhere_until_one_comes(size: tuple[int, int]) -> None:
    app, engine = make_app(night(replace(fallback(), kept=False), keeper=""))
    async with app.run_test(size=size) as pilot:
        await shown(pilot, OverridesScreen)
        assert "in force 1 next 1h 1 NO END" in picture(app)[1]
        assert "no keeper runs" in picture(app)[1]
        detail = part(app, "#detail")
        assert "ENDS   NO END due 1h: 03:52:13Z, then restore" in detail
        assert "keeper gone: run midwatch keep" in detail
        await pilot.press("escape")
        assert "1 NO END" in part(app, "#header")
        assert "NO END due 1h" in "\n".join(picture(app))
        engine.tell(night(replace(fallback(), kept=True), keeper="keeper@ops-2:7"))
        await pilot.pause()
        assert "NO END" not in "\n".join(picture(app))


async def test_the_countdown_runs_and_an_overdue_one_shouts() -> None:
    clock = Clock()
    app, _ = make_app(night(held()), clock=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await shown(pilot, OverridesScreen)
        clock.now += 600.0
        screen.show_clock()
        assert "in 2:00, then half-open" in part(app, "#detail")
        clock.now += 300.0
        screen.show_clock()
        assert "OVERDUE 2m: 02:59:13Z, then half-open" in part(app, "#detail")
        assert "1 OVERDUE" in part(app, "#header")
        ends = screen.grid.rows.cells(0, ["ends"])[0]
        assert (ends.text, ends.role) == ("OVERDUE 2m", "s1")


async def test_nothing_held_and_nothing_known_are_different() -> None:
    app, engine = make_app(night())
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, OverridesScreen)
        assert "nothing is held by hand" in part(app, "#detail")
        engine.tell(night(state="unreadable", sentence="the disk is gone"))
        await pilot.pause()
        assert "nothing is held" not in part(app, "#detail")
        assert "not known: journal UNREADABLE" in part(app, "#detail")
        assert "in force ?" in part(app, "#header")


async def test_a_new_snapshot_keeps_the_cursor_on_its_override() -> None:
    app, engine = make_app(night(held(), fallback()))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot, OverridesScreen)
        await pilot.press("down")
        assert screen.grid.cursor_key == fallback().op_id
        soon = replace(fallback(), ends_at=SAMPLE_NOW + 60.0)
        engine.tell(night(held(), soon))
        await pilot.pause()
        assert screen.grid.cursor_key == fallback().op_id
        assert screen.grid.cursor_index == 0
        engine.tell(night(held()))
        await pilot.pause()
        assert screen.grid.cursor_key == held().op_id


async def test_keys_ask_for_ending_and_renewing_this_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, _ = make_app(night(held(), fallback()))
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        OverridesScreen, "ask_for", lambda self, action, op: asked.append((action, op))
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, OverridesScreen)
        await pilot.press("e", "down", "r", "u")
        assert asked == [
            ("act.end", held().op_id), ("act.renew", fallback().op_id),
            ("act.undo", fallback().op_id),
        ]  # fmt: skip


async def test_the_two_lists_lead_to_each_other() -> None:
    app, _ = make_app(night(held()))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("O")
        await pilot.pause()
        assert isinstance(app.screen, OverridesScreen)
        assert "J journal" in part(app, "#footer")
        await pilot.press("J")
        await pilot.pause()
        assert isinstance(app.screen, JournalScreen)
        assert "O overrides" in part(app, "#footer")
        await pilot.press("J", "O")
        await pilot.pause()
        assert not isinstance(app.screen, OverridesScreen | JournalScreen)


async def test_an_action_this_console_has_not_is_refused_with_a_sentence() -> None:
    app, _ = make_app(night(held()))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, OverridesScreen)
        screen.ask_for("act.fly", "x")
        assert "cannot be asked for here" in part(app, "#footer")


async def test_enter_opens_the_model_and_escape_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app(night(held(), held("dep:vector-db", op_id="OP7", ends_at=None)))
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        MidwatchApp,
        "on_action_asked",
        lambda self, message: asked.append((message.spec.id, message.argument)),
    )
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(pilot, OverridesScreen)
        assert screen.grid.cursor_key == "OP7"
        await pilot.press("enter")
        assert "only models" in part(app, "#footer")
        await pilot.press("down", "enter")
        await pilot.pause()
        assert asked == [("model.open", "toxicity")]
        assert ActionAsked is not None
        await pilot.press("escape")
        assert app.screen is not screen


@pytest.mark.parametrize("size", SIZES)
async def test_the_record_newest_first(size: tuple[int, int]) -> None:
    app, _ = make_app(night(held()))
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot, JournalScreen)
        keys = [screen.grid.rows.key(place) for place in range(4)]
        assert keys == ["43", "42", "41", "40"]
        assert "journal followed to #43" in part(app, "#header")
        lines = picture(app)
        assert any("outcome" in line and "applied" in line for line in lines)
        await pilot.press("down", "down")
        detail = part(app, "#detail")
        assert "STATE  CLOSED → FORCED_OPEN" in detail
        assert "WHO    li (operator.name), account li on ops-1" in detail


async def test_filter_while_typing_kept_and_taken_back() -> None:
    app, _ = make_app(night())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot, JournalScreen)
        await pilot.press("slash", *"trip")
        assert screen.row_count == 3
        await pilot.press("space", *"!intent", "enter")
        assert screen.row_count == 2
        assert "/trip !intent: 2" in part(app, "#header")
        await pilot.press("slash", *"x", "escape")
        assert screen.row_count == 2
        await pilot.press("escape")
        assert screen.row_count == 4
        assert app.screen is screen
        await pilot.press("escape")
        assert app.screen is not screen


async def test_enter_shows_an_entry_whole() -> None:
    app, _ = make_app(night())
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(pilot, JournalScreen)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Textbox)
        text = "\n".join(picture(app))
        assert "prev hash" in text
        assert "provider bug" in text


async def test_a_broken_entry_stands_where_it_broke() -> None:
    broken = (BrokenEntry(42, "its bytes do not match its hash"), BrokenEntry(39, "gone"))
    app, _ = make_app(night(broken=broken))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(pilot, JournalScreen)
        assert "journal BROKEN at #42" in part(app, "#header")
        kinds = [screen.grid.rows.cells(place, ["kind"])[0].text for place in range(5)]
        assert kinds == ["override", "BROKEN", "intent", "note", "BROKEN"]
        await pilot.press("end")
        assert "entry 39 cannot be read: gone" in part(app, "#detail")


class ReadingEngine(StubEngine):
    """An engine that also reads the journal when it is asked to."""

    def __init__(self, *snapshots: Snapshot) -> None:
        super().__init__(*snapshots)
        self.judged: Verification | str = ""
        self.pages: list[RecordPage] = []
        self.asked_before: list[int] = []

    def request_journal_page(self, before_seq: int, deliver: Callable[[RecordPage], None]) -> None:
        self.asked_before.append(before_seq)
        deliver(self.pages.pop(0))

    def request_verification(self, deliver: Callable[[Verification | str], None]) -> None:
        deliver(self.judged)


async def test_verify_and_older_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app(night())
    engine = ReadingEngine(night())
    monkeypatch.setattr(app, "_make_engine", lambda: engine)
    head = JournalHead(chain="c", seq=43, hash="h", at=SAMPLE_NOW)
    good = Verification(
        ok=True,
        entries=43,
        first_seq=1,
        head=head,
        end="not proven",
        sentence="whole; end not proven (no anchor names it)",
    )
    async with app.run_test(size=(160, 45)) as pilot:
        screen = await shown(pilot, JournalScreen)
        assert "chain not verified yet: v" in part(app, "#header")
        engine.judged = good
        await pilot.press("v")
        await pilot.pause()
        assert "43 entries verified 02:47:13Z, end not proven" in part(app, "#header")
        assert "whole; end not proven (no anchor names it)" in part(app, "#footer")
        engine.judged = replace_verification(good)
        await pilot.press("v")
        await pilot.pause()
        assert "BROKEN at #7: edited" in part(app, "#header")
        engine.judged = "the anchor /mnt/w/heads cannot be read: no such file"
        await pilot.press("v")
        await pilot.pause()
        assert "not verified: the anchor /mnt/w/heads cannot" in part(app, "#header")
        assert "the anchor /mnt/w/heads cannot be read: no such file" in part(app, "#footer")
        engine.pages = [RecordPage((entry(39), entry(38))), RecordPage(sentence="it is locked")]
        await pilot.press("m")
        await pilot.pause()
        assert screen.row_count == 6
        await pilot.press("m")
        await pilot.pause()
        assert "it is locked" in part(app, "#footer")
        assert engine.asked_before == [40, 38]


def replace_verification(good: Verification) -> Verification:
    from msgspec.structs import replace as changed

    return changed(good, ok=False, bad_seq=7, problem="edited")


async def test_an_engine_that_cannot_read_the_journal_names_the_command() -> None:
    app, _ = make_app(night())
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, JournalScreen)
        if not hasattr(StubEngine, "request_verification"):
            await pilot.press("v")
            assert "midwatch journal verify" in part(app, "#footer")


@pytest.mark.parametrize("screen", [OverridesScreen, JournalScreen])
@pytest.mark.parametrize("options", [ConsoleOptions(ascii=True), ConsoleOptions(colour=False)])
async def test_hostile_text_obeys_nobody(screen: type[ListScreen], options: ConsoleOptions) -> None:
    overrides = tuple(
        held(name, op_id=f"OP{number}", by=name, reason=name, wanted=name, incident=name)
        for number, name in enumerate(HOSTILE_NAMES)
    )
    entries = tuple(
        entry(
            100 - number, "outcome", action=name, target=name, why=name, op_id=name,
            before=name, after={name: name}, details={"outcome": name, "text": name},
        )
        for number, name in enumerate(HOSTILE_NAMES)
    )  # fmt: skip
    app, _ = make_app(night(*overrides, entries=entries), options=options)
    async with app.run_test(size=(80, 24)) as pilot:
        made = await shown(pilot, screen)
        for _ in HOSTILE_NAMES:
            lines = picture(app)
            assert all("\x1b" not in line and "\u202e" not in line for line in lines)
            if options.ascii:
                own = "".join(lines[3:4])
                assert own.isascii()
            await pilot.press("down")
        assert made.row_count == len(HOSTILE_NAMES)
        await pilot.press("enter")
        await pilot.pause()
        assert all("\x1b" not in line for line in picture(app))


@pytest.mark.parametrize("screen", [OverridesScreen, JournalScreen])
async def test_too_small_says_so_and_growing_helps(screen: type[ListScreen]) -> None:
    app, _ = make_app(night(held()))
    async with app.run_test(size=(50, 10)) as pilot:
        await shown(pilot, screen)
        assert "60x16 is the least" in part(app, "#header")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "toxicity" in "\n".join(picture(app))


async def test_before_the_first_answer() -> None:
    app, _ = make_app()
    app.session.snapshot = None
    async with app.run_test(size=(80, 24)) as pilot:
        for screen in (OverridesScreen, JournalScreen):
            app.session.snapshot = None
            await app.push_screen(keyed(screen, app.session.keys)(app.session))
            await pilot.pause()
            assert "waiting for the first answer" in part(app, "#header") or app.session.snapshot
        app.post_message(SnapshotArrived(night(held())))
        await pilot.pause()
        assert "journal followed to #43" in part(app, "#header")


def test_words_of_a_filter() -> None:
    assert matches("outcome trip toxicity applied", ["trip", "!failed"])
    assert not matches("outcome trip toxicity failed", ["trip", "!failed"])
    assert matches("anything", [])


def _column(snapshot: Snapshot, now: float = SAMPLE_NOW, height: int = 30) -> list[str]:
    lines = side_lines(snapshot, now, 38, height, glyphs(False))
    return ["".join(text for text, _ in line) for line in lines]


def test_the_side_column_counts_down_what_is_in_force() -> None:
    text = _column(night(held(), fallback()))
    assert text[0].startswith("│ IN FORCE 2")
    assert "F-OP toxicity" in text[1]
    assert text[1].endswith("li 12m → half-open")
    later = _column(night(held(), fallback()), SAMPLE_NOW + 450.0)
    assert "4:30 → half-open" in later[1]
    assert all(len(line) <= 38 for line in later)
    assert "DEPENDENCIES" in text[4]


def test_the_side_column_says_what_it_does_not_know_and_how_many_more() -> None:
    assert "nothing held by hand" in _column(night())[1]
    lost = _column(night(held(), state="unreadable", sentence="the disk is gone"))
    assert "IN FORCE 1?" in lost[0]
    assert "journal UNREADABLE" in lost[1]
    many = tuple(held(f"m{number}", op_id=f"OP{number}") for number in range(20))
    crowded = _column(night(*many), height=24)
    assert any("more: O" in line for line in crowded)
    assert any("DEPENDENCIES" in line for line in crowded)
    without = replace(sample_snapshot())
    assert "DEPENDENCIES" in _column(without)[0]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"http://10.0.0.1:8080": "fraud-small"}, "STATE  primary → fraud-small"),
        ({"a": "CLOSED", "b": "CLOSED"}, "STATE  primary → CLOSED (2 targets)"),
        ({"b": "CLOSED", "a": "FORCED_OPEN"}, "STATE  primary → a FORCED_OPEN, b CLOSED"),
        ({"a": None}, 'STATE  primary → {"a": null}'),
    ],
)
def test_a_state_of_several_targets_is_told_in_words(after: object, said: str) -> None:
    told = entry(7, "outcome", before="primary", after=after)
    lines = entry_details(told, "", SAMPLE_NOW, 100, glyphs(ascii_only=False))
    assert "".join(run.text for run in lines[4]).rstrip() == said


async def test_a_sentence_that_is_too_long_for_the_bottom_line_ends_in_an_ellipsis() -> None:
    app, _ = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.screen.say("a" * 60 + " " + "b" * 60)  # type: ignore[attr-defined]
        assert part(app, "#footer") == "a" * 60 + " " + "b" * 18 + "…"
