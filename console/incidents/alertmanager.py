"""Alertmanager's API v2, also as Grafana and Mimir serve it; nothing is ever sent but reads."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from console.facts.alert import Alert, AlertState, Silence
from console.facts.text import visible
from console.incidents.reading import (
    AlertAnswer,
    Faults,
    LabelNames,
    decode_each,
    describe,
    fingerprint,
    foreign,
    seconds,
)
from console.wire.alertmanager import ACK_PREFIX, API, NOT_FOUND, PREFIXES, ApiSilence
from console.wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.wire.client import Wire


class _Status(Struct):
    state: str = "active"
    silenced_by: tuple[str, ...] = field(name="silencedBy", default=())
    inhibited_by: tuple[str, ...] = field(name="inhibitedBy", default=())
    muted_by: tuple[str, ...] | None = field(name="mutedBy", default=())


class _Alert(Struct):
    labels: dict[str, str]
    starts_at: datetime = field(name="startsAt")
    ends_at: datetime | None = field(name="endsAt", default=None)
    annotations: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    status: _Status = field(default_factory=_Status)


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ALERT = msgspec.json.Decoder(_Alert)
_SILENCE = msgspec.json.Decoder(ApiSilence)


class AlertmanagerReader:
    """Reads the alerts of one Alertmanager cluster, and the silences that cover them."""

    kind = "alertmanager"

    def __init__(self, name: str, wire: Wire, labels: LabelNames) -> None:
        self.name = name
        self._wire = wire
        self._labels = labels
        self._prefix: str | None = None

    async def read(self, now: float) -> AlertAnswer:
        """Return all alerts; raises `WireError` and `AlertsUnreadable`.

        Where the silences cannot be read, alerts come without them and a warning says so.
        """
        body = await self._alerts_body()
        faults = Faults("alerts")
        found = decode_each(_entries(body, "a list of alerts"), _ALERT, faults)
        warnings = list(faults.sentences())
        silences: Mapping[str, Silence] = {}
        if any(alert.status.silenced_by for alert in found):
            silences, trouble = await self._silences()
            warnings += trouble
        by_fingerprint = {alert.fingerprint: alert for alert in found}
        alerts = tuple(self._alert(alert, silences, by_fingerprint) for alert in found)
        return AlertAnswer(alerts, tuple(warnings))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    async def _alerts_body(self) -> bytes:
        """Ask where API v2 answered before; at first, at every place where it may stand."""
        prefixes = PREFIXES if self._prefix is None else (self._prefix,)
        first: WireError | None = None
        for prefix in prefixes:
            try:
                answer = await self._wire.get(f"{prefix}{API}/alerts")
            except WireError as error:
                if error.status != NOT_FOUND:
                    raise
                first = first or error
                continue
            self._prefix = prefix
            return answer.body
        self._prefix = None
        raise first or WireError("protocol", "there is no place to ask for alerts")

    async def _silences(self) -> tuple[dict[str, Silence], list[str]]:
        try:
            answer = await self._wire.get(f"{self._prefix or ''}{API}/silences")
        except WireError as error:
            return {}, [f"silences cannot be read, so nobody knows whose they are: {error}"]
        faults = Faults("silences")
        try:
            raws = _LIST.decode(answer.body)
        except msgspec.MsgspecError:
            return {}, ["silences cannot be read: the answer is not a list of silences"]
        found = decode_each(raws, _SILENCE, faults)
        active = {one.id: _silence(one) for one in found if not one.over}
        return active, list(faults.sentences())

    def _alert(
        self, raw: _Alert, silences: Mapping[str, Silence], others: Mapping[str, _Alert]
    ) -> Alert:
        said = describe(raw.labels, raw.annotations, self._labels)
        status = raw.status
        covering = tuple(
            silences.get(one) or Silence(visible(one, 60), known=False)
            for one in status.silenced_by
        )
        return Alert(
            fingerprint=raw.fingerprint or fingerprint(raw.labels),
            source=self.name,
            name=said.name,
            state=_state(status, covering),
            severity=said.severity,
            severity_text=said.severity_text,
            since=seconds(raw.starts_at) or 0.0,
            labels=said.labels,
            summary=said.summary,
            runbook=said.runbook,
            model=said.model,
            dependency=said.dependency,
            service=said.service,
            silences=covering,
            inhibited_by=tuple(_name_of(one, others) for one in status.inhibited_by),
            muted_by=tuple(visible(one, 80) for one in status.muted_by or ()),
        )


def _entries(body: bytes, what: str) -> list[msgspec.Raw]:
    try:
        return _LIST.decode(body)
    except msgspec.MsgspecError:
        raise foreign(body, what) from None


def _state(status: _Status, silences: tuple[Silence, ...]) -> AlertState:
    """Return firing for what is only acknowledged: an acknowledgement is not a silence."""
    if status.inhibited_by or status.muted_by:
        return "suppressed"
    if silences and all(silence.acknowledges for silence in silences):
        return "firing"
    return "suppressed" if silences or status.state == "suppressed" else "firing"


def _silence(raw: ApiSilence) -> Silence:
    return Silence(
        id=visible(raw.id, 60),
        by=visible(raw.created_by, 60),
        comment=visible(raw.comment, 200),
        ends=seconds(raw.ends_at),
        acknowledges=raw.comment.startswith(ACK_PREFIX),
    )


def _name_of(other: str, alerts: Mapping[str, _Alert]) -> str:
    """Return the name of the alert that inhibits, or its fingerprint where it is not listed."""
    found = alerts.get(other)
    return visible(other if found is None else found.labels.get("alertname", other), 80)
