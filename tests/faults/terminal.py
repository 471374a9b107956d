"""The console on a pseudo-terminal of its own: bytes and signals in, state of the terminal out."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS = b"""# TYPE model_requests_total counter
model_requests_total{model="fraud-scorer",status="ok"} 1000
model_requests_total{model="payments",status="ok"} 500
"""
READY_SECONDS = 25.0


@contextlib.contextmanager
def metrics_server(body: bytes = METRICS) -> Iterator[str]:
    """Serve one exposition on loopback; give its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()


class Terminal:
    """One console on its terminal; a context manager that ends it by its own pid."""

    def __init__(self, *arguments: str, width: int = 100, height: int = 30) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(self._slave)
        self.output = bytearray()
        environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console", *arguments],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=environment,
            start_new_session=True,
            preexec_fn=self._own_terminal,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _own_terminal(self) -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(20)
        os.close(self._slave)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                if select.select([self._master], [], [], 0.1)[0]:
                    chunk = os.read(self._master, 65536)
                    if not chunk:
                        return
                    self.output += chunk
            except (OSError, ValueError):
                return

    def send(self, data: bytes, seconds: float = 30.0) -> bool:
        """Write to the terminal; False where it took not all of it in time."""
        view, limit = memoryview(data), time.monotonic() + seconds
        while view and time.monotonic() < limit:
            if select.select([], [self._master], [], 0.2)[1]:
                view = view[os.write(self._master, view[:1024]) :]
        return not view

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_for(self, text: bytes, seconds: float = READY_SECONDS, since: int = 0) -> bool:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.output.find(text, since) >= 0:
                return True
            if self.process.poll() is not None:
                time.sleep(0.3)
                return self.output.find(text, since) >= 0
            time.sleep(0.05)
        return False

    def ready(self) -> bool:
        """Wait for the first picture with a model in it."""
        return self.wait_for(b"fraud-scorer")

    def answers(self, seconds: float = 20.0) -> bool:
        """Press ``?`` and Escape; tell whether a key still changes the screen."""
        since = len(self.output)
        if not self.send(b"?", seconds):
            return False
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if len(self.output) > since + 200:
                self.send(b"\x1b")
                time.sleep(0.3)
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return False

    def leave(self, seconds: float = 20.0) -> int | None:
        """Press ``q``; return the exit code, None where it does not end."""
        self.send(b"q")
        return self.ended(seconds)

    def ended(self, seconds: float = 20.0) -> int | None:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def broken(self) -> str:
        """Return what of the terminal is not as it was, empty where all is."""
        time.sleep(0.4)
        output, found = bytes(self.output), []
        if termios.tcgetattr(self._slave)[:4] != self.before[:4]:
            found.append("line settings")
        for name, off, on in (
            ("alternate screen", b"\x1b[?1049l", b"\x1b[?1049h"),
            ("hidden cursor", b"\x1b[?25h", b"\x1b[?25l"),
            ("bracketed paste", b"\x1b[?2004l", b"\x1b[?2004h"),
            ("mouse reports", b"\x1b[?1003l", b"\x1b[?1003h"),
        ):
            if output.rfind(off) < output.rfind(on):
                found.append(name)
        if b"Traceback" in output:
            found.append("traceback")
        return ", ".join(found)

    def resident_mib(self) -> float:
        with Path(f"/proc/{self.process.pid}/status").open(encoding="ascii") as status:
            line = next(each for each in status if each.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def take_back(self) -> None:
        """Put the line settings back as a shell does while its job is stopped."""
        termios.tcsetattr(self._slave, termios.TCSANOW, self.before)

    def stopped(self, seconds: float = 10.0) -> bool:
        """Wait until the process is stopped, as by Ctrl-Z."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            with Path(f"/proc/{self.process.pid}/stat").open(encoding="utf-8") as status:
                if status.read().rpartition(")")[2].split()[0] == "T":
                    return True
            time.sleep(0.05)
        return False
