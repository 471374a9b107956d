"""Small HTTP servers for tests: a page that a test writes, a proxy that spoils replies."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Reply:
    """What a test server answers; ``cut_to`` breaks the body off although its length was told."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/plain; version=0.0.4; charset=utf-8"
    cut_to: int | None = None
    location: str | None = None


@dataclass(slots=True)
class Request:
    """What a test server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answerer = Callable[[Request], Reply]


@dataclass(slots=True)
class WebServer:
    """A running server; ``answer`` may be replaced while it runs."""

    url: str
    answer: Answerer
    requests: list[Request] = field(default_factory=list)


@contextmanager
def web_server(answer: Answerer, port: int = 0) -> Iterator[WebServer]:
    """Serve ``answer`` on loopback for a ``with`` block; ``port`` 0 takes a free one."""
    server = WebServer("", answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = Request(self.command, self.path, dict(self.headers), body)
            server.requests.append(request)
            reply = server.answer(request)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            if reply.location is not None:
                self.send_header("Location", reply.location)
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut_to])
            self.close_connection = reply.cut_to is not None

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    connections: list[socket.socket] = []

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing when a client hung up, which is what many a test is about."""

        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            connections.append(connection)
            return connection, address

    listener = Listener(("127.0.0.1", port), Handler)
    server.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        # A dead process closes its connections; no kept-alive one may live on here.
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextmanager
def page(text: str) -> Iterator[WebServer]:
    """Serve one ``/metrics`` text; a test changes it by replacing ``answer``."""
    with web_server(lambda _: Reply(text.encode())) as server:
        yield server


@dataclass(slots=True)
class FaultyProxy:
    """Stands before a real server; ``spoil`` changes its replies while it is set."""

    url: str
    spoil: Callable[[Reply], Reply] | None = None


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """Pass requests on to ``upstream``, and spoil the replies as the test says."""
    proxy = FaultyProxy("")

    def answer(request: Request) -> Reply:
        passed = urllib.request.Request(
            upstream + request.path, data=request.body or None, method=request.method
        )
        passed.add_header("Content-Type", request.headers.get("Content-Type", "text/plain"))
        try:
            with urllib.request.urlopen(passed, timeout=10) as real:
                reply = Reply(real.read(), real.status, "application/json")
        except urllib.error.HTTPError as refused:
            reply = Reply(refused.read(), refused.code, "application/json")
        return reply if proxy.spoil is None else proxy.spoil(reply)

    with web_server(answer) as server:
        proxy.url = server.url
        yield proxy
