"""Assigns each row its source, profile and label value, and joins answers to rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.model import ModelRow
    from console.evaluation.inventory import Place
    from console.metrics.queries import Query
    from console.settings.schema import Settings

    Indices = NDArray[np.intp]

Keys = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Join:
    """``values[entries]`` of an answer go to ``column[rows]``; both are integer arrays."""

    keys: Keys
    models: frozenset[str] | None
    entries: Indices
    rows: Indices


def join(keys: Keys, rows_of: Mapping[str, tuple[int, ...]], models: frozenset[str] | None) -> Join:
    """Match the first label value of each key with the rows that take it."""
    entries: list[int] = []
    rows: list[int] = []
    for entry, key in enumerate(keys):
        name = key[0] if key else ""
        if models is not None and name not in models:
            continue
        for row in rows_of.get(name, ()):
            entries.append(entry)
            rows.append(row)
    return Join(keys, models, np.array(entries, dtype=np.intp), np.array(rows, dtype=np.intp))


def rows_asked(rows_of: Mapping[str, tuple[int, ...]], query: Query) -> Indices:
    """Return the rows that a query is about."""
    rows = [
        row
        for value, indices in rows_of.items()
        if query.models is None or value in query.models
        for row in indices
    ]
    return np.array(rows, dtype=np.intp)


class JoinCache:
    """Joins by query, valid while the answer's keys are the identical object and no row moved.

    A plan made anew every minute asks the same of the same models: its joins stay.
    """

    def __init__(self) -> None:
        self._joins: dict[tuple[str, str], Join] = {}

    def clear(self) -> None:
        """Forget everything, because rows moved."""
        self._joins.clear()

    def drop(self, source: str, query_id: str) -> None:
        """Forget the join of a query that is no longer asked."""
        self._joins.pop((source, query_id), None)

    def of(
        self, source: str, query: Query, keys: Keys, rows_of: Mapping[str, tuple[int, ...]]
    ) -> Join:
        """Return the join for this answer, from memory when its keys are the same object."""
        name = (source, query.id)
        known = self._joins.get(name)
        if known is None or known.keys is not keys or known.models != query.models:
            known = join(keys, rows_of, query.models)
            self._joins[name] = known
        return known


@dataclass(frozen=True, slots=True)
class Seat:
    """What a row's numbers are read from; an empty ``source`` means that nobody offers it.

    ``labels`` are conditions beside the series' value that its series meet, ``name`` the row's.
    """

    source: str = ""
    profile: str = ""
    series_value: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    name: str = field(default="", compare=False)


NOBODY = Seat()


@dataclass(frozen=True, slots=True)
class Seating:
    """All rows with the seat of each, in the same order."""

    rows: tuple[ModelRow, ...] = ()
    seats: tuple[Seat, ...] = ()

    def of_source(self, source: str) -> tuple[int, ...]:
        """Return the indices of the rows that this source speaks for."""
        return tuple(index for index, seat in enumerate(self.seats) if seat.source == source)


def seat_rows(
    places: Sequence[Place],
    settings: Settings,
    speakers: Mapping[str, str] = MappingProxyType({}),
) -> Seating:
    """Give every row one seat.

    ``places`` are the rows with their sightings in the order of preference, ``speakers`` who
    speaks for which source while that is away. A row is read from the source its settings name,
    else from the first that offers it, or from who speaks for that one; numbers of two sources
    are never summed. A row that nobody offers and that has PromQL of its own is asked for in the
    source it names, else in the first that is asked in PromQL.
    """
    seated: list[ModelRow] = []
    seats: list[Seat] = []
    for place in places:
        row, declared = place.row, settings.models.get(place.row.model)
        wanted = (declared.source if declared is not None else None) or ""
        offers = sorted(place.offers, key=lambda one: bool(wanted) and one.source != wanted)
        if offers:
            standby = speakers.get(offers[0].source, "")
            one = next((each for each in offers if each.source == standby), offers[0])
            seat = Seat(one.source, one.profile, one.series_value, place.labels, row.model)
        elif declared is not None and declared.signals and (own := _own_source(wanted, settings)):
            value = next(iter(declared.labels.values()), row.model)
            seat = Seat(own, declared.profile or "", value, (), row.model)
        else:
            seat = NOBODY
        seats.append(seat)
        source, profile = (seat.source, seat.profile) if seat.source else (wanted, "")
        same = (source, profile) == (row.source, row.profile)
        seated.append(row if same else replace(row, source=source, profile=profile))
    return Seating(tuple(seated), tuple(seats))


def _own_source(wanted: str, settings: Settings) -> str:
    asked = [source.name for source in settings.sources if source.kind == "prometheus"]
    return wanted if wanted in asked else next(iter(asked if not wanted else []), "")
