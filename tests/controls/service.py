"""A small real HTTP service with breakers, which can be told to misbehave as real ones do."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from console.settings.endpoint_tables import (
    ControlAction,
    ControlMissing,
    ControlRead,
    ControlSettings,
    ControlTimeouts,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Service:
    """Its breakers and how it misbehaves; ``status`` overrides the answer to a change.

    ``applies`` False ignores changes; ``answer`` replaces an answer's body; ``location`` redirects
    everything; ``hang_seconds`` waits after a change was applied; ``hang_up`` says nothing.
    ``token`` is the bearer token asked for.
    """

    url: str = ""
    breakers: dict[str, str] = field(default_factory=lambda: {"risk-model": "CLOSED"})
    revision: int = 1
    creates_unknown: bool = True
    applies: bool = True
    status: int | None = None
    answer: bytes | None = None
    location: str = ""
    hang_seconds: float = 0.0
    hang_up: bool = False
    token: str = ""
    notes: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    @property
    def changes(self) -> list[Seen]:
        """Return the requests that were not reads."""
        return [each for each in self.seen if each.method != "GET"]

    def respond(self, request: Seen) -> tuple[int, bytes]:
        """Return status and body, having acted."""
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            said = request.headers.get("Authorization", "nothing")
            return 401, json.dumps({"error": f"not you: {said}"}).encode()
        split = urlsplit(request.target)
        steps = [unquote(step) for step in split.path.split("/")[1:]]
        if request.method == "GET":
            return self._read(steps, parse_qs(split.query))
        return self._change(steps, request, parse_qs(split.query))

    def _read(self, steps: list[str], query: Mapping[str, list[str]]) -> tuple[int, bytes]:
        if steps[0] == "notes":
            found = [note for note in self.notes if note in query.get("op", self.notes)]
            return 200, json.dumps(found).encode()
        if self.answer is not None:
            return self.status or 200, self.answer
        if steps[0] == "breaker":
            if steps[1] not in self.breakers:
                return 404, b'{"error": "no such breaker"}'
            found_state = {"state": self.breakers[steps[1]], "version": self.revision}
            return 200, json.dumps(found_state).encode()
        listed = {name: {"state": state} for name, state in self.breakers.items()}
        return 200, json.dumps({"circuitBreakers": listed, "version": self.revision}).encode()

    def _change(
        self, steps: list[str], request: Seen, query: Mapping[str, list[str]]
    ) -> tuple[int, bytes]:
        expected = request.headers.get("If-Match")
        if expected is not None and expected != self.etag:
            return 412, b'{"error": "changed"}'
        if steps[0] == "notes":
            self.notes.append(str(json.loads(request.body)["op"]))
            return self.status or 201, b""
        document = json.loads(request.body or b"{}")
        if document.get("version", self.revision) != self.revision:
            return 409, b'{"error": "changed"}'
        if "dryRun" in query:
            return 200, json.dumps({"would": document}).encode()
        name = steps[-1]
        known = name in self.breakers or self.creates_unknown
        if self.applies and known:
            self.breakers[name] = {
                "FORCE_OPEN": "FORCED_OPEN",
                "CLOSE": "CLOSED",
                "DISABLE": "DISABLED",
            }.get(document.get("updateState", ""), "?")
            self.revision += 1
        if self.hang_seconds:
            time.sleep(self.hang_seconds)
        said = {"circuitBreakerName": name, "currentState": self.breakers.get(name, "")}
        return self.status or 200, self.answer or json.dumps(said).encode()

    @property
    def etag(self) -> str:
        """Return the version as an ETag."""
        return f'"v{self.revision}"'


@contextmanager
def service(**options: object) -> Iterator[Service]:
    """Serve on loopback for a ``with`` block."""
    world = Service(**options)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = Seen(self.command, self.path, dict(self.headers), body)
            world.seen.append(request)
            version = world.etag
            status, answer = world.respond(request)
            if world.hang_up and self.command != "GET":
                self.close_connection = True
                return
            if world.location:
                status = 307
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("ETag", version if self.command == "GET" else world.etag)
                if world.location:
                    self.send_header("Location", world.location)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    world.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield world
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)


QUICK = ControlTimeouts(connect_seconds=0.5, read_seconds=0.5, total_seconds=1.0)

OWN_READ = ControlRead(
    path="/breaker/{breaker}",
    value="state",
    missing=ControlMissing(status=(404,), means="absent"),
)


def own(url: str, read: ControlRead = OWN_READ, **actions: ControlAction) -> ControlSettings:
    """Return a control declared in the settings themselves, quick to give up."""
    return ControlSettings(
        driver="http",
        kind="breaker",
        targets=(url,),
        timeouts=QUICK,
        vars={"breaker": "risk-model"},
        read=read,
        actions=actions,
    )


def trip(**changes: object) -> ControlAction:
    """Return a declared trip, altered as a test wants it."""
    plain: dict[str, object] = {
        "desired": ("FORCED_OPEN",),
        "retry_class": "A",
        "path": "/breaker/{breaker}",
        "json": {"updateState": "FORCE_OPEN", "reason": "${reason}"},
    }
    return ControlAction(**{**plain, **changes})  # type: ignore[arg-type]
