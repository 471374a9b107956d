"""Numbers from a server that speaks the Prometheus HTTP API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from console.domain.samples import Answer, SeenModel, Series, SourceStatus
from console.domain.text import visible
from console.metrics.profile import (
    adapted,
    discovery_promql,
    models_promql,
    profile_of_metric,
)
from console.sources.base import (
    RecentModels,
    SourceDown,
    as_written,
    found_here,
    seen_models,
)
from console.sources.history_depth import Reach, ReachUnknown
from console.sources.prom_api import (
    ZERO_BY_ZERO,
    ApiError,
    Unsaid,
    instant_vector,
    late_note,
    narrowed,
    newest_promql,
    of_model,
    on_grid,
    open_body,
    range_matrix,
    skew_note,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.http.client import Answer as HttpAnswer
    from console.http.resilience import Breaker
    from console.metrics.profile import Profile
    from console.metrics.query_plan import Query
    from console.sources.base import Discovery
    from console.sources.prom_api import Body, Vector

MAX_CONCURRENCY = 8
"""Queries under way at once; a server has 20 slots by default, and others want some."""

MAX_POINTS = 11_000
"""The server refuses a range of more points a series."""


_SERVER_DEADLINE_SHARE = 0.95
_SHOWN_NOTES = 8
_ROUNDING_SECONDS = 1e-6


class Poster(Protocol):
    """What this source needs of the wire; `console.http.client.Wire` has it."""

    breaker: Breaker
    last_failure: str

    async def post_form(
        self, path: str, fields: Mapping[str, str], *, deadline_seconds: float | None = None
    ) -> HttpAnswer:
        """Send a form; raises `WireError`."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why one query has no answer.

    ``heard`` tells that the server itself said so, ``shut_out`` that our breaker did not ask it.
    """

    sentence: str
    heard: bool
    shut_out: bool = False


class PrometheusSource:
    """Asks one server (or its replicas) whole-fleet instant queries, a few at a time."""

    kind = "prometheus"

    def __init__(
        self,
        name: str,
        wire: Poster,
        *,
        timeout_seconds: float = 8.0,
        cadence_seconds: float = 5.0,
    ) -> None:
        """Give each query ``timeout_seconds``, and tell the server a little less."""
        self.name = name
        self._wire = wire
        self._timeout_seconds = timeout_seconds
        self._slots = asyncio.Semaphore(MAX_CONCURRENCY)
        self._recent = RecentModels()
        self._written: dict[str, Profile] = {}
        self._reach = Reach(self._labels_or_raise)
        self._unsaid = Unsaid()
        self._late: tuple[str, ...] = ()
        self._reason = ""
        self._server_date = ""
        self._decoding = asyncio.Lock()
        self._keys: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._status = SourceStatus(name, self.kind, cadence_seconds=cadence_seconds)

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find profiles by one query over their signatures, then the models of each.

        Raises `SourceDown`.
        """
        await self._probe_if_shut_out(now)
        warnings: list[str] = []
        present = await self._present(profiles, now, warnings)
        found = await asyncio.gather(
            *(self._labels(models_promql(profile), now) for profile in present)
        )
        models: list[SeenModel] = []
        here: dict[str, Profile] = {}
        for profile, series in zip(present, found, strict=True):
            if isinstance(series, _Failure):
                warnings.append(f"models of profile {profile.name}: {series.sentence}")
            elif series:
                written = here[profile.name] = as_written(profile, profile.signature, series)
                models.extend(seen_models(written, self.name, series))
        if models:
            await self._learn_its_ways(present, now)
        # A server without any model is asked nothing else, and is up all the same.
        self._status = replace(
            self._status, state="up", answered_at=now, error=None, next_try_at=None
        )
        listed = self._recent.with_gone(models, now)
        self._written |= here
        names = {model.profile for model in listed}
        known = {name: self._written[name] for name in profiles if name in names}
        return found_here(listed, known, tuple(warnings))

    async def _learn_its_ways(self, present: Sequence[Profile], now: float) -> None:
        """Ask what no answer shows: whether 0/0 is left out, and how old the newest samples are."""
        if not self._unsaid.known:
            told = await self._vector(ZERO_BY_ZERO, now)
            if not isinstance(told, _Failure):
                self._unsaid.learn(len(told.values))
        newest = await self._vector(newest_promql(present), now)
        if not isinstance(newest, _Failure) and len(newest.values):
            self._late = late_note(float(newest.values.max()), now)

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Answer all queries as of ``now``; raises `SourceDown` when the server answers none."""
        await self._probe_if_shut_out(now)
        answers = await asyncio.gather(*(self._answer(query, now) for query in queries))
        failures = [failure for _, failure in answers if failure is not None]
        # A server that hears every question and refuses all of them for one reason (too many
        # samples, a limit) gives nothing to look at either.
        same = len(queries) > 1 and len({failure.sentence for failure in failures}) == 1
        unheard = not any(failure.heard for failure in failures)
        if queries and len(failures) == len(queries) and (unheard or same):
            raise self._down(failures[0], now, queries=len(queries))
        whole = self._unsaid.put_back(queries, [one for one, _ in answers], self._same_keys)
        honest = await self._reach.honest(queries, whole, now)
        self._note(honest, now)
        return honest

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Ask one instant query beside the rounds; raises `SourceDown`."""
        answer, failure = await self._answer(query, now)
        if failure is not None and not failure.heard:
            raise SourceDown(failure.sentence)
        (honest,) = await self._reach.honest([query], [answer], now)
        return honest

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Ask a range query for one model; where the server has no point there is a gap."""
        step = max(step, (end - start) / (MAX_POINTS - 1))
        count = int((end - start) / step + _ROUNDING_SECONDS) + 1
        times = np.asarray(start + step * np.arange(count), dtype=np.float64)
        fields = {
            "query": narrowed(query, series_value, step),
            "start": _seconds(start),
            "end": _seconds(end),
            "step": _seconds(step),
        }
        body = await self._body("/api/v1/query_range", fields)
        if isinstance(body, _Failure):
            return Series(query.column, times, np.full(count, np.nan), body.sentence)
        try:
            found = await range_matrix(body[0])
        except ApiError as problem:
            return Series(query.column, times, np.full(count, np.nan), problem.sentence)
        values = on_grid(of_model(found, query, series_value), start, step, count)
        values[times < await self._reach.began_at(query, series_value, start, end)] = np.nan
        return Series(query.column, times, values)

    def status(self) -> SourceStatus:
        """Say how the last tick went; ``next_try_at`` is set while the server is left alone."""
        return self._status

    async def aclose(self) -> None:
        """Close connections."""
        await self._wire.aclose()

    async def _probe_if_shut_out(self, now: float) -> None:
        """While the breaker is not closed, let one cheap query try the server before the rest."""
        if self._wire.breaker.state == "closed":
            return
        probe = await self._body("/api/v1/query", self._instant_fields("vector(1)", now))
        if isinstance(probe, _Failure) and not probe.heard:
            raise self._down(probe, now)

    async def _present(
        self, profiles: Mapping[str, Profile], now: float, warnings: list[str]
    ) -> list[Profile]:
        found = await self._labels(discovery_promql(profiles), now)
        if isinstance(found, _Failure):
            if not found.heard:
                raise self._down(found, now)
            # Some servers forbid a pattern over metric names: then each profile is asked for.
            warnings.append(f"finding profiles: {found.sentence}")
            return list(profiles.values())
        spelled: dict[str, set[str]] = {}
        for labels in found:
            metric = labels.get("__name__", "")
            profile = profile_of_metric(metric, profiles)
            if profile is not None:
                spelled.setdefault(profile.name, set()).add(metric)
        return [
            adapted(profile, spelled[profile.name])
            for profile in profiles.values()
            if profile.name in spelled
        ]

    async def _labels(self, promql: str, now: float) -> list[dict[str, str]] | _Failure:
        """Ask one instant query and return the labels of its series."""
        found = await self._vector(promql, now)
        return found if isinstance(found, _Failure) else found.labels

    async def _vector(self, promql: str, now: float) -> Vector | _Failure:
        """Ask one instant query beside those of the plan."""
        body = await self._body("/api/v1/query", self._instant_fields(promql, now))
        if isinstance(body, _Failure):
            return body
        try:
            return await instant_vector(body[0])
        except ApiError as problem:
            return _Failure(problem.sentence, problem.refused)

    async def _labels_or_raise(self, promql: str, now: float) -> list[dict[str, str]]:
        found = await self._labels(promql, now)
        if isinstance(found, _Failure):
            raise ReachUnknown(found.sentence)
        return found

    async def _answer(self, query: Query, now: float) -> tuple[Answer, _Failure | None]:
        """Ask one query; what goes wrong is in the answer and beside it."""
        body = await self._body("/api/v1/query", self._instant_fields(query.promql, now))
        if isinstance(body, _Failure):
            return _failed(query, now, body), body
        opened, elapsed_seconds = body
        try:
            # One answer at a time, or a turn of the loop would be a piece of each.
            async with self._decoding:
                vector = await instant_vector(opened)
        except ApiError as problem:
            failure = _Failure(problem.sentence, problem.refused)
            return _failed(query, now, failure), failure
        keys = _keys_of(vector.labels, query.by)
        infos = opened.infos
        if vector.skipped:
            infos = (*infos, f"{vector.skipped} native histograms were left out")
        answer = Answer(
            query_id=query.id,
            keys=self._same_keys(query.id, keys),
            values=vector.values,
            at=now,
            warnings=opened.warnings,
            infos=infos,
            elapsed_seconds=elapsed_seconds,
        )
        return answer, None

    async def _body(self, path: str, fields: Mapping[str, str]) -> tuple[Body, float] | _Failure:
        """Post a form; return the opened answer and the seconds it took, or why there is none."""
        from console.http.resilience import WireError

        # The deadline runs from the moment a query is sent, not while it waits for its turn.
        async with self._slots:
            try:
                answer = await self._wire.post_form(
                    path, fields, deadline_seconds=self._timeout_seconds
                )
                self._server_date = answer.headers.get("date", "")
                return open_body(answer.body), answer.elapsed_seconds
            except WireError as problem:
                return _from_wire(problem)
            except ApiError as problem:
                return _Failure(problem.sentence, problem.refused)

    def _instant_fields(self, promql: str, now: float) -> dict[str, str]:
        return {"query": promql, "time": _seconds(now), "timeout": self._server_timeout()}

    def _server_timeout(self) -> str:
        return f"{max(1, round(self._timeout_seconds * _SERVER_DEADLINE_SHARE * 1000))}ms"

    def _same_keys(
        self, query_id: str, keys: tuple[tuple[str, ...], ...]
    ) -> tuple[tuple[str, ...], ...]:
        """Return the keys object of the last answer while it says the same.

        Most questions are answered for the same models: one object serves them all, which at
        1,000 models saves some 5 MB.
        """
        known = self._keys.get(query_id)
        if known is None or known != keys:
            known = next((other for other in self._keys.values() if other == keys), keys)
            self._keys[query_id] = known
        return known

    def _note(self, answers: Sequence[Answer], now: float) -> None:
        self._status = replace(
            self._status,
            state="up",
            answered_at=now,
            error=None,
            next_try_at=None,
            queries=len(answers),
            failed_queries=sum(answer.error is not None for answer in answers),
            server_seconds=sum(answer.elapsed_seconds for answer in answers),
            warnings=(
                *skew_note(self._server_date, now, self._timeout_seconds),
                *self._late,
                *_distinct(answers, lambda answer: answer.warnings),
            ),
            infos=(*self._reach.note(now), *_distinct(answers, _own_infos)),
        )

    def _down(self, failure: _Failure, now: float, *, queries: int = 1) -> SourceDown:
        # Being shut out is no reason: what the server did before is.
        if not failure.shut_out:
            self._reason = failure.sentence
        elif self._wire.last_failure:
            self._reason = self._wire.last_failure
        next_try_at = self._next_try_at(now)
        reason = sentence = self._reason or failure.sentence
        if failure.shut_out and self._reason and next_try_at is not None:
            sentence = f"{reason}; next try in {next_try_at - now:.0f} s"
        self._status = replace(
            self._status,
            state="down",
            error=reason,
            next_try_at=next_try_at,
            queries=queries,
            failed_queries=queries,
            server_seconds=0.0,
        )
        return SourceDown(sentence)

    def _next_try_at(self, now: float) -> float | None:
        import time

        due = self._wire.breaker.next_try_at
        # The breaker counts on the monotonic clock; people and snapshots on Unix time.
        return None if due is None else now + max(0.0, due - time.monotonic())


def _from_wire(problem: object) -> _Failure:
    """Read a refusal that came with an HTTP error: Prometheus says why in the body."""
    from console.http.resilience import WireError

    assert isinstance(problem, WireError)
    if problem.kind == "http" and problem.body:
        try:
            open_body(problem.body)
        except ApiError as said:
            if said.refused:
                return _Failure(said.sentence, heard=True)
    return _Failure(problem.sentence, heard=False, shut_out=problem.kind == "breaker_open")


def _keys_of(
    series: Sequence[Mapping[str, str]], by: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    if len(by) == 1:
        (label,) = by
        return tuple([(labels.get(label, ""),) for labels in series])
    return tuple([tuple([labels.get(label, "") for label in by]) for labels in series])


def _failed(query: Query, now: float, failure: _Failure) -> Answer:
    return Answer(query.id, (), np.empty(0), now, error=failure.sentence)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _own_infos(answer: Answer) -> tuple[str, ...]:
    """Return what the server said; what is withheld is told once for the whole round."""
    return answer.infos[:-1] if answer.withheld else answer.infos


def _distinct(
    answers: Sequence[Answer], notes: Callable[[Answer], tuple[str, ...]]
) -> tuple[str, ...]:
    found = dict.fromkeys(visible(note) for answer in answers for note in notes(answer))
    return tuple(found)[:_SHOWN_NOTES]
