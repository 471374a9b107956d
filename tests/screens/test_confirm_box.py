"""The box before a change: what it shows, what it takes for a yes, and what it never does."""

from dataclasses import replace

import msgspec
import pytest
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.action import Guard, Outcome
from console.domain.text import ConsoleOptions
from console.engine.client import Refused
from console.screens.dialogs.confirm_box import ConfirmBox
from console.settings.schema import Settings, ShiftSettings
from tests.screens.support import Clock, alive, fleet, make_app, part, picture, settle, until
from tests.support.prepared import prepared_action
from tests.support.stub_engine import StubEngine

WRITABLE = Settings(environment="prod", writes="open")


def ready(
    settings: Settings = WRITABLE, clock: Clock | None = None, *, ascii_only: bool = False
) -> tuple[MidwatchApp, StubEngine]:
    """Return a console that may write, on an engine that prepares whatever is asked."""
    app, engine = make_app(settings=settings, clock=clock, options=ConsoleOptions(ascii=ascii_only))
    engine.clock = app.session.clock
    engine.answer_prepare = lambda request, together: prepared_action(
        request, confirm_class="C3" if together > 1 else "C1", now=app.session.clock()
    )
    return app, engine


async def box_of(pilot: Pilot[None], *keys: str) -> ConfirmBox:
    """Press keys and return the box they opened, once it can be confirmed."""
    await pilot.press(*keys)
    await pilot.pause()
    box = pilot.app.screen
    assert isinstance(box, ConfirmBox)
    return box


def shown(app: MidwatchApp) -> str:
    return "\n".join(picture(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_everything_is_said_before_it_is_asked(size: tuple[int, int]) -> None:
    app, engine = ready()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        text = shown(app)
        for said in (
            "class C1", "primary → FORCED_OPEN", "414 req/min (2 s ago, n=2070)", "2.5% of fleet",
            "84% of tier 1", "unknown (the price is not measured)", "[ 1h ]", "shift end",
            "ended by the service itself", "[ Cancel ]", 'press Y = "Force open the breaker',
            "read 0s ago", "d exact request",
        ):  # fmt: skip
            assert said in text, said
        assert engine.prepares[0][0].target == "fraud-scorer"
        assert not engine.performed


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_the_shifts_end_is_the_configured_one_and_comes_nearer(
    size: tuple[int, int],
) -> None:
    clock = Clock()  # 02:47:13 UTC, 04:47:13 in Berlin
    shift = ShiftSettings(ends=("05:30", "17:30"), zone="Europe/Berlin")
    app, engine = ready(msgspec.structs.replace(WRITABLE, shift=shift), clock)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        assert "4 shift end 05:30 CEST" in shown(app)
        await alive(pilot)
        clock.now += 3.0
        await pilot.press("4", "r", *"shedding", "enter", "Y")
        await pilot.pause()
        [(prepared, _)] = engine.performed
        assert prepared.request.ttl_seconds == 42 * 60 + 44.0


async def test_cancel_has_the_focus_and_enter_is_no_yes() -> None:
    app, engine = ready()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "T")
        assert box.form.focus_on == "cancel"
        await alive(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert not engine.performed
        assert "cancelled: nothing was sent" in part(app, "#footer")


async def test_keys_typed_on_and_the_key_that_opened_it_confirm_nothing() -> None:
    app, engine = ready()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "T")
        await pilot.press("Y", "T")
        assert app.screen is box
        assert box.form.hint == "too quick: read it first"
        await alive(pilot)
        await pilot.press("T", "y", "space")
        await pilot.pause()
        assert app.screen is box
        assert not engine.performed


async def test_yes_sends_what_was_shown_with_reason_and_end() -> None:
    app, engine = ready()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("1", "r", *"shedding", "enter", "Y")
        await pilot.pause()
        [(prepared, confirmation)] = engine.performed
        assert prepared.request.reason == "shedding", "a suggested reason is written over"
        assert prepared.request.ttl_seconds == 900.0
        assert prepared.request.target == "fraud-scorer"
        assert (confirmation.yes, confirmation.typed, confirmation.break_glass) == (True, "", "")
        assert "trip fraud-scorer" in part(app, "#detail")
        engine.finish(Outcome(prepared.op_id, "applied", "now FORCED_OPEN", 1, 1))
        await pilot.pause()
        assert "written → sent → accepted" in part(app, "#detail")
        assert "u undoes" in part(app, "#detail")
        assert engine.refreshes == 1, "the effect is looked for at once"


async def test_a_reason_has_to_be_given() -> None:
    app, engine = ready()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("colon", *"trip", "space")
        box = await box_of(pilot, *"summarizer", "enter")
        assert box.form.requests[0].target == "summarizer"
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert app.screen is box
        assert box.form.focus_on == "reason"
        assert "say why" in shown(app)
        assert not engine.performed


async def test_the_target_is_the_one_of_the_key_press() -> None:
    app, engine = ready()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        fleet(app).grid.move_cursor_to("kyc-vision")
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert {request.target for request, _ in engine.prepares} == {"fraud-scorer"}
        assert engine.performed[0][0].request.target == "fraud-scorer"


async def test_what_changed_meanwhile_has_to_be_read_again() -> None:
    app, engine = ready()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "T")
        await alive(pilot)
        engine.answer_prepare = lambda request, together: prepared_action(
            request, before="fraud-small"
        )
        await pilot.press("Y")
        await pilot.pause()
        assert app.screen is box
        assert not engine.performed
        assert "it changed while you read: look again" in shown(app)
        await pilot.press("Y")
        assert not engine.performed, "the dead time begins anew"
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert len(engine.performed) == 1


async def test_old_facts_are_read_again_by_themselves() -> None:
    clock = Clock()
    app, engine = ready(clock=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        clock.now += 4.0
        await until(pilot, lambda: "read 4s ago" in shown(app), "its age stands still")
        assert len(engine.prepares) == 1
        clock.now += 4.0
        await until(
            pilot,
            lambda: len(engine.prepares) == 2 and "read 0s ago" in shown(app),
            "never read again",
        )


async def test_keys_are_barred_while_it_is_being_sent() -> None:
    app, engine = ready()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "T")
        await alive(pilot)
        engine.answer_prepare = lambda request, together: None
        await pilot.press("Y", "Y", "Y", "enter", "1")
        assert app.screen is box
        assert box.form.phase == "checking"
        assert len(engine.prepares) == 2, "once to show, once before sending, never again"
        await pilot.press("escape")
        await pilot.pause()
        assert not engine.performed


async def test_a_second_action_on_the_same_target_waits_for_the_first() -> None:
    app, engine = ready()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        await pilot.press("K")
        assert "still on its way" in part(app, "#footer")
        assert len(engine.performed) == 1


async def test_c2_wants_the_name_typed() -> None:
    app, engine = ready()
    engine.answer_prepare = lambda request, together: prepared_action(request, confirm_class="C2")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "C")
        await alive(pilot)
        assert "type fraud-scorer and press Enter" in shown(app)
        await pilot.press("Y", *"fraud", "enter")
        await pilot.pause()
        assert app.screen is box
        assert "type fraud-scorer exactly" in shown(app)
        await pilot.press("minus", *"scorer", "enter")
        await pilot.pause()
        assert engine.performed[0][1].typed == "fraud-scorer"


async def test_letters_and_digits_go_to_the_name_that_is_asked_for() -> None:
    # `r` is in the name and was the key of the reason; a digit was the choice of an end.
    app, engine = ready()
    engine.answer_prepare = lambda request, together: prepared_action(request, confirm_class="C2")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "C")
        await alive(pilot)
        chosen, reason = box.form.chosen, box.form.reason
        assert box.form.focus_on == "cancel"
        await pilot.press("f2")
        assert box.exact
        await pilot.press("f2", *"fraud", "minus", *"scorer1", "backspace")
        assert (box.form.typed, box.form.reason, box.form.chosen) == (
            "fraud-scorer",
            reason,
            chosen,
        )
        await pilot.press("enter")
        await pilot.pause()
        assert engine.performed[0][1].typed == "fraud-scorer"


async def test_c3_without_a_shared_journal_takes_a_break_glass_reason() -> None:
    app, engine = ready()
    guard = Guard("residency", "refuse", "fraud-us serves in us; allowed is eu only")
    engine.answer_prepare = lambda request, together: prepared_action(
        request, confirm_class="C3", guards=(guard,)
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        text = shown(app)
        assert "✗ fraud-us serves in us; allowed is eu only" in text
        assert "no shared journal" in text
        await pilot.press("Y", *"fraud", "minus", *"scorer", "enter")
        await pilot.pause()
        assert not engine.performed, "the name alone is not enough"
        await pilot.press(*"outage", "enter")
        await pilot.pause()
        assert engine.performed[0][1].break_glass == "outage"


async def test_c3_waits_for_a_second_person() -> None:
    app, engine = ready()
    engine.shared_journal = True
    engine.answer_prepare = lambda request, together: prepared_action(request, confirm_class="C3")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "T")
        await alive(pilot)
        app.session.take_mode()
        await pilot.press("Y", *"fraud", "minus", *"scorer", "tab", "tab")
        assert box.form.focus_on == "cancel"
        await pilot.press("f3")
        await pilot.pause()
        op = box.form.first.op_id
        assert f"midwatch approve {op}" in shown(app)
        await pilot.press("Y")
        assert not engine.performed
        engine.approve("joel")
        await pilot.pause()
        assert "approved by joel" in shown(app)
        await pilot.press("Y")
        await pilot.pause()
        assert engine.performed[0][1].approved_by == "joel"


async def test_leaving_while_waiting_asks_nobody_any_more() -> None:
    app, engine = ready()
    engine.shared_journal = True
    engine.answer_prepare = lambda request, together: prepared_action(request, confirm_class="C3")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        box = await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("Y", *"fraud", "minus", *"scorer", "f3")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert engine.forgotten == [box.form.first.op_id]
        engine.approve("joel")
        await pilot.pause()
        assert not engine.performed


async def test_what_nothing_overrules_has_no_yes() -> None:
    app, engine = ready()
    guard = Guard("impossible", "forbid", "the control cannot be read: [/x] \x1b[2J")
    engine.answer_prepare = lambda request, together: prepared_action(request, guards=(guard,))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        text = shown(app)
        assert "refused: the control cannot be read: [/x]" in text
        assert "\x1b" not in text
        assert "press Y" not in text
        await pilot.press("Y")
        await pilot.pause()
        assert not engine.performed


async def test_a_refusal_keeps_the_box_with_the_reason() -> None:
    app, engine = ready()
    engine.answer_prepare = lambda request, together: Refused(
        ("nothing declared can trip fraud-scorer: declare models.fraud-scorer.controls.breaker",)
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        text = shown(app)
        assert "✗ refused: nothing declared can trip fraud-scorer" in text
        assert "nothing was sent" in text
        await pilot.press("enter")
        await pilot.pause()
        assert not isinstance(app.screen, ConfirmBox)


async def test_d_shows_the_exact_request_its_inverse_and_the_command() -> None:
    app, engine = ready()
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T", "d")
        text = shown(app)
        assert "PUT http://fraud-0.example.net:8080/control/route" in text
        assert "Authorization: <redacted>" in text
        assert "inverse" in text
        assert "midwatch trip fraud-scorer" in text
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmBox), "Esc leaves the exact view first"
        assert not engine.performed


async def test_no_end_is_said_loudly() -> None:
    app, engine = ready()
    engine.answer_prepare = lambda request, together: prepared_action(
        request, confirm_class="C2", enforced_by="nobody"
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        assert "NO END" in shown(app)


async def test_ascii_only_sends_ascii() -> None:
    app, _ = ready(ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        assert shown(app).isascii(), [line for line in picture(app) if not line.isascii()]


async def test_u_undoes_the_last_action() -> None:
    app, engine = ready()
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("u")
        assert "nothing to undo" in part(app, "#footer")
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        op = engine.performed[0][0].op_id
        engine.finish(Outcome(op, "applied", "now FORCED_OPEN", 1, 1))
        await pilot.pause()
        engine.answer_prepare = lambda request, together: replace(
            prepared_action(request, number=2), ttl_seconds=None
        )
        await box_of(pilot, "u")
        asked = engine.prepares[-1][0]
        assert (asked.purpose, asked.ends_op) == ("undo", op)
        assert "Undo: Switch fraud-scorer" in shown(app)
