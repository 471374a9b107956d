"""Fetches and parses one ``/metrics`` endpoint off the loop."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import numpy as np

from console.domain.text import visible
from console.sources.exposition import (
    ACCEPT,
    LONGEST_VALUE,
    ExpositionError,
    ExpositionReader,
    Scrape,
)
from console.sources.sample_store import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from console.sources.exposition import Labels

SCRAPES_UNTIL_GONE = 3
"""After so many failed scrapes in a row all series of a target have ended."""


class Fetched(Protocol):
    """What an HTTP answer has to offer."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """The whole body, within the client's size limit."""
        ...

    @property
    def elapsed_seconds(self) -> float:
        """From the request's start to the body's end."""
        ...


class Fetcher(Protocol):
    """What a target needs of the wire; `console.http` has it."""

    async def get(
        self,
        path_or_url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Fetch; raises `WireError`."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


def address_labels(url: str, job: str) -> Labels:
    """Return the labels of a target that nobody else gives any."""
    return (("instance", _address(url)), ("job", job))


def _address(url: str) -> str:
    return visible(urlsplit(url).netloc.rpartition("@")[2] or url, 200)


class Target:
    """A target with its samples and its last failure, which is a sentence or None.

    ``labels`` are put on every series of it; see `address_labels`.
    """

    def __init__(
        self,
        url: str,
        labels: Labels,
        wire: Fetcher,
        keeps: Callable[[str], bool],
        keeps_long: Callable[[str], bool],
        interval_seconds: float,
        max_series: int = 20_000,
    ) -> None:
        """Keep at most ``max_series`` series; a target with more fails, with words."""
        self.url = url
        self.instance = _address(url)
        self.shelf = Shelf(labels, interval_seconds, keeps_long)
        self.error: str | None = None
        self.remark = ""
        self.failures = 0
        self.answered_at = -math.inf
        self.elapsed_seconds = 0.0
        self._wire = wire
        self._reader = ExpositionReader(keeps, max_series=max_series)
        self._rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._rows_of = 0

    @property
    def has_answered(self) -> bool:
        """Tell whether any scrape ever succeeded."""
        return math.isfinite(self.answered_at)

    @property
    def is_answering(self) -> bool:
        """Tell whether the last scrape succeeded."""
        return self.error is None and math.isfinite(self.answered_at)

    async def scrape(self, now: float) -> None:
        """Fetch and store one scrape as of ``now``; a failure is kept in ``error``."""
        from console.http.resilience import WireError

        try:
            answer = await self._wire.get("", headers={"Accept": ACCEPT})
            if answer.status != 200:
                return self._failed(f"HTTP {answer.status}", now)
            # Parsing a megabyte takes milliseconds; in a thread the loop gets its turns meanwhile.
            scrape = await asyncio.to_thread(self._reader.read, answer.body)
        except WireError as problem:
            # While the breaker spares the target, the reason why is worth more than that.
            spared = problem.kind == "breaker_open" and self.error is not None
            return self._failed(self.error or "" if spared else problem.sentence, now)
        except ExpositionError as problem:
            return self._failed(problem.sentence, now)
        if not self._store(scrape, now):
            return self._failed("the clock of this machine went back; no sample is kept", now)
        self.error = None
        self.remark = ""
        if not answer.body.strip():
            self.remark = "the page is empty: it exports no metric at all"
        elif self._reader.cut_lines:
            self.remark = (
                f"{self._reader.cut_lines} series have a label longer than {LONGEST_VALUE} "
                "characters; its value is cut, and told from others by a digest"
            )
        elif self._reader.skipped:
            count = self._reader.skipped
            lines = "a line that nobody reads" if count == 1 else f"{count} lines that nobody reads"
            self.remark = f"{lines} skipped: {self._reader.skipped_line}"
        self.failures = 0
        self.answered_at = now
        self.elapsed_seconds = answer.elapsed_seconds
        return None

    def _failed(self, sentence: str, now: float) -> None:
        self.error = sentence
        self.failures += 1
        self.elapsed_seconds = 0.0
        if self.failures == SCRAPES_UNTIL_GONE:
            self.shelf.end_all(now)

    def _store(self, scrape: Scrape, now: float) -> bool:
        series = self._reader.series
        if self._rows_of != self._reader.generation:
            self._rows_of = self._reader.generation
            self._rows = self.shelf.rows_of(series)
        elif len(series) > self._rows.size:
            added = self.shelf.rows_of(series[self._rows.size :])
            self._rows = np.concatenate([self._rows, added])
        layout = self.shelf.layout
        values = np.array(scrape.values, dtype=np.float64)
        stored = self.shelf.append(now, self._rows[scrape.ids], values)
        if self.shelf.layout != layout:
            # Rows were renumbered because old series were forgotten: the reader forgets them too.
            self._reader.start_over()
        return stored

    async def aclose(self) -> None:
        """Close the connection."""
        await self._wire.aclose()
