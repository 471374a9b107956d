"""Reads alerts from Alertmanager's API v2 and from the Prometheus API."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct
from msgspec import field as field_msgspec

from console.domain.alert import Alert, AlertState, Silence
from console.domain.severity import Severity
from console.domain.text import visible
from console.http.alertmanager_api import ACK_PREFIX, API, NOT_FOUND, PREFIXES, ApiSilence
from console.http.resilience import WireError
from console.incidents.severity_words import LabelNames
from console.settings.endpoint_tables import PAGERDUTY_URL, AlertSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.domain.alert import Labels
    from console.http.client import Wire
    from console.http.endpoint import SecretLookup
    from console.settings.schema import Settings

T = TypeVar("T")

_SHOWN_CHARACTERS = 200
_NAME_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class AlertAnswer:
    """Everything one source said at one moment; ``warnings`` are sentences about what is missing.

    ``offered`` is False where the server has no alerts API at all.
    """

    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...] = ()
    offered: bool = True


class AlertReader(Protocol):
    """One place alerts are read from."""

    name: str
    kind: str

    async def read(self, now: float) -> AlertAnswer:
        """Read all alerts; raises `WireError`, or `AlertsUnreadable` for a foreign answer."""

    async def aclose(self) -> None:
        """Close every connection."""


class AlertsUnreadable(Exception):
    """The server answered, but not with alerts; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Described:
    """What labels and annotations say of an alert, whatever API they came through."""

    name: str
    severity: Severity
    severity_text: str
    labels: Labels
    summary: str
    runbook: str
    model: str
    dependency: str
    service: str


def describe(
    labels: Mapping[str, str], annotations: Mapping[str, str], names: LabelNames
) -> Described:
    """Read labels and annotations; texts are made harmless, label values stay as they came."""
    said = names.value(names.severity, labels)
    text = annotations.get("summary") or annotations.get("message") or ""
    return Described(
        name=visible(labels.get("alertname") or "alert without a name", _NAME_CHARACTERS),
        severity=names.severity_of(said),
        severity_text=visible(said, _NAME_CHARACTERS),
        labels=tuple(sorted(labels.items())),
        summary=visible(without_html(text or annotations.get("description", ""))),
        runbook=visible(annotations.get("runbook_url") or annotations.get("runbook") or ""),
        model=names.value(names.model, labels),
        dependency=names.value(names.dependency, labels),
        service=names.value(names.service, labels),
    )


_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>a|abbr|b|big|blockquote|br|code|dd|div|dl|dt|em|font|h[1-6]|hr|i|img|li"
    r"|ol|p|pre|s|small|span|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)"
    r"(?P<rest>(?:\s[^<>]*)?)/?>",
    re.IGNORECASE,
)
_APART = re.compile("blockquote|br|d[dlt]|div|h[1-6r]|li|[ou]l|p|pre|table|t[dhr]").fullmatch
_LINK = re.compile(r"\bhref\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)


def without_html(text: str) -> str:
    """Return ``text`` with HTML tags left out and entities read, the target of a link behind it.

    Only names of HTML are tags: ``p95 <5s`` stays as it is.
    """
    if "<" not in text and "&" not in text:
        return text
    links: list[str] = []

    def shown(found: re.Match[str]) -> str:
        name, ends = found["name"].lower(), bool(found["end"])
        if name == "a":
            if not ends:
                target = _LINK.search(found["rest"])
                links.append(target[1] if target else "")
                return ""
            target_text = links.pop() if links else ""
            return f" ({target_text})" if target_text else ""
        return " " if _APART(name) else ""

    return " ".join(html.unescape(_TAG.sub(shown, text)).split())


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hex digits that stand for this set of labels."""
    text = json.dumps(sorted(labels.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def seconds(moment: datetime | None) -> float | None:
    """Return Unix seconds; Go's zero time (year 1) means that nobody set one."""
    if moment is None or moment.year <= 1:
        return None
    return moment.timestamp()


@dataclass(slots=True)
class Faults:
    """Entries that could not be read: counted, with the first reason, so that none is silent."""

    what: str
    count: int = 0
    first: str = ""
    seen: int = field(default=0)

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence, or none where all is well."""
        if not self.count:
            return ()
        return (f"{self.count} of {self.seen} {self.what} cannot be read: {self.first}",)


def decode_each(
    raws: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[T], faults: Faults
) -> list[T]:
    """Decode one by one: a foreign entry costs itself alone and is counted in ``faults``."""
    found: list[T] = []
    for raw in raws:
        faults.seen += 1
        try:
            found.append(decoder.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            faults.count += 1
            faults.first = faults.first or visible(str(fault), 120)
    return found


def foreign(body: bytes, what: str) -> AlertsUnreadable:
    """Return the error for an answer that is not ``what`` was asked for."""
    start = visible(body[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip(), 80)
    shown = f"it begins with {start}" if start else "it is empty"
    return AlertsUnreadable(
        f"the answer is not {what}; {shown}. The url may point at a proxy, a login page or "
        "another server"
    )


class _Status(Struct):
    state: str = "active"
    silenced_by: tuple[str, ...] = field_msgspec(name="silencedBy", default=())
    inhibited_by: tuple[str, ...] = field_msgspec(name="inhibitedBy", default=())
    muted_by: tuple[str, ...] | None = field_msgspec(name="mutedBy", default=())


class _Alert(Struct):
    labels: dict[str, str]
    starts_at: datetime = field_msgspec(name="startsAt")
    ends_at: datetime | None = field_msgspec(name="endsAt", default=None)
    annotations: dict[str, str] = field_msgspec(default_factory=dict)
    fingerprint: str = ""
    status: _Status = field_msgspec(default_factory=_Status)


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
        return AlertAnswer(alerts, (*warnings, *self._labels.unknown_words(alerts)))

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


_NOT_OFFERED: Final = frozenset({404, 405, 501})


class _RuleAlert(Struct):
    labels: dict[str, str]
    state: str
    active_at: datetime | None = field_msgspec(name="activeAt", default=None)
    annotations: dict[str, str] = field_msgspec(default_factory=dict)


class _Data(Struct):
    alerts: list[msgspec.Raw] | None = None


class _Envelope(Struct):
    status: str
    data: _Data = field_msgspec(default_factory=_Data)
    error: str = ""


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_PROMETHEUS_ALERTS_ALERT = msgspec.json.Decoder(_RuleAlert)


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
        found = decode_each(envelope.data.alerts or (), _PROMETHEUS_ALERTS_ALERT, faults)
        alerts = tuple(self._alert(one, now) for one in found if one.state != "inactive")
        return AlertAnswer(alerts, (*faults.sentences(), *self._labels.unknown_words(alerts)))

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


MAX_BYTES = 32 * 1024 * 1024
"""The largest list of alerts that is read."""


def alert_settings(settings: Settings) -> tuple[tuple[AlertSettings, bool], ...]:
    """Return what is to be read, each with whether it was declared.

    Where no place for alerts is declared, the alerts of every declared Prometheus are read.
    """
    if settings.alerts:
        return tuple((one, True) for one in settings.alerts)
    return tuple(
        (
            AlertSettings(
                name=source.name,
                kind="prometheus",
                url=source.url,
                urls=source.urls,
                auth=source.auth,
                tenant=source.tenant,
                timeout_seconds=source.timeout_seconds,
                proxy=source.proxy,
                ca_file=source.ca_file,
                headers=source.headers,
            ),
            False,
        )
        for source in settings.sources
        if source.kind == "prometheus"
    )


def addressed(settings: AlertSettings) -> AlertSettings:
    """Return the settings with the address that a hosted service has by itself."""
    if settings.kind != "pagerduty" or settings.url or settings.urls:
        return settings
    return msgspec.structs.replace(settings, url=PAGERDUTY_URL)


def build_reader(
    settings: AlertSettings, resolver: SecretLookup | None = None, *, optional: bool = False
) -> AlertReader:
    """Return a reader that has not connected yet; raises `ValueError` where it cannot be made.

    ``optional`` readers take a server without an alerts API for one that offers no alerts.
    """
    from console.http.client import Wire
    from console.http.endpoint import endpoint_of

    wire = Wire(endpoint_of(addressed(settings)), resolver, max_bytes=MAX_BYTES)
    labels = LabelNames.of(settings.labels, settings.severity)
    if settings.kind == "pagerduty":
        from console.incidents.pagerduty_feed import PagerDutyReader

        return PagerDutyReader(settings.name, wire, labels)
    if settings.kind == "alertmanager":
        return AlertmanagerReader(settings.name, wire, labels)

    return PrometheusAlertsReader(settings.name, wire, labels, optional=optional)
