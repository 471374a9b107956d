"""Finds a control's targets: listed, behind a DNS name, or by a query."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from console.controls.protocol import ControlError
from console.domain.text import visible
from console.http.endpoint import shown
from console.settings.endpoint_tables import ControlSettings

MOST_TARGETS = 256
FIND_SECONDS = 5.0

TargetFinder = Callable[[str], Awaitable[Sequence[str]]]
"""Answers a PromQL query with base URLs, or ``host:port`` such as the label ``instance`` holds."""


class NotFound(Exception):
    """No targets are known; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """One target: its base URL, and the name TLS and ``Host`` go by where the URL is an address."""

    url: str
    host: str = ""

    @property
    def name(self) -> str:
        """Return the URL as it is shown."""
        return shown(self.url)


class Whereabouts(Protocol):
    """Finds a control's targets; ``known`` are those that need no looking up."""

    known: tuple[Place, ...]

    async def find(self) -> tuple[Place, ...]:
        """Return the targets as they are now; raises ``NotFound``."""


class Listed:
    """The targets written in the settings."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.known = tuple(Place(url) for url in urls)

    async def find(self) -> tuple[Place, ...]:
        """Return them."""
        return self.known


class ByName:
    """Every address behind one name; breakers live in each process, and a name hides how many."""

    known: tuple[Place, ...] = ()

    def __init__(self, url: str) -> None:
        split = _split(url, "targets_from.dns")
        self._url, self._name = url, split.hostname or ""
        self._scheme, self._path = split.scheme, split.path.rstrip("/")
        self._port = split.port or (443 if split.scheme == "https" else 80)
        self._host = split.netloc

    async def find(self) -> tuple[Place, ...]:
        """Ask the resolver; raises ``NotFound``."""
        try:
            async with asyncio.timeout(FIND_SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(
                    self._name, self._port, type=socket.SOCK_STREAM
                )
        except TimeoutError as error:
            raise NotFound(f"{self._name} was not resolved within {FIND_SECONDS:g} s") from error
        except (OSError, UnicodeError) as error:
            said = visible(getattr(error, "strerror", None) or str(error), 120)
            raise NotFound(f"{self._name} cannot be resolved: {said}") from error
        addresses = sorted({str(each[4][0]) for each in found})
        return _limited([Place(self._base(each), self._host) for each in addresses], self._name)

    def _base(self, address: str) -> str:
        literal = f"[{address}]" if ip_address(address.partition("%")[0]).version == 6 else address
        return f"{self._scheme}://{literal}:{self._port}{self._path}"


class ByQuery:
    """What a query on a source of numbers names as targets."""

    known: tuple[Place, ...] = ()

    def __init__(
        self, promql: str, finder: TargetFinder, judge: Callable[[tuple[str, ...]], str]
    ) -> None:
        self._promql = promql
        self._finder = finder
        self._judge = judge

    async def find(self) -> tuple[Place, ...]:
        """Ask the source; raises ``NotFound``."""
        try:
            async with asyncio.timeout(FIND_SECONDS):
                found = await self._finder(self._promql)
        except TimeoutError as error:
            raise NotFound(f"the targets were not found within {FIND_SECONDS:g} s") from error
        except ControlError as error:
            raise NotFound(str(error)) from error
        urls = tuple(sorted({each if "://" in each else f"http://{each}" for each in found}))
        try:
            for url in urls:
                _split(url, "what targets_from.promql found")
        except ControlError as error:
            raise NotFound(str(error)) from error
        problem = self._judge(urls)
        if problem:
            raise NotFound(problem)
        return _limited([Place(url) for url in urls], "the query")


def _split(url: str, place: str) -> SplitResult:
    fault = f"{place}: {visible(url, 80)} is no base URL such as http://fraud.example.net:8080"
    try:
        split = urlsplit(url)
        fits = split.scheme in ("http", "https") and split.hostname and split.port != 0
    except ValueError as error:
        raise ControlError(fault) from error
    if not fits or split.username or split.query or split.fragment or not url.isprintable():
        raise ControlError(fault)
    return split


def _limited(found: list[Place], where: str) -> tuple[Place, ...]:
    if not found:
        raise NotFound(f"{visible(where, 80)} names no target now")
    if len(found) > MOST_TARGETS:
        raise NotFound(
            f"{visible(where, 80)} names {len(found)} targets, more than {MOST_TARGETS}; narrow it"
        )
    return tuple(found)


def whereabouts(
    name: str,
    settings: ControlSettings,
    finder: TargetFinder | None,
    judge: Callable[[tuple[str, ...]], str],
) -> Whereabouts:
    """Return how the targets of one control are found; raises ``ControlError``.

    ``judge`` returns why base URLs must not be used, or nothing.
    """
    asked = settings.targets_from
    if settings.targets:
        problem = judge(settings.targets)
        if problem:
            raise ControlError(problem)
        return Listed(settings.targets)
    if set(asked) == {"dns"}:
        problem = judge((asked["dns"],))
        if problem:
            raise ControlError(problem)
        return ByName(asked["dns"])
    if set(asked) == {"promql"}:
        if finder is None:
            raise ControlError(
                f"controls.{name}.targets_from.promql needs a source to ask, and none is at hand "
                "here; list the targets in targets"
            )
        return ByQuery(asked["promql"], finder, judge)
    raise ControlError(f"controls.{name} needs targets, or targets_from with dns or promql")
