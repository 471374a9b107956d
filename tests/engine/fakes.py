"""A source that answers what a test tells it to, and rows to go with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Answer, SeenModel, Series, SourceStatus
from console.metrics.queries import Query
from console.settings.load import Loaded
from console.settings.schema import Settings, SourceSettings
from console.sources.base import Discovery, SourceDown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.metrics.profile import Profile

NOW = 1_790_000_000.0


def query(column: str, **more: object) -> Query:
    """A query of profile ``midwatch`` by model."""
    plain = Query(
        id=f"midwatch/{column}",
        column=column,
        profile="midwatch",
        by=("model",),
        promql=f"ask({column})",
        expression=None,
        window_seconds=300.0,
        method="mean",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def answer(asked: Query, values: Mapping[str, float], *, at: float = NOW) -> Answer:
    """One value a model."""
    return Answer(
        query_id=asked.id,
        keys=tuple((name,) for name in values),
        values=np.array(list(values.values()), dtype=np.float64),
        at=at,
    )


def failure(asked: Query, sentence: str = "refused") -> Answer:
    """The answer to a question that failed."""
    return Answer(asked.id, (), np.empty(0), NOW, error=sentence)


def seen(*names: str, source: str = "one", profile: str = "midwatch") -> tuple[SeenModel, ...]:
    """Models a source knows under their own names."""
    return tuple(SeenModel(name, name, profile, source) for name in names)


def settings_of(*sources: str, **more: object) -> Settings:
    """Settings with scrape sources of these names."""
    declared = tuple(
        SourceSettings(name=name, kind="scrape", targets=("http://127.0.0.1:1/metrics",))
        for name in sources
    )
    return Settings(sources=declared, refresh_seconds=1.0, **more)  # type: ignore[arg-type]


def loaded(settings: Settings) -> Loaded:
    """Settings as a loader hands them over."""
    return Loaded(settings, {}, None)


@dataclass
class FakeSource:
    """A source under a test's thumb: values by column, a delay, or a fault."""

    name: str = "one"
    models: tuple[SeenModel, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    labelled: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    kind: str = "scrape"
    down: str | None = None
    crash: Exception | None = None
    delay_seconds: float = 0.0
    server_seconds: float = 0.0
    answered_at: float | None = None
    asked: list[list[str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    closed: bool = False

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        if self.down:
            raise SourceDown(self.down)
        return Discovery(self.models, tuple({model.profile for model in self.models}))

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            if self.crash:
                raise self.crash
            if self.down:
                raise SourceDown(self.down)
            self.asked.append([each.column for each in queries])
            self.answered_at = now
            return [self._answer(each, now) for each in queries]
        finally:
            self.under_way -= 1

    async def ask_aside(self, query: Query, now: float) -> Answer:
        if self.down:
            raise SourceDown(self.down)
        return self._answer(query, now)

    def _answer(self, asked: Query, now: float) -> Answer:
        if asked.column in self.labelled:
            keys = self.labelled[asked.column]
            return Answer(asked.id, keys, np.ones(len(keys)), now)
        value = self.values.get(asked.column)
        names = [] if value is None or asked.labelled else [m.series_value for m in self.models]
        return answer(asked, dict.fromkeys(names, value or 0.0), at=now)

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        if self.down:
            raise SourceDown(self.down)
        times = np.arange(start, end + step / 2, step)
        return Series(query.column, times, np.full(len(times), self.values.get(query.column, 0.0)))

    def status(self) -> SourceStatus:
        return SourceStatus(
            self.name,
            self.kind,
            state="down" if self.down else "up",
            answered_at=self.answered_at,
            error=self.down,
            server_seconds=self.server_seconds,
        )

    async def aclose(self) -> None:
        self.closed = True
