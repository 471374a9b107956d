"""Numbers from a server that speaks the Prometheus HTTP API."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from console.domain.samples import Answer, SeenModel, Series, SourceStatus
from console.metrics.profile import (
    adapted,
    discovery_promql,
    models_promql,
    profile_of_metric,
)
from console.metrics.queries import counted_once
from console.metrics.unread_kinds import unread_kinds, without_label
from console.sources.api_connection import (
    Allowance,
    ApiConnection,
    Failure,
    loudest,
    size_note,
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
    distinct,
    keys_of,
    late_note,
    narrowed,
    newest_promql,
    of_model,
    on_grid,
    own_infos,
    range_matrix,
)
from console.sources.query_batches import batches, joined, parted
from console.sources.replica_labels import Copies, copies_in
from console.sources.target_list import TARGETS_PATH, served_promql, target_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.metrics.profile import Profile
    from console.metrics.query_plan import Query
    from console.metrics.unread_kinds import Unread
    from console.sources.api_connection import Poster
    from console.sources.base import Discovery
    from console.sources.prom_api import Body, Vector
    from console.sources.target_list import TargetList

MAX_POINTS = 11_000
"""The server refuses a range of more points a series."""

HEARTBEAT = "vector(1)"
"""What any server that is there answers, whatever it holds."""

TOO_LARGE_SECONDS = 60.0
"""A question whose answer was too large is left alone for so long."""

ALONE_SECONDS, UNHEARD_ALONE_SECONDS = 600.0, 60.0
"""How long questions are asked one by one after a common query was refused, or not answered."""

_ROUNDING_SECONDS = 1e-6


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
        drop_labels: tuple[str, ...] = (),
        joins: bool = False,
        address: str = "",
    ) -> None:
        """Give each query ``timeout_seconds``, and tell the server a little less.

        ``joins`` lets questions of a round share queries (`batches`).
        """
        self.name = name
        self._api = ApiConnection(wire, timeout_seconds)
        self._rows = 0
        self._unread: tuple[Unread, ...] = ()
        self._asked_blindly = False
        self._drop_labels = drop_labels
        self._present_now: tuple[Profile, ...] = ()
        self._copies = Copies(drop_labels)
        self._too_large: dict[str, tuple[float, Failure]] = {}
        self._joins = joins
        self._alone: dict[str, float] = {}
        self._exporter: bool | None = None
        self._recent = RecentModels()
        self._written: dict[str, Profile] = {}
        self._reach = Reach(self._labels_or_raise)
        self._unsaid = Unsaid()
        self._late: tuple[str, ...] = ()
        self._reason = ""
        self._keys: dict[str, tuple[tuple[str, ...], ...]] = {}
        self._status = SourceStatus(
            name, self.kind, cadence_seconds=cadence_seconds, address=address
        )

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find profiles by one query over their signatures, then the models of each.

        Raises `SourceDown`.
        """
        await self._probe_if_shut_out(now)
        warnings: list[str] = []
        allowance = Allowance(self._rows)
        present = await self._present(profiles, now, warnings, allowance)
        found = await asyncio.gather(
            *(self._labels(models_promql(profile), now, allowance) for profile in present)
        )
        models: list[SeenModel] = []
        here: dict[str, Profile] = {}
        unread = [*self._unread]
        for profile, series in zip(present, found, strict=True):
            if isinstance(series, Failure):
                large = "answers are too large: " if series.too_large else ""
                warnings.append(f"{large}models of profile {profile.name}: {series.sentence}")
            elif series:
                written = here[profile.name] = as_written(profile, profile.signature, series)
                models.extend(seen_models(written, self.name, series))
            elif profile.role != "companion" and not self._asked_blindly:
                unread.append(without_label(profile, profile.signature))
        self._rows = len(models)
        self._present_now = tuple(present)
        if models:
            await self._learn_its_ways(present, now)
        self._answered(now, warnings=self._api.skew_notes(now))
        listed = self._recent.with_gone(models, now)
        self._written |= here
        names = {model.profile for model in listed}
        known = {name: self._written[name] for name in profiles if name in names}
        warnings += self._copies.warnings
        found_all = found_here(listed, known, tuple(warnings))
        self._status = replace(self._status, unread=tuple(each.sentence for each in unread))
        return replace(found_all, dropped=self._copies.dropped, unread=tuple(unread))

    def _answered(self, now: float, *, warnings: tuple[str, ...]) -> None:
        """Note that the server is there; a server without any model is up all the same."""
        self._exporter = None
        self._status = replace(
            self._status,
            state="up",
            answered_at=now,
            error=None,
            next_try_at=None,
            warnings=warnings or self._status.warnings,
        )

    async def _learn_its_ways(self, present: Sequence[Profile], now: float) -> None:
        """Ask what no answer shows: whether 0/0 is left out, and how old the newest samples are."""

        async def learn() -> None:
            told = await self._api.vector(ZERO_BY_ZERO, now, Allowance())
            if not isinstance(told, Failure):
                self._unsaid.learn(len(told.values))

        learning = () if self._unsaid.known else (learn(),)
        newest, *_ = await asyncio.gather(
            self._api.vector(newest_promql(present), now, Allowance()), *learning
        )
        if not isinstance(newest, Failure) and len(newest.values):
            self._late = late_note(float(newest.values.max()), now)

        async def ask(promql: str) -> list[tuple[dict[str, str], float]] | None:
            told = await self._api.vector(promql, now, Allowance(self._rows))
            if isinstance(told, Failure):
                return None
            return list(zip(told.labels, told.values.tolist(), strict=True))

        self._copies = await copies_in(present, self._drop_labels, ask)

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Answer all queries as of ``now``; raises `SourceDown` when the server answers none.

        Without a query the server is asked whether it is there.
        """
        await self._probe_if_shut_out(now)
        if not queries:
            await self._beat(now)
        allowance = Allowance(self._rows)
        answers = await self._answers(queries, now, allowance)
        failures = [failure for _, failure in answers if failure is not None]
        # A server that hears every question and refuses all of them (too many samples, a limit)
        # gives nothing to look at either.
        unheard = not any(failure.heard for failure in failures)
        if queries and len(failures) == len(queries) and (unheard or len(queries) > 1):
            raise self._down(loudest(failures), now, queries=len(queries))
        whole = self._unsaid.put_back(queries, [one for one, _ in answers], self._same_keys)
        honest = await self._reach.honest(queries, whole, now)
        self._note(honest, failures, now)
        return honest

    async def _beat(self, now: float) -> None:
        """Ask for nothing but an answer; raises `SourceDown` without one."""
        told = await self._api.vector(HEARTBEAT, now, Allowance())
        if isinstance(told, Failure) and not told.heard:
            raise self._down(told, now)

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Ask one instant query beside the rounds; raises `SourceDown`."""
        answer, failure = await self._answer(query, now, Allowance(self._rows))
        if failure is not None and not failure.heard:
            raise SourceDown(failure.sentence)
        (honest,) = await self._reach.honest([query], [answer], now)
        return honest

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Ask a range query for one model; where the server has no point there is a gap."""
        query = counted_once(query, self._copies.dropped)
        step = max(step, (end - start) / (MAX_POINTS - 1))
        count = int((end - start) / step + _ROUNDING_SECONDS) + 1
        times = np.asarray(start + step * np.arange(count), dtype=np.float64)
        fields = {
            "query": narrowed(query, series_value, step),
            "start": _seconds(start),
            "end": _seconds(end),
            "step": _seconds(step),
        }
        body = await self._api.body("/api/v1/query_range", fields, Allowance())
        if isinstance(body, Failure):
            return Series(query.column, times, np.full(count, np.nan), body.sentence)
        try:
            found = await range_matrix(body[0])
        except ApiError as problem:
            return Series(query.column, times, np.full(count, np.nan), problem.sentence)
        values = on_grid(of_model(found, query, series_value), start, step, count)
        values[times < await self._reach.began_at(query, series_value, start, end)] = np.nan
        return Series(query.column, times, values)

    async def targets(self, now: float) -> TargetList | str:
        """Return what the server scrapes of what was recognised; a text says why not."""
        served = await self._api.vector(served_promql(self._present_now), now, Allowance())
        if isinstance(served, Failure):
            return served.sentence
        told = await self._api.raw(TARGETS_PATH, {"state": "active"})
        if isinstance(told, Failure):
            return told.sentence
        places = {(one.get("job", ""), one.get("instance", "")) for one in served.labels}
        return target_list(told, places)

    def status(self) -> SourceStatus:
        """Say how the last tick went; ``next_try_at`` is set while the server is left alone."""
        return self._status

    async def aclose(self) -> None:
        """Close connections."""
        await self._api.wire.aclose()

    async def _probe_if_shut_out(self, now: float) -> None:
        """While the breaker is not closed, let one cheap query try the server before the rest."""
        if self._api.wire.breaker.state == "closed":
            return
        probe = await self._api.vector(HEARTBEAT, now, Allowance())
        if isinstance(probe, Failure) and not probe.heard:
            raise self._down(probe, now)

    async def _present(
        self,
        profiles: Mapping[str, Profile],
        now: float,
        warnings: list[str],
        allowance: Allowance,
    ) -> list[Profile]:
        found = await self._labels(discovery_promql(profiles), now, allowance)
        if isinstance(found, Failure):
            if found.foreign and self._exporter is None:
                self._exporter = await self._api.looks_like_metrics()
            if not found.heard:
                raise self._down(found, now)
            # Some servers forbid a pattern over metric names: then each profile is asked for.
            warnings.append(f"finding profiles: {found.sentence}")
            self._unread, self._asked_blindly = (), True
            return list(profiles.values())
        self._asked_blindly = False
        spelled: dict[str, set[str]] = {}
        others: set[str] = set()
        for labels in found:
            metric = labels.get("__name__", "")
            profile = profile_of_metric(metric, profiles)
            if profile is not None:
                spelled.setdefault(profile.name, set()).add(metric)
            else:
                others.add(metric)
        self._unread = unread_kinds(others)
        return [
            adapted(profile, spelled[profile.name])
            for profile in profiles.values()
            if profile.name in spelled
        ]

    async def _labels(
        self, promql: str, now: float, allowance: Allowance
    ) -> list[dict[str, str]] | Failure:
        """Ask one instant query and return the labels of its series."""
        left_alone = self._left_alone(promql, now)
        if left_alone is not None:
            return left_alone
        found = await self._api.vector(promql, now, allowance)
        if isinstance(found, Failure):
            return self._noting_size(promql, found, now, allowance)
        return found.labels

    def _left_alone(self, question: str, now: float) -> Failure | None:
        """Return the failure of a question whose answer was too large a moment ago."""
        since, failure = self._too_large.get(question, (-math.inf, None))
        return failure if 0 <= now - since < TOO_LARGE_SECONDS else None

    def _noting_size(
        self, question: str, failure: Failure, now: float, allowance: Allowance
    ) -> Failure:
        """Return the failure; an answer too large by itself is not asked for again at once."""
        if failure.too_large and not allowance.bytes.is_spent:
            self._too_large[question] = (now, failure)
        return failure

    async def _labels_or_raise(self, promql: str, now: float) -> list[dict[str, str]]:
        found = await self._labels(promql, now, Allowance(self._rows))
        if isinstance(found, Failure):
            raise ReachUnknown(found.sentence)
        return found

    async def _answers(
        self, queries: Sequence[Query], now: float, allowance: Allowance
    ) -> list[tuple[Answer, Failure | None]]:
        """Ask a round, as many questions together as this server takes."""
        self._alone = {each: until for each, until in self._alone.items() if now < until}
        single = self._api.by_get or not self._joins
        alone = frozenset(each.id for each in queries) if single else frozenset(self._alone)
        groups = batches(queries, self._rows, alone)
        found = await asyncio.gather(
            *(self._together([queries[each] for each in group], now, allowance) for group in groups)
        )
        by_place = dict(zip(chain(*groups), chain(*found), strict=True))
        return [by_place[place] for place in range(len(queries))]

    async def _together(
        self, queries: Sequence[Query], now: float, allowance: Allowance
    ) -> list[tuple[Answer, Failure | None]]:
        """Ask several questions in one query; where that fails for one, each by itself."""
        if len(queries) == 1:
            return [await self._answer(queries[0], now, allowance)]
        once = [counted_once(query, self._copies.dropped) for query in queries]
        body = await self._api.instant(joined(once), now, allowance)
        vector = body if isinstance(body, Failure) else await self._api.decoded(body[0])
        if not isinstance(vector, Failure) and not isinstance(body, Failure):
            parts = parted(vector, len(queries))
            if parts is not None:
                seconds = body[1] / len(queries)
                return [
                    (self._read(query, part, body[0], seconds, now), None)
                    for query, part in zip(queries, parts, strict=True)
                ]
        failed = vector if isinstance(vector, Failure) else None
        heard = failed is None or failed.heard or failed.too_large
        if failed is None or not failed.shut_out:
            until = now + (ALONE_SECONDS if heard else UNHEARD_ALONE_SECONDS)
            self._alone.update((query.id, until) for query in queries)
        if failed is not None and not heard:
            return [(_failed(query, now, failed), failed) for query in queries]
        # One that this server refuses must not cost the others their answers.
        return list(
            await asyncio.gather(*(self._answer(query, now, allowance) for query in queries))
        )

    async def _answer(
        self, query: Query, now: float, allowance: Allowance
    ) -> tuple[Answer, Failure | None]:
        """Ask one query; what goes wrong is in the answer and beside it."""
        query = counted_once(query, self._copies.dropped)
        body: tuple[Body, float] | Failure | None = self._left_alone(query.id, now)
        if body is None:
            body = await self._api.instant(query.promql, now, allowance)
        vector = body if isinstance(body, Failure) else await self._api.decoded(body[0])
        if isinstance(body, Failure) or isinstance(vector, Failure):
            failed = body if isinstance(body, Failure) else cast("Failure", vector)
            failed = self._noting_size(query.id, failed, now, allowance)
            return _failed(query, now, failed), failed
        return self._read(query, vector, *body, now), None

    def _read(
        self, query: Query, vector: Vector, opened: Body, elapsed_seconds: float, now: float
    ) -> Answer:
        """Return the answer that a vector is to a query."""
        keys = keys_of(vector.labels, query.by)
        infos = opened.infos
        if vector.skipped:
            infos = (*infos, f"{vector.skipped} native histograms were left out")
        return Answer(
            query_id=query.id,
            keys=self._same_keys(query.id, keys),
            values=vector.values,
            at=now,
            warnings=opened.warnings,
            infos=infos,
            elapsed_seconds=elapsed_seconds,
        )

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

    def _note(self, answers: Sequence[Answer], failures: Sequence[Failure], now: float) -> None:
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
                *self._api.skew_notes(now),
                *size_note(failures, len(answers)),
                *self._late,
                *distinct(answers, lambda answer: answer.warnings),
            ),
            infos=(*self._copies.infos, *self._reach.note(now), *distinct(answers, own_infos)),
        )

    def _down(self, failure: Failure, now: float, *, queries: int = 1) -> SourceDown:
        # Being shut out is no reason: what the server did before is.
        if not failure.shut_out:
            large = "answers are too large: " if failure.too_large else ""
            exporter = _EXPORTER if failure.foreign and self._exporter else ""
            self._reason = f"{large}{failure.sentence}{exporter}"
        elif self._api.wire.last_failure:
            self._reason = self._api.wire.last_failure
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

        due = self._api.wire.breaker.next_try_at
        # The breaker counts on the monotonic clock; people and snapshots on Unix time.
        return None if due is None else now + max(0.0, due - time.monotonic())


_EXPORTER = '; it looks like /metrics of one service: read it with --scrape (kind = "scrape")'


def _failed(query: Query, now: float, failure: Failure) -> Answer:
    return Answer(query.id, (), np.empty(0), now, error=failure.sentence)


def _seconds(value: float) -> str:
    return f"{value:.3f}"
