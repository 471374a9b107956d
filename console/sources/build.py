"""Sources as the settings declare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.settings.endpoints import SourceSettings
    from console.sources.protocol import Source
    from console.wire.credentials import SecretLookup

SCRAPE_MAX_BYTES = 16 * 1024 * 1024
"""The largest /metrics text that is read."""

PROMETHEUS_MAX_BYTES = 64 * 1024 * 1024
"""The largest answer of a server that is read."""


def build_source(
    settings: SourceSettings,
    resolver: SecretLookup | None = None,
    *,
    interval_seconds: float = 5.0,
) -> Source:
    """Return a source that has not connected yet; ``interval_seconds`` is the pace it is asked at.

    Raises `ValueError` for a source without an address.
    """
    if settings.kind == "scrape":
        return _scrape(settings, resolver, interval_seconds)
    return _prometheus(settings, resolver, interval_seconds)


def _scrape(
    settings: SourceSettings, resolver: SecretLookup | None, interval_seconds: float
) -> Source:
    from console.sources.scrape import ScrapeSource
    from console.wire.client import Wire
    from console.wire.endpoint import endpoint_of_target

    if not settings.targets:
        raise ValueError(f"source {settings.name} has no targets to scrape")
    targets = {
        target: Wire(endpoint_of_target(settings, target), resolver, max_bytes=SCRAPE_MAX_BYTES)
        for target in settings.targets
    }
    return ScrapeSource(settings.name, targets, interval_seconds=interval_seconds)


def _prometheus(
    settings: SourceSettings, resolver: SecretLookup | None, interval_seconds: float
) -> Source:
    from console.sources.prometheus import PrometheusSource
    from console.wire.client import Wire
    from console.wire.endpoint import endpoint_of

    endpoint = endpoint_of(settings)
    if not endpoint.urls:
        raise ValueError(f"source {settings.name} has no url")
    return PrometheusSource(
        settings.name,
        Wire(endpoint, resolver, max_bytes=PROMETHEUS_MAX_BYTES),
        timeout_seconds=settings.timeout_seconds,
        cadence_seconds=interval_seconds,
    )
