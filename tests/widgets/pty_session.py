"""Run a program in a real pseudo-terminal and see what it writes and what a screen then shows."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]
_PRIVATE = re.compile(
    rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*[$][a-z]|\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)"
)
"""Questions, keyboard modes and titles, which a small emulator would print as text."""


class PtySession:
    """A program on its own terminal of ``width`` by ``height``; ended by its pid on ``close``."""

    def __init__(
        self,
        arguments: Sequence[str],
        width: int,
        height: int,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._master, slave = os.openpty()
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self._set_size(width, height)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"COLUMNS", "LINES", "NO_COLOR", "TEXTUAL"}
        }
        environment |= {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONPATH": str(ROOT),
            **(env or {}),
        }
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(slave)

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def resize(self, width: int, height: int) -> None:
        """Change the size and tell the program as a terminal does."""
        self._set_size(width, height)
        self.screen.resize(height, width)
        os.kill(self._process.pid, signal.SIGWINCH)

    def send(self, keys: str) -> None:
        """Type ``keys``."""
        os.write(self._master, keys.encode())

    def read_until(self, marker: bytes, timeout_seconds: float = 15.0) -> bytes:
        """Return what is written up to and including ``marker``; raises ``TimeoutError``."""
        deadline = time.monotonic() + timeout_seconds
        written = b""
        while marker not in written:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {marker!r} in {written[-2000:]!r}")
            written += self._read(0.2)
        return written + self.read_quiet(0.03)

    def read_quiet(self, quiet_seconds: float) -> bytes:
        """Return what is written until nothing comes for ``quiet_seconds``."""
        written = b""
        while chunk := self._read(quiet_seconds):
            written += chunk
        return written

    def _read(self, timeout_seconds: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], timeout_seconds)
        if not ready:
            return b""
        try:
            return os.read(self._master, 65536)
        except OSError:
            # Linux reports the end of a terminal whose program is gone as an error.
            return b""

    def show(self, written: bytes) -> None:
        """Let the emulated screen show what was written."""
        self._stream.feed(_PRIVATE.sub(b"", written))

    def cells(self) -> list[list[tuple[str, str, str, bool, bool, bool]]]:
        """Return each cell's character, colours, bold, underline and reverse."""
        picture = []
        for y in range(self.screen.lines):
            row = self.screen.buffer[y]
            line = []
            for x in range(self.screen.columns):
                c = row[x]
                fg = "" if c.data == " " and not (c.underscore or c.reverse) else c.fg
                bold = False if c.data == " " else c.bold
                line.append((c.data, fg, c.bg, bold, c.underscore, c.reverse))
            picture.append(line)
        return picture

    def text(self) -> str:
        """Return the screen as text."""
        return "\n".join(self.screen.display)

    def close(self) -> None:
        """End the program and its terminal."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        os.close(self._master)


def visible_bytes(written: bytes) -> int:
    """Count the bytes without the markers the test app itself adds."""
    return len(re.sub(rb"\x1b\]2;[^\x07]*\x07", b"", written))
