"""The box of a decision: which of the eight, what stands against it, and what a yes sends on."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot

from console.app import MidwatchApp
from console.domain.decision import DECISION_KINDS, KIND_MEANS
from console.domain.signals import SIGNALS
from console.engine.client import Refused
from console.screens.dialogs import decide_form
from console.screens.dialogs.decide_box import DecideBox
from console.screens.dialogs.decide_form import MORE, DecideForm, Field
from tests.screens.deciding import deciding_app
from tests.screens.support import Clock, alive, fleet, part, picture, settle
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW
from tests.support.stub_engine import StubEngine
from widgets.text_width import cells_of

SIZES = [(80, 24), (120, 36), (160, 45)]
DAY = 86400.0


def shown(app: MidwatchApp) -> str:
    return "\n".join(picture(app))


async def opened(pilot: Pilot[None], *keys: str) -> DecideBox:
    await settle(pilot)
    await pilot.press("D", *keys)
    await pilot.pause()
    box = pilot.app.screen
    assert isinstance(box, DecideBox)
    return box


def focus(box: DecideBox) -> str:
    return box.form.focus_on


async def rest(pilot: Pilot[None], box: DecideBox) -> None:
    """Go on to Cancel, where letters are keys."""
    while box.form.in_text:
        await pilot.press("down")


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if letter == " " else letter for letter in text))


async def pasted(pilot: Pilot[None], text: str) -> None:
    pilot.app.screen.post_message(events.Paste(text))
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_all_eight_are_offered_and_what_is_refused_says_why(size: tuple[int, int]) -> None:
    app, engine = deciding_app(Clock(), broken=True)
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        text = shown(app)
        for number, kind in enumerate(DECISION_KINDS):
            assert f"{number + 1}  {kind}" in text
            assert KIND_MEANS[kind][:30] in text
        assert "22.0% of input values are missing" in text
        assert engine.decisions_asked[0][1] == ()
        await pilot.press("escape")
        await pilot.pause()
        assert not engine.decisions_written
        assert "cancelled: nothing was written" in part(app, "#footer")


@pytest.mark.parametrize("size", SIZES)
async def test_evidence_lineage_and_what_follows_are_seen_before_the_yes(
    size: tuple[int, int],
) -> None:
    app, engine = deciding_app(Clock())
    async with app.run_test(size=size) as pilot:
        box = await opened(pilot, "2")
        assert box.form.focus_on == "cancel"
        text = shown(app)
        for said in (
            "Decide about fraud-scorer: HOLD", "burn_page_fast (S1)", "PSI .27",
            f"of {len(SIGNALS)} signals frozen",
            "version v41", "approver ?", "not known: when it was trained",
            "for a second person, from another login", "once approved", "tags", "[ Cancel ]",
            'press Y = "HOLD fraud-scorer"', "read 0s ago",
        ):  # fmt: skip
            assert said in text, said
        await pilot.press("d")
        await pilot.pause()
        assert "trigger" in shown(app)
        await pilot.press(*["pagedown"] * 20)
        assert "call" in shown(app)
        await pilot.press("d", "enter")
        await pilot.pause()
        assert not engine.decisions_written


async def test_a_second_person_decides_what_is_sent_so_nothing_goes_out_yet() -> None:
    app, engine = deciding_app(Clock())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, "2", "r")
        await typed(pilot, "labels are late")
        await pilot.press("shift+tab")
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        (written,) = engine.decisions_written
        decision = written.decision
        assert (decision.kind, decision.reason) == ("HOLD", "labels are late")
        assert decision.review_by == pytest.approx(SAMPLE_NOW + 14 * DAY)
        assert [each.sink for each in decision.sends] == ["tags"]
        assert not engine.performed
        assert f"waits: midwatch approve {decision.id}" in part(app, "#footer")


async def test_a_yes_is_looked_at_once_more_and_then_written_and_sent_on() -> None:
    app, engine = deciding_app(Clock())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press(":", *"decide", "space", *"churn-ranker", "space", *"rollback", "enter")
        await pilot.pause()
        box = app.screen
        assert isinstance(box, DecideBox)
        await pilot.press("Y")
        assert "too quick" in box.form.hint
        await alive(pilot)
        await pilot.press("Y")
        assert (focus(box), "say why" in box.form.hint) == ("reason", True)
        await typed(pilot, "v42 fails on new merchants")
        await pilot.press("tab")
        await pilot.press("ctrl+u")
        await typed(pilot, "someday")
        await pilot.press("down", "down", "down", "down")
        assert focus(box) == "to"
        await typed(pilot, "41")
        await pilot.press("down")
        await alive(pilot)
        text = shown(app)
        assert "alias 40 → 41" in text
        assert "churn-ranker: the alias moves" in text
        await rest(pilot, box)
        await pilot.press("Y")
        assert (focus(box), "someday" in box.form.hint) == ("review", True)
        await pilot.press("ctrl+u")
        await typed(pilot, "7d")
        await rest(pilot, box)
        await pilot.press("Y")
        assert (focus(box), "type churn-ranker exactly" in box.form.hint) == ("typed", True)
        await typed(pilot, "churn-ranker")
        await pilot.press("enter")
        await pilot.pause()
        (written,) = engine.decisions_written
        assert written.decision.to_version == "41"
        assert written.decision.review_by == pytest.approx(SAMPLE_NOW + 7 * DAY)
        sent = [(one.request.verb, confirmation.typed) for one, confirmation in engine.performed]
        assert sent == [("tags", "tags:churn-ranker"), ("alias", "alias:churn-ranker")]
        ids = {wish.id for wish, _ in engine.decisions_asked if wish.id}
        assert ids == {written.decision.id}


async def test_sending_can_be_left_out_and_a_refusal_needs_its_reason() -> None:
    app, engine = deciding_app(Clock(), broken=True)
    async with app.run_test(size=(120, 36)) as pilot:
        box = await opened(pilot, "1", "s")
        await alive(pilot)
        assert engine.decisions_asked[-1][1] == ()
        await pilot.press("r")
        await typed(pilot, "drift since spring")
        await pilot.press("up")
        await pilot.press("Y")
        assert (focus(box), "go against it" in box.form.hint) == ("despite", True)
        await typed(pilot, "logs before May are clean")
        await pilot.press("enter")
        await pilot.pause()
        (written,) = engine.decisions_written
        assert written.decision.despite == "logs before May are clean"
        assert written.decision.sends == ()


async def test_what_was_not_written_is_said_with_its_reason() -> None:
    app, engine = deciding_app(Clock())
    engine.answer_write = lambda one: Refused(("ben wrote about it meanwhile",))
    async with app.run_test(size=(120, 36)) as pilot:
        await confirmed(pilot, engine)
        assert "nothing was written: ben wrote about it meanwhile" in part(app, "#footer")
        assert not engine.performed


async def confirmed(pilot: Pilot[None], engine: StubEngine) -> None:
    await opened(pilot, "2", "r")
    await typed(pilot, "labels are late")
    await pilot.press("up")
    await alive(pilot)
    await pilot.press("Y")
    await pilot.pause()
    assert engine.decisions_written


async def test_numbers_that_change_under_the_box_are_read_again_before_a_yes() -> None:
    clock = Clock()
    app, engine = deciding_app(clock)
    async with app.run_test(size=(120, 36)) as pilot:
        box = await opened(pilot, "2", "r")
        await typed(pilot, "labels are late")
        await pilot.press("up")
        await alive(pilot)
        answer = engine.answer_decision
        engine.answer_decision = lambda wish, sinks: answer(wish, ())
        await pilot.press("Y")
        await pilot.pause()
        assert not engine.decisions_written
        assert "something is different now" in shown(app)
        assert box.form.phase == "asking"


async def test_a_console_that_may_not_write_opens_no_box() -> None:
    app, engine = deciding_app(Clock(), writes="never")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await pilot.pause()
        assert not isinstance(app.screen, DecideBox)
        assert "read-only" in part(app, "#footer")
        assert not engine.decisions_asked


@pytest.mark.parametrize("size", SIZES)
async def test_the_second_page_takes_what_the_command_takes(size: tuple[int, int]) -> None:
    app, engine = deciding_app(Clock())
    options = "RETRAIN; COLLECT-LABELS ;; wait for the spring campaign to end, it is May soon"
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        fleet(app).grid.move_cursor_to("churn-ranker")
        box = await opened(pilot, "2")
        await alive(pilot)
        assert "approver, options, trigger, incident" in shown(app)
        assert "m more" in shown(app)
        await pilot.press("m")
        assert (focus(box), box.form.fields[-1]) == ("approver", "incident")
        text = shown(app)
        for said in ("HOLD, more", "approver", "options", "trigger", "incident", "Esc back"):
            assert said in text, said
        assert "Who is asked to approve it, from another login. Tier 1 always asks one." in text
        await typed(pilot, "ben")
        await pilot.press("enter")
        await pasted(pilot, options)
        assert options in " ".join(shown(app).replace("│", " ").split())  # whole, not cut
        await pilot.press("tab")
        await pasted(pilot, "weekly look")
        await pilot.press("down")
        await pasted(pilot, "4b1c9e07")
        await pilot.press("enter")
        await alive(pilot)
        assert (focus(box), box.form.hint) == ("cancel", "")
        text = shown(app)
        assert "approver ben · 3 options · trigger in own words · incident 4b1c9e07" in text
        assert "for a second person, from another login" in text
        await pilot.press("r")
        await pasted(pilot, "labels are late")
        await rest(pilot, box)
        await pilot.press("Y")
        await pilot.pause()
        (written,) = engine.decisions_written
        decision = written.decision
        assert (decision.approver, decision.needs_approval) == ("ben", True)
        assert decision.options == (
            "RETRAIN", "COLLECT-LABELS", "wait for the spring campaign to end, it is May soon",
        )  # fmt: skip
        assert (decision.trigger, decision.incident) == ("weekly look", "4b1c9e07")
        assert not engine.performed


async def test_an_approver_who_decides_it_is_refused_and_can_be_corrected() -> None:
    app, engine = deciding_app(Clock())
    async with app.run_test(size=(80, 24)) as pilot:
        box = await opened(pilot, "2", "m")
        assert "and this model is tier 1." in shown(app)
        await typed(pilot, "ana")
        await pilot.press("escape")
        await alive(pilot)
        assert "refused: ana decides it; the approver is another person" in shown(app)
        await pilot.press("Y")
        assert "nothing overrules it" in box.form.hint
        await pilot.press("m", "ctrl+u", "escape")
        await alive(pilot)
        assert not box.form.forbidden
        await pilot.press("escape")
        assert box.form.phase == "choosing"
        assert not engine.decisions_written


async def test_the_second_page_writes_nothing_by_itself_and_wraps() -> None:
    app, engine = deciding_app(Clock(), ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        box = await opened(pilot, "2", "m")
        await pilot.press("shift+tab")
        assert focus(box) == "incident"
        await pilot.press("tab", "Y", "d", "q", "s")
        assert (focus(box), box.form.text("approver")) == ("approver", "Ydqs")
        assert all(line.isascii() for line in picture(app))
        assert not engine.decisions_written


async def test_the_incident_of_the_row_is_named_and_not_taken() -> None:
    form = DecideForm("fraud-scorer", "HOLD", here="4b1c9e07")
    form.turn()
    form.focus_on = "incident"
    text = "\n".join("".join(run.text for run in line) for line in decide_form.page(form, 76))
    assert "This row's is 4b1c9e07." in text
    assert form.wish(SAMPLE_NOW).incident == ""


@pytest.mark.parametrize("text", [*HOSTILE_NAMES, "x" * 600, "a b " * 150])
@pytest.mark.parametrize("field", MORE)
def test_no_text_of_the_second_page_outgrows_it(text: str, field: Field) -> None:
    form = DecideForm("fraud-scorer", "HOLD")
    form.turn()
    form.focus_on = field
    form.write(text)
    lines = decide_form.page(form, 76)
    assert len(lines) <= 22
    for line in lines:
        plain = "".join(run.text for run in line)
        assert plain.isprintable()
        assert cells_of(plain) <= 76
    if text.startswith("x"):
        assert sum(run.text.count("x") for line in lines for run in line if run.text) >= 600


async def test_without_colour_and_in_ascii_it_says_the_same() -> None:
    app, _ = deciding_app(Clock(), broken=True, ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert all(line.isascii() for line in picture(app))
        assert "x train anew" in shown(app)
