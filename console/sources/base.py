"""How much history a number needs; the same for every source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.domain.samples import Answer, SeenModel, Series, SourceStatus
    from console.metrics.profile import Profile
    from console.metrics.query_plan import Query

COVERED_SHARE = 0.9
"""A long window is answered when the history covers at least this share of it."""

SHORT_WINDOW_SECONDS = 900.0
"""Windows up to this length are answered from what there is; a longer one would be a wrong number,
not a rough one."""


class SourceDown(Exception):
    """A source could not be asked anything; ``sentence`` says why and what to look at."""

    def __init__(self, sentence: str) -> None:
        """Keep the sentence, which holds no secret and no control character."""
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Discovery:
    """The models a source knows, the profiles that are there, and what was odd about it."""

    models: tuple[SeenModel, ...]
    profiles: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Source(Protocol):
    """Where numbers come from; every time is Unix seconds (UTC) and is given by the caller."""

    name: str
    kind: str

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find the models that are there; raises `SourceDown` when the source does not answer."""
        ...

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Answer ``queries`` in their order.

        A query that fails alone has its sentence in ``Answer.error`` and leaves the others;
        raises `SourceDown` when none could be asked.
        """
        ...

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Answer one question beside the rounds of `ask`; the status stays that of the round.

        Raises `SourceDown`.
        """
        ...

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Return one model's values from ``start`` to ``end`` every ``step`` seconds.

        ``series_value`` is the value of the query's first group label. The series is named
        after the query's column; its ``error`` is set when it could not be had.
        """
        ...

    def status(self) -> SourceStatus:
        """Say how the source is doing."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and threads."""
        ...
