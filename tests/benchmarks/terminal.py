"""A program under a real pseudo-terminal: what it writes, when, and how fast it answers keys."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Terminal:
    """A child process whose controlling terminal is ours; use it as a context manager."""

    argv: Sequence[str]
    columns: int = 160
    lines: int = 45
    environment: Mapping[str, str] = field(default_factory=dict)
    pid: int = 0
    master: int = -1
    started_at: float = 0.0
    output: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Self:
        """Start the child; ``started_at`` is the monotonic second before the fork."""
        self.started_at = time.perf_counter()
        pid, master = pty.fork()
        if pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
            environment.update(self.environment)
            # Byte code is part of any installation; without it a start costs 2.5 times as much.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, self.columns, 0, 0))
            os.execvpe(self.argv[0], list(self.argv), environment)
        self.pid, self.master = pid, master
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", self.lines, self.columns, 0, 0))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child by its pid and reap it."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)

    def read(self, seconds: float) -> bytes:
        """Read what arrives within ``seconds``; empty when nothing came or the child ended."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return b""
        try:
            chunk = os.read(self.master, 65536)
        except OSError:  # Linux reports the closed slave side as EIO.
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

    def drain(self, seconds: float) -> int:
        """Read for ``seconds`` and return the number of bytes that came."""
        before, limit = len(self.output), time.perf_counter() + seconds
        while (left := limit - time.perf_counter()) > 0:
            self.read(min(left, 0.05))
        return len(self.output) - before

    def send(self, keys: bytes) -> float:
        """Press keys; return the monotonic second of the write."""
        now = time.perf_counter()
        os.write(self.master, keys)
        return now

    def settle(self, quiet_seconds: float = 0.4, limit_seconds: float = 10.0) -> int:
        """Read until nothing came for ``quiet_seconds``; return all bytes seen so far."""
        limit = time.perf_counter() + limit_seconds
        last = time.perf_counter()
        while time.perf_counter() < limit and time.perf_counter() - last < quiet_seconds:
            if self.read(0.05):
                last = time.perf_counter()
        return len(self.output)

    def resident_mib(self) -> float:
        """Return the child's resident memory in MiB (VmRSS)."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        raise RuntimeError("the child has no VmRSS: it has ended")
