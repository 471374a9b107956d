"""Deploys and configuration changes that other systems tell of, asked once a minute."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.model import Registered
from console.domain.text import visible
from console.engine.polling import PlaceDesk, PlacePoller
from console.http.resilience import WireError
from console.incidents.annotations import ToldChanges, build_annotations
from console.sources.mlflow import MlflowReader, RegistryUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from console.domain.model import ModelRow
    from console.domain.snapshot import Change
    from console.evaluation.observations import Observed
    from console.http.credentials import SecretLookup
    from console.incidents.annotations import GrafanaAnnotations
    from console.settings.endpoint_tables import RegistrySettings
    from console.settings.schema import ChangeSettings, Settings

    MakeTeller = Callable[[ChangeSettings], GrafanaAnnotations]
    MakeRegistry = Callable[[str, RegistrySettings], MlflowReader]

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


log = logging.getLogger(__name__)


class _Poller:
    """One registered model: never asked twice at once, and kept as last told."""

    def __init__(self, model: str, settings: RegistrySettings, make: MakeRegistry) -> None:
        self.settings = settings
        self.known = Registered(settings.name or model, alias=settings.alias or "")
        self._reader: MlflowReader | None = None
        self._serving = ""
        self._asked_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        try:
            self._reader = make(model, settings)
        except (OSError, ValueError) as fault:
            self.known = replace(self.known, problem=f"it cannot be set up: {visible(str(fault))}")

    def start(self, serving: str, now: float) -> asyncio.Task[None] | None:
        """Begin to read where that is due, or where another version serves than was asked about."""
        busy = self._task is not None and not self._task.done()
        due = now - self._asked_at >= CADENCE_SECONDS or serving != self._serving
        if self._reader is None or busy or not due:
            return None
        self._asked_at, self._serving = now, serving
        self._task = asyncio.create_task(self._read(self._reader, serving, now))
        return self._task

    async def close(self) -> None:
        """End the reading under way and close every connection."""
        task, reader = self._task, self._reader
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if reader is not None:
            await reader.aclose()

    async def _read(self, reader: MlflowReader, serving: str, now: float) -> None:
        try:
            self.known = await reader.read(serving, now)
        except (WireError, RegistryUnreadable) as fault:
            self.known = replace(self.known, problem=visible(str(fault), 300))
        except Exception as fault:
            # A fault of the console's own must not end the loop; it is told as a gap.
            log.exception("reading a registry failed")
            self.known = replace(self.known, problem=f"a fault inside: {visible(repr(fault), 200)}")


class Registries:
    """Every model that declares where it is registered."""

    def __init__(self, settings: Settings, make: MakeRegistry | None = None) -> None:
        self._make = make or registry_factory()
        self._pollers = self._of(settings, {})

    def start(self, rows: Iterable[ModelRow], now: float) -> list[asyncio.Task[None]]:
        """Begin what is due at ``now`` (Unix seconds), and return it."""
        if not self._pollers:
            return []
        serving = {row.model: row.version for row in rows}
        began = [one.start(serving.get(model, ""), now) for model, one in self._pollers.items()]
        return [task for task in began if task is not None]

    @property
    def known(self) -> Mapping[str, Registered]:
        """What each registry said last, by model."""
        return {model: one.known for model, one in self._pollers.items()}

    async def configure(self, settings: Settings) -> None:
        """Take new settings; what did not change keeps what it knows."""
        before, self._pollers = self._pollers, self._of(settings, self._pollers)
        for model, one in before.items():
            if self._pollers.get(model) is not one:
                await one.close()

    async def close(self) -> None:
        """Let go of every registry."""
        for one in self._pollers.values():
            await one.close()

    def _of(self, settings: Settings, kept: Mapping[str, _Poller]) -> dict[str, _Poller]:
        made: dict[str, _Poller] = {}
        for model, declared in settings.models.items():
            if declared.registry is None:
                continue
            before = kept.get(model)
            same = before is not None and before.settings == declared.registry
            made[model] = (
                before
                if before is not None and same
                else _Poller(model, declared.registry, self._make)
            )
        return made


def registry_factory(resolver: SecretLookup | None = None) -> MakeRegistry:
    """Return what makes each reader as its settings say, secrets from ``resolver``."""

    def make(model: str, settings: RegistrySettings) -> MlflowReader:
        from console.http.client import Wire
        from console.http.endpoint import Endpoint

        endpoint = Endpoint(
            urls=(settings.url,),
            auth=settings.auth,
            ca_file=settings.ca_file,
            timeout_seconds=settings.timeout_seconds,
        )
        wire = Wire(endpoint, resolver, max_bytes=MAX_BYTES)
        return MlflowReader(settings.name or model, settings.alias or "", wire)

    return make


MAX_BYTES = 4 * 1024 * 1024
"""The largest answer that is read: a run may carry thousands of tags."""
