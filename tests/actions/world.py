"""A small real HTTP service whose states can be changed, told to misbehave as real ones do."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class World:
    """States by name, and how the service misbehaves.

    ``applies`` False ignores changes, ``status`` replaces the answer's status, ``body`` its body,
    ``hang_seconds`` waits once a change was applied, ``read_status`` fails reads, ``flapping``
    gives reads of the breaker in turn, ``on_change`` and ``after_read`` are called.
    """

    url: str = ""
    states: dict[str, object] = field(
        default_factory=lambda: {"breaker": "CLOSED", "route": "primary", "threshold": 0.6}
    )
    applies: bool = True
    status: int = 200
    body: bytes = b"{}"
    hang_seconds: float = 0.0
    read_status: int = 200
    flapping: Callable[[int], object] | None = None
    after_read: Callable[[int], None] | None = None
    on_change: Callable[[], None] | None = None
    reads: int = 0
    changes: list[dict[str, object]] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    def state(self, name: str) -> object:
        return self.states.get(name)

    def read(self, name: str) -> tuple[int, bytes]:
        self.reads += 1
        value = self.states.get(name)
        if self.flapping is not None and name == "breaker":
            value = self.flapping(self.reads)
        if self.after_read is not None:
            self.after_read(self.reads)
        if self.read_status != 200:
            return self.read_status, b"away"
        if value is None:
            return 404, b'{"known": false}'
        return 200, json.dumps({"known": True, "value": value}).encode()

    def change(self, name: str, document: dict[str, object]) -> tuple[int, bytes]:
        self.changes.append({"name": name, **document})
        if self.applies:
            value = document.get("value")
            if value is None:
                self.states.pop(name, None)
            else:
                self.states[name] = value
        if self.on_change is not None:
            self.on_change()
        if self.hang_seconds:
            time.sleep(self.hang_seconds)
        return self.status, self.body


@contextmanager
def world(**options: object) -> Iterator[World]:
    """Serve on loopback for a ``with`` block; ``close`` stops listening at once."""
    made = World(**options)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: bytes) -> None:
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(*made.read(self.path.rsplit("/", 1)[-1]))

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._answer(*made.change(self.path.rsplit("/", 1)[-1], json.loads(body)))

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing when a client hung up, which is what many a test is about."""

    listener = Listener(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{listener.server_port}"
    made.close = lambda: listener.socket.shutdown(socket.SHUT_RDWR)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)


_CONTROL = """
[controls.{name}]
driver = "http"
kind = "{kind}"
targets = [{targets}]
timeouts = {{ connect = 2.0, read = 3.0, total = 4.0 }}
{auth}
[controls.{name}.read]
path = "/state/{state}"
exists = "known"
value = "value"
{missing}
"""
_ACTION = """
[controls.{name}.actions.{action}]
label = "{label}"
class = "A"
desired = {desired}
from = {starts}
method = "PUT"
path = "/state/{state}"
json = {{ value = {value}, by = "${{by}}", why = "${{reason}}" }}
verify = {{ every = 0.1, within = {within}, stable_for = 2 }}
"""
_BREAKER = (
    ("trip", "Force open", '["FORCED_OPEN"]', '["CLOSED", "OPEN", "HALF_OPEN"]', '"FORCED_OPEN"'),
    ("half-open", "Half open", '["HALF_OPEN", "CLOSED", "OPEN"]', "[]", '"HALF_OPEN"'),
    ("reset", "Close", '["CLOSED"]', "[]", '"CLOSED"'),
)
_ROUTE = (
    ("fallback", "Switch", '["${to}"]', "[]", '"${to}"'),
    ("restore", "Restore", '["primary"]', "[]", '"primary"'),
    ("human", "To people", '["human"]', "[]", '"human"'),
)
_THRESHOLD = (("threshold", "Move", '["${value}"]', "[]", '"${value}"'),)


def control_toml(
    name: str,
    kind: str,
    urls: list[str],
    *,
    state: str = "",
    within: float = 1.0,
    auth: str = "",
    missing: str = "",
) -> str:
    """Return a declared control; it carries no end, so that only a keeper ends what it holds."""
    targets = ", ".join(f'"{url}"' for url in urls)
    state = state or kind
    text = _CONTROL.format(
        name=name, kind=kind, targets=targets, state=state, auth=auth, missing=missing
    )
    for action, label, desired, starts, value in {
        "breaker": _BREAKER,
        "route": _ROUTE,
        "threshold": _THRESHOLD,
    }[kind]:
        text += _ACTION.format(
            name=name,
            state=state,
            action=action,
            label=label,
            desired=desired,
            starts=starts,
            value=value,
            within=within,
        )
    return text


def config_toml(
    journal: Path | str,
    urls: list[str],
    *,
    tier: int = 2,
    writes: str = "armed",
    within: float = 1.0,
    breaker: str = "",
) -> str:
    """Return a configuration of two models, one dependency, and their controls."""
    url = journal if str(journal).startswith("postgresql") else f"sqlite:///{journal}"
    return f"""
version = 1
environment = "test"
writes = "{writes}"
refresh = "1s"
operator = {{ name = "ana" }}

[journal]
url = "{url}"

[models.fraud-scorer]
tier = {tier}
region = "eu"
allowed_regions = ["eu"]
consent = "contract-6.1.b"
dependencies = ["features"]
controls = {{ breaker = "fraud-breaker", route = "fraud-route", threshold = "fraud-tau" }}

[[models.fraud-scorer.fallbacks]]
name = "fraud-small"
level = "L2"
region = "eu"
capacity = 8.0

[[models.fraud-scorer.fallbacks]]
name = "fraud-far"
level = "L2"
region = "us"
capacity = 8.0

[models.payments]
tier = 1
dependencies = ["fraud-scorer"]

[dependencies.features]
owner = "platform"
controls = {{ breaker = "features-breaker" }}
{breaker or control_toml("fraud-breaker", "breaker", urls, within=within)}
{control_toml("fraud-route", "route", urls[:1], within=within)}
{control_toml("fraud-tau", "threshold", urls[:1], within=within)}
{control_toml("features-breaker", "breaker", urls[:1], state="features", within=within)}
"""
