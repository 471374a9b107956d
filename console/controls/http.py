"""The ``http`` driver: reads and changes over HTTP as a declaration says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from console.controls.declaration import (
    MATCH_PREFIX,
    Change,
    Declared,
    Probe,
    Query,
    QueryFailed,
    Read,
)
from console.controls.http_call import Caller, CallFailed, Reply, Request
from console.controls.protocol import NOT_READ, TOLD_ONLY, ControlError
from console.controls.target_discovery import Whereabouts
from console.controls.template import Variables, fill, fill_entries, fill_path, header_text
from console.domain.control import (
    JsonValue,
    Lookup,
    PreparedCall,
    Scalar,
    TargetResult,
    TargetState,
    Verdict,
)
from console.http.endpoint import shown

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Payload:
    """The rendered requests of one call: the change, its rehearsal, the search for its marker."""

    change: Request
    dry_run: Request | None = None
    find: Request | None = None
    found: Query | None = field(default=None, compare=False)


class _Reading:
    """The read of a declaration with its variables bound and its expressions compiled."""

    def __init__(self, declared: Declared, read: Read) -> None:
        variables: Variables = declared.vars  # type: ignore[assignment]
        place = f"controls.{declared.name}.read"
        if read.path is None:
            raise ControlError(f"{place} has no path")
        self.declared = read
        self.request = _request(
            read.method, read.path, read.query, read.headers, read.json, variables
        )
        self.states = frozenset(
            state
            for change in declared.actions.values()
            for state in (*change.desired, *change.from_states)
        )
        self.exists = Query(read.exists, variables, f"{place}.exists") if read.exists else None
        self.value = Query(read.value, variables, f"{place}.value") if read.value else None
        self.matches = tuple(
            (
                verb,
                Query(
                    change.if_match.removeprefix(MATCH_PREFIX),
                    variables,
                    f"controls.{declared.name}.actions.{verb}.if_match",
                ),
            )
            for verb, change in declared.actions.items()
            if change.if_match.startswith(MATCH_PREFIX)
        )


class HttpDriver:
    """Carries reads and calls to the declared base URLs; compiles every expression at once.

    Raises ``ControlError`` for a declaration that cannot work.
    """

    def __init__(self, declared: Declared, caller: Caller, where: Whereabouts) -> None:
        if declared.read is None and declared.kind not in TOLD_ONLY:
            raise ControlError(
                f"controls.{declared.name} has no read: without it no change could be judged"
            )
        self._declared = declared
        self._caller = caller
        self._reading = None if declared.read is None else _Reading(declared, declared.read)
        self._where = where
        self._places = {place.name: place for place in where.known}
        variables: Variables = declared.vars  # type: ignore[assignment]
        self._accepts: dict[str, Query] = {}
        for verb, change in declared.actions.items():
            place = f"controls.{declared.name}.actions.{verb}"
            if change.path is None:
                raise ControlError(
                    f"{place} has no path; a table written here replaces the preset's whole"
                )
            if change.json is not None and change.form:
                raise ControlError(f"{place} has both json and form; one body is sent")
            if change.if_match not in ("none", "etag") and not change.if_match.startswith(
                MATCH_PREFIX
            ):
                raise ControlError(f'{place}.if_match must be "none", "etag" or "jmespath:…"')
            if change.accept:
                self._accepts[verb] = Query(change.accept, variables, f"{place}.accept")

    @property
    def targets(self) -> tuple[str, ...]:
        """Return every base URL known so far, as it is shown."""
        return tuple(self._places)

    async def find(self) -> tuple[str, ...]:
        """Return the targets as they are now; raises ``NotFound``."""
        found = await self._where.find()
        # Those of before stay known: a change prepared for one of them says itself that it is gone.
        self._places.update({place.name: place for place in found})
        return tuple(place.name for place in found)

    async def aclose(self) -> None:
        """Hold nothing between calls."""

    async def read(self, target: str, now: float) -> TargetState:
        """Read one target; never raises, ``error`` says what went wrong."""
        if self._reading is None:
            return TargetState(target, now, error=NOT_READ)
        try:
            reply = await self._caller.call(self._places[target], self._reading.request)
        except CallFailed as failure:
            return TargetState(
                target, now, error=failure.sentence.replace("; it may have acted", "")
            )
        return self._state(self._reading, target, reply, now)

    def _state(self, reading: _Reading, target: str, reply: Reply, now: float) -> TargetState:
        read = reading.declared
        excerpt = self._caller.clean(reply.body.decode("utf-8", "replace").strip())
        if read.missing is not None and reply.status in read.missing.status:
            # An absence that actions start from or lead to is a state like any other.
            there = read.missing.means in reading.states
            return TargetState(
                target, now, read.missing.means, exists=there, etag=reply.etag, excerpt=excerpt
            )
        if reply.status not in read.ok:
            return TargetState(
                target, now, excerpt=excerpt, error=f"{target} {self._said(reply, excerpt)}"
            )
        if not reply.whole:
            return TargetState(
                target, now, excerpt=excerpt, error=f"{target} answered more than 1 MiB; not read"
            )
        document = _document(reply.body)
        try:
            exists = reading.exists.holds(document) if reading.exists else None
            if exists is False:
                return TargetState(target, now, exists=False, etag=reply.etag, excerpt=excerpt)
            value = reading.value.scalar(document) if reading.value else None
            matches = tuple((verb, query.scalar(document)) for verb, query in reading.matches)
        except QueryFailed as failed:
            return TargetState(target, now, excerpt=excerpt, error=f"{target}: {failed}")
        if value is None:
            return TargetState(
                target,
                now,
                exists=exists,
                etag=reply.etag,
                excerpt=excerpt,
                error=f"{target} answered, but its answer holds no state where it is expected",
            )
        if isinstance(value, str):
            value = self._caller.clean(value, 120)
        return TargetState(
            target, now, value, exists=True, etag=reply.etag, excerpt=excerpt, matches=matches
        )

    def render(
        self, action: str, variables: Mapping[str, JsonValue], seen: TargetState
    ) -> tuple[str, object]:
        """Return the request as shown, and the payload to send; raises ``ControlError``."""
        change = self._declared.actions[action]
        values = {**variables, "seen": seen.value, "match": _match(change, action, seen)}
        headers = dict(change.headers)
        if change.idempotency_header:
            headers[change.idempotency_header] = "${op_id}"
        if change.if_match == "etag" and seen.etag:
            headers["If-Match"] = header_text(seen.etag)
        if change.content_type:
            headers["Content-Type"] = change.content_type
        request = _request(
            change.method,
            change.path if change.path is not None else "/",
            change.query,
            headers,
            change.json,
            values,
            change.form,
        )
        find = _beside(change, change.find, headers, values, search=True)
        found = None
        if change.find is not None and change.find.found:
            place = f"controls.{self._declared.name}.actions.{action}.find.found"
            found = Query(change.find.found, values, place)
        payload = Payload(
            change=request,
            dry_run=_beside(change, change.dry_run, headers, values, search=False),
            find=find,
            found=found,
        )
        return self._shown(seen.target, request), payload

    def _shown(self, target: str, request: Request) -> str:
        headers = {**request.headers, **self._caller.shown_headers()}
        path = "/[secret]" if self._caller.hides_path else request.path
        lines = [f"{request.method} {target.rstrip('/')}{path}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.body:
            lines += ["", request.body.decode("utf-8", "replace")]
        return "\n".join(self._caller.clean(line, 4000) for line in lines)

    async def send(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Send one call once; never raises."""
        change = self._declared.actions[action]
        payload = _payload(call)
        try:
            reply = await self._caller.call(self._places[call.target], payload.change)
        except CallFailed as failure:
            verdict: Verdict = "indeterminate" if failure.sent else "rejected"
            return TargetResult(call.target, verdict, failure.sentence, failure.sent, now)
        return self._result(call.target, action, reply, change.ok, change.rejected, now)

    def _result(
        self,
        target: str,
        action: str,
        reply: Reply,
        ok: tuple[int, ...],
        rejected: tuple[int, ...],
        now: float,
    ) -> TargetResult:
        excerpt = self._caller.clean(reply.body.decode("utf-8", "replace").strip())
        sentence = f"{target} {self._said(reply, excerpt)}"
        verdict: Verdict = "indeterminate"
        if reply.status in ok:
            verdict = "accepted"
            accept = self._accepts.get(action)
            if accept is not None and not _agrees(accept, reply):
                verdict = "indeterminate"
                sentence += "; its answer does not say that it acted"
        elif reply.status in rejected:
            verdict = "rejected"
        return TargetResult(target, verdict, sentence, True, now, reply.status, excerpt)

    async def dry_run(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Ask what one call would do; never raises."""
        probe, payload = self._declared.actions[action].dry_run, _payload(call)
        if probe is None or payload.dry_run is None:
            raise ControlError(f"{action} has no dry run")
        try:
            reply = await self._caller.call(self._places[call.target], payload.dry_run)
        except CallFailed as failure:
            return TargetResult(call.target, "rejected", failure.sentence, failure.sent, now)
        excerpt = self._caller.clean(reply.body.decode("utf-8", "replace").strip())
        verdict: Verdict = "accepted" if reply.status in probe.ok else "rejected"
        sentence = f"dry run: {call.target} {self._said(reply, excerpt)}"
        return TargetResult(call.target, verdict, sentence, True, now, reply.status, excerpt)

    async def lookup(self, action: str, call: PreparedCall, now: float) -> Lookup:
        """Look for the marker of one call; never raises."""
        probe, payload = self._declared.actions[action].find, _payload(call)
        if probe is None or payload.find is None or payload.found is None:
            return Lookup(call.target, None, f"{action} leaves no marker that could be looked up")
        try:
            reply = await self._caller.call(self._places[call.target], payload.find)
        except CallFailed as failure:
            return Lookup(call.target, None, failure.sentence)
        excerpt = self._caller.clean(reply.body.decode("utf-8", "replace").strip())
        if reply.status not in probe.ok or not reply.whole:
            return Lookup(call.target, None, f"{call.target} {self._said(reply, excerpt)}")
        try:
            found = payload.found.holds(_document(reply.body))
        except QueryFailed as failed:
            return Lookup(call.target, None, f"{call.target}: {failed}")
        words = "holds" if found else "does not hold"
        return Lookup(call.target, found, f"{call.target} {words} this operation's marker")

    def _said(self, reply: Reply, excerpt: str) -> str:
        if 300 <= reply.status < 400:
            to = f" to {shown(reply.location)}" if reply.location else ""
            return f"answered {reply.status}, a redirect{self._caller.clean(to)}; not followed"
        if reply.status < 400:
            return f"answered {reply.status}"
        return f"answered {reply.status}" + (f": {excerpt}" if excerpt else " without a word")


def _payload(call: PreparedCall) -> Payload:
    if not isinstance(call.payload, Payload):
        raise ControlError("this call was prepared by another driver")
    return call.payload


def _match(change: Change, action: str, seen: TargetState) -> Scalar:
    """Return the precondition read for this action, None where there is none."""
    if change.if_match.startswith(MATCH_PREFIX):
        return dict(seen.matches).get(action)
    return None


def _beside(
    change: Change,
    probe: Probe | None,
    headers: Mapping[str, str],
    values: Variables,
    *,
    search: bool,
) -> Request | None:
    """Return the request of a rehearsal (the change's own, altered) or of a search (its own)."""
    if probe is None:
        return None
    if search:
        return _request(
            probe.method or "GET", probe.path or "/", probe.query, probe.headers, probe.json, values
        )
    return _request(
        probe.method or change.method,
        probe.path or change.path or "/",
        {**change.query, **probe.query},
        {**headers, **probe.headers},
        change.json if probe.json is None else probe.json,
        values,
        change.form,
    )


def _request(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: object,
    variables: Variables,
    form: Mapping[str, str] | None = None,
) -> Request:
    made = {name: header_text(value) for name, value in fill_entries(headers, variables).items()}
    content = b""
    if body is not None:
        try:
            content = json.dumps(fill(body, variables), allow_nan=False).encode()
        except ValueError as error:
            raise ControlError(
                "a variable holds NaN or infinity, which JSON cannot carry"
            ) from error
        made.setdefault("Content-Type", JSON_TYPE)
    elif form:
        content = urlencode(fill_entries(form, variables)).encode()
        made.setdefault("Content-Type", FORM_TYPE)
    return Request(method, fill_path(path, query, variables), made, content)


def _document(body: bytes) -> object:
    """Return the answer as JSON, or as text where it is none."""
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _agrees(accept: Query, reply: Reply) -> bool:
    if not reply.whole:
        return False
    try:
        return accept.holds(_document(reply.body))
    except QueryFailed:
        return False
