"""A small HTTP/1.1 server on loopback, and the control endpoints of a simulated service."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from console.demo.midwatch_series import HUMAN_ROUTE, route_targets
from console.demo.service import PRIMARY_ROUTE, Route, Service, Threshold
from console.demo.service_breaker import BreakerState

LOOPBACK = "127.0.0.1"
HEAD_LIMIT_BYTES = 16 * 1024
BODY_LIMIT_BYTES = 16 * 1024
IDLE_SECONDS = 75.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


class BadRequestError(Exception):
    """The bytes that came are no request this server understands; ``status`` says how."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def open_listener(handler: Handler, port: int) -> asyncio.Server:
    """Listen on loopback; raises ``OSError`` when the port is taken."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _talk(handler, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # The other side left or fell silent; there is nobody to tell.
        except asyncio.CancelledError:
            # The fleet stops. Python 3.11 prints a traceback for a handler that ends cancelled.
            pass
        finally:
            writer.close()

    return await asyncio.start_server(talk, LOOPBACK, port, limit=HEAD_LIMIT_BYTES)


async def _talk(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    keep = True
    while keep:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                request = await _read(reader)
        except BadRequestError as error:
            writer.write(_encode(Response(error.status, f"{error}\n".encode()), keep=False))
            await writer.drain()
            return
        if request is None:
            return
        keep = request.headers.get("connection", "keep-alive").lower() != "close"
        response = handler(request)
        writer.write(_encode(response, keep=keep, head_only=request.method == "HEAD"))
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    except asyncio.LimitOverrunError:
        raise BadRequestError(431, "the request's head is larger than 16 KiB") from None
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(400, "this is not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    target = urlsplit(words[1])
    body = await _read_body(reader, headers)
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    return Request(words[0], target.path, query, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequestError(501, "send the body with Content-Length; chunks are not understood")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequestError(400, "Content-Length must be a whole number of bytes")
    if int(length) > BODY_LIMIT_BYTES:
        raise BadRequestError(413, "the body is larger than 16 KiB")
    return await reader.readexactly(int(length))


def _encode(response: Response, *, keep: bool, head_only: bool = False) -> bytes:
    reason = HTTPStatus(response.status).phrase
    lines = [
        f"HTTP/1.1 {response.status} {reason}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        "",
        "",
    ]
    head = "\r\n".join(lines).encode("latin-1")
    return head if head_only else head + response.body


# They change how the simulation treats requests. No metric is ever written from here.

JSON_TYPE = "application/json"
TTL_LIMIT_SECONDS = 7 * 86400.0
TEXT_LIMIT = 500
_SETTABLE = tuple(state.name for state in BreakerState if state is not BreakerState.OPEN)

Value = str | float | int | bool | None
Document = Mapping[str, Value]


class RefusedError(Exception):
    """A control request that changes nothing, with its HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Control:
    show: Callable[[Service, str], dict[str, Value]]
    put: Callable[[Service, Document, float], str]
    revision: Callable[[Service, str], int]


def answer(services: Mapping[str, Service], request: Request, now: float) -> Response:
    """Answer a request under ``/control/``; ``services`` are those of this listener, by model."""
    try:
        return _answer(services, request, now)
    except RefusedError as error:
        body = json.dumps({"error": str(error)}).encode() + b"\n"
        return Response(error.status, body, JSON_TYPE)


def _answer(services: Mapping[str, Service], request: Request, now: float) -> Response:
    name = request.path.removeprefix("/control/")
    control = _CONTROLS.get(name)
    if control is None:
        raise RefusedError(404, f"there is no such control; there are {', '.join(_CONTROLS)}")
    service = _service(services, request.query.get("model"))
    dependency = request.query.get("dependency", "")
    if request.method in ("GET", "HEAD"):
        return _state(control, service, name, dependency)
    if request.method != "PUT":
        raise RefusedError(405, "a control is read with GET and changed with PUT")
    document = _document(request.body)
    said = document.get("dependency", dependency)
    dependency = said if isinstance(said, str) else ""
    expected = request.headers.get("if-match")
    if expected not in (None, "*", _etag(control, service, name, dependency)):
        raise RefusedError(412, "this control has changed since you read it; read it again")
    dependency = control.put(service, {**document, "dependency": dependency}, now)
    return _state(control, service, name, dependency)


def _service(services: Mapping[str, Service], model: str | None) -> Service:
    if model is None and len(services) == 1:
        return next(iter(services.values()))
    if model is None:
        raise RefusedError(400, "several models live here; say which with ?model=NAME")
    if model not in services:
        raise RefusedError(404, "no model of that name lives here")
    return services[model]


def _state(control: _Control, service: Service, name: str, dependency: str) -> Response:
    body = json.dumps(control.show(service, dependency)).encode() + b"\n"
    headers = {"ETag": _etag(control, service, name, dependency)}
    return Response(200, body, JSON_TYPE, headers)


def _etag(control: _Control, service: Service, name: str, dependency: str) -> str:
    return f'"{name}-{control.revision(service, dependency)}"'


def _document(body: bytes) -> Document:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "the body must be one JSON object") from error
    if not isinstance(document, dict):
        raise RefusedError(400, "the body must be one JSON object")
    for key, value in document.items():
        if not isinstance(value, str | int | float | bool | None):
            raise RefusedError(400, f"{key!r} must be a plain value")
    return document


def _known(document: Document, *allowed: str) -> None:
    allowed = (*allowed, "ttl_seconds", "by", "reason")
    unknown = [key for key in document if key not in (*allowed, "dependency")]
    if unknown:
        raise RefusedError(400, f"{unknown[0]!r} is not known; allowed: {', '.join(allowed)}")


def _author(document: Document) -> tuple[str, str]:
    """Return who changes the control and why, as they say themselves."""
    said = []
    for key, default in (("by", "operator"), ("reason", "")):
        value = document.get(key)
        if value is None:
            value = default
        if not isinstance(value, str) or len(value) > TEXT_LIMIT:
            raise RefusedError(400, f"{key!r} must be a text of at most {TEXT_LIMIT} characters")
        said.append(value)
    return said[0], said[1]


def _number(document: Document, key: str) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedError(400, f"{key!r} must be a number")
    return float(value)


def _until(document: Document, now: float) -> float | None:
    seconds = _number(document, "ttl_seconds")
    if seconds is None:
        return None
    if not 0 < seconds <= TTL_LIMIT_SECONDS:
        raise RefusedError(400, "'ttl_seconds' must be above 0 and at most a week")
    return now + seconds


def _breaker_key(service: Service, dependency: str) -> str:
    if dependency not in service.breakers:
        names = ", ".join(name for name in service.breakers if name) or "none"
        raise RefusedError(404, f"this model has no breaker on that dependency; it has: {names}")
    return dependency


def _show_breaker(service: Service, dependency: str) -> dict[str, Value]:
    breaker = service.breakers[_breaker_key(service, dependency)]
    calls, failures = breaker.window
    return {
        "model": service.model.name,
        "dependency": dependency,
        "state": breaker.state.name,
        "since": breaker.since,
        "by": breaker.by,
        "reason": breaker.reason,
        "until": breaker.until,
        "calls": calls,
        "failures": failures,
        "opened_on_calls": breaker.opened_on[0],
        "opened_on_failures": breaker.opened_on[1],
    }


def _put_breaker(service: Service, document: Document, now: float) -> str:
    _known(document, "state")
    state = document.get("state")
    if not isinstance(state, str) or state not in _SETTABLE:
        raise RefusedError(400, f"'state' must be one of {', '.join(_SETTABLE)}")
    until = _until(document, now)
    dependency = _breaker_key(service, str(document.get("dependency") or ""))
    ttl_seconds = None if until is None else until - now
    by, reason = _author(document)
    service.breakers[dependency].force(BreakerState[state], now, ttl_seconds, by, reason)
    return dependency


def _breaker_revision(service: Service, dependency: str) -> int:
    return service.breakers[_breaker_key(service, dependency)].revision


def _show_route(service: Service, dependency: str) -> dict[str, Value]:
    route = service.route
    return {
        "model": service.model.name,
        "target": route.target,
        "level": route.level,
        "since": route.since,
        "by": route.by,
        "reason": route.reason,
        "until": route.until,
    }


def _put_route(service: Service, document: Document, now: float) -> str:
    _known(document, "target", "level")
    levels = {target: level for target, level, _ in route_targets(service.model)}
    levels[service.model.name] = levels[PRIMARY_ROUTE]
    target = document.get("target")
    if not isinstance(target, str) or target not in levels:
        raise RefusedError(400, f"'target' must be one of {', '.join(levels)}")
    level = document.get("level")
    if level is not None and level != levels[target]:
        raise RefusedError(400, f"'level' of that target is {levels[target]}")
    if target == HUMAN_ROUTE and service.review.capacity_per_second <= 0:
        raise RefusedError(409, "this model has no reviewers, so people cannot take its requests")
    until = _until(document, now)
    kept = PRIMARY_ROUTE if target == service.model.name else target
    if kept == PRIMARY_ROUTE:
        until = None
    revision = service.route.revision + 1
    service.route = Route(kept, levels[target], until, now, revision, *_author(document))
    return ""


def _show_threshold(service: Service, dependency: str) -> dict[str, Value]:
    threshold = service.threshold
    return {
        "model": service.model.name,
        "value": threshold.value,
        "usual": service.model.threshold,
        "since": threshold.since,
        "by": threshold.by,
        "reason": threshold.reason,
        "until": threshold.until,
    }


def _put_threshold(service: Service, document: Document, now: float) -> str:
    _known(document, "value")
    value = _number(document, "value")
    if value is None or not 0.0 <= value <= 1.0:
        raise RefusedError(400, "'value' must be a number from 0 to 1")
    until = _until(document, now)
    revision = service.threshold.revision + 1
    service.threshold = Threshold(value, until, now, revision, *_author(document))
    return ""


def _show_review(service: Service, dependency: str) -> dict[str, Value]:
    return {
        "model": service.model.name,
        "all": service.route.target == HUMAN_ROUTE,
        "depth": service.review.depth,
        "capacity_per_second": service.review.capacity_per_second,
        "until": service.route.until if service.route.target == HUMAN_ROUTE else None,
    }


def _put_review(service: Service, document: Document, now: float) -> str:
    _known(document, "all")
    everything = document.get("all")
    if not isinstance(everything, bool):
        raise RefusedError(400, "'all' must be true or false")
    target = HUMAN_ROUTE if everything else PRIMARY_ROUTE
    if everything or service.route.target == HUMAN_ROUTE:
        rest = {key: value for key, value in document.items() if key != "all"}
        _put_route(service, {**rest, "target": target}, now)
    return ""


_CONTROLS: Mapping[str, _Control] = {
    "breaker": _Control(_show_breaker, _put_breaker, _breaker_revision),
    "route": _Control(_show_route, _put_route, lambda service, _: service.route.revision),
    "threshold": _Control(
        _show_threshold, _put_threshold, lambda service, _: service.threshold.revision
    ),
    "review": _Control(_show_review, _put_review, lambda service, _: service.route.revision),
}
