"""The handover on screen: the document at three sizes, the question before it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.entry import Entry
from console.domain.text import ConsoleOptions
from console.engine.client import Refused
from console.handover.build import handover
from console.handover.handover_document import HandoverDocument
from console.handover.record import HandoverWish
from console.reports.redact import cleaned
from console.screens.handover import HandoverScreen, Span, handing, read_span
from console.screens.panels.documents import document_lines
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.reports.samples import SHIFT, shift_facts
from tests.screens.support import Clock, picture, settle
from tests.support.overrides import entry
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW, sample_snapshot
from tests.support.stub_engine import StubEngine
from themes.glyphs import glyphs
from widgets.prompt import Prompt
from widgets.text_width import cells_of
from widgets.textbox import Confirm

SIZES = [(80, 24), (120, 36), (160, 45)]


class HandingEngine(StubEngine):
    """A stub that gathers the sample shift and remembers what it was asked to write."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(sample_snapshot(), settings=settings)
        self.gathered: HandoverDocument | Refused = cleaned(handover(shift_facts(), SHIFT))
        self.since: list[float] = []
        self.to: list[str] = []
        self.written: list[HandoverWish] = []
        self.accepted = 0
        self.answer: tuple[Entry, tuple[str, ...]] | Refused = (
            entry(7, "handover_accepted", op_id="01ACCEPTED"), ("fraud-scorer: yours",),
        )  # fmt: skip

    def request_handover(
        self, since: float, to: str, deliver: Callable[[HandoverDocument | Refused], None]
    ) -> None:
        self.since.append(since)
        self.to.append(to)
        deliver(self.gathered)

    def write_handover(
        self, wish: HandoverWish, deliver: Callable[[Entry | Refused], None]
    ) -> None:
        self.written.append(wish)
        deliver(entry(6, "handover", op_id="01WRITTEN"))

    def accept_handover(
        self, deliver: Callable[[tuple[Entry, tuple[str, ...]] | Refused], None]
    ) -> None:
        self.accepted += 1
        deliver(self.answer)


def made(*, armed: bool = True, ascii_only: bool = False) -> tuple[MidwatchApp, HandingEngine]:
    settings = Settings(environment="prod", writes="open" if armed else "armed")
    engine = HandingEngine(settings)
    engine.clock = Clock()
    options = ConsoleOptions(ascii=ascii_only)
    app = MidwatchApp(
        Loaded(settings, {}, Path("unused.toml")), options, lambda: engine, clock=Clock(), zone=UTC
    )
    return app, engine


async def opened(pilot: Pilot[None]) -> HandoverScreen:
    await settle(pilot)
    await pilot.press("h")
    await pilot.pause()
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, HandoverScreen)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_the_document_is_there_line_by_line_and_scrolls(size: tuple[int, int]) -> None:
    app, engine = made()
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        assert engine.since == [SAMPLE_NOW - 12 * 3600.0]
        lines = picture(app)
        assert "HANDOVER" in lines[1]
        assert "2 things not known" in lines[1]
        assert lines[4].startswith("Handover of prod, 2026-10-22 02:47 UTC")
        assert any(line.startswith("State: 1 S1, 2 S2") for line in lines)
        assert "W write it" in lines[-1]
        assert "A accept" in lines[-1]
        assert "midwatch handover --edit" in lines[-2]
        await pilot.press("end")
        await pilot.pause()
        assert any(line.startswith("Journal: entry 10482") for line in picture(app))
        assert screen.row_count > 40


async def test_it_is_written_only_after_the_question() -> None:
    app, engine = made()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("W")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        await pilot.pause()
        assert engine.written == []
        await pilot.press("W")
        await pilot.pause()
        await pilot.press("Y")
        await pilot.pause()
        await pilot.pause()
        (wish,) = engine.written
        assert wish.text.startswith("# Handover of prod")
        assert wish.to == "ben"
        assert [each.incident for each in wish.holds] == ["4b1c9e07"]
        assert "written: 01WRITTEN" in picture(app)[-1]


async def test_one_is_accepted_with_what_was_held_and_a_refusal_is_said() -> None:
    app, engine = made()
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("A", "Y")
        await pilot.pause()
        await pilot.pause()
        assert engine.accepted == 1
        assert "accepted: 01ACCEPTED; fraud-scorer: yours" in picture(app)[-1]
        engine.answer = Refused(("ana wrote it; the incoming person accepts it",))
        await pilot.press("A", "Y")
        await pilot.pause()
        await pilot.pause()
        assert "ana wrote it" in picture(app)[-1]


async def test_a_console_that_is_not_armed_writes_nothing() -> None:
    app, engine = made(armed=False)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("W")
        await pilot.pause()
        assert not isinstance(app.screen, Confirm)
        assert "read-only" in picture(app)[-1]
        await pilot.press("A")
        await pilot.pause()
        assert engine.written == []
        assert engine.accepted == 0


async def test_what_cannot_be_gathered_says_why_and_escape_goes_back() -> None:
    app, engine = made()
    engine.gathered = Refused(("the journal cannot be used",))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert "the journal cannot be used" in picture(app)[1]
        assert screen.row_count == 0
        await pilot.press("W")
        await pilot.pause()
        assert "no handover to write yet" in picture(app)[-1]
        engine.gathered = cleaned(handover(shift_facts(), SHIFT))
        await pilot.press("n")
        await pilot.pause()
        assert screen.row_count > 40
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, HandoverScreen)


async def test_an_ascii_terminal_gets_ascii() -> None:
    app, _ = made(ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for _ in range(4):
            assert all(line.isascii() for line in picture(app))
            await pilot.press("pagedown")
            await pilot.pause()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("width", [20, 80])
def test_no_name_is_wider_than_the_screen_or_moves_the_cursor(name: str, width: int) -> None:
    document = cleaned(handover(replace(shift_facts(), environment=name), SHIFT))
    for line in document_lines(document, width, glyphs(False)):
        assert line.text.isprintable()
        assert cells_of(line.text) <= width


async def command(pilot: Pilot[None], text: str) -> None:
    """Type a command line at once: a prompt takes a paste as it takes keys."""
    await pilot.press("colon")
    pilot.app.screen.query_one(Prompt).replace_text(text)
    await pilot.press("enter")
    await pilot.pause()
    await pilot.pause()


async def test_the_command_takes_the_span_and_who_comes_next() -> None:
    app, engine = made()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await command(pilot, "handover 8h --to ben")
        screen = app.screen
        assert isinstance(screen, HandoverScreen)
        assert (engine.since, engine.to) == ([SAMPLE_NOW - 8 * 3600.0], ["ben"])
        await command(pilot, 'handover --since 2026-10-22T01:00Z --to "ben w"')
        assert (engine.since[1:], engine.to[1:]) == ([SAMPLE_NOW - 6433.0], ["ben w"])
        await pilot.press("n")
        await pilot.pause()
        assert engine.to[2:] == ["ben w"]
        await command(pilot, "handover 15d")
        assert (
            "15d: a time in the last 14 days, such as 12h or 2026-11-23T02:00Z" in picture(app)[-1]
        )
        assert (app.screen, len(engine.since)) == (screen, 3)
        await command(pilot, "handover")
        assert not isinstance(app.screen, HandoverScreen)


async def test_a_span_that_is_none_is_said_and_opens_nothing() -> None:
    app, engine = made()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await command(pilot, "handover soon")
        assert not isinstance(app.screen, HandoverScreen)
        assert (
            "soon: a time in the last 14 days, such as 12h or 2026-11-23T02:00Z" in picture(app)[-1]
        )
        assert engine.since == []


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("", Span("12h", "")),
        ("8h", Span("8h", "")),
        ("--since=8h --to ben", Span("8h", "ben")),
        ("8h 9h", "9h is one word too many; :handover 12h --to NAME"),
        ("8h --since 9h", "8h is one word too many; :handover 12h --to NAME"),
        ("--since", "--since: a time in the last 14 days"),
        ("--accept", "--accept is not known here; there are --since, --to"),
        ("0s", "0s: a time in the last 14 days"),
        ("2027-01-01", "2027-01-01: a time in the last 14 days"),
        ("'8h", "a quotation mark is not closed"),
        ("\x1b[31m", "[31m: a time in the last 14 days"),
    ],
)
def test_what_is_typed_after_the_command(argument: str, wanted: Span | str) -> None:
    found = read_span(argument, SAMPLE_NOW)
    if isinstance(wanted, Span):
        assert found == wanted
    else:
        assert isinstance(found, str)
        assert wanted in found
        assert found.isprintable()


def test_an_engine_without_handovers_is_not_asked() -> None:
    assert handing(StubEngine()) is None
    assert handing(None) is None
