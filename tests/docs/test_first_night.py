"""The tutorial and the README, walked: every key pressed in a terminal, every command run."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import free_port, require_binary
from tests.docs.test_site import commands_of, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "first-night.md").read_text("utf-8")
PATIENCE_SECONDS = 120.0
READING_SECONDS = 1.5
# The story goes on between two looks: what calls at one may be over at the next.
EXITS = {"check": {0}, "status": {0, 1, 2}, "incidents": {0, 1, 2}, "journal": {0}}
"""What a command of the tutorial may end with while the feature store is away; else 0."""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "MIDWATCH_REFRESH": "1s",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def socket() -> Iterator[str]:
    require_binary("tmux")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        yield path
        subprocess.run(["tmux", "-S", path, "kill-server"], capture_output=True, check=False)


def test_every_key_of_the_tutorial_shows_what_it_says(socket: str, environ: dict[str, str]) -> None:
    def tmux(*arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-S", socket, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            env=environ,
            check=False,
        ).stdout

    command = commands_of(ROOT / "docs" / "first-night.md")[0]
    words = [sys.executable, "-m", "console", *shlex.split(command)[1:], "--speed", "8"]
    tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "36", shlex.join(words))
    rows = re.findall(
        r"^\| (?:`([^`]+)`)? ?\| [^|]+ \| `([^`]+)` \|$",
        part_of(PAGE, "## Seven keys"),
        flags=re.MULTILINE,
    )
    assert len(rows) >= 10
    for key, shown in rows:
        if key:
            # As a person would: a box that was not read yet takes no key.
            time.sleep(READING_SECONDS)
            tmux("send-keys", key)
        until = time.monotonic() + PATIENCE_SECONDS
        while shown not in (screen := tmux("capture-pane", "-p")):
            assert time.monotonic() < until, f"{key}: {shown!r} is not shown:\n{screen}"
            time.sleep(0.2)


def test_every_command_of_the_tutorial_runs(tmp_path: Path, environ: dict[str, str]) -> None:
    lines = commands_of(ROOT / "docs" / "first-night.md")
    served, *others = lines[1:]
    assert "> demo.toml" in served
    port = free_port()
    argv = shlex.split(served.partition(" > ")[0].replace("9400", str(port)))[1:]
    config = tmp_path / "demo.toml"
    with config.open("w") as out:
        fleet = subprocess.Popen(
            [sys.executable, "-m", "console", *argv, "--speed", "8"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )
    try:
        assert fleet.stderr is not None
        while "Ctrl-C" not in (line := fleet.stderr.readline()):
            assert line, "the demo ended"
        config.chmod(0o600)
        _wait_for_an_s1(tmp_path, environ)
        for line in others:
            words = shlex.split(line)[1:]
            done = _midwatch(words, tmp_path, environ)
            name = words[2]
            wanted = EXITS.get(name, {0})
            assert done.returncode in wanted, f"{line}: {done.stdout[-800:]}{done.stderr[-800:]}"
        # The README's lines, on the same fleet.
        for line in commands_of(ROOT / "README.md"):
            words = shlex.split(line, comments=True)[1:]
            done = _midwatch(words, tmp_path, {**environ, "MIDWATCH_CONFIG": str(config)})
            wanted = EXITS.get(words[0], {0})
            assert done.returncode in wanted, f"{line}: {done.stdout[-800:]}{done.stderr[-800:]}"
    finally:
        fleet.send_signal(signal.SIGINT)
        fleet.wait(30)


def _wait_for_an_s1(folder: Path, environ: dict[str, str]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while _midwatch(["--config", "demo.toml", "status"], folder, environ).returncode not in (1, 2):
        assert time.monotonic() < until, "nothing was called"


def _midwatch(
    words: list[str], folder: Path, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", *words],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=environ,
        check=False,
    )
