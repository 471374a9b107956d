"""A control service that lies: run as a module it prints its port, and serves until killed.

``PUT /state/NAME`` changes a state as the mode says, ``GET /state/NAME`` reads it, ``POST /mode``
sets the modes and forgets everything, ``GET /log`` gives states and what was asked to change.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PUTS = (
    *("ok", "apply500", "apply412", "apply400", "apply409", "no200", "no202", "no500", "no412"),
    *("no400", "late", "other", "apply_close", "no_close", "garbage", "redirect", "no503", "huge"),
)
"""How a change may be answered: ``apply`` does it whatever is said, ``no`` does not."""

GETS = ("ok", "ok", "ok", "flap", "500", "garbage", "close", "null", "404", "html")
"""How the state may be read once something was sent; none of them shows another state for long."""

LATE_SECONDS = 0.25


class Service:
    """States and modes; one lock for all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forget("ok", "ok")

    def forget(self, put: str, get: str, state: str = "CLOSED") -> None:
        self.put, self.get, self.began = put, get, time.monotonic()
        self.states: dict[str, str] = {"breaker": state}
        self.changes: list[str] = []
        self.reads = 0
        self.generation = getattr(self, "generation", 0) + 1

    def change(self, name: str, value: str) -> str:
        """Apply a change as the mode says; return how to answer."""
        with self.lock:
            self.changes.append(value)
            mode, generation = self.put, self.generation
            if mode.startswith("apply") or mode in ("ok", "garbage", "huge"):
                self.states[name] = value
            elif mode == "other":
                self.states[name] = "HALF_OPEN" if value != "HALF_OPEN" else "OPEN"
        if mode == "late":
            threading.Timer(LATE_SECONDS, self._late, (name, value, generation)).start()
        return mode

    def _late(self, name: str, value: str, generation: int) -> None:
        with self.lock:
            if self.generation == generation:
                self.states[name] = value


SERVICE = Service()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        if self.path == "/log":
            with SERVICE.lock:
                made = {"states": SERVICE.states, "changes": SERVICE.changes}
                self._answer(200, json.dumps(made).encode())
            return
        with SERVICE.lock:
            value = SERVICE.states.get(self.path.rsplit("/", 1)[-1])
            mode = SERVICE.get if SERVICE.changes else "ok"
            SERVICE.reads += 1
            if mode == "flap" and SERVICE.reads % 2:
                value = "CLOSED" if value != "CLOSED" else "FORCED_OPEN"
        match mode:
            case "500" | "404":
                self._answer(int(mode), b"{}")
            case "garbage":
                self._answer(200, b"\xff\xfe{{{")
            case "html":
                self._answer(200, b"<html>please log in</html>")
            case "null":
                self._answer(200, b'{"known": true, "value": null}')
            case "close":
                self._hang_up()
            case _:
                self._answer(200, json.dumps({"known": value is not None, "value": value}).encode())

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        mode = SERVICE.change(self.path.rsplit("/", 1)[-1], str(body.get("value")))
        match mode:
            case "apply_close" | "no_close":
                self._hang_up()
            case "garbage":
                self._answer(200, b"\xff\x00\x1b[2J")
            case "huge":
                self._answer(200, b"x" * 300_000)
            case "redirect":
                self._answer(307, b"", Location="http://127.0.0.1:9/elsewhere")
            case "late" | "no202":
                self._answer(202, b"{}")
            case "ok" | "other":
                self._answer(200, b"{}")
            case _:
                self._answer(int(mode[-3:]), b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        with SERVICE.lock:
            SERVICE.forget(body["put"], body["get"], body.get("state", "CLOSED"))
        self._answer(200, b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing when a client hung up, which is what many a fault is about."""


def _end_with_parent(parent: int) -> None:
    """End when the campaign ends, however it does."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever(0.05)


if __name__ == "__main__":
    main()
