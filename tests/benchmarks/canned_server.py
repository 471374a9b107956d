"""A Prometheus-shaped HTTP server with canned answers for any number of models.

It answers every instant query with one series a model, in the labels the query groups by, so
that decode, join, rules and paint can be measured at 5,000 models without a 5,000-model scrape.
It proves speed only; what the answers mean is tested against the real server.

usage: python -m tests.benchmarks.canned_server MODELS CHANGED_SHARE
The first line of its output is its URL.
"""

import json
import random
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

_GROUP = re.compile(r"by \(([^)]*)\)")
_VARIANTS = 8
_MARK = "midwatch_question"
_MARK_OF = re.compile(rf', "{_MARK}", "([0-9]+)"')


def _labels(names: list[str], model: int) -> dict[str, str]:
    given = {"model": f"model-{model:05d}", "job": "models", "version": "7", "region": "eu"}
    return {name: given.get(name, "") for name in names if given.get(name)}


def _level(promql: str) -> float:
    if "error" in promql or "refused" in promql:
        return 0.002
    return 0.2 if "duration" in promql or "confidence" in promql else 5.0


class Canned:
    """Answers, made once a query and variant, then only copied."""

    def __init__(self, models: int, changed_share: float) -> None:
        self.models = models
        self.changed_share = changed_share
        self.body = cache(self._body)

    def _body(self, promql: str, variant: int) -> bytes:
        result = []
        for part in promql.split("label_replace(") if _MARK in promql else [promql]:
            mark = _MARK_OF.search(part)
            if mark is None and _MARK in promql:
                continue
            asked = part[: mark.start()] if mark else part
            for each in self._result(asked, variant):
                marked = {**each["metric"], _MARK: mark[1]} if mark else each["metric"]
                result.append({"metric": marked, "value": each["value"]})
        document = {"status": "success", "data": {"resultType": "vector", "result": result}}
        return json.dumps(document).replace('"value": [0,', '"value": [@AT@,').encode()

    def _result(self, promql: str, variant: int) -> list[dict[str, Any]]:
        groups = _GROUP.findall(promql)
        names = [name.strip() for name in (groups[-1] if groups else "").split(",") if name.strip()]
        if "__name__" in names:
            names = ["__name__", "job"]
            labels = [{"__name__": "model_requests_total", "job": "models"}]
        elif not names or "dependency" in names or "target" in names:
            labels = []
        else:
            labels = [_labels(names, model) for model in range(self.models)]
        level = _level(promql)
        steady = random.Random(promql)
        moving = random.Random(f"{promql}{variant}")
        result = []
        for each in labels:
            value = level * steady.uniform(0.8, 1.2)
            if moving.random() < self.changed_share:
                value *= moving.uniform(0.7, 1.4)
            result.append({"metric": each, "value": [0, repr(value)]})
        return result


def _handler(canned: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            now = time.time()
            body = canned.body(form["query"][0], int(now / 2) % _VARIANTS)
            body = body.replace(b"@AT@", repr(now).encode())
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the output's first line is the URL."""

    return Handler


@contextmanager
def serve_page(body: bytes) -> Iterator[str]:
    """Yield the URL of a server in this process whose every page is ``body``."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal is for the table."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Serve until killed."""
    canned = Canned(int(sys.argv[1]), float(sys.argv[2]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(canned))
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
