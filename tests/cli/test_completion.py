"""Shell completion: the words that are offered, and real shells that show them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.cli.command_table import COMMANDS
from console.cli.completion_command import SCRIPTS, SHELLS
from console.cli.main import run as run_here
from tests.conftest import require_binary
from tests.journal.records import intent, opened, outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run

FIRST, SECOND = "01KB2TRIP0000000000A7QK2M4", "01KB2TRIP0000000000B7QK2M5"


def offered(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """Return what is offered for the last word, with its description."""
    assert run_here(["__complete", *words]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    lines = (line.partition("\t") for line in told.out.splitlines())
    return {word: text for word, _, text in lines}


def test_commands_come_first_with_their_sentence(capsys) -> None:
    assert set(offered(capsys, "")) == set(COMMANDS)
    found = offered(capsys, "ove")
    assert found == {"overrides": COMMANDS["overrides"].summary}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--pro",), {"--prometheus"}),
        (("--theme", "dark", "sta"), {"status"}),
        (("--config", ""), {":files"}),
        (("trip", "m", "--br"), {"--break-glass"}),
        (("journal", "ver"), {"verify"}),
        (("journal", "list", "--kind", "over"), {"override", "override_renewed", "override_ended"}),
        (("decisions", "cl"), {"close"}),
        (("drill", "m", "fall"), {"fallback"}),
        (("plot", "m", "latency_p9"), {"latency_p95", "latency_p99"}),
        (("close", "x", "--verdict", "no"), {"noise"}),
        (("severity", "x", "S"), {"S1", "S2", "S3", "S4"}),
        (("completion", "z"), {"zsh"}),
        (("decide", "m", "RET"), {"RETRAIN"}),
    ],
)
def test_flags_and_values_are_offered(capsys, words: tuple[str, ...], wanted: set[str]) -> None:
    assert wanted <= set(offered(capsys, *words))


def test_a_flag_that_was_given_is_not_offered_again(capsys) -> None:
    assert "--reason" not in offered(capsys, "trip", "m", "--reason", "x", "--")
    assert "--prometheus" in offered(capsys, "status", "--prometheus", "http://a", "--")


def test_operations_are_offered_by_their_short_ids(capsys, tmp_path: Path) -> None:
    journal = opened(tmp_path / "xdg-state" / "midwatch" / "journal.db")
    for op in (FIRST, SECOND):
        trip = intent(op_id=op)
        journal.append_all([trip, outcome(op)])
    found = offered(capsys, "undo", "")
    assert list(found)[:2] == ["7QK2M5", "7QK2M4"]
    assert found["7QK2M4"].startswith("trip fraud-scorer by ")


def test_models_and_dependencies_of_a_fleet_are_offered(run: Run, config: str) -> None:
    done = run("__complete", "--config", config, "trip", "")
    words = [line.partition("\t")[0] for line in done.out.splitlines()]
    assert {"fraud-scorer", "summarizer", "dep:feature-store-eu"} <= set(words)
    more = run("__complete", "--config", config, "status", "fraud-scorer", "f")
    assert more.out == ""


def test_what_cannot_be_asked_offers_nothing_and_says_nothing(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("this is = no [toml")
    for words in (("--config", str(broken)), ("--prometheus", "http://127.0.0.1:1")):
        done = run("__complete", *words, "status", "")
        assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_the_shell_can_read(shell: str, tmp_path: Path) -> None:
    require_binary(shell)
    path = tmp_path / "script"
    path.write_text(SCRIPTS[shell])
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


START = {
    "bash": ["bash", "--norc", "--noprofile"],
    "zsh": ["zsh", "-f"],
    "fish": ["fish", "--no-config"],
}
LOAD = {
    "bash": 'eval "$(midwatch completion bash)"',
    "zsh": "autoload -Uz compinit; compinit -u -D; source <(midwatch completion zsh)",
    "fish": "midwatch completion fish | source",
}


class Terminal:
    """A shell in tmux: what is typed, and what its screen shows."""

    def __init__(self, socket: str, argv: list[str], environ: dict[str, str]) -> None:
        self.socket = socket
        assignments = [f"{name}={value}" for name, value in environ.items()]
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40",
            "env", *assignments, *argv,
        )  # fmt: skip

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def type(self, text: str, *keys: str) -> None:
        self._tmux("send-keys", "-l", text)
        if keys:
            self._tmux("send-keys", *keys)

    def shows(self, text: str, seconds: float = 60.0) -> str:
        until = time.monotonic() + seconds
        while text not in (screen := self._tmux("capture-pane", "-p")):
            assert time.monotonic() < until, f"{text!r} is not shown:\n{screen}"
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with a ``midwatch`` that runs this tree."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "midwatch"
    root = Path(__file__).resolve().parents[2]
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m console "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture
def terminal(shell: str, programs: Path, tmp_path: Path, config: str) -> Iterator[Terminal]:
    for each in (shell, "tmux"):
        require_binary(each)
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "PS1": "ready> ",
        "PROMPT": "ready> ",
        "XDG_STATE_HOME": str(tmp_path / "xdg-state"),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg-config"),
        "MIDWATCH_CONFIG": config,
    }
    # The socket's path has to be short.
    folder = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True)
    socket = f"{folder.stdout.strip()}/s"
    made = Terminal(socket, START[shell], environ)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(Path(socket).parent, ignore_errors=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes(terminal: Terminal, shell: str) -> None:
    terminal.type(LOAD[shell] + "; echo load''ed", "Enter")
    terminal.shows("loaded")
    # One candidate is filled in; the word that follows comes from the fleet.
    terminal.type("midwatch threshol", "Tab")
    terminal.shows("threshold")
    terminal.type("doc-e", "Tab")
    terminal.shows("doc-extract")
    terminal.type("0.8 --rea", "Tab")
    terminal.shows("--reason")
    terminal.type("", "C-u")
    terminal.type("midwatch trip dep:feat", "Tab")
    terminal.shows("trip dep:feature-store-eu")
    terminal.type("", "C-u")
    # Several candidates are listed.
    terminal.type("midwatch over", "Tab")
    terminal.shows("midwatch overrides")
    terminal.type("", "C-u")
    terminal.type("midwatch journal ", "Tab", "Tab")
    terminal.shows("verify")
