"""Deploys and configuration changes that other systems tell of, asked once a minute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.engine.places import PlaceDesk, PlacePoller
from console.incidents.annotations import ToldChanges, build_annotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.facts.snapshot import Change
    from console.fleet.observed import Observed
    from console.incidents.annotations import GrafanaAnnotations
    from console.settings.schema import ChangeSettings, Settings
    from console.wire.credentials import SecretLookup

    MakeTeller = Callable[[ChangeSettings], GrafanaAnnotations]

CADENCE_SECONDS = 60.0
"""How often a place is asked: a deploy is not missed by a minute, and dashboards are spared."""


class ChangePoller(PlacePoller[ToldChanges]):
    """One place that tells of changes."""

    def __init__(self, settings: ChangeSettings, make: MakeTeller) -> None:
        super().__init__(settings.name, settings.kind, "place for changes", lambda: make(settings))
        self.settings = settings
        self.changes: tuple[Change, ...] = ()

    def take(self, answer: ToldChanges, now: float) -> None:
        """Keep what was told of the last day."""
        self.changes, self.warnings = answer.changes, answer.warnings


class ChangeDesk(PlaceDesk[ChangePoller]):
    """All places that tell of changes."""

    def __init__(self, settings: Settings, make: MakeTeller | None = None) -> None:
        self._make = make or teller_factory()
        super().__init__([ChangePoller(each, self._make) for each in settings.changes])

    @property
    def cadence_seconds(self) -> float:
        """How often each place is asked."""
        return CADENCE_SECONDS

    async def configure(self, settings: Settings) -> None:
        """Take new settings; a place whose settings did not change keeps what it knows."""
        same = [(poller.settings, poller) for poller in self._pollers]
        await self.replace_with(
            [
                next((one for had, one in same if had == declared), None)
                or ChangePoller(declared, self._make)
                for declared in settings.changes
            ]
        )

    def observe(self, observed: Observed, now: float) -> Observed:
        """Add what was told, and how every place is doing at ``now`` (Unix seconds)."""
        if not self._pollers:
            return observed
        return replace(
            observed,
            told=tuple(change for poller in self._pollers for change in poller.changes),
            change_sources=tuple(poller.status(now, CADENCE_SECONDS) for poller in self._pollers),
        )


def teller_factory(resolver: SecretLookup | None = None) -> MakeTeller:
    """Return what makes each reader as its settings say, secrets from ``resolver``."""
    return lambda settings: build_annotations(settings, resolver)
