"""Coming and going in a real terminal: signals, lost lines, crashes, tmux."""

import base64
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from console.screens.terminal import clipboard_sequence, crash_sentence, title_sequence
from tests.conftest import require_binary
from tests.support.snapshots import sample_snapshot

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
END_SECONDS = 60.0
RESTORED = b"\x1b[?1049l"


class Console:
    """A console in a pseudo-terminal of its own."""

    def __init__(
        self, *arguments: str, ignore_hangup: bool = False, shell: bool = False, **env: str
    ) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.said = b""

        def own_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if ignore_hangup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

        self.process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"]
            if shell
            else [sys.executable, "-m", "tests.support.show", *arguments],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=own_terminal,
        )
        self.slave = slave

    def read_until(self, text: bytes, seconds: float = START_SECONDS) -> None:
        limit = time.monotonic() + seconds
        while text not in self.said:
            assert time.monotonic() < limit, f"{text!r} never came: {self.said[-400:]!r}"
            self.read(0.1)

    def read(self, seconds: float) -> None:
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            with contextlib.suppress(OSError):
                self.said += os.read(self.master, 65536)

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def wait(self, seconds: float = END_SECONDS) -> int:
        limit = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < limit, "the console did not end"
            if self.master >= 0:
                self.read(0.05)
            else:
                time.sleep(0.05)
        if self.master >= 0:
            self.read(0.2)
        return self.process.returncode

    def assert_restored(self) -> None:
        assert RESTORED in self.said
        assert self.said.rindex(RESTORED) > self.said.rindex(b"\x1b[?1049h")
        assert termios.tcgetattr(self.slave)[3] == self.before[3], "echo and line mode are back"

    def hang_up(self) -> None:
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for number in (self.master, self.slave):
            if number >= 0:
                os.close(number)


@pytest.fixture
def consoles() -> Iterator[list[Console]]:
    made: list[Console] = []
    yield made
    for console in made:
        console.close()


def start(consoles: list[Console], *arguments: str, ignore_hangup: bool = False) -> Console:
    console = Console(*arguments, ignore_hangup=ignore_hangup)
    consoles.append(console)
    console.read_until(b"fraud-scorer")
    return console


def test_quit_leaves_a_clean_terminal(consoles: list[Console]) -> None:
    console = start(consoles)
    console.press(b"q")
    assert console.wait() == 0
    console.assert_restored()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)], ids=["SIGHUP", "SIGTERM"]
)
def test_signals_end_it_cleanly(consoles: list[Console], number: int, code: int) -> None:
    console = start(consoles)
    console.process.send_signal(number)
    assert console.wait() == code
    console.assert_restored()


def test_sigterm_is_obeyed_while_the_loop_is_busy(consoles: list[Console]) -> None:
    console = start(consoles, "--fault", "busy")
    # Opening a box asks the stub engine, which then never lets go of the loop.
    console.press(b"\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C")
    console.press(b"x")
    time.sleep(1.0)
    console.process.send_signal(signal.SIGTERM)
    assert console.wait() == 143
    console.assert_restored()


def test_a_crash_is_one_sentence_in_a_clean_terminal(consoles: list[Console]) -> None:
    console = start(consoles, "--fault", "crash")
    console.press(b"\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C")
    console.press(b"x")
    assert console.wait() == 1
    console.assert_restored()
    after = console.said[console.said.rindex(RESTORED) :]
    assert b"midwatch ended because of a fault of its own (RuntimeError)" in after
    assert b"--log FILE" in after
    assert b"Traceback" not in console.said


@pytest.mark.parametrize("ignore_hangup", [False, True], ids=["hangup", "hangup ignored"])
def test_a_lost_terminal_ends_it_without_burning_a_core(
    consoles: list[Console], ignore_hangup: bool
) -> None:
    console = start(consoles, ignore_hangup=ignore_hangup)
    used_before = cpu_seconds(console.process.pid)
    console.hang_up()
    code, used = end_of(console)
    assert code == 129
    assert used - used_before < 2.0, "a spinning reader would use all of the time it had"


def end_of(console: Console) -> tuple[int, float]:
    """Return exit code and CPU seconds of a console that is on its way out."""
    limit = time.monotonic() + END_SECONDS
    while True:
        pid, status, usage = os.wait4(console.process.pid, os.WNOHANG)
        if pid:
            console.process.returncode = os.waitstatus_to_exitcode(status)
            return console.process.returncode, usage.ru_utime + usage.ru_stime
        assert time.monotonic() < limit, "the console did not end"
        time.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_sigusr1_reloads(consoles: list[Console]) -> None:
    console = start(consoles)
    # Only cells that change are written: the sentence is whole on the screen, not in the bytes.
    screen = pyte.Screen(100, 30)
    stream = pyte.ByteStream(screen)
    limit, fed = time.monotonic() + START_SECONDS, 0
    while not any("reloaded: nothing differs" in line for line in screen.display):
        assert time.monotonic() < limit, "\n".join(screen.display)
        # Before the engine is there is nothing to reload: what it will read is fresh.
        console.process.send_signal(signal.SIGUSR1)
        for _ in range(10):
            console.read(0.1)
        stream.feed(console.said[fed:])
        fed = len(console.said)
    console.press(b"q")
    assert console.wait() == 0


def test_ctrl_z_gives_the_shell_its_terminal_and_fg_redraws(consoles: list[Console]) -> None:
    console = Console(shell=True, PS1="SHELL> ")
    consoles.append(console)
    console.press(f"{sys.executable} -m tests.support.show\n".encode())
    console.read_until(b"fraud-scorer")
    console.press(b"\x1a")
    console.read_until(b"Stopped")
    assert RESTORED in console.said
    console.press(b"echo mark$((40+2))\n")
    console.read_until(b"mark42")
    console.said = b""
    console.press(b"fg\n")
    console.read_until(b"\x1b[?1049h")
    console.read_until(b"fraud-scorer")
    console.press(b"q")
    console.read_until(RESTORED)
    console.press(b"exit\n")
    assert console.wait() == 0


def test_without_a_shell_behind_it_ctrl_z_stops_nothing(consoles: list[Console]) -> None:
    console = start(consoles)
    console.press(b"\x1a")
    console.read_until(b"not suspended")
    console.press(b"q")
    assert console.wait() == 0


def test_the_terminal_knows_its_size_not_the_environment(consoles: list[Console]) -> None:
    console = Console(COLUMNS="70", LINES="18")
    consoles.append(console)
    console.read_until(b"fraud-scorer")
    console.read_until(b"\x1b[30;")
    console.press(b"q")
    assert console.wait() == 0


def test_what_a_terminal_pastes_without_brackets_is_no_key(consoles: list[Console]) -> None:
    console = start(consoles)
    console.press(b"quite a long line that begins with quit\r")
    console.read_until(b"pasted characters are no keys")
    assert console.process.poll() is None
    time.sleep(0.5)  # what follows within a fifth of a second belongs to the paste
    console.press(b"q")
    assert console.wait() == 0


def test_a_dumb_terminal_gets_the_sentence(consoles: list[Console]) -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "console"], stdin=slave, stdout=slave, stderr=subprocess.PIPE,
            text=True, timeout=60, env={**os.environ, "TERM": "dumb"}, check=False,
        )  # fmt: skip
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 64
    assert "TERM=dumb cannot place a cursor; `midwatch status`" in done.stderr


def tmux(socket: str, *arguments: str) -> str:
    done = subprocess.run(
        ["tmux", "-L", socket, "-f", "/dev/null", *arguments],
        capture_output=True, text=True, timeout=10, check=True,
    )  # fmt: skip
    return done.stdout


def seen(socket: str, text: str, seconds: float = START_SECONDS) -> str:
    limit = time.monotonic() + seconds
    while text not in (screen := tmux(socket, "capture-pane", "-p", "-t", "s")):
        assert time.monotonic() < limit, f"{text!r} never came:\n{screen}"
        time.sleep(0.1)
    return screen


def test_tmux_detach_attach_resize_and_quit(consoles: list[Console]) -> None:
    require_binary("tmux")
    socket = f"midwatch-test-{uuid.uuid4().hex[:8]}"
    command = f"cd {ROOT}; {sys.executable} -m tests.support.show; echo ended with $?; sleep 60"
    tmux(socket, "new-session", "-d", "-s", "s", "-x", "100", "-y", "30", command)
    try:
        seen(socket, "fraud-scorer")
        for _ in range(2):
            attach_and_leave(socket)
        for width, height in ((60, 16), (160, 45), (40, 10), (80, 24)):
            tmux(socket, "resize-window", "-t", "s", "-x", str(width), "-y", str(height))
        screen = seen(socket, "■1 fraud-scorer")
        assert "MIDWATCH prod" in screen
        tmux(socket, "send-keys", "-t", "s", "Down")
        seen(socket, "── support-llm")
        tmux(socket, "send-keys", "-t", "s", "q")
        screen = seen(socket, "ended with 0")
        assert "fraud-scorer" not in screen, "the first screen is back"
    finally:
        tmux(socket, "kill-server")


def attach_and_leave(socket: str) -> None:
    """Attach a client in a terminal of its own, then let that terminal be lost."""
    master, slave = pty.openpty()
    client = subprocess.Popen(
        ["tmux", "-L", socket, "attach", "-t", "s"],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    time.sleep(0.4)
    os.close(slave)
    os.close(master)
    client.terminate()
    client.wait(timeout=10)


def test_the_clipboard_is_wrapped_and_capped() -> None:
    plain = clipboard_sequence("fraud-scorer", {})
    assert plain is not None
    payload = plain.removeprefix("\x1b]52;c;").removesuffix("\a")
    assert base64.b64decode(payload) == b"fraud-scorer"
    wrapped = clipboard_sequence("fraud-scorer", {"TMUX": "/tmp/x,1,0"})
    assert wrapped == "\x1bPtmux;\x1b" + plain + "\x1b\\"
    assert clipboard_sequence("fraud-scorer", {"STY": "1.x"}) == f"\x1bP{plain}\x1b\\"
    assert clipboard_sequence("x" * 60_000, {}) is None


def test_the_title_says_what_is_worst(consoles: list[Console]) -> None:
    said = title_sequence(sample_snapshot(0.0), lambda level: {"s1": "!1"}.get(level, ""))
    assert said == "\x1b]2;!1 fraud-scorer · midwatch prod\a"
    console = start(consoles)
    console.read_until("\x1b[22;2t\x1b]2;■1 fraud-scorer · midwatch prod\a".encode())
    console.press(b"q")
    assert console.wait() == 0
    assert b"\x1b[23;2t" in console.said, "the title from before is given back"


def test_the_crash_sentence_names_the_log() -> None:
    assert "the details are in /var/log/m.log" in crash_sentence(OSError(), "/var/log/m.log")
