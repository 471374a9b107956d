"""Deploys and configuration changes that other systems tell of, asked once a minute."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.engine.places import PlacePoller
from console.incidents.annotations import ToldChanges, build_annotations

if TYPE_CHECKING:
    import asyncio
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


class ChangeDesk:
    """All places that tell of changes."""

    def __init__(self, settings: Settings, make: MakeTeller | None = None) -> None:
        self._make = make or teller_factory()
        self._pollers = [ChangePoller(each, self._make) for each in settings.changes]

    def start(self, now: float) -> list[asyncio.Task[None]]:
        """Begin the polls that are due at ``now`` (Unix seconds), and return them."""
        began = [poller.start(now, CADENCE_SECONDS) for poller in self._pollers]
        return [task for task in began if task is not None]

    def hasten(self) -> None:
        """Make every next poll due at once."""
        for poller in self._pollers:
            poller.hasten()

    async def configure(self, settings: Settings) -> None:
        """Take new settings; a place whose settings did not change keeps what it knows."""
        before = {poller.settings.name: poller for poller in self._pollers}
        pollers: list[ChangePoller] = []
        for declared in settings.changes:
            same = before.get(declared.name)
            kept = same is not None and same.settings == declared
            pollers.append(
                same if same is not None and kept else ChangePoller(declared, self._make)
            )
        gone = [poller for poller in self._pollers if poller not in pollers]
        self._pollers = pollers
        for poller in gone:
            await poller.close()

    async def close(self) -> None:
        """Let go of every place."""
        for poller in self._pollers:
            await poller.close()

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
