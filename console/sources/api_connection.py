"""Asks one server the Prometheus API's questions: some at a time, within a budget, and by GET
where POST is forbidden.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from console.http.resilience import ByteBudget
from console.sources.prom_api import (
    ApiError,
    instant_vector,
    open_body,
    skew_note,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.http.client import Answer as HttpAnswer
    from console.http.resilience import Breaker, WireError
    from console.sources.prom_api import Body, Vector

MAX_CONCURRENCY = 8
"""Queries under way at once; a server has 20 slots by default, and others want some."""

ROUND_BYTES, BYTES_A_ROW, MOST_BYTES = 16 * 1024 * 1024, 16 * 1024, 128 * 1024 * 1024
"""What the answers of one round may hold together: so much, and a share for each row."""

ROUND_SERIES, SERIES_A_ROW, MOST_SERIES = 50_000, 400, 2_000_000
"""How many series the answers of one round may have together."""

ONE_ANSWERS_SHARE = 2
"""One answer may take the budget's half, so that the others of its round are still read."""

_OTHER_WAY = frozenset({403, 405, 501})
_SERVER_DEADLINE_SHARE = 0.95
_METRICS_SECONDS = 4.0


class Poster(Protocol):
    """What this needs of the wire; `console.http.client.Wire` has it."""

    breaker: Breaker
    last_failure: str

    async def post_form(
        self,
        path: str,
        fields: Mapping[str, str],
        *,
        deadline_seconds: float | None = None,
        budget: ByteBudget | None = None,
    ) -> HttpAnswer:
        """Send a form; raises `WireError`."""
        ...

    async def get(
        self,
        path_or_url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        deadline_seconds: float | None = None,
        budget: ByteBudget | None = None,
    ) -> HttpAnswer:
        """Fetch; raises `WireError`."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one question has no answer.

    ``heard`` tells that the server itself said so, ``shut_out`` that our breaker did not ask it,
    ``too_large`` that its answer was not read to the end, ``foreign`` that something answered
    which is no Prometheus API.
    """

    sentence: str
    heard: bool = False
    shut_out: bool = False
    too_large: bool = False
    foreign: bool = False


class Allowance:
    """What the answers of one round may take: bytes while they are read, and series."""

    def __init__(self, rows: int = 0) -> None:
        """Make the budget of one round for a source that has ``rows`` rows."""
        whole = min(MOST_BYTES, ROUND_BYTES + rows * BYTES_A_ROW)
        self.bytes = ByteBudget(whole, whole // ONE_ANSWERS_SHARE)
        self._series = min(MOST_SERIES, ROUND_SERIES + rows * SERIES_A_ROW)
        self._series_each = self._series // ONE_ANSWERS_SHARE
        self._series_left = self._series

    def too_many(self, series: int) -> str | None:
        """Note the series of one answer; return the sentence where they are too many."""
        if series > self._series_each:
            return f"one answer has {series} series, {self._series_each} are the most"
        self._series_left -= series
        if self._series_left < 0:
            return f"the answers of one round have more than {self._series} series"
        return None


class ApiConnection:
    """One server's API; what goes wrong is returned as a `Failure`, never raised."""

    def __init__(self, wire: Poster, timeout_seconds: float) -> None:
        """Give each question ``timeout_seconds``, and tell the server a little less."""
        self.wire = wire
        self.server_date = ""
        self._timeout_seconds = timeout_seconds
        self._slots = asyncio.Semaphore(MAX_CONCURRENCY)
        self._decoding = asyncio.Lock()
        self._by_get = False

    @property
    def by_get(self) -> bool:
        """Tell whether the server is asked by GET, whose length its proxies limit."""
        return self._by_get

    async def body(
        self, path: str, fields: Mapping[str, str], allowance: Allowance
    ) -> tuple[Body, float] | Failure:
        """Ask; return the opened answer and the seconds it took, or why there is none."""
        from console.http.resilience import WireError

        # The deadline runs from the moment a query is sent, not while it waits for its turn.
        async with self._slots:
            try:
                answer = await self._send(path, fields, allowance)
                self.server_date = answer.headers.get("date", "")
                body = open_body(answer.body)
            except WireError as problem:
                return from_wire(problem)
            except ApiError as problem:
                return Failure(problem.sentence, problem.refused, foreign=not problem.refused)
        many = allowance.too_many(len(body.series))
        if many is not None:
            return Failure(many, too_large=True)
        return body, answer.elapsed_seconds

    async def raw(self, path: str, params: Mapping[str, str]) -> bytes | Failure:
        """Fetch a whole answer as it is."""
        from console.http.resilience import WireError

        async with self._slots:
            try:
                return (await self._got(path, params, Allowance())).body
            except WireError as problem:
                return from_wire(problem)

    async def instant(
        self, promql: str, now: float, allowance: Allowance
    ) -> tuple[Body, float] | Failure:
        """Ask one instant query as of ``now`` (Unix seconds)."""
        timeout = f"{max(1, round(self._timeout_seconds * _SERVER_DEADLINE_SHARE * 1000))}ms"
        fields = {"query": promql, "time": f"{now:.3f}", "timeout": timeout}
        return await self.body("/api/v1/query", fields, allowance)

    async def vector(self, promql: str, now: float, allowance: Allowance) -> Vector | Failure:
        """Ask one instant query and decode its answer."""
        body = await self.instant(promql, now, allowance)
        return body if isinstance(body, Failure) else await self.decoded(body[0])

    async def decoded(self, body: Body) -> Vector | Failure:
        """Decode an instant answer."""
        try:
            # One answer at a time, or a turn of the loop would be a piece of each.
            async with self._decoding:
                return await instant_vector(body)
        except ApiError as problem:
            return Failure(problem.sentence, problem.refused)

    async def _send(self, path: str, fields: Mapping[str, str], allowance: Allowance) -> HttpAnswer:
        """Post a form; where that is forbidden and a GET is not, go on with GET."""
        from console.http.resilience import WireError

        deadline_seconds, budget = self._timeout_seconds, allowance.bytes
        if not self._by_get:
            try:
                return await self.wire.post_form(
                    path, fields, deadline_seconds=deadline_seconds, budget=budget
                )
            except WireError as refused:
                if refused.status not in _OTHER_WAY or from_wire(refused).heard:
                    raise
                try:
                    answer = await self._got(path, fields, allowance)
                except WireError as again:
                    # What the second way says counts, unless it is forbidden as well.
                    raise (refused if again.status in _OTHER_WAY else again) from None
                self._by_get = True
                return answer
        return await self._got(path, fields, allowance)

    async def _got(self, path: str, fields: Mapping[str, str], allowance: Allowance) -> HttpAnswer:
        return await self.wire.get(
            path, fields, deadline_seconds=self._timeout_seconds, budget=allowance.bytes
        )

    def skew_notes(self, now: float) -> tuple[str, ...]:
        """Say where this machine's clock and the server's differ too much to be a slow answer."""
        return skew_note(self.server_date, now, self._timeout_seconds)

    async def looks_like_metrics(self) -> bool:
        """Tell whether the address is an exporter's rather than a Prometheus API's."""
        from console.http.resilience import WireError

        for path in ("", "/metrics"):
            try:
                answer = await self.wire.get(
                    path, deadline_seconds=_METRICS_SECONDS, budget=Allowance().bytes
                )
            except WireError:
                continue
            if answer.body.lstrip()[:7] in (b"# HELP ", b"# TYPE "):
                return True
        return False


def from_wire(problem: WireError) -> Failure:
    """Read a refusal that came with an HTTP error: Prometheus says why in the body."""
    if problem.kind == "http" and problem.body:
        try:
            open_body(problem.body)
        except ApiError as said:
            if said.refused:
                return Failure(said.sentence, heard=True)
    return Failure(
        problem.sentence,
        shut_out=problem.kind == "breaker_open",
        too_large=problem.kind == "too_large",
        foreign=problem.status in (404, *_OTHER_WAY),
    )


def loudest(failures: Sequence[Failure]) -> Failure:
    """Return the failure that most of a round share, the first of them where none is shared."""
    counts = Counter(failure.sentence for failure in failures)
    return max(failures, key=lambda failure: counts[failure.sentence])


def size_note(failures: Sequence[Failure], asked: int) -> tuple[str, ...]:
    """Say that answers were not read for their size, and of how many questions."""
    large = [failure for failure in failures if failure.too_large]
    if not large:
        return ()
    return (f"answers are too large: {len(large)} of {asked} not read; {large[0].sentence}",)
