"""Finds how far back a server's series of each model reach."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from console.domain.text import visible
from console.metrics.labels import Matcher, checked_label, conditions, duration, one_of, selector
from console.metrics.profile import profiles
from console.metrics.units import format_age
from console.sources.base import COVERED_SHARE, SHORT_WINDOW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from console.domain.samples import Answer
    from console.metrics.queries import Query

    Keys = tuple[tuple[str, ...], ...]
    Ask = Callable[[str, float], Awaitable[list[dict[str, str]]]]

MOST_NAMED = 30
"""Up to so many models are asked for by name; beyond, the whole fleet is."""

LOOK_SECONDS = 1800.0
"""A probe looks at so much before its moment, because samples may be minutes apart."""

_EVERY_OBSERVATION = Matcher("le", "=", "+Inf")


@dataclass(frozen=True, slots=True)
class Family:
    """Series that a number is made of, one a histogram: metric names with their conditions.

    ``label`` is the model's. ``certain`` says that a model in the answer is in these series; an
    operator's own PromQL is judged by the profile's signature, which may not name it.
    """

    label: str
    selectors: tuple[tuple[str, tuple[Matcher, ...]], ...]
    certain: bool = True

    def promql(self, offset_seconds: float, named: Collection[str]) -> str:
        """Return who had samples ``offset_seconds`` ago, of ``named`` models if there are few."""
        only = (one_of(self.label, tuple(sorted(named))),) if len(named) <= MOST_NAMED else ()
        whole = round(offset_seconds * 1000) / 1000
        back = f" offset {duration(whole)}" if whole else ""
        by = f"count by ({checked_label(self.label)})"
        return " or ".join(
            f"{by} (last_over_time({selector(metric, (*where, *only))}"
            f"[{duration(LOOK_SECONDS)}]{back}))"
            for metric, where in self.selectors
        )


def needed_seconds(query: Query) -> float | None:
    """Return how far back the series of an honest answer reach; None for a short window."""
    window = query.window_seconds
    if window is None or window <= SHORT_WINDOW_SECONDS or query.partial:
        return None
    return query.offset_seconds + COVERED_SHARE * window


def family_of(query: Query) -> Family | None:
    """Return the series behind a query, None where nobody can tell."""
    label = query.by[0]
    metrics = frozenset[str]() if query.expression is None else query.expression.metrics()
    if metrics:
        named = _one_a_histogram(metrics)
        return Family(label, tuple((m, (*where, *query.matchers)) for m, where in named))
    profile = profiles().get(query.profile)
    if profile is None or label != profile.model_label:
        return None
    where = (*conditions(profile.discovery_where), *query.matchers)
    return Family(label, tuple((metric, where) for metric in profile.signature), certain=False)


def _one_a_histogram(metrics: frozenset[str]) -> list[tuple[str, tuple[Matcher, ...]]]:
    """Leave out a histogram's other series: its buckets are many and begin when it does."""
    found: dict[str, tuple[Matcher, ...]] = {}
    for metric in sorted(metrics):
        stem = metric.removesuffix("_bucket").removesuffix("_sum")
        if stem != metric and f"{stem}_count" in metrics:
            continue
        found[metric] = (_EVERY_OBSERVATION,) if metric.endswith("_bucket") else ()
    return list(found.items())


# A server answers a window of three days out of ten minutes without a word. So it is asked,
# once for
# the whole fleet, who had samples at the far end of each window, the longest first; of a fleet with
# a full history that is one question a family of series every six hours. Where somebody had none
# yet, a few more questions halve the time in between, and only then the number is withheld.

RELEARN_SECONDS = 6 * 3600.0
"""A server deletes what is old: what was learnt is asked anew after so long."""

NARROW_SECONDS, NARROW_SHARE = 60.0, 0.05
"""A beginning is known well enough within a minute, or a twentieth of the history."""

LOOK_FURTHER = 2.0
"""Who is absent at the far end of the longest window is looked for so much further back."""

MOST_HALVINGS = 8
MOST_BRACKETS = 8
NOTED_SECONDS = 150.0
"""What was withheld is told for so long: some questions are asked once a minute only."""

_SHOWN_MODELS = 2


class ReachUnknown(Exception):
    """The server did not say how far back its series reach; ``sentence`` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Begin:
    """A model's first sample lies after ``absent_at`` and at or before ``present_at``."""

    present_at: float
    absent_at: float = -math.inf

    def covers(self, moment: float, now: float) -> bool | None:
        """Tell whether there was history at ``moment`` (Unix seconds); None is not known yet."""
        if moment >= self.present_at:
            return True
        return False if moment <= self.absent_at or self.is_narrow(now) else None

    def is_narrow(self, now: float) -> bool:
        """Tell whether the beginning is known well enough to be told."""
        allowed = max(NARROW_SECONDS, NARROW_SHARE * (now - self.present_at))
        return self.present_at - self.absent_at <= allowed

    def seen(self, at: float, *, present: bool) -> Begin:
        """Return what is known after a look at ``at``."""
        if present:
            return replace(self, present_at=min(self.present_at, at))
        if at < self.present_at:
            return replace(self, absent_at=max(self.absent_at, at))
        return self


class Reach:
    """What one server was found to hold of the past; times are Unix seconds, spans seconds.

    ``ask`` answers an instant query by the labels of its series, and raises `ReachUnknown`.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._begins: dict[Family, dict[str, Begin]] = {}
        self._whole: dict[str, tuple[Keys, float]] = {}
        self._forget_at = -math.inf
        self._server_at = math.inf
        self._short: dict[str, tuple[float, float, Mapping[str, float]]] = {}
        self._learning = asyncio.Lock()

    async def honest(
        self, queries: Sequence[Query], answers: Sequence[Answer], now: float
    ) -> list[Answer]:
        """Return the answers without the numbers that reach further back than their series."""
        async with self._learning:
            return await self._honest(queries, answers, now)

    async def began_at(self, query: Query, series_value: str, start: float, now: float) -> float:
        """Return from when on, at the earliest ``start``, a query is honest for one model.

        Minus infinity where the query has a short window, or where nobody can tell; infinity
        where the server does not say.
        """
        needed, family = needed_seconds(query), family_of(query)
        if needed is None or family is None:
            return -math.inf
        async with self._learning:
            self._forget_if_old(now)
            try:
                begins = await self._learn(family, {series_value}, {now - start + needed}, now)
            except ReachUnknown:
                return math.inf
        return begins[series_value].present_at + needed

    async def _honest(
        self, queries: Sequence[Query], answers: Sequence[Answer], now: float
    ) -> list[Answer]:
        self._forget_if_old(now)
        judged = [
            (query, answer, needed, family)
            for query, answer in zip(queries, answers, strict=True)
            if answer.keys
            and (needed := needed_seconds(query)) is not None
            and not self._is_whole(query, answer, needed)
            and (family := family_of(query)) is not None
        ]
        spans: dict[Family, set[float]] = {}
        named: dict[Family, set[str]] = {}
        for _, answer, needed, family in judged:
            spans.setdefault(family, set()).add(needed)
            named.setdefault(family, set()).update(key[0] for key in answer.keys)
        failed: dict[Family, str] = {}
        for family in spans:
            try:
                await self._learn(family, named[family], spans[family], now)
            except ReachUnknown as problem:
                failed[family] = problem.sentence
        for query, _, needed, family in judged:
            if query.keeps_young and family not in failed:
                await self._learn_server(needed, family, now)
        honest = {
            query.id: self._judged(query, answer, needed, family, now)
            if family not in failed
            else _not_known(answer, failed[family])
            for query, answer, needed, family in judged
        }
        return [honest.get(answer.query_id, answer) for answer in answers]

    async def _learn_server(self, needed: float, family: Family, now: float) -> None:
        """Find out whether the server itself, or any model of a family, reaches so far back."""
        moment = now - needed
        if self._server_at <= moment:
            return
        if any(begin.present_at <= moment for begin in self._begins[family].values()):
            self._server_at = moment
            return
        back = f" offset {duration(round(needed * 1000) / 1000)}"
        try:
            if await self._ask(f"count(last_over_time(up[{duration(LOOK_SECONDS)}]{back}))", now):
                self._server_at = moment
        except ReachUnknown:
            # Not known to be young then: withheld, as any number out of a short history.
            return

    def note(self, now: float) -> tuple[str, ...]:
        """Say in one line what a short history withholds at ``now``, and of whom."""
        shortest: dict[str, float] = {}
        windows = []
        for at, window, withheld in self._short.values():
            if withheld and 0 <= now - at < NOTED_SECONDS:
                windows.append(window)
                for value, span in withheld.items():
                    shortest[value] = min(span, shortest.get(value, math.inf))
        if not windows:
            return ()
        # A server's own series may bear no model name; they are counted and not told.
        names = sorted((value for value in shortest if value), key=lambda v: (shortest[v], v))
        told = ", ".join(names[:_SHOWN_MODELS])
        others = len(shortest) - len(names[:_SHOWN_MODELS])
        more = (" and " if told else "") + f"{others} more" if others else ""
        whom = f"{format_age(min(shortest.values()))} of {told}{more}"
        line = f"history {whom}: no data for windows of {duration(min(windows))} and longer"
        return (visible(line),)

    def _forget_if_old(self, now: float) -> None:
        if now >= self._forget_at or now < self._forget_at - RELEARN_SECONDS:
            self._begins.clear()
            self._whole.clear()
            self._server_at = math.inf
            self._forget_at = now + RELEARN_SECONDS

    def _is_whole(self, query: Query, answer: Answer, needed: float) -> bool:
        """Tell whether these same models were all found to reach back far enough before."""
        known = self._whole.get(query.id)
        return known is not None and known[0] is answer.keys and needed <= known[1]

    async def _learn(
        self, family: Family, values: set[str], spans: Iterable[float], now: float
    ) -> dict[str, Begin]:
        """Find out whether these models have history that far back; raises `ReachUnknown`."""
        begins = self._begins.setdefault(family, {})
        fresh = values - begins.keys()
        if fresh and not family.certain:
            # Whom the series do not name at all is not judged by them.
            named = await self._present(family, fresh, now, now)
            begins.update((value, Begin(-math.inf)) for value in fresh - named)
        begins.update((value, Begin(now)) for value in values - begins.keys())
        longest, *shorter = sorted(spans, reverse=True)
        await self._look(family, _undecided(begins, values, now - longest, now), longest, now)
        # Who was not there may have been away just then: a gap is no beginning.
        missed = {v for v in values if not begins[v].covers(now - longest, now)}
        await self._look(family, _unsure(begins, missed, now), LOOK_FURTHER * longest, now)
        await self._narrow(family, values, now)
        for span in shorter:
            await self._look(family, _undecided(begins, values, now - span, now), span, now)
        return begins

    async def _present(self, family: Family, values: set[str], at: float, now: float) -> set[str]:
        series = await self._ask(family.promql(now - at, values), now)
        return {labels.get(family.label, "") for labels in series}

    async def _look(self, family: Family, values: set[str], span: float, now: float) -> None:
        """Ask which of these models had samples ``span`` seconds ago."""
        if values:
            present = await self._present(family, values, now - span, now)
            begins = self._begins[family]
            for value in values:
                begins[value] = begins[value].seen(now - span, present=value in present)

    async def _narrow(self, family: Family, values: Iterable[str], now: float) -> None:
        """Halve the time in which models began, all that share one together."""
        begins = self._begins[family]
        for _ in range(MOST_HALVINGS):
            brackets: dict[Begin, set[str]] = {}
            for value in values:
                begin = begins[value]
                if math.isfinite(begin.absent_at):
                    brackets.setdefault(begin, set()).add(value)
            wide = [begin for begin in brackets if not begin.is_narrow(now)]
            if not wide:
                return
            for begin in sorted(wide, key=lambda each: -len(brackets[each]))[:MOST_BRACKETS]:
                await self._look(family, brackets[begin], _halved(begin, now), now)

    def _judged(
        self,
        query: Query,
        answer: Answer,
        needed: float,
        family: Family,
        now: float,
    ) -> Answer:
        begins = self._begins[family]
        moment = now - needed
        short = {
            key[0]: now - begin.present_at
            for key in answer.keys
            if moment < (begin := begins[key[0]]).present_at
        }
        assert query.window_seconds is not None
        if query.keeps_young and self._server_at <= moment:
            return replace(answer, young=short) if short else answer
        self._short[query.id] = (now, query.window_seconds, short)
        if not short:
            self._whole[query.id] = (answer.keys, needed)
            return answer
        kept = [place for place, key in enumerate(answer.keys) if key[0] not in short]
        return replace(
            answer,
            keys=tuple(answer.keys[place] for place in kept),
            values=answer.values[kept],
            infos=(*answer.infos, _info(query, short, kept)),
            withheld=short,
        )


def _not_known(answer: Answer, failure: str) -> Answer:
    sentence = f"how far back its series reach is not known: {failure}"
    return replace(answer, keys=(), values=np.empty(0), error=sentence)


def _undecided(
    begins: Mapping[str, Begin], values: Iterable[str], moment: float, now: float
) -> set[str]:
    return {value for value in values if begins[value].covers(moment, now) is None}


def _unsure(begins: Mapping[str, Begin], values: Iterable[str], now: float) -> set[str]:
    return {value for value in values if not begins[value].is_narrow(now)}


def _halved(begin: Begin, now: float) -> float:
    """Return the span that halves, in proportion, the time in which a model began."""
    shortest = max(now - begin.present_at, NARROW_SECONDS / 2)
    return math.sqrt(shortest * (now - begin.absent_at))


def _info(query: Query, short: Mapping[str, float], kept: Sequence[int]) -> str:
    assert query.window_seconds is not None
    length = Counter(map(format_age, short.values())).most_common(1)[0][0]
    of = f" of {len(short)} models" if kept else ""
    return f"history {length}{of}, the window is {duration(query.window_seconds)}"
