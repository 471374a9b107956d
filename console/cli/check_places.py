"""Each place alerts, changes and versions are read from, asked once for ``midwatch check``."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from console.engine.registries import registry_factory
from console.facts.text import visible
from console.incidents.annotations import build_annotations
from console.incidents.build import UNREAD_KINDS, build_reader
from console.incidents.reading import AlertsUnreadable
from console.sources.mlflow import RegistryUnreadable
from console.wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from console.engine.places import Reader
    from console.engine.registries import MakeRegistry
    from console.incidents.annotations import ToldChanges
    from console.incidents.reading import AlertAnswer
    from console.settings.endpoints import RegistrySettings
    from console.settings.schema import Settings
    from console.sources.mlflow import MlflowReader
    from console.wire.credentials import SecretLookup

    Checked = tuple[str, bool, str]

AnswerT = TypeVar("AnswerT")

_LIMIT_SECONDS = 20.0


async def check_places(settings: Settings, resolver: SecretLookup) -> list[Checked]:
    """Return (what, well, sentence) of each declared place that is read."""
    alerts: list[Awaitable[Checked]] = [
        _place(
            f"alerts {visible(one.name)}",
            partial(build_reader, one, resolver),
            _count_alerts,
        )
        for one in settings.alerts
        if one.kind not in UNREAD_KINDS
    ]
    changes = [
        _place(
            f"changes {visible(one.name)}",
            partial(build_annotations, one, resolver),
            _count_changes,
        )
        for one in settings.changes
    ]
    make = registry_factory(resolver)
    registries = [
        _place(
            f"registry {visible(model)}",
            partial(_registered, make, model, declared.registry),
            _say_registered,
        )
        for model, declared in settings.models.items()
        if declared.registry is not None
    ]
    return list(await asyncio.gather(*alerts, *changes, *registries))


class _Registered:
    """A registry as one more place that is read: the model and its alias, nothing of its runs."""

    def __init__(self, reader: MlflowReader) -> None:
        self._reader = reader

    async def read(self, _now: float) -> str:
        return await self._reader.check()

    async def aclose(self) -> None:
        await self._reader.aclose()


def _registered(make: MakeRegistry, model: str, settings: RegistrySettings) -> _Registered:
    return _Registered(make(model, settings))


def _say_registered(told: str) -> tuple[str, tuple[str, ...]]:
    return told, ()


def _count_alerts(found: AlertAnswer) -> tuple[str, tuple[str, ...]]:
    return f"alerts: {len(found.alerts)}", found.warnings


def _count_changes(found: ToldChanges) -> tuple[str, tuple[str, ...]]:
    return f"changes of the last day: {len(found.changes)}", found.warnings


async def _place(
    what: str,
    build: Callable[[], Reader[AnswerT]],
    count: Callable[[AnswerT], tuple[str, tuple[str, ...]]],
) -> Checked:
    try:
        reader = build()
    except (OSError, ValueError) as fault:
        return what, False, f"this place cannot be set up: {visible(str(fault))}"
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            found = await reader.read(time.time())
    except (WireError, AlertsUnreadable) as fault:
        return what, False, f"{visible(str(fault))}; look at its url, auth and network"
    except RegistryUnreadable as fault:
        return what, False, f"{visible(str(fault), 400)}; look at url, name and alias of its table"
    except TimeoutError:
        return what, False, f"no answer within {_LIMIT_SECONDS:.0f} s; is the url right?"
    finally:
        await reader.aclose()
    took_seconds = time.monotonic() - began_at
    counted, warnings = count(found)
    warned = f"; {visible(warnings[0])}" if warnings else ""
    return what, not warnings, f"answers in {took_seconds:.2f} s; {counted}{warned}"


def unread(settings: Settings) -> list[str]:
    """Return a note for each declared place that this version does not read."""
    return [
        f"note   alerts {visible(one.name)}: {one.kind} is not read by this version"
        for one in settings.alerts
        if one.kind in UNREAD_KINDS
    ]
