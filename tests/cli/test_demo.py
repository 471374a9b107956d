"""``midwatch demo`` as a stranger runs it: in a terminal, in a pipe, and ended in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from console.settings.load import Flags, load
from tests.conftest import require_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A directory for temporary files, so that what is left behind can be seen."""
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def test_the_demo_in_a_pipe_prints_and_leaves_nothing_behind(scratch: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "demo", "--plain", "--scenario", "calm"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(8)]
    assert "demo, sources 1 of 1" in lines[0]
    assert any("fraud-scorer" in line for line in lines)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=15)
    assert process.returncode == 143
    assert told == ""
    assert list(scratch.iterdir()) == []


def test_serving_prints_a_configuration_that_loads(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "demo", "--serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "Ctrl-C" not in process.stderr.readline():
        pass
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    config = tmp_path / "served.toml"
    config.write_text(out)
    config.chmod(0o600)
    assert len(load(Flags(config=config), {"HOME": str(tmp_path)}).settings.models) >= 9


class Terminal:
    """A tmux pane of its own server, ended with the test."""

    def __init__(self, directory: Path) -> None:
        self._tmux = [require_binary("tmux"), "-S", str(directory / "tmux"), "-f", "/dev/null"]

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=20)
        return done.stdout

    def run(self, command: str) -> None:
        self.tmux("new-session", "-d", "-x", "120", "-y", "36", "sh")
        self.tmux("send-keys", command, "Enter")

    def wait(self, text: str, seconds: float) -> str:
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            shown = self.tmux("capture-pane", "-p")
            if text in shown:
                return shown
            time.sleep(0.2)
        raise AssertionError(f"{text!r} was not shown:\n{shown}")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    try:
        yield made
    finally:
        made.tmux("kill-server")


def test_the_demo_opens_shows_its_fleet_and_leaves_a_clean_terminal(
    terminal: Terminal, scratch: Path
) -> None:
    terminal.run(f"TMPDIR={scratch} {sys.executable} -m console demo; echo ended $?")
    shown = terminal.wait("fraud-scorer", 30)
    assert "DEMO" in shown
    terminal.wait("12 models", 15)
    terminal.keys("q")
    left = terminal.wait("ended 0", 15)
    assert "DEMO" not in left
    assert "Traceback" not in left
    assert list(scratch.iterdir()) == []


def test_a_demo_that_is_ended_while_it_imports_history_leaves_nothing_running(
    scratch: Path,
) -> None:
    for name in ("prometheus", "promtool"):
        require_binary(name)
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "demo", "--plain", "--real-prometheus"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    give_up_at = time.monotonic() + 20
    while not list(scratch.glob("midwatch-demo-*/part-*.om")):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    # A terminal that closes sends this one after; it must not cut the cleaning short.
    process.send_signal(signal.SIGHUP)
    _, told = process.communicate(timeout=10)
    assert process.returncode in (129, 143)
    assert "Traceback" not in told
    assert list(scratch.iterdir()) == []
