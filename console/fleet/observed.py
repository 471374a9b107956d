"""What the sources said about the rows at one moment: the input of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.facts.reading import ReadingState
from console.facts.snapshot import SignalColumn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from console.facts.alert import Incident
    from console.facts.samples import SourceStatus
    from console.facts.snapshot import Change

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Indices = NDArray[np.intp]


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
