"""Assigns each row its source, profile and label value, and joins answers to rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.model import ModelRow
    from console.domain.samples import SeenModel
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
    """What a row's numbers are read from; an empty ``source`` means that nobody offers it."""

    source: str = ""
    profile: str = ""
    series_value: str = ""


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
    rows: Sequence[ModelRow],
    seen: Mapping[str, Sequence[SeenModel]],
    settings: Settings,
    speakers: Mapping[str, str] = MappingProxyType({}),
) -> Seating:
    """Give every row one seat.

    ``seen`` is what each source offers, ``speakers`` who speaks for which source while that is
    away. A row goes to
    the source its settings name, else to the first in configuration order that offers it; numbers
    of two sources are never summed. While that source is away its ``fallback`` takes the row if
    it offers it.
    """
    offers = {name: _by_name(models, settings) for name, models in seen.items()}
    seated: list[ModelRow] = []
    seats: list[Seat] = []
    for row in rows:
        configured = settings.models.get(row.model)
        wanted = configured.source if configured is not None else None
        seat = _choose(row, wanted, offers, speakers)
        seats.append(seat)
        source, profile = (seat.source, seat.profile) if seat.source else (wanted or "", "")
        same = (source, profile) == (row.source, row.profile)
        seated.append(row if same else replace(row, source=source, profile=profile))
    return Seating(tuple(seated), tuple(seats))


def _by_name(models: Sequence[SeenModel], settings: Settings) -> dict[str, SeenModel]:
    """Return the models of one source under their row's name; the first sighting of a name wins.

    A declared ``match`` names the row of the label value it holds; without one a declared name
    stands for the model shown or spelled like it.
    """
    renamed: dict[tuple[str, str | None], str] = {}
    for name, declared in settings.models.items():
        for value in (declared.match or {name: name}).values():
            renamed.setdefault((value, declared.profile), name)
    found: dict[str, SeenModel] = {}
    for model in models:
        name = (
            renamed.get((model.series_value, model.profile))
            or renamed.get((model.series_value, None))
            or model.model
        )
        found.setdefault(name, model)
    return found


def _choose(
    row: ModelRow,
    wanted: str | None,
    offers: Mapping[str, Mapping[str, SeenModel]],
    speakers: Mapping[str, str],
) -> Seat:
    names = [wanted] if wanted else [name for name, models in offers.items() if row.model in models]
    if not names:
        return NOBODY
    first = names[0]
    standby = speakers.get(first, first)
    if row.model in offers.get(standby, {}):
        first = standby
    model = offers.get(first, {}).get(row.model)
    return NOBODY if model is None else Seat(first, model.profile, model.series_value)
