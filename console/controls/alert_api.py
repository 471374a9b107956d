"""Asks one alert source over API v2, and marks and finds the silences it holds for people."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from console.controls.http_call import Caller, CallFailed, Reply, Request
from console.controls.target_discovery import Place
from console.domain.control import ControlState, Proof, TargetState
from console.domain.text import visible
from console.http.alertmanager_api import ACK_PREFIX, API, NOT_FOUND, PREFIXES, ApiSilence
from console.http.endpoint import endpoint_of, shown
from console.settings.endpoint_tables import ControlTimeouts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.http.endpoint import SecretLookup
    from console.settings.endpoint_tables import AlertSettings

MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest list of silences or alerts that is read."""

_CONNECT_SECONDS: Final = 3.0
_RAN = Proof("ci", server="Prometheus Alertmanager 0.25")
_GRAFANA = Proof("contract", source="grafana/grafana, the Alertmanager paths of its alerting API")


class AlertApi:
    """Requests to the members of one cluster; what one took is read back from the same one."""

    def __init__(self, declared: AlertSettings, resolver: SecretLookup | None) -> None:
        endpoint = endpoint_of(declared)
        total = declared.timeout_seconds
        timeouts = ControlTimeouts(
            connect_seconds=min(_CONNECT_SECONDS, total), read_seconds=total, total_seconds=total
        )
        self._caller = Caller(endpoint, timeouts, resolver, most_bytes=MOST_BYTES)
        self._places = [Place(url) for url in endpoint.urls]
        self._headers = endpoint.headers
        self._prefix: str | None = None

    @property
    def proof(self) -> Proof:
        """On what its behaviour rests; Grafana's own was never run here."""
        return _GRAFANA if self._prefix == PREFIXES[-1] else _RAN

    @property
    def server(self) -> str:
        """Return the member that answered last, as it is shown."""
        return shown(self._places[0].url).rstrip("/")

    @property
    def base(self) -> str:
        """Return the path of the API below the server."""
        return f"{self._prefix or ''}{API}"

    def clean(self, text: str, limit: int = 300) -> str:
        """Return outside text free of secrets and control characters."""
        return self._caller.clean(text, limit)

    def excerpt(self, reply: Reply, limit: int = 300) -> str:
        """Return the begin of an answer, harmless to show."""
        return self.clean(reply.body.decode("utf-8", "replace").strip(), limit)

    def shown_request(self, request: Request) -> str:
        """Return a request exactly as it would be sent, secrets left out."""
        headers: Mapping[str, str] = {**self._headers, **self._caller.shown_headers()}
        lines = [f"{request.method} {self.server}{request.path}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.body:
            lines += ["", request.body.decode()]
        return "\n".join(self.clean(line, 4000) for line in lines)

    async def change(self, request: Request) -> Reply:
        """Send once, to the member that was read; raises ``CallFailed``."""
        return await self._caller.call(self._places[0], request)

    async def get(self, path: str) -> Reply:
        """Ask the member that answered last, then the others; raises ``CallFailed``."""
        failed: CallFailed | None = None
        for place in tuple(self._places):
            try:
                reply = await self._found(place, path)
            except CallFailed as failure:
                failed = failed or failure
                continue
            self._places = [place, *(each for each in self._places if each is not place)]
            return reply
        raise failed or CallFailed("there is no address to ask", sent=False)

    async def _found(self, place: Place, path: str) -> Reply:
        """Ask where API v2 answered before; at first, at every place where it may stand."""
        prefixes = PREFIXES if self._prefix is None else (self._prefix,)
        for prefix in prefixes:
            reply = await self._caller.call(place, Request("GET", f"{prefix}{API}{path}"))
            if reply.status == NOT_FOUND and prefix != prefixes[-1]:
                continue
            if reply.status != 200 or not reply.whole:
                said = f"answered {reply.status}: {self.excerpt(reply, 120)}"
                told = said if reply.whole else "answers more than can be read"
                raise CallFailed(f"{shown(place.url)} {told}", sent=True)
            self._prefix = prefix
            return reply
        raise CallFailed(f"{shown(place.url)} has no place to ask for alerts", sent=False)


UNACKNOWLEDGED: Final = "unacknowledged"
_UNTIL: Final = "acknowledged until "
_MARK: Final = re.compile(r"\[midwatch:(\S{1,40}) inc:(\S{1,64})\]$")
_REASON_CHARACTERS: Final = 300

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_SILENCE = msgspec.json.Decoder(ApiSilence)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One silence that says who has an alert; ``op_id`` took it, times are as the server tells."""

    id: str
    op_id: str
    incident: str
    labels: Labels
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Silenced(ControlState):
    """Every alert that a silence of ours is about; one that is not listed has none.

    ``marks`` are the silences in force, by the name of their alert as a target.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict)

    def of(self, target: str) -> TargetState | None:
        """Return the state of one alert; once all silences were read, none means that of it too."""
        found = next((each for each in self.targets if each.target == target), None)
        if found is not None:
            return found
        problem = next((each.error for each in self.targets if each.error), "")
        if problem:
            return TargetState(target, self.at, error=problem)
        return TargetState(target, self.at, UNACKNOWLEDGED, exists=True)

    def left_seconds(self, target: str) -> float:
        """Return for how long somebody still has an alert, 0 where nobody does."""
        mark = self.marks.get(target)
        return 0.0 if mark is None else mark.ends_at.timestamp() - self.at


def target_of(labels: Labels) -> str:
    """Return one alert as a target: its name, and eight digits that stand for all its labels."""
    text = json.dumps(sorted(labels)).encode("utf-8", "surrogatepass")
    name = dict(labels).get("alertname") or "alert"
    return f"{visible(name, 60)} {hashlib.sha256(text).hexdigest()[:8]}"


def until_text(until: str) -> str:
    """Return the state of an alert that somebody has until then (ISO 8601, UTC, seconds)."""
    return f"{_UNTIL}{until}"


def moment_text(at: datetime) -> str:
    """Return a moment to the second, as states and requests write it."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def comment_of(reason: str, op_id: str, incident: str) -> str:
    """Return the comment by karma's convention, with what it is found again by at its end."""
    return f"{ACK_PREFIX} {visible(reason, _REASON_CHARACTERS)} [midwatch:{op_id} inc:{incident}]"


def silenced(control: str, body: bytes, now: float) -> Silenced:
    """Return who has what by a list of silences; raises ``msgspec.MsgspecError``.

    A silence that cannot be read costs itself alone: it is none that this console made.
    """
    marks: dict[str, Mark] = {}
    for mark in _marks(_LIST.decode(body)):
        target = target_of(mark.labels)
        before = marks.get(target)
        if before is None or before.ends_at < mark.ends_at:
            marks[target] = mark
    targets = tuple(
        TargetState(target, now, until_text(moment_text(mark.ends_at)), exists=True, etag=mark.id)
        for target, mark in marks.items()
    )
    return Silenced(control, now, targets, marks=marks)


def unread(control: str, sentence: str, now: float) -> Silenced:
    """Return that nobody knows, and why."""
    return Silenced(control, now, (TargetState(control, now, error=sentence),))


def _marks(raws: Iterable[msgspec.Raw]) -> Iterable[Mark]:
    for raw in raws:
        try:
            one = _SILENCE.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        labels = one.labels
        marked = _MARK.search(one.comment) if one.comment.startswith(ACK_PREFIX) else None
        if one.over or not labels or marked is None or not one.starts_at or not one.ends_at:
            continue
        yield Mark(one.id, marked[1], marked[2], labels, one.starts_at, one.ends_at)
