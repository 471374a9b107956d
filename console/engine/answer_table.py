"""Lays the answers of all sources out as columns over the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.domain.signals import SIGNALS, ReadingState
from console.domain.snapshot import SignalColumn
from console.engine.row_assignment import JoinCache, Seat, Seating, join, rows_asked
from console.evaluation.observations import Buckets, LabelledValue, Observed
from console.metrics.profile import preference, profiles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.samples import Answer
    from console.engine.row_assignment import Keys
    from console.metrics.queries import Query

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]
    RowsByValue = Mapping[str, tuple[int, ...]]

_MAX_METHODS = 255


class ColumnBuilder:
    """Collects answers into one column of ``size`` rows; untouched rows stay no_data."""

    def __init__(self, size: int) -> None:
        self.values: Floats = np.full(size, np.nan)
        self.states = np.zeros(size, dtype=np.uint8)
        self.at: Floats = np.full(size, np.nan)
        self.n: Floats = np.full(size, np.nan)
        self.window_seconds: Floats = np.full(size, np.nan)
        self._history_seconds: Floats | None = None
        self._method_index = np.zeros(size, dtype=np.uint8)
        self._methods: list[str] = [""]

    def put(
        self,
        rows: Indices,
        values: Floats,
        *,
        at: float,
        window_seconds: float | None,
        method: str,
        stale: bool,
    ) -> None:
        """Write measured values; a NaN among them is no_traffic."""
        measured = ~np.isnan(values)
        state = ReadingState.STALE if stale else ReadingState.OK
        self.values[rows] = values
        self.states[rows] = np.where(measured, state, ReadingState.NO_TRAFFIC)
        self.at[rows] = at
        self.window_seconds[rows] = np.nan if window_seconds is None else window_seconds
        self._method_index[rows] = self._method(method)

    def withhold(
        self,
        rows: Indices,
        history_seconds: Floats | float,
        *,
        at: float,
        window_seconds: float | None,
        method: str,
    ) -> None:
        """Mark rows whose history is shorter than the window: no data, and that is why."""
        self.clear(rows)
        if self._history_seconds is None:
            self._history_seconds = np.full(len(self.values), np.nan)
        self._history_seconds[rows] = history_seconds
        self.at[rows] = at
        self.window_seconds[rows] = np.nan if window_seconds is None else window_seconds
        self._method_index[rows] = self._method(method)

    def clear(self, rows: Indices) -> None:
        """Make rows no_data again, because a better question speaks for them."""
        self.values[rows] = np.nan
        self.states[rows] = ReadingState.NO_DATA
        self.at[rows] = np.nan
        self.window_seconds[rows] = np.nan
        self._method_index[rows] = 0
        if self._history_seconds is not None:
            self._history_seconds[rows] = np.nan

    def fail(self, rows: Indices, at: float) -> None:
        """Mark rows whose question failed."""
        self.values[rows] = np.nan
        self.states[rows] = ReadingState.ERROR
        self.at[rows] = at

    def count(self, n: Floats, least: Floats) -> None:
        """Set the samples behind each value and void values that have fewer than ``least``.

        A NaN in ``n`` is not known and voids nothing.
        """
        withheld = self._history_seconds
        self.n = n if withheld is None else np.where(np.isnan(withheld), n, np.nan)
        judged = (self.states == ReadingState.OK) | (self.states == ReadingState.STALE)
        # NaN compares false, so that an unknown n leaves its value standing.
        too_few = judged & (n < least)
        self.states[too_few] = ReadingState.TOO_FEW

    def build(self) -> SignalColumn:
        """Return the finished column."""
        shown = (self.states == ReadingState.OK) | (self.states == ReadingState.STALE)
        return SignalColumn(
            values=np.where(shown, self.values, np.nan),
            states=self.states,
            at=self.at,
            n=self.n,
            window_seconds=self.window_seconds,
            method_index=self._method_index,
            methods=tuple(self._methods),
            history_seconds=self._history_seconds,
        )

    def _method(self, method: str) -> int:
        if method in self._methods:
            return self._methods.index(method)
        if len(self._methods) >= _MAX_METHODS:
            return 0
        self._methods.append(method)
        return len(self._methods) - 1


NOBODY = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    stale: bool
    edges: Floats
    buckets: Buckets


class BucketTable:
    """What histogram queries answered, by source and query."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}

    def clear(self) -> None:
        """Forget everything, because rows moved."""
        self._kept.clear()

    def drop(self, source: str, query_id: str) -> None:
        """Forget a query that is no longer asked."""
        self._kept.pop((source, query_id), None)

    def of(
        self,
        source: str,
        query: Query,
        answer: Answer,
        rows_of: Mapping[str, tuple[int, ...]],
        *,
        stale: bool,
    ) -> Buckets:
        """Return an answer as entries of rows and edges; a failed one lists whom it was about."""
        known = self._kept.get((source, query.id))
        if known is not None and known.answer is answer and known.stale == stale:
            return known.buckets
        same_keys = known is not None and known.answer.keys is answer.keys
        edges = known.edges if known is not None and same_keys else edges_of(answer.keys)
        joined = join(answer.keys, rows_of, query.models)
        buckets = Buckets(
            rows=joined.rows,
            edges=edges[joined.entries],
            values=answer.values[joined.entries],
            at=answer.at,
            window_seconds=query.window_seconds or math.nan,
            stale=stale,
            failed=rows_asked(rows_of, query) if answer.error is not None else NOBODY,
        )
        self._kept[source, query.id] = _Kept(answer, stale, edges, buckets)
        return buckets


def edges_of(keys: Keys) -> Floats:
    """Return the upper edge of each key's last label; NaN for what is no number."""
    return np.array([_edge(key[-1] if key else "") for key in keys], dtype=np.float64)


def _edge(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


DEPENDENCY_LABEL = "dependency"
KEPT_FACTS_SECONDS = 15.0
_RATE_WINDOW_SECONDS = 300.0
_RATES = frozenset(name for name, fact in SIGNALS.items() if fact.unit == "1/s")
_REQUESTS = "requests_count@"


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of one source and the last answer it got, None before the first."""

    source: str
    query: Query
    answer: Answer | None = None


class Board:
    """The last answer to every query, turned into columns on demand.

    An answer stays until its query is answered again or leaves the plan, so that a source that
    goes away leaves its last values behind, marked stale. A source often refuses a question or two
    on its way out; what it said before that is kept beside the refusal, for when it is gone.
    """

    def __init__(self) -> None:
        self.seating = Seating()
        self._plans: dict[str, tuple[Query, ...]] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        self._before_refusal: dict[tuple[str, str], Answer] = {}
        self._joins = JoinCache()
        self._rows_of: dict[tuple[str, str], dict[str, tuple[int, ...]]] = {}
        self._labelled: dict[tuple[str, str], tuple[Answer, tuple[LabelledValue, ...]]] = {}
        self._buckets = BucketTable()
        self._voices: dict[tuple[str, str], Mapping[str, tuple[int, ...]]] = {}
        self._taking: dict[tuple[str, str], tuple[frozenset[str], RowsByValue]] = {}

    def seat(self, seating: Seating) -> None:
        """Take new rows or new seats; answers stay, joins are made anew."""
        if seating == self.seating:
            return
        self.seating = seating
        self._joins.clear()
        self._labelled.clear()
        self._buckets.clear()
        rows_of: dict[tuple[str, str], dict[str, list[int]]] = {}
        for index, seat in enumerate(seating.seats):
            values = rows_of.setdefault((seat.source, seat.profile), {})
            values.setdefault(seat.series_value, []).append(index)
        self._rows_of = {
            key: {value: tuple(rows) for value, rows in values.items()}
            for key, values in rows_of.items()
        }
        self._voices.clear()
        self._taking.clear()

    def plan(self, source: str, queries: Sequence[Query]) -> None:
        """Replace the questions of one source; answers to questions no longer asked are dropped."""
        self._plans[source] = tuple(queries)
        kept = {query.id for query in queries}
        for name in [name for name in self._answers if name[0] == source and name[1] not in kept]:
            del self._answers[name]
            self._before_refusal.pop(name, None)
            self._labelled.pop(name, None)
            self._joins.drop(*name)
            self._buckets.drop(*name)

    def planned(self, source: str) -> tuple[Query, ...]:
        """Return the questions of one source."""
        return self._plans.get(source, ())

    def drop(self, source: str) -> None:
        """Forget a source that left the configuration."""
        self.plan(source, ())
        self._plans.pop(source, None)

    def take(self, source: str, answers: Iterable[Answer]) -> None:
        """Keep what a source answered."""
        planned = {query.id for query in self._plans.get(source, ())}
        for answer in answers:
            if answer.query_id in planned:
                self._keep((source, answer.query_id), answer)

    def _keep(self, name: tuple[str, str], answer: Answer) -> None:
        known = self._answers.get(name)
        if answer.error is None:
            self._before_refusal.pop(name, None)
        elif known is not None and known.error is None:
            self._before_refusal[name] = known
        self._answers[name] = answer

    def _last(self, source: str, query: Query, away: Collection[str]) -> Answer | None:
        """Return the last answer; of a source that is away, the last that was no refusal."""
        name = (source, query.id)
        answer = self._answers.get(name)
        return self._before_refusal.get(name, answer) if source in away else answer

    def asked(self, seat: Seat, column: str) -> tuple[Asked, ...]:
        """Return the queries that fill this column for a seat, an operator's own query last.

        Takes a seat and no row, because rows may move while somebody else is thinking.
        """
        found = [
            Asked(seat.source, query, self._answers.get((seat.source, query.id)))
            for query in self._plans.get(seat.source, ())
            if query.column == column and _speaks_for(query, seat)
        ]
        return tuple(sorted(found, key=lambda asked: _rank(asked.query)))

    def rows_of(self, source: str, query: Query) -> Mapping[str, tuple[int, ...]]:
        """Return the rows that a source's answer to a query is about, by the series' value."""
        return self._rows(source, query)

    def observe(self, away: Collection[str]) -> Observed:
        """Return all columns and labelled facts; values of ``away`` sources are stale."""
        builders: dict[str, ColumnBuilder] = {}
        counted: dict[str, list[tuple[Indices, Query]]] = {}
        labelled: dict[str, list[LabelledValue]] = {}
        histograms: dict[str, list[Buckets]] = {}
        for source, query in self._in_order():
            answer = self._last(source, query, away)
            if query.is_buckets:
                if answer is not None:
                    seen = self._histogram(source, query, answer, stale=source in away)
                    histograms.setdefault(query.column, []).append(seen)
                continue
            if query.labelled:
                facts = labelled.setdefault(query.column, [])
                if answer is not None:
                    facts.extend(self._facts(source, query, answer))
                continue
            builder = builders.setdefault(query.column, ColumnBuilder(len(self.seating.rows)))
            if answer is not None:
                rows = self._fill(builder, source, query, answer, stale=source in away)
                if query.n_column is not None:
                    counted.setdefault(query.column, []).append((rows, query))
        raw = {name: builder.values for name, builder in builders.items()}
        for name, uses in counted.items():
            _count(builders[name], uses, raw)
        columns: dict[str, SignalColumn] = {
            name: builder.build() for name, builder in builders.items()
        }
        return Observed(
            columns=columns,
            labelled={name: tuple(facts) for name, facts in labelled.items()},
            buckets={name: tuple(seen) for name, seen in histograms.items()},
        )

    def _in_order(self) -> list[tuple[str, Query]]:
        """Return every planned query, the preferred voice of a signal after the others.

        Operators' own come last, so that they overwrite the profile's.
        """
        queries = [(source, query) for source, queries in self._plans.items() for query in queries]
        return sorted(queries, key=lambda pair: _rank(pair[1]))

    def _rows(self, source: str, query: Query) -> Mapping[str, tuple[int, ...]]:
        found = self._all_rows(source, query)
        if query.rows is None:
            return found
        known = self._taking.get((source, query.id))
        if known is None or known[0] != query.rows:
            some = {
                value: tuple(row for row in rows if self.seating.rows[row].model in query.rows)
                for value, rows in found.items()
            }
            known = self._taking[source, query.id] = query.rows, some
        return known[1]

    def _all_rows(self, source: str, query: Query) -> Mapping[str, tuple[int, ...]]:
        own = self._rows_of.get((source, query.profile), {})
        if query.role == "server" or (query.voice and query.voice != query.profile):
            return own
        known = self._voices.get((source, query.profile))
        if known is None:
            known = self._voices[source, query.profile] = {**self._by_name(source), **own}
        return known

    def _by_name(self, source: str) -> Mapping[str, tuple[int, ...]]:
        """Return the rows that a gateway or companion of this source may speak of, by name.

        That is the source's own, and all rows where it has none: a mesh is often scraped apart.
        A name that several rows bear is nobody's: which of them is meant, it does not tell.
        """
        found: dict[str, list[int]] = {}
        places = self.seating.of_source(source) or range(len(self.seating.rows))
        for place in places:
            row, seat = self.seating.rows[place], self.seating.seats[place]
            for name in {row.model, row.label, seat.series_value}:
                found.setdefault(name, []).append(place)
        return {name: tuple(rows) for name, rows in found.items() if name and len(rows) == 1}

    def _histogram(self, source: str, query: Query, answer: Answer, *, stale: bool) -> Buckets:
        return self._buckets.of(source, query, answer, self._rows(source, query), stale=stale)

    def _fill(
        self, builder: ColumnBuilder, source: str, query: Query, answer: Answer, *, stale: bool
    ) -> Indices:
        rows_of = self._rows(source, query)
        if answer.error is not None and query.voice:
            return NOBODY
        if answer.error is not None:
            failed = rows_asked(rows_of, query)
            builder.fail(failed, answer.at)
            return failed
        if query.exclusive:
            asked = rows_asked(rows_of, query)
            builder.clear(asked)
            entries, rows = self._own(source, query, answer, asked)
        else:
            joined = self._joins.of(source, query, answer.keys, rows_of)
            entries, rows = joined.entries, joined.rows
            # 0/0 of one voice is no reason to drop what another one counted.
            said = ~(np.isnan(answer.values[entries]) & (builder.states[rows] == ReadingState.OK))
            if not said.all():
                entries, rows = entries[said], rows[said]
        builder.put(
            rows,
            answer.values[entries],
            at=answer.at,
            window_seconds=answer.window_seconds or query.window_seconds,
            method=query.method,
            stale=stale,
        )
        if answer.withheld or answer.history_seconds is not None:
            _withhold(builder, rows_of, query, answer)
        return rows

    def _own(
        self, source: str, query: Query, answer: Answer, asked: Indices
    ) -> tuple[Indices, Indices]:
        """Join an operator's own query: one series for one model is that model's, however named."""
        if len(asked) == 1 and len(answer.keys) == 1:
            return np.zeros(1, dtype=np.intp), asked
        joined = self._joins.of(source, query, answer.keys, self._rows(source, query))
        return joined.entries, joined.rows

    def _facts(self, source: str, query: Query, answer: Answer) -> tuple[LabelledValue, ...]:
        known = self._labelled.get((source, query.id))
        if known is not None and _says_the_same(known[0], answer):
            return known[1]
        values = answer.values.tolist()
        if query.by and query.by[0] == DEPENDENCY_LABEL:
            facts = tuple(
                LabelledValue(labels=key, value=value, at=answer.at)
                for key, value in zip(answer.keys, values, strict=True)
            )
        else:
            joined = self._joins.of(source, query, answer.keys, self._rows(source, query))
            rows = self.seating.rows
            facts = tuple(
                LabelledValue(
                    labels=(rows[row].model, *_told(query, answer.keys[entry][1:])),
                    value=values[entry],
                    at=answer.at,
                )
                for entry, row in zip(joined.entries.tolist(), joined.rows.tolist(), strict=True)
            )
        self._labelled[source, query.id] = (answer, facts)
        return facts


def _told(query: Query, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return label values, empty where the profile's server only writes that it has none."""
    profile = profiles().get(query.profile)
    if profile is None:
        return labels
    return tuple(profile.value_of(label) or "" for label in labels)


def _withhold(
    builder: ColumnBuilder, rows_of: Mapping[str, tuple[int, ...]], query: Query, answer: Answer
) -> None:
    """Say of the rows that an answer leaves out on purpose how short their history is."""

    def put(rows: Indices, seconds: float) -> None:
        builder.withhold(
            rows,
            seconds,
            at=answer.at,
            window_seconds=query.window_seconds,
            method=query.method,
        )

    if answer.history_seconds is not None:
        put(rows_asked(rows_of, query), answer.history_seconds)
    for value, seconds in answer.withheld.items():
        if query.models is None or value in query.models:
            put(np.array(rows_of.get(value, ()), dtype=np.intp), seconds)


def _says_the_same(before: Answer, answer: Answer) -> bool:
    """Tell whether facts made of ``before`` still speak for ``answer``.

    Facts are objects, thousands of them; while nothing changes they are made anew every
    15 s only, which is then how far their time may lag behind.
    """
    if before is answer:
        return True
    return (
        before.keys is answer.keys
        and answer.at - before.at < KEPT_FACTS_SECONDS
        and np.array_equal(before.values, answer.values, equal_nan=True)
    )


def _rank(query: Query) -> tuple[bool, int]:
    """Return how late a query's answer is written: what comes later is what is shown."""
    return query.exclusive, preference(query.role, query.column.partition("@")[0])


def _speaks_for(query: Query, seat: Seat) -> bool:
    if query.models is not None and seat.series_value not in query.models:
        return False
    if query.rows is not None and seat.name and seat.name not in query.rows:
        return False
    if query.profile == seat.profile:
        return True
    return query.role != "server" and query.voice in ("", query.profile)


def _count(
    builder: ColumnBuilder,
    uses: Sequence[tuple[Indices, Query]],
    raw: Mapping[str, NDArray[np.float64]],
) -> None:
    """Fill in n: the counting column's value, times the window where that column is a rate."""
    size = len(builder.values)
    n = np.full(size, np.nan)
    least = np.zeros(size)
    for rows, query in uses:
        # A source with a short history covers less than was asked for: n is what it did cover.
        covered = builder.window_seconds[rows]
        covered = np.where(np.isnan(covered), query.window_seconds or _RATE_WINDOW_SECONDS, covered)
        nothing = np.full(len(rows), np.nan)
        counted = raw.get(query.n_column or "")
        counts = nothing if counted is None else counted[rows]
        if query.n_column in _RATES:
            counts = counts * covered
        elif (query.n_column or "").startswith(_REQUESTS):
            # An operator may give the rate of requests and no growth of theirs.
            rates = raw["requests_rate"][rows] if "requests_rate" in raw else nothing
            counts = np.where(np.isnan(counts), rates * covered, counts)
        n[rows] = counts
        least[rows] = query.min_n
    builder.count(n, least)
