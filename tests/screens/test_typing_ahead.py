"""Letters typed quickly after a key that opens something never run as actions."""

import pytest
from textual import events

from tests.screens.support import fleet, make_app, settle
from tests.support.snapshots import sample_snapshot


@pytest.mark.parametrize(("opens", "label"), [("slash", "/"), ("colon", ":")])
async def test_what_is_typed_into_a_prompt_is_never_an_action(opens: str, label: str) -> None:
    app, _ = make_app(sample_snapshot())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        # As a terminal delivers a fast typist: all at once, before anything was drawn.
        app.post_message(events.Key(opens, label))
        for letter in "fTuzwq":
            app.post_message(events.Key(letter, letter))
        await settle(pilot)
        screen = fleet(app)
        assert app.screen is screen
        assert (screen.prompt.is_open, screen.prompt.label) == (True, label)
        assert screen.prompt.text == "fTuzwq"
        assert screen.frozen_at is None


async def test_keys_after_a_closed_prompt_are_actions_again() -> None:
    app, _ = make_app(sample_snapshot())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for key, letter in (("slash", "/"), ("x", "x"), ("escape", None)):
            app.post_message(events.Key(key, letter))
        await settle(pilot)
        await pilot.press("z")
        screen = fleet(app)
        assert not screen.prompt.is_open
        assert screen.frozen_at is not None
