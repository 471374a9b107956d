"""Whatever a terminal sends, and whatever signal comes, the console lives or ends well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.terminal import Terminal, metrics_server
from widgets.terminal_driver import PASTE_LIMIT, InputText

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with metrics_server() as served:
        yield served


def test_bytes_that_are_no_text_end_nothing(url: str) -> None:
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        for data in (b"\xff", b"\xe9j", b"\xc3", b"\xed\xa0\x80", bytes(range(128, 256)), b"\0\0"):
            assert terminal.send(data)
        assert terminal.answers()
        assert terminal.leave() == 0
        assert terminal.broken() == ""


def test_a_big_paste_is_cut_and_the_next_key_is_answered(url: str) -> None:
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        before = terminal.resident_mib()
        terminal.send(b":")
        lines = b"\n".join(b"a line of a log %d" % number for number in range(50_000))
        assert terminal.send(b"\x1b[200~" + lines + b"\x1b[201~", 60.0)
        assert terminal.send(b"\x1b")
        assert terminal.answers()
        assert terminal.send(b"x" * 1_000_000, 60.0), "without bracketed paste"
        assert terminal.answers()
        assert terminal.resident_mib() < before + 150
        assert terminal.leave() == 0
        assert terminal.broken() == ""


def test_a_storm_of_the_mouse_is_swallowed(url: str) -> None:
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        storm = b"".join(b"\x1b[<35;%d;%dM" % (x % 90 + 1, x % 25 + 1) for x in range(20_000))
        assert terminal.send(storm, 60.0)
        assert terminal.answers()
        assert terminal.leave() == 0


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGUSR1, signal.SIGWINCH])
def test_signals_that_end_nothing(url: str, number: int) -> None:
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        terminal.signal(number)
        assert terminal.answers()
        assert terminal.leave() == 0
        assert terminal.broken() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_signals_that_end_give_the_terminal_back(url: str, number: int) -> None:
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        terminal.signal(number)
        assert terminal.ended() == 128 + number
        assert terminal.broken() == ""


def test_stopped_from_outside_it_gives_the_terminal_back_and_takes_it_again(url: str) -> None:
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        terminal.signal(signal.SIGTSTP)
        assert terminal.stopped()
        assert terminal.broken() == ""
        since = len(terminal.output)
        terminal.signal(signal.SIGCONT)
        assert terminal.wait_for(b"\x1b[?1049h", 20.0, since)
        assert terminal.wait_for(b"fraud-scorer", 20.0, since)
        assert terminal.answers()
        assert terminal.leave() == 0
        assert terminal.broken() == ""


@pytest.mark.parametrize("shell_took_it", [False, True])
def test_going_on_takes_the_terminal_once(url: str, shell_took_it: bool) -> None:
    """SIGCONT comes with every hang-up too, and after a SIGSTOP of which nobody was told."""
    with Terminal("--scrape", url) as terminal:
        assert terminal.ready()
        if shell_took_it:
            terminal.signal(signal.SIGSTOP)
            assert terminal.stopped()
            terminal.take_back()
        since = len(terminal.output)
        terminal.signal(signal.SIGCONT)
        if shell_took_it:
            assert terminal.wait_for(b"fraud-scorer", 60.0, since)
        assert terminal.answers(60.0)
        assert terminal.leave(60.0) == 0, "a second reader would never be ended"
        assert terminal.broken() == ""


@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [
        (0, ["--scrape", "{url}"], 64),
        (0, ["status", "--scrape", "{url}", "--instant"], 0),
        (1, ["status", "--scrape", "{url}", "--json"], 74),
        (1, ["--version"], 74),
        (2, ["status", "--scrape", "{url}", "--instant"], 0),
    ],
)
def test_closed_streams_are_told_or_do_not_matter(
    url: str, closed: int, arguments: list[str], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", *(each.replace("{url}", url) for each in arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: os.close(closed),
    )
    assert "Traceback" not in done.stderr
    assert "a fault of midwatch" not in done.stderr
    assert done.returncode == code or (code == 0 and done.returncode <= 3), done.stderr


def test_text_is_cut_where_it_is_too_much_and_nowhere_else() -> None:
    reading = InputText()
    assert reading.feed(b"abc", 0.0) == "abc"
    assert reading.feed("é".encode()[:1], 1.0) + reading.feed("é".encode()[1:], 2.0) == "é"
    assert reading.feed(b"\x1b", 3.0) == "\x1b", "the Escape key is not held back"
    assert reading.feed(b"\x1b[200~one\x1b[2", 4.0) == "\x1b[200~one"
    assert reading.feed(b"01~j", 4.1) == "\x1b[201~j"
    assert reading.feed(b"\x1b[20", 5.0) == "\x1b[20"
    assert reading.feed(b"0~x\xffy\x1b[201~", 5.1) == "0~x\ufffdy\x1b[201~"
    assert reading.dropped == 0
    big = b"x" * (PASTE_LIMIT + 10)
    cut = reading.feed(b"\x1b[200~" + big + b"\x1b[201~k", 6.0)
    assert cut == "\x1b[200~" + "x" * PASTE_LIMIT + "\x1b[201~k"
    assert reading.dropped == 10
    assert reading.feed(b"\x1b[200~no end", 7.0) == "\x1b[200~no end"
    assert reading.stalled(8.0) == ""
    assert reading.stalled(13.0) == "\x1b[201~"
    assert reading.feed(b"q", 14.0) == "q"
    raw = reading.feed(b"y" * 300, 20.0)
    assert raw == "\x1b[200~" + "y" * 300 + "\x1b[201~", "what nobody can have typed is a paste"
    assert reading.feed(b"q", 20.1) == "\x1b[200~q\x1b[201~", "what follows at once is its rest"
    assert reading.feed(b"j" * 20, 30.0) == "j" * 20, "a held key on a slow line"
    assert reading.feed(b"rm -rf \x1b[Bsomething else", 40.0).startswith("\x1b[200~rm -rf some")
    moves = b"\x1b[<35;10;20M" * 40
    assert reading.feed(moves, 50.0) == moves.decode(), "a mouse is no paste"
