"""The control endpoints of a midwatch service: breaker, route, threshold, review; GET and PUT JSON.

They change how the simulation treats requests. No metric is ever written from here.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.demo.http_server import Request, Response
from console.demo.midwatch_series import HUMAN_ROUTE, route_targets
from console.demo.service import PRIMARY_ROUTE, Route, Service, Threshold
from console.demo.service_breaker import BreakerState

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
