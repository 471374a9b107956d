"""The source that needs no server: reads ``/metrics`` itself and evaluates on its own samples."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Answer, SeenModel, Series, SourceStatus
from console.http.endpoint import shown
from console.metrics.evaluate import Memory, evaluate
from console.metrics.expressions import Increase, duration
from console.metrics.labels import Matcher, conditions
from console.metrics.units import format_age
from console.metrics.unread_kinds import without_label
from console.sources.base import (
    COVERED_SHARE,
    REMEMBERED_SECONDS,
    SHORT_WINDOW_SECONDS,
    SourceDown,
    Wanted,
    as_written,
    found_here,
    seen_models,
)
from console.sources.sample_store import LONG_STEP_SECONDS
from console.sources.scrape_target import Target, address_labels
from console.sources.stored_samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.domain.samples import SourceState
    from console.metrics.expressions import Expression
    from console.metrics.profile import Profile
    from console.metrics.queries import Query
    from console.metrics.query_plan import Query as Query_plan
    from console.sources.base import Discovery
    from console.sources.exposition import Labels
    from console.sources.sample_store import HistoryBlock
    from console.sources.scrape_target import Fetcher

COARSE_WINDOW_SECONDS = 4 * LONG_STEP_SECONDS
"""A chart's rate over samples five minutes apart looks at so much of them."""

LEAST_LIVE_SECONDS, LIVE_SCRAPES = 30.0, 4
"""The window of requests and bad requests a second: so many scrapes, and seconds at the least."""


def at_own_pace(query: Query, interval_seconds: float) -> Query:
    """Shorten a window that is longer for other sources' sake: this one reads so often.

    Half a minute at the least, or a model with a request now and then would flicker.
    """
    if query.fallback_seconds is None or query.window_seconds is None:
        return query
    paced = max(LEAST_LIVE_SECONDS, LIVE_SCRAPES * interval_seconds)
    return replace(query, window_seconds=min(query.window_seconds, paced))


def widened(query: Query, at: float, coarse_before: float) -> Query:
    """Widen a window that would find no two samples in the long tier, for charts of days.

    ``coarse_before`` is the Unix time before which samples are five minutes apart.
    """
    window = query.window_seconds
    if window is None or window >= COARSE_WINDOW_SECONDS:
        return query
    if at - query.offset_seconds - window >= coarse_before:
        return query
    return replace(query, window_seconds=COARSE_WINDOW_SECONDS)


def is_amount(expression: Expression) -> bool:
    """Tell whether a measurement is an amount over its window, not a rate or a share."""
    return isinstance(expression, Increase) or any(map(is_amount, expression.parts()))


MAX_SERIES = 50_000
"""Series of all targets together: about 250 MB, far beyond what any fleet by hand has."""

MAX_TARGET_SERIES, LEAST_TARGET_SERIES = 20_000, 1000
"""What one target may have of them, however few or many targets there are."""

_SHOWN_PROBLEMS = 5
_SAME_ROUND_SHARE = 0.5
_ROUNDING_SECONDS = 1e-5
_BUSY_SECONDS_BETWEEN_TURNS = 0.005
_POINTS_BETWEEN_TURNS = 10


class ScrapeSource:
    """Scrapes its targets when it is asked and the interval has passed; times are Unix seconds.

    A target that fails leaves the others alone. Its last samples count until three scrapes in a
    row have failed; then its series end.
    """

    kind = "scrape"

    def __init__(
        self,
        name: str,
        targets: Mapping[str, Fetcher],
        *,
        interval_seconds: float = 5.0,
        patience_seconds: float = 2.0,
        labels: Mapping[str, Labels] | None = None,
    ) -> None:
        """Read each target (URL to its HTTP client) once an interval.

        ``labels`` are those of each target, where they are not its address and the source's name.

        A round waits ``patience_seconds`` for all targets, and longer only until the first answers;
        slower ones are stored when they come.
        """
        self.name = name
        self._interval_seconds = interval_seconds
        self._patience_seconds = min(patience_seconds, interval_seconds)
        self._wanted: Wanted | None = None
        self._learnt_from: Mapping[str, Profile] | None = None
        share = min(MAX_TARGET_SERIES, max(LEAST_TARGET_SERIES, MAX_SERIES // max(1, len(targets))))
        self._targets = tuple(
            Target(
                url,
                (labels or {}).get(url) or address_labels(url, name),
                wire,
                self._keeps,
                self._keeps_long,
                interval_seconds,
                share,
            )
            for url, wire in targets.items()
        )
        self._samples = Samples([target.shelf for target in self._targets])
        self._under_way: dict[Target, asyncio.Task[None]] = {}
        self._scraped_at = -math.inf
        self._keys: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._memory = Memory()
        self._withheld: list[tuple[float, float]] = []
        self._status = SourceStatus(
            name,
            self.kind,
            cadence_seconds=interval_seconds,
            address=", ".join(shown(url) for url in list(targets)[:_SHOWN_PROBLEMS]),
        )

    @property
    def samples(self) -> Samples:
        """What is held at the moment."""
        return self._samples

    def preload(self, blocks: Iterable[HistoryBlock]) -> None:
        """Take samples from before the first scrape; series of unknown targets are left out."""
        shelves = {target.url: target.shelf for target in self._targets}
        for block in blocks:
            places: dict[str, list[int]] = {}
            for place, (url, metric, _) in enumerate(block.series):
                if url in shelves and self._keeps(metric):
                    places.setdefault(url, []).append(place)
            for url, chosen in places.items():
                rows = shelves[url].rows_of(block.series[place][1:] for place in chosen)
                shelves[url].load(block.step_seconds, rows, block.times, block.values[chosen])

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find the models whose signature series had a sample within the last hour."""
        now = _whole_milliseconds(now)
        self._learn(profiles)
        await self._scrape_if_due(now)
        self._raise_if_down()
        models: list[SeenModel] = []
        here: dict[str, Profile] = {}
        unread = [*self._metrics().unread()]
        for profile in profiles.values():
            matchers = conditions(profile.discovery_where)
            series: list[dict[str, str]] = []
            spelled, bare = [], []
            for metric in self._metrics().spelled(profile):
                since = now - REMEMBERED_SECONDS
                found = [dict(one) for one in self._samples.seen_since(metric, matchers, since)]
                if found:
                    spelled.append(metric)
                    series += found
                elif self._samples.seen_since(metric, (), since):
                    bare.append(metric)
            if series:
                written = here[profile.name] = as_written(profile, spelled, series)
                models.extend(seen_models(written, self.name, series))
            elif bare and profile.role != "companion":
                unread.append(without_label(profile, bare))
        self._status = replace(self._status, unread=tuple(each.sentence for each in unread))
        found_all = found_here(tuple(models), here, self._warnings(now))
        return replace(found_all, unread=tuple(unread))

    async def ask(self, queries: Sequence[Query_plan], now: float) -> list[Answer]:
        """Scrape if it is time, and answer from the samples.

        Raises `SourceDown` when no target answers.
        """
        now = _whole_milliseconds(now)
        await self._scrape_if_due(now)
        self._raise_if_down()
        self._withheld.clear()
        # A late target may have stored samples since the last questions of this same moment.
        self._memory.forget()
        answers = []
        busy_seconds = 0.0
        for query in queries:
            answers.append(self._answer(query, now))
            busy_seconds += answers[-1].elapsed_seconds
            if busy_seconds > _BUSY_SECONDS_BETWEEN_TURNS:
                busy_seconds = 0.0
                await asyncio.sleep(0)
        self._samples.forget_windows()
        self._status = replace(
            self._status,
            queries=len(answers),
            failed_queries=sum(answer.error is not None for answer in answers),
            infos=self._history_note(),
        )
        return answers

    async def ask_aside(self, query: Query_plan, now: float) -> Answer:
        """Answer one question from the samples; raises `SourceDown` when no target answers."""
        now = _whole_milliseconds(now)
        await self._scrape_if_due(now)
        self._raise_if_down()
        return self._answer(query, now)

    async def series(
        self, query: Query_plan, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Evaluate one model's signal at every step; where nothing is stored there is a gap."""
        count = math.floor((end - start) / step + 1e-9) + 1
        times = np.asarray(start + step * np.arange(count), dtype=np.float64)
        values = np.full(times.size, np.nan)
        if not query.answerable_from_samples:
            return Series(query.column, times, values, _NEEDS_SERVER)
        matcher = Matcher(query.by[0], "=", series_value)
        one = replace(query.over_steps(step), matchers=(*query.matchers, matcher))
        memory = Memory()
        for place, at in enumerate(times.tolist()):
            at = _whole_milliseconds(at)
            fitted, _ = self._fitted(widened(one, at, self._samples.coarse_before), at)
            found = None if fitted is None else evaluate(fitted, self._samples, at, memory).values
            if found is not None and found.size:
                values[place] = found[0]
            self._samples.forget_windows()
            if place % _POINTS_BETWEEN_TURNS == 0:
                await asyncio.sleep(0)
        return Series(query.column, times, values)

    def status(self) -> SourceStatus:
        """Say which targets answer, and how much history there is."""
        return self._status

    async def aclose(self) -> None:
        """End scrapes that are under way and close connections."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for target in self._targets:
            await target.aclose()

    def _keeps(self, metric: str) -> bool:
        return self._metrics().keeps(metric)

    def _keeps_long(self, metric: str) -> bool:
        return self._metrics().keeps_long(metric)

    def _metrics(self) -> Wanted:
        if self._wanted is None:
            from console.metrics.profile import profiles

            self._learn(profiles())
        assert self._wanted is not None
        return self._wanted

    def _learn(self, profiles: Mapping[str, Profile]) -> None:
        if profiles is not self._learnt_from:
            # In this order: targets are read in threads, and one may look in between.
            self._wanted = Wanted(profiles)
            self._learnt_from = profiles

    async def _scrape_if_due(self, now: float) -> None:
        """Scrape all targets, unless this round was scraped already; never one target twice."""
        if 0 <= now - self._scraped_at < _SAME_ROUND_SHARE * self._interval_seconds:
            return
        self._scraped_at = now
        self._collect()
        for target in self._targets:
            if target not in self._under_way:
                self._under_way[target] = asyncio.create_task(target.scrape(now))
        await asyncio.wait(self._under_way.values(), timeout=self._patience_seconds)
        self._collect()
        # At the start there is nothing to show instead: a slow machine gets its deadlines' time.
        while self._under_way and not any(target.has_answered for target in self._targets):
            await asyncio.wait(self._under_way.values(), return_when=asyncio.FIRST_COMPLETED)
            self._collect()
        self._note(now)

    def _collect(self) -> None:
        """Put scrapes that are done aside; one that failed in an unforeseen way raises here."""
        for target, task in tuple(self._under_way.items()):
            if task.done():
                del self._under_way[target]
                task.result()

    def _note(self, now: float) -> None:
        answering = [target for target in self._targets if target.is_answering]
        state: SourceState = "up" if answering else "down"
        answered_at = max((target.answered_at for target in self._targets), default=-math.inf)
        self._status = replace(
            self._status,
            state=state,
            answered_at=answered_at if math.isfinite(answered_at) else None,
            error=None if answering else self._down_sentence(),
            server_seconds=max((target.elapsed_seconds for target in answering), default=0.0),
            warnings=self._warnings(now),
        )

    def _warnings(self, now: float) -> tuple[str, ...]:
        """Say which targets fail while others answer."""
        failing = [target for target in self._targets if target.error is not None]
        told = [
            f"{target.instance}: {target.error}{_since(target.answered_at, now)}"
            for target in failing[:_SHOWN_PROBLEMS]
        ]
        if len(failing) > _SHOWN_PROBLEMS:
            told.append(f"and {len(failing) - _SHOWN_PROBLEMS} more targets")
        told += [f"{each.instance}: {each.remark}" for each in self._targets if each.remark][:3]
        return tuple(told)

    def _history_note(self) -> tuple[str, ...]:
        """Say how long the history is where questions of the last round went beyond it."""
        if not self._withheld:
            return ()
        covered, window = min(self._withheld)
        return (
            f"history {format_age(covered)}: no data for windows of {duration(window)} and longer",
        )

    def _down_sentence(self) -> str:
        failing = [target for target in self._targets if target.error is not None]
        if not failing:
            return f"none of {len(self._targets)} targets has answered yet"
        first = failing[0]
        if len(self._targets) == 1:
            return f"{first.error}"
        return f"none of {len(self._targets)} targets answers; {first.instance}: {first.error}"

    def _raise_if_down(self) -> None:
        if not any(target.is_answering for target in self._targets):
            raise SourceDown(self._down_sentence())

    def _answer(self, query: Query_plan, now: float) -> Answer:
        if not query.answerable_from_samples:
            return Answer(query.id, (), np.empty(0), now, error=_NEEDS_SERVER)
        fitted, info = self._fitted(query, now)
        infos = () if info is None else (info,)
        if fitted is None:
            return Answer(
                query.id,
                self._same_keys(query, ()),
                np.empty(0),
                now,
                infos=infos,
                history_seconds=self._covered_seconds(query, now),
            )
        answer = evaluate(fitted, self._samples, now, self._memory)
        return replace(
            answer,
            keys=self._same_keys(query, answer.keys),
            infos=infos,
            window_seconds=fitted.window_seconds
            if info is None
            else self._span_seconds(query, now),
        )

    def _span_seconds(self, query: Query_plan, at: float) -> float | None:
        """Return the history behind a shortened answer; None while there is no second sample."""
        covered = self._covered_seconds(query, at)
        return covered if covered is not None and covered > 0 else None

    def _fitted(self, query: Query_plan, at: float) -> tuple[Query_plan | None, str | None]:
        """Fit a query to the history there is, and say so where that is shorter than its window.

        A short window shrinks to what is there: over the whole of it a rate would come out too
        small for minutes after the start. A long one is withheld (None): a day's burn out of
        ten minutes would be a wrong number, not a rough one. Counts stay as they are.
        """
        query = at_own_pace(query, self._interval_seconds)
        covered, window = self._covered_seconds(query, at), query.window_seconds
        if covered is not None and query.fallback_seconds is not None:
            longest = max(covered, window or 0.0) + _ROUNDING_SECONDS
            query = replace(query, fallback_seconds=min(query.fallback_seconds, longest))
        if window is None or covered is None or covered >= COVERED_SHARE * window:
            return query, None
        info = f"history {format_age(covered)}, the window is {duration(window)}"
        if query.partial:
            return query, None
        if window > SHORT_WINDOW_SECONDS:
            self._withheld.append((covered, window))
            return None, info
        if covered <= 0 or (query.expression is not None and is_amount(query.expression)):
            return query, info
        return replace(query, window_seconds=covered + _ROUNDING_SECONDS), info

    def _covered_seconds(self, query: Query_plan, at: float) -> float | None:
        """Return how much of the query's past is held; None when there is no such series."""
        if query.expression is None:
            return None
        start = self._samples.history_start(query.expression.metrics())
        return at - query.offset_seconds - start if math.isfinite(start) else None

    def _same_keys(
        self, query: Query_plan, keys: tuple[tuple[str, ...], ...]
    ) -> tuple[tuple[str, ...], ...]:
        """Return the keys object of the last answer while it says the same."""
        known = self._keys.get(query.id)
        if known is None or (known is not keys and known != keys):
            self._keys[query.id] = known = keys
        return known


_NEEDS_SERVER = (
    "this query is raw PromQL and needs a Prometheus server; this source reads /metrics itself"
)


def _whole_milliseconds(at: float) -> float:
    """Round as samples are, or a scrape of this very moment could lie after it."""
    return round(at, 3)


def _since(answered_at: float, now: float) -> str:
    if not math.isfinite(answered_at):
        return ""
    return f" (last answer {format_age(now - answered_at)} ago)"
