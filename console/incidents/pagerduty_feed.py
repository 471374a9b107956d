"""Reads the open incidents of PagerDuty over REST v2 as alerts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec import field as field_msgspec

from console.domain.alert import Alert, Silence
from console.domain.severity import Severity
from console.domain.text import visible
from console.incidents.feeds import (
    AlertAnswer,
    Faults,
    decode_each,
    describe,
    foreign,
    seconds,
)
from console.incidents.severity_words import LabelNames

if TYPE_CHECKING:
    from console.http.client import Wire

ACCEPT: Final = {"Accept": "application/vnd.pagerduty+json;version=2"}
PAGERDUTY_PAGE: Final = 100
PAGERDUTY_MOST: Final = 1000
"""How many open incidents are read; PagerDuty gives no more than 10,000 by offset."""

PAGERDUTY_ID: Final = "pagerduty_incident"
"""The label that holds the id an incident is acknowledged by."""

_QUERY: Final = "statuses%5B%5D=triggered&statuses%5B%5D=acknowledged&include%5B%5D=acknowledgers"
_PRIORITIES: Final = {
    "P1": Severity.S1, "P2": Severity.S2, "P3": Severity.S3, "P4": Severity.S4, "P5": Severity.S4,
}  # fmt: skip
_URGENCIES: Final = {"high": Severity.S1, "low": Severity.S3}
"""What urgency comes to where an incident has no priority: high pages, like the label ``page``."""


class _Named(Struct):
    summary: str | None = ""


class _Acknowledged(Struct):
    at: datetime | None = None
    acknowledger: _Named = field_msgspec(default_factory=_Named)


class _Pending(Struct):
    type: str = ""
    at: datetime | None = None


class _PagerIncident(Struct):
    id: str
    created_at: datetime
    title: str | None = ""
    status: str = ""
    urgency: str = ""
    html_url: str | None = ""
    service: _Named = field_msgspec(default_factory=_Named)
    priority: _Named | None = None
    acknowledgements: tuple[_Acknowledged, ...] = ()
    pending_actions: tuple[_Pending, ...] = ()


class _PagerPage(Struct):
    incidents: list[msgspec.Raw]
    more: bool = False


_PAGER_PAGE = msgspec.json.Decoder(_PagerPage)
_PAGER_INCIDENT = msgspec.json.Decoder(_PagerIncident)


class PagerDutyReader:
    """Reads the open incidents of PagerDuty over REST v2; resolved ones are not asked for."""

    kind = "pagerduty"

    def __init__(self, name: str, wire: Wire, labels: LabelNames) -> None:
        self.name = name
        self._wire = wire
        self._labels = labels

    async def read(self, now: float) -> AlertAnswer:
        """Return every open incident as an alert; raises `WireError` and `AlertsUnreadable`."""
        faults = Faults("incidents")
        found: dict[str, _PagerIncident] = {}
        warnings: list[str] = []
        offset, more = 0, True
        while more:
            answer = await self._wire.get(
                f"/incidents?{_QUERY}&limit={PAGERDUTY_PAGE}&offset={offset}", headers=ACCEPT
            )
            try:
                page = _PAGER_PAGE.decode(answer.body)
            except msgspec.MsgspecError:
                raise foreign(answer.body, "PagerDuty's list of incidents") from None
            for one in decode_each(page.incidents, _PAGER_INCIDENT, faults):
                found[one.id] = one
            offset += PAGERDUTY_PAGE
            more = page.more and bool(page.incidents)
            if more and offset >= PAGERDUTY_MOST:
                warnings.append(f"PagerDuty has more than {PAGERDUTY_MOST:,} open incidents")
                break
        alerts = tuple(self._alert(one) for one in found.values() if one.status != "resolved")
        return AlertAnswer(alerts, (*faults.sentences(), *warnings))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    def _alert(self, raw: _PagerIncident) -> Alert:
        priority = "" if raw.priority is None else raw.priority.summary or ""
        severity = _PRIORITIES.get(priority.strip().upper()) or _URGENCIES.get(raw.urgency)
        labels = {
            "alertname": raw.title or "incident without a title",
            PAGERDUTY_ID: raw.id,
            self._labels.service[0]: raw.service.summary or "",
        }
        said = describe(labels, {"runbook": raw.html_url or ""}, self._labels)
        ends = [each.at for each in raw.pending_actions if each.type == "unacknowledge"]
        acknowledged = raw.status == "acknowledged"
        by = [each.acknowledger.summary or "" for each in raw.acknowledgements]
        silence = Silence(
            id=f"acknowledged in PagerDuty {raw.id}",
            by=visible(by[-1] if by else "somebody", 60),
            ends=seconds(ends[0]) if ends else None,
            acknowledges=True,
        )
        return Alert(
            fingerprint=raw.id,
            source=self.name,
            name=said.name,
            state="firing",
            severity=severity or Severity.UNKNOWN,
            severity_text=visible(priority or raw.urgency, 60),
            since=seconds(raw.created_at) or 0.0,
            labels=said.labels,
            summary=visible(raw.title or ""),
            runbook=said.runbook,
            model=said.model,
            dependency=said.dependency,
            service=said.service,
            silences=(silence,) if acknowledged else (),
        )
