"""Input of an evaluation: rows' static facts as arrays, and what the sources answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.domain.signals import ReadingState
from console.domain.snapshot import SignalColumn
from console.evaluation.drift import references_of
from console.evaluation.row_identity import rows_by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.alert import Incident
    from console.domain.model import ModelRow
    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Change
    from console.evaluation.drift import References

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Statics:
    """Declared facts, one array entry a row; NaN is not declared.

    ``latency_under_seconds`` and ``latency_share`` come from the objective, ``budget_hour_usd``
    is the monthly budget / 720, ``by_name`` the rows under names that others may mean them by,
    ``name_rank`` the row's place in name order, ``users`` the rows that declare a dependency,
    ``callers`` their names, ``references`` what drift is measured by.
    """

    rows: tuple[ModelRow, ...]
    index: Mapping[str, int]
    by_name: Mapping[str, Sequence[ModelRow]]
    name_rank: NDArray[np.int64]
    tier: NDArray[np.int64]
    configured: Mask
    declared: Mask
    owned: Mask
    fails_closed: Mask
    error_allowance: Floats
    slow_allowance: Floats
    latency_under_seconds: Floats
    confidence_base: Floats
    review_capacity: Floats
    review_sla_seconds: Floats
    budget_hour_usd: Floats
    price_per_1k_usd: Floats
    users: Mapping[str, tuple[int, ...]]
    callers: Mapping[str, frozenset[str]]
    references: References

    def __len__(self) -> int:
        return len(self.rows)


HOURS_IN_BUDGET = 720.0
"""A monthly budget is spread over 30 days of 24 hours."""


def statics_of(rows: tuple[ModelRow, ...]) -> Statics:
    """Lay the rows' declarations out in arrays.

    A bad allowance of 0 (an objective of 100%) is kept a hair above 0, so that one failure
    burns enormously instead of dividing by zero.
    """
    names = [row.model for row in rows]
    name_rank = np.empty(len(rows), dtype=np.int64)
    name_rank[np.array(sorted(range(len(rows)), key=names.__getitem__), dtype=np.int64)] = (
        np.arange(len(rows))
    )
    goals = [row.objectives for row in rows]
    users = _users(rows)
    return Statics(
        rows=rows,
        index={name: number for number, name in enumerate(names)},
        by_name=rows_by_name(rows),
        name_rank=name_rank,
        tier=np.array([row.tier for row in rows], dtype=np.int64),
        configured=_mask(row.configured for row in rows),
        declared=_mask(goal.declared for goal in goals),
        owned=_mask(bool(row.owner) for row in rows),
        fails_closed=_mask(row.fails_closed for row in rows),
        error_allowance=_allowance(goal.availability_ratio for goal in goals),
        slow_allowance=_allowance(
            goal.latency_share_ratio if goal.latency_under_seconds is not None else None
            for goal in goals
        ),
        latency_under_seconds=_numbers(goal.latency_under_seconds for goal in goals),
        confidence_base=_numbers(row.confidence_base_ratio for row in rows),
        review_capacity=_numbers(row.review_capacity_per_second for row in rows),
        review_sla_seconds=_numbers(row.review_sla_seconds for row in rows),
        budget_hour_usd=_numbers(row.budget_month_usd for row in rows) / HOURS_IN_BUDGET,
        price_per_1k_usd=_numbers(row.cost_per_1k_usd for row in rows),
        users=users,
        callers={one: frozenset(names[row] for row in using) for one, using in users.items()},
        references=references_of(rows),
    )


def _users(rows: tuple[ModelRow, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        for dependency in row.dependencies:
            found.setdefault(dependency, []).append(number)
    return {dependency: tuple(numbers) for dependency, numbers in found.items()}


def _mask(flags: Iterable[bool]) -> Mask:
    return np.array(list(flags), dtype=np.bool_)


def _numbers(values: Iterable[float | None]) -> Floats:
    return np.array(
        [float("nan") if value is None else value for value in values], dtype=np.float64
    )


def _allowance(ratios: Iterable[float | None]) -> Floats:
    return np.maximum(1.0 - _numbers(ratios), 1e-9)


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """One series of a labelled fact.

    ``labels`` are in the order of the query's ``by``; ``labels[0]`` is the row's model NAME, or
    the dependency's name for facts about dependencies. ``at`` is Unix seconds.
    """

    labels: tuple[str, ...]
    value: float
    at: float


BUCKETS, PREVIOUS_BUCKETS = "score_buckets", "score_buckets@prev"


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """How a histogram's cumulative buckets grew over a window, as one query saw it.

    Entry i says that ``values[i]`` predictions of row ``rows[i]`` were at or under ``edges[i]``
    (infinity: all of them). ``failed`` lists rows about which the question failed. ``at`` is
    Unix seconds; ``stale`` tells that the source no longer answers. The identical object stands
    for the identical answer.
    """

    rows: Indices
    edges: Floats
    values: Floats
    at: float
    window_seconds: float
    stale: bool
    failed: Indices


@dataclass(frozen=True, slots=True)
class Observed:
    """All answers, joined to the rows: columns by `Query.column`, several-series facts by name.

    Every array of a column has one entry a row, in the order of the rows given to `evaluate`.
    A column nobody asks for is absent, which reads as no_data. ``alerts_whole`` tells whether
    every place for alerts has just answered in full, so that no alert means that none fires.
    ``told`` are changes of the last day that other systems tell of, by way of ``change_sources``.
    """

    columns: Mapping[str, SignalColumn] = field(default_factory=dict)
    labelled: Mapping[str, tuple[LabelledValue, ...]] = field(default_factory=dict)
    buckets: Mapping[str, tuple[Buckets, ...]] = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()
    flood: bool = False
    alert_sources: tuple[SourceStatus, ...] = ()
    alerts_whole: bool = False
    told: tuple[Change, ...] = ()
    change_sources: tuple[SourceStatus, ...] = ()


def empty_column(rows: int) -> SignalColumn:
    """Return a column of ``rows`` entries that are all no_data."""
    nothing = np.full(rows, np.nan)
    return SignalColumn(
        values=nothing,
        states=np.zeros(rows, dtype=np.uint8),
        at=nothing,
        n=nothing,
        window_seconds=nothing,
        method_index=np.zeros(rows, dtype=np.uint8),
    )


def known(column: SignalColumn) -> Mask:
    """Return where a column has a current finite value to judge by."""
    mask: Mask = (column.states == int(ReadingState.OK)) & np.isfinite(column.values)
    return mask
