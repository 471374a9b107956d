"""Readers of alerts as the settings declare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.incidents.reading import LabelNames
from console.settings.endpoints import AlertSettings

if TYPE_CHECKING:
    from console.incidents.reading import AlertReader
    from console.settings.schema import Settings
    from console.wire.credentials import SecretLookup

MAX_BYTES = 32 * 1024 * 1024
"""The largest list of alerts that is read."""

UNREAD_KINDS = frozenset({"pagerduty"})
"""Kinds that may be declared and are not read."""


def alert_settings(settings: Settings) -> tuple[tuple[AlertSettings, bool], ...]:
    """Return what is to be read, each with whether it was declared.

    Where no place for alerts is declared, the alerts of every declared Prometheus are read.
    """
    if settings.alerts:
        return tuple((one, True) for one in settings.alerts if one.kind not in UNREAD_KINDS)
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


def build_reader(
    settings: AlertSettings, resolver: SecretLookup | None = None, *, optional: bool = False
) -> AlertReader:
    """Return a reader that has not connected yet; raises `ValueError` where it cannot be made.

    ``optional`` readers take a server without an alerts API for one that offers no alerts.
    """
    from console.wire.client import Wire
    from console.wire.endpoint import endpoint_of

    if settings.kind in UNREAD_KINDS:
        raise ValueError(f"alerts of {settings.kind} are not read")
    wire = Wire(endpoint_of(settings), resolver, max_bytes=MAX_BYTES)
    labels = LabelNames.of(settings.labels)
    if settings.kind == "alertmanager":
        from console.incidents.alertmanager import AlertmanagerReader

        return AlertmanagerReader(settings.name, wire, labels)
    from console.incidents.prometheus_alerts import PrometheusAlertsReader

    return PrometheusAlertsReader(settings.name, wire, labels, optional=optional)
