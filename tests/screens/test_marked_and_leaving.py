"""Marked rows acted on as one set, and leaving while something is on its way."""

import pytest

from console.domain.action import ActionRequest, Outcome, PreparedAction, Together
from console.screens.base import ActionCame
from tests.screens.support import alive, part, settle
from tests.screens.test_confirm_box import box_of, ready, shown
from tests.support.prepared import prepared_action
from widgets.textbox import Textbox


async def test_marked_rows_are_acted_on_together_as_c3() -> None:
    app, engine = ready()
    numbers = iter(range(1, 99))

    def prepare(request: ActionRequest, together: int) -> PreparedAction:
        return prepared_action(
            request, confirm_class="C3" if together > 1 else "C1", number=next(numbers)
        )

    engine.answer_prepare = prepare
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("space", "space")
        assert "2 MARKED" in part(app, "#header")
        assert "▶fraud-scorer" in shown(app), "a mark is a sign, not a colour alone"
        await box_of(pilot, "T")
        text = shown(app)
        assert "class C3" in text
        assert "828 req/min in 2 models" in text
        assert {together for _, together in engine.prepares} == {2}
        await alive(pilot)
        await pilot.press("tab", "tab", *"shed", "enter", "2", "space")
        await pilot.press(*"models", "enter", *"outage", "enter")
        await pilot.pause()
        assert {one.request.target for one, _ in engine.performed} == {
            "fraud-scorer", "support-llm",
        }  # fmt: skip
        for one, confirmation in engine.performed:
            assert confirmation.typed == one.request.target
            assert confirmation.break_glass == "outage"
        assert not app.session.marked


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_a_second_person_confirms_the_marked_rows_as_one_set(size: tuple[int, int]) -> None:
    app, engine = ready()
    engine.shared_journal = True
    numbers = iter(range(1, 99))
    engine.answer_prepare = lambda request, together: prepared_action(
        request, confirm_class="C3", number=next(numbers)
    )
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.session.take_mode()
        await pilot.press("space", "space")
        box = await box_of(pilot, "T")
        await alive(pilot)
        assert "F3 asks a second person" in shown(app)
        await pilot.press("tab", "tab", *"shed", "enter", "2", "space", *"models", "tab", "tab")
        assert box.form.focus_on == "cancel"
        await pilot.press("f3")
        await pilot.pause()
        [asked] = engine.approvals
        assert {one.request.target for one in asked} == {"fraud-scorer", "support-llm"}
        assert f"midwatch approve {asked[0].op_id}" in shown(app)
        engine.approve("joel")
        await pilot.pause()
        await pilot.press("Y")
        await pilot.pause()
        assert [one.op_id for one, _ in engine.performed] == [one.op_id for one in asked]
        for _, confirmation in engine.performed:
            assert confirmation.approved_by == "joel"
            assert confirmation.break_glass == ""
            assert confirmation.together == Together.of(asked)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_a_quit_with_an_action_on_its_way_is_asked_about_once(size: tuple[int, int]) -> None:
    app, engine = ready()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        await pilot.press("q")
        await pilot.pause()
        footer = part(app, "#footer")
        assert "Trip fraud-scorer is still on its way; q once more leaves" in footer
        assert size[0] < 90 or "it is verified at the next start" in footer
        assert not engine.stopped
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running
    assert engine.stopped


async def test_another_action_is_asked_about_again_and_a_finished_one_never() -> None:
    app, engine = ready()
    numbers = iter(range(1, 99))
    engine.answer_prepare = lambda request, together: prepared_action(request, number=next(numbers))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("Y", "q")
        await pilot.pause()
        await pilot.press("down")
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("r", *"more", "enter", "Y")
        await pilot.pause()
        await pilot.press("q")
        await pilot.pause()
        assert "2 actions are still on their way; q once more leaves" in part(app, "#footer")
        for prepared, _ in engine.performed:
            done = Outcome(prepared.op_id, "applied", "done")
            app.post_message(ActionCame(prepared.op_id, "done", "", done))
        app.session.leaving_without = frozenset()
        await pilot.pause()
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running, "nothing is on its way any more"


async def test_ctrl_q_leaves_at_once_whatever_is_on_its_way() -> None:
    app, engine = ready()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("Y")
        await pilot.pause()
        assert engine.performed
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert not app.is_running
    assert engine.stopped


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
async def test_what_became_of_marked_rows_is_shown_row_by_row(size: tuple[int, int]) -> None:
    app, engine = ready()
    numbers = iter(range(1, 99))
    engine.answer_prepare = lambda request, together: prepared_action(
        request, confirm_class="C3", number=next(numbers)
    )
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("space", "space")
        await box_of(pilot, "T")
        await alive(pilot)
        await pilot.press("tab", "tab", *"shed", "enter", "2", "space")
        await pilot.press(*"models", "enter", *"outage", "enter")
        await pilot.pause()
        (first, _), (second, _) = engine.performed
        assert "trip 2 models" in part(app, "#detail")
        assert "2 on the way" in part(app, "#detail")
        done = Outcome(first.op_id, "applied", "now FORCED_OPEN", 1, 1)
        app.post_message(ActionCame(first.op_id, "done", "", done))
        await pilot.pause()
        assert "1 of 2 applied" in part(app, "#detail")
        assert not isinstance(app.screen, Textbox), "it is not over yet"
        other = Outcome(second.op_id, "rejected", "answered [/x] 409")
        app.post_message(ActionCame(second.op_id, "done", "", other))
        await pilot.pause()
        assert isinstance(app.screen, Textbox)
        text = shown(app)
        assert "trip 2 models: not all of them" in text
        assert "fraud-scorer             applied" in text
        assert "support-llm              REJECTED     answered [/x] 409" in text
        assert f":undo {first.op_id}" in text
        assert f":undo {second.op_id}" not in text
        await pilot.press("escape")
        await pilot.pause()
        assert "1 of 2 applied" in part(app, "#detail")
        assert "support-llm REJECTED" in part(app, "#detail")
