"""Makes sources from settings; one that cannot be made is shown as down with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.samples import Series, SourceStatus
from console.domain.text import visible
from console.sources.base import Discovery, SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.domain.samples import Answer
    from console.http.endpoint import SecretLookup
    from console.metrics.profile import Profile
    from console.metrics.queries import Query
    from console.settings.endpoint_tables import SourceSettings
    from console.settings.schema import SourceSettings as SourceSettings_schema
    from console.settings.secrets import SecretResolver
    from console.sources.base import Source
    from console.sources.target_list import TargetList

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
    from console.http.client import Wire
    from console.http.endpoint import endpoint_of_target
    from console.sources.scrape import ScrapeSource

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
    from console.http.client import Wire
    from console.http.endpoint import Endpoint, endpoint_of, shown
    from console.sources.direct_standby import DIRECT, DirectStandby
    from console.sources.prometheus import PrometheusSource
    from console.sources.scrape import ScrapeSource

    endpoint = endpoint_of(settings)
    if not endpoint.urls:
        raise ValueError(f"source {settings.name} has no url")
    server = PrometheusSource(
        settings.name,
        Wire(endpoint, resolver, max_bytes=PROMETHEUS_MAX_BYTES),
        timeout_seconds=settings.timeout_seconds,
        cadence_seconds=interval_seconds,
        drop_labels=settings.drop_labels,
        joins=True,
        address=", ".join(map(shown, endpoint.urls)),
    )
    if settings.fallback != DIRECT:
        return server

    def read_targets(targets: TargetList) -> Source:
        # Without the server's credentials: its targets are other people's addresses.
        wires = {
            url: Wire(
                Endpoint((url,), timeout_seconds=settings.timeout_seconds),
                max_bytes=SCRAPE_MAX_BYTES,
            )
            for url in targets.labels
        }
        return ScrapeSource(
            settings.name, wires, interval_seconds=interval_seconds, labels=targets.labels
        )

    return DirectStandby(server, read_targets)


class BrokenSource:
    """Stands for a source that cannot be made (a CA file that is not there, a bad URL)."""

    def __init__(self, name: str, kind: str, sentence: str) -> None:
        self.name = name
        self.kind = kind
        self._sentence = sentence

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Raise `SourceDown`."""
        raise SourceDown(self._sentence)

    def status(self) -> SourceStatus:
        """Say down, and why."""
        return SourceStatus(self.name, self.kind, state="down", error=self._sentence)

    async def aclose(self) -> None:
        """Hold nothing, let go of nothing."""


class WithheldSource:
    """Passes on what a source says until it is ``withheld``; then it is as if it were away.

    For drills of the console's own sight: the source itself is not touched.
    """

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self.kind = source.kind
        self.withheld = False
        self._source = source
        self._away = BrokenSource(source.name, source.kind, "kept from the console by a drill")
        self._missed = False

    @property
    def _now(self) -> Source:
        self._missed = self.withheld
        return self._away if self.withheld else self._source

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find the models that are there; raises `SourceDown`."""
        return await self._now.discover(profiles, now)

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Answer queries in their order; raises `SourceDown`."""
        return await self._now.ask(queries, now)

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Answer one question beside the rounds; raises `SourceDown`."""
        return await self._now.ask_aside(query, now)

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Return one model's values over a span; raises `SourceDown`."""
        return await self._now.series(query, series_value, start, end, step)

    def status(self) -> SourceStatus:
        """Say how the source is doing, down once it was missed."""
        return (self._away if self._missed else self._source).status()

    async def aclose(self) -> None:
        """Let go of the source."""
        await self._source.aclose()


def plain_factory(
    resolver: SecretResolver | None = None, *, interval_seconds: float = 5.0
) -> Callable[[SourceSettings_schema], Source]:
    """Return what makes each source as its settings say, secrets from ``resolver``."""

    return lambda settings: build_source(settings, resolver, interval_seconds=interval_seconds)


def made_or_broken(
    make: Callable[[SourceSettings_schema], Source], settings: SourceSettings_schema
) -> Source:
    """Make one source; a fault in its settings leaves the others alone."""
    try:
        return make(settings)
    except (OSError, ValueError) as fault:
        sentence = f"this source cannot be set up: {visible(str(fault))}"
        return BrokenSource(settings.name, settings.kind, sentence)
