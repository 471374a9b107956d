"""Asking one alert source over API v2: which member answers, and below which path it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from console.controls.calling import Caller, CallFailed, Reply, Request
from console.controls.finding import Place
from console.facts.control import Proof
from console.settings.controls import ControlTimeouts
from console.wire.alertmanager import API, NOT_FOUND, PREFIXES
from console.wire.endpoint import endpoint_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.settings.endpoints import AlertSettings
    from console.wire.credentials import SecretLookup

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
