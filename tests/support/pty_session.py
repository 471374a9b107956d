"""A program under a real pseudo-terminal: what it writes, when, and how fast it answers keys."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
_END_SECONDS = 5.0


class PtySession:
    """Python with ``arguments`` on its own controlling terminal; a context manager.

    ``output`` is all that was written so far, ``started_at`` the monotonic second before it began.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        width: int = 160,
        height: int = 45,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.output = bytearray()
        self._ended = False
        self.started_at = time.perf_counter()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            _become(arguments, width, height, env or {})
        self._set_size(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _set_size(self, width: int, height: int) -> None:
        _tell_size(self._master, width, height)

    def resize(self, width: int, height: int) -> None:
        """Change the size and tell the program as a terminal does."""
        self._set_size(width, height)
        os.kill(self.pid, signal.SIGWINCH)

    def send(self, keys: str) -> float:
        """Type ``keys``; return the monotonic second of the write."""
        now = time.perf_counter()
        os.write(self._master, keys.encode())
        return now

    def read(self, seconds: float) -> bytes:
        """Read what arrives within ``seconds``; empty when nothing came or the program ended."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return b""
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # Linux reports the end of a terminal whose program is gone as an error.
            return b""
        self.output += chunk
        return chunk

    def wait_for(self, text: bytes, seconds: float = 20.0, since: int = 0) -> float:
        """Return the monotonic second at which ``text`` was in the output after byte ``since``.

        Raises TimeoutError with the tail of what was seen.
        """
        limit = time.perf_counter() + seconds
        while time.perf_counter() < limit:
            if self.output.find(text, since) >= 0:
                return time.perf_counter()
            self.read(0.05)
        tail = bytes(self.output[-400:])
        raise TimeoutError(f"{text!r} did not appear in {seconds} s; last output {tail!r}")

    def read_until(self, marker: bytes, seconds: float = 15.0) -> bytes:
        """Return what is written from now on up to ``marker``, and what comes right after it."""
        since = len(self.output)
        self.wait_for(marker, seconds, since)
        self.read_quiet(0.03)
        return bytes(self.output[since:])

    def read_quiet(self, quiet_seconds: float) -> bytes:
        """Return what is written until nothing comes for ``quiet_seconds``."""
        written = b""
        while chunk := self.read(quiet_seconds):
            written += chunk
        return written

    def drain(self, seconds: float) -> int:
        """Read for ``seconds`` and return the number of bytes that came."""
        before, limit = len(self.output), time.perf_counter() + seconds
        while (left := limit - time.perf_counter()) > 0:
            self.read(min(left, 0.05))
        return len(self.output) - before

    def settle(self, quiet_seconds: float = 0.4, limit_seconds: float = 10.0) -> int:
        """Read until nothing came for ``quiet_seconds``; return all bytes seen so far."""
        limit = time.perf_counter() + limit_seconds
        last = time.perf_counter()
        while time.perf_counter() < limit and time.perf_counter() - last < quiet_seconds:
            if self.read(0.05):
                last = time.perf_counter()
        return len(self.output)

    def resident_mib(self) -> float:
        """Return the program's resident memory in MiB (VmRSS)."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the program has no VmRSS: it has ended")

    def close(self) -> None:
        """End the program by its pid, politely at first, and let its terminal go."""
        if self._ended:
            return
        self._ended = True
        os.kill(self.pid, signal.SIGTERM)
        limit = time.monotonic() + _END_SECONDS
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            self.read(0.02)
            if time.monotonic() > limit:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                break
        os.close(self._master)


def _become(arguments: Sequence[str], width: int, height: int, env: Mapping[str, str]) -> None:
    """Turn this forked child into the program."""
    try:
        # Byte code is part of any installation; without it a start costs 2.5 times as much.
        unwanted = {"COLUMNS", "LINES", "NO_COLOR", "TEXTUAL", "PYTHONDONTWRITEBYTECODE"}
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment |= {"PYTHONPATH": str(ROOT), **env}
        os.chdir(ROOT)
        _tell_size(0, width, height)
        os.execve(sys.executable, [sys.executable, *arguments], environment)
    finally:
        os._exit(127)


def _tell_size(terminal: int, width: int, height: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def visible_bytes(written: bytes) -> int:
    """Count the bytes without the markers that a measured app itself adds."""
    return len(re.sub(rb"\x1b\]2;[^\x07]*\x07", b"", written))
