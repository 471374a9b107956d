"""The frugal painter in a real pseudo-terminal: the same picture as without it, for fewer bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import textual
from textual.app import App

from tests.support.emulated import EmulatedSession
from tests.support.pty_session import visible_bytes
from widgets import diff_renderer as frugal
from widgets.diff_renderer import FrugalApp, erases_in_colour, reason_to_stay_off

STEPS = {
    "n": "another tick",
    "i": "nothing changed",
    "o": "hostile and wide text",
    "d": "a page down",
    "t": "a modal box over it",
    "u": "a tick under the modal",
    "z": "the modal gone",
    "c": "another modal",
    "!": "the question answered",
    "f": "everything repainted",
}


@contextmanager
def running(
    width: int, height: int, *, on: bool, share: float = 0.1, columns: int = 18, **env: str
) -> Iterator[EmulatedSession]:
    session = EmulatedSession(
        ["-m", "tests.widgets.frugal_app", str(share), str(columns)],
        width,
        height,
        {"MIDWATCH_FRUGAL": "1" if on else "0", **env},
    )
    try:
        yield session
    finally:
        session.close()


class Walk:
    """Walks one session through steps and counts their bytes."""

    def __init__(self, session: EmulatedSession) -> None:
        self.session = session
        self._step = 1
        self.first = self._wait()

    def _wait(self) -> int:
        written = self.session.read_until(b"\x1b]2;step %d\x07" % self._step)
        self.session.show(written)
        self._step += 1
        return visible_bytes(written)

    def press(self, key: str) -> int:
        self.session.send(key)
        return self._wait()

    def close_question(self) -> None:
        self.session.send("Y")
        self.session.show(self.session.read_quiet(0.5))


@pytest.mark.parametrize(
    ("theme", "width", "height"), [("dark", 160, 45), ("ansi", 80, 24), ("mono", 120, 30)]
)
def test_the_picture_is_the_same_with_and_without_it(theme, width, height):
    with (
        running(width, height, on=False, MIXED="1", STEP_THEME=theme) as plain,
        running(width, height, on=True, MIXED="1", STEP_THEME=theme) as thrifty,
    ):
        walks = Walk(plain), Walk(thrifty)
        assert walks[1].first * 3 < walks[0].first
        assert plain.cells() == thrifty.cells()
        for key in "nonntuunzdnic!nf":
            for walk in walks:
                if key == "!":
                    walk.close_question()
                else:
                    walk.press(key)
            assert plain.cells() == thrifty.cells(), f"differs after {STEPS[key]}"
        assert "MIDWATCH prod" in thrifty.text()


def test_a_resize_repaints_everything_and_the_picture_stays_the_same():
    with (
        running(120, 30, on=False, MIXED="1") as plain,
        running(120, 30, on=True, MIXED="1") as thrifty,
    ):
        walks = Walk(plain), Walk(thrifty)
        for width, height in ((90, 26), (140, 40), (140, 40)):
            for walk in walks:
                walk.session.resize(width, height)
                walk.session.show(walk.session.read_quiet(0.5))
                walk.press("n")
            assert plain.cells() == thrifty.cells()


def test_a_resize_to_the_same_size_heals_a_screen_that_was_written_over():
    with running(80, 24, on=True) as session:
        walk = Walk(session)
        before = session.text()
        session.show(b"\x1b[2J\x1b[Hwall message from root")
        session.resize(80, 24)
        session.show(session.read_quiet(0.5))
        walk.press("i")
        assert session.text() == before


@pytest.mark.parametrize(
    ("width", "height", "columns", "limit"), [(160, 45, 18, 1536), (80, 24, 8, 512)]
)
def test_a_tenth_of_the_cells_stays_within_the_budget(width, height, columns, limit):
    with (
        running(width, height, on=True, columns=columns) as thrifty,
        running(width, height, on=False, columns=columns) as plain,
    ):
        walks = Walk(thrifty), Walk(plain)
        spent = [[walk.press("n") for _ in range(5)] for walk in walks]
        assert max(spent[0]) <= limit
        assert sum(spent[0]) * 5 <= sum(spent[1])
        assert [walk.press("i") for walk in walks] == [0, 0]
        assert walks[0].first <= 12 * 1024


def test_when_every_cell_changes_it_never_sends_more_than_a_full_repaint():
    with (
        running(160, 45, on=True, share=1.0) as thrifty,
        running(160, 45, on=False, share=1.0) as plain,
    ):
        walk = Walk(thrifty)
        full = Walk(plain).press("f")
        assert max(walk.press("n") for _ in range(3)) <= full


def test_it_stays_off_with_a_textual_it_was_not_proved_on(monkeypatch):
    monkeypatch.delenv("MIDWATCH_FRUGAL", raising=False)
    assert reason_to_stay_off() == ""
    monkeypatch.setattr(textual, "__version__", "9.0.0")
    assert reason_to_stay_off() == "Textual is 9.0.0, proved on 8.2.8 only"
    monkeypatch.setenv("MIDWATCH_FRUGAL", "0")
    assert reason_to_stay_off() == "MIDWATCH_FRUGAL=0 turns it off"


def test_terminals_that_do_not_erase_in_colour_are_known():
    assert erases_in_colour({"TERM": "xterm-256color"})
    assert erases_in_colour({"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"})
    assert not erases_in_colour({"TERM": "screen-256color"})
    assert not erases_in_colour({"TERM": "xterm", "STY": "12.pts-0.host"})


async def test_an_app_says_why_it_is_not_frugal(monkeypatch):
    monkeypatch.setattr(textual, "__version__", "9.0.0")
    app: FrugalApp[None] = FrugalApp()
    async with app.run_test():
        assert not app.frugal
        assert "9.0.0" in app.frugal_off_reason


def test_the_internals_it_leans_on_are_there():
    from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
    from textual.geometry import Region

    assert textual.__version__ == frugal.PROVED_ON
    assert callable(App._display)
    assert issubclass(ChopsUpdate, CompositorUpdate)
    layout = LayoutUpdate([], Region(0, 0, 1, 1))
    chops = ChopsUpdate([], [(0, 0, 1)], [])
    assert (layout.strips, layout.region) == ([], Region(0, 0, 1, 1))
    assert (chops.chops, chops.spans, chops.chop_ends) == ([], [(0, 0, 1)], [])
    for name in ("_running", "_closed", "_batch_count", "_driver", "post_display_hook"):
        assert hasattr(App(), name), name


def test_a_failure_turns_it_off_and_the_picture_is_painted_anyway():
    with running(80, 24, on=True, BREAK="1") as broken, running(80, 24, on=False) as plain:
        walks = Walk(broken), Walk(plain)
        for walk in walks:
            walk.press("n")
        assert broken.cells() == plain.cells()
