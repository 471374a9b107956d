"""Real HTTP servers on loopback that answer as a test says, and remember what they were asked."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from console.settings.secrets import SecretError, SecretValue


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        self.server.asked.append(asked)
        self.server.behave(self, asked)

    do_GET = _serve
    do_POST = _serve
    do_DELETE = _serve

    def log_message(self, *_args: object) -> None:
        """Say nothing: the test output belongs to the tests."""

    def answer(self, status: int = 200, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Behaviour = Callable[[Handler, Asked], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behave: Behaviour, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.behave = behave
        self.asked: list[Asked] = []
        self.released = threading.Event()
        self.scheme = "http"

    def handle_error(self, *_args: object) -> None:
        """Clients of these tests hang up on purpose."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"


@contextmanager
def serving(
    behave: Behaviour, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(behave, port)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def ok(handler: Handler, _asked: Asked) -> None:
    handler.answer()


def status(code: int, body: bytes = b"") -> Behaviour:
    return lambda handler, _asked: handler.answer(code, body)


def hang(handler: Handler, _asked: Asked) -> None:
    handler.server.released.wait(20)
    handler.close_connection = True


def redirect(location: str, code: int = 302) -> Behaviour:
    return lambda handler, _asked: handler.answer(code, b"", Location=location)


@dataclass
class Secrets:
    """A resolver whose values a test sets; ``refreshed`` maps a reference to its next value."""

    values: dict[str, str]
    rotated: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def get(self, reference: str, timeout_seconds: float = 1.0) -> SecretValue:
        self.asked.append(reference)
        if reference not in self.values:
            raise SecretError(f"{reference}: not there; export it")
        return SecretValue(self.values[reference])

    def refresh(self, reference: str) -> None:
        self.values.update(self.rotated)
