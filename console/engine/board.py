"""Answers of all sources, laid out as columns over the rows: the reader's side of a tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.engine.buckets import BucketTable
from console.engine.columns import ColumnBuilder
from console.engine.join import JoinCache, rows_asked
from console.engine.seats import Seat, Seating
from console.facts.signals import SIGNALS
from console.fleet.observed import LabelledValue, Observed
from console.signals.profile import profiles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.facts.samples import Answer
    from console.facts.snapshot import SignalColumn
    from console.fleet.observed import Buckets
    from console.signals.query import Query

    Indices = NDArray[np.intp]

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
        return tuple(sorted(found, key=lambda asked: asked.query.exclusive))

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
        """Return every planned query, operators' own last so that they overwrite the profile's."""
        queries = [(source, query) for source, queries in self._plans.items() for query in queries]
        return sorted(queries, key=lambda pair: pair[1].exclusive)

    def _rows(self, source: str, query: Query) -> Mapping[str, tuple[int, ...]]:
        return self._rows_of.get((source, query.profile), {})

    def _histogram(self, source: str, query: Query, answer: Answer, *, stale: bool) -> Buckets:
        return self._buckets.of(source, query, answer, self._rows(source, query), stale=stale)

    def _fill(
        self, builder: ColumnBuilder, source: str, query: Query, answer: Answer, *, stale: bool
    ) -> Indices:
        rows_of = self._rows(source, query)
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


def _speaks_for(query: Query, seat: Seat) -> bool:
    return query.profile == seat.profile and (
        query.models is None or seat.series_value in query.models
    )


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
