"""Alerts straight from a server with the Prometheus API, where there is no Alertmanager."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct, field

from console.facts.alert import Alert, AlertState
from console.facts.text import visible
from console.incidents.reading import (
    AlertAnswer,
    AlertsUnreadable,
    Faults,
    LabelNames,
    decode_each,
    describe,
    fingerprint,
    foreign,
    seconds,
)
from console.wire.errors import WireError

if TYPE_CHECKING:
    from console.wire.client import Wire

_NOT_OFFERED: Final = frozenset({404, 405, 501})


class _RuleAlert(Struct):
    labels: dict[str, str]
    state: str
    active_at: datetime | None = field(name="activeAt", default=None)
    annotations: dict[str, str] = field(default_factory=dict)


class _Data(Struct):
    alerts: list[msgspec.Raw] | None = None


class _Envelope(Struct):
    status: str
    data: _Data = field(default_factory=_Data)
    error: str = ""


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ALERT = msgspec.json.Decoder(_RuleAlert)


class PrometheusAlertsReader:
    """Reads ``/api/v1/alerts``: what fires and what is pending, with nothing about silences.

    With ``optional`` a server without that API is no fault, only one that offers no alerts.
    """

    kind = "prometheus"

    def __init__(
        self, name: str, wire: Wire, labels: LabelNames, *, optional: bool = False
    ) -> None:
        self.name = name
        self._wire = wire
        self._labels = labels
        self._optional = optional

    async def read(self, now: float) -> AlertAnswer:
        """Return all alerts; raises `WireError` and `AlertsUnreadable`."""
        try:
            answer = await self._wire.get("/api/v1/alerts")
        except WireError as error:
            if self._optional and error.status in _NOT_OFFERED:
                return AlertAnswer((), offered=False)
            raise
        try:
            envelope = _ENVELOPE.decode(answer.body)
        except msgspec.MsgspecError:
            raise foreign(answer.body, "the Prometheus API's list of alerts") from None
        if envelope.status != "success":
            said = visible(envelope.error, 200) or "without a reason"
            raise AlertsUnreadable(f"the server refused to list its alerts: {said}")
        faults = Faults("alerts")
        found = decode_each(envelope.data.alerts or (), _ALERT, faults)
        alerts = tuple(self._alert(one, now) for one in found if one.state != "inactive")
        return AlertAnswer(alerts, faults.sentences())

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    def _alert(self, raw: _RuleAlert, now: float) -> Alert:
        said = describe(raw.labels, raw.annotations, self._labels)
        state: AlertState = "pending" if raw.state == "pending" else "firing"
        return Alert(
            fingerprint=fingerprint(raw.labels),
            source=self.name,
            name=said.name,
            state=state,
            severity=said.severity,
            severity_text=said.severity_text,
            since=seconds(raw.active_at) or now,
            labels=said.labels,
            summary=said.summary,
            runbook=said.runbook,
            model=said.model,
            dependency=said.dependency,
            service=said.service,
        )
