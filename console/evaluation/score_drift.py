"""Computes drift of score histograms against their references, for all rows at once.

PSI = sum of (q - p) ln(q / p), with p from the frozen reference and
q_i = (increase(b_i) - increase(b_(i-1))) / increase(all) of the histogram's buckets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from console.domain.signals import ReadingState
from console.domain.snapshot import SignalColumn
from console.evaluation.drift import (
    MIN_ROWS_FOR_KS,
    MIN_ROWS_FOR_PSI,
    PSI_LITTLE,
    ks_by_row,
    merged_shares,
    psi_by_row,
    shares_by_row,
)
from console.evaluation.observations import BUCKETS, PREVIOUS_BUCKETS, Observed, empty_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.evaluation.drift import References
    from console.evaluation.observations import Buckets

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]
    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

Entry = TypeVar("Entry", bound=np.generic)

SAME_EDGE = 1e-9
"""Edges are the same number when they differ by no more, relative to their size."""

TORN_SHARE = 0.01
"""Buckets that shrink upwards by more than this share of all belong to different histograms."""

UNASKED = "its source has not been asked yet"
ABSENT = "its source has no score histogram of this window"
OTHER_EDGES = "the histogram has other bucket edges"
TORN = "replicas export different bucket edges"
_MOST_METHODS = 255
_MOST_OWN_METHODS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What one window of scores says, one entry (or R x W row) a reference.

    ``counts`` are predictions a bin, ``n`` their sum (NaN not known), ``states`` `ReadingState`
    codes, ``fault`` why the reference is not in force (empty: it is), ``floor`` the PSI that
    noise alone explains: max(0.10, (1/n + 1/m) chi2_0.998), both over bins of at least 1%. ``ks``
    is the largest difference of cumulative shares, NaN under 2,000 rows in either.
    """

    of: tuple[Buckets, ...]
    counts: Floats
    shares: Floats
    floored: NDArray[np.int64]
    n: Floats
    psi: Floats
    ks: Floats
    floor: Floats
    states: Codes
    fault: tuple[str, ...]
    at: Floats
    window_seconds: Floats
    methods: tuple[str, ...]
    method_index: Codes

    @property
    def in_force(self) -> Mask:
        """Return the references that this window can be measured against."""
        return np.array([not fault for fault in self.fault], dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreDrift:
    """Both windows, kept while neither answers nor references change."""

    references: References
    now: Window
    previous: Window


def measure(
    references: References, observed: Observed, kept: ScoreDrift | None
) -> ScoreDrift | None:
    """Return the drift of every row with a reference; None where no row has one."""
    if not len(references):
        return None
    if kept is not None and kept.references is not references:
        kept = None
    now, previous = observed.buckets.get(BUCKETS, ()), observed.buckets.get(PREVIOUS_BUCKETS, ())
    return ScoreDrift(
        references,
        _kept_window(references, now, kept.now if kept else None),
        _kept_window(references, previous, kept.previous if kept else None),
    )


def _kept_window(references: References, asked: tuple[Buckets, ...], kept: Window | None) -> Window:
    if kept is None or len(kept.of) != len(asked):
        return window(references, asked)
    same = all(one is other for one, other in zip(kept.of, asked, strict=True))
    return kept if same else window(references, asked)


def window(references: References, asked: tuple[Buckets, ...]) -> Window:
    """Measure one window of bucket growth against all references."""
    shape = references.used.shape
    below, seen = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    total = np.full(shape[0], np.nan)
    at, seconds = np.full(shape[0], np.nan), np.full(shape[0], np.nan)
    stale = np.zeros(shape[0], dtype=np.bool_)
    failed = np.zeros(shape[0], dtype=np.bool_)
    for one in asked:
        failed[_places(references, one.failed)] = True
        place = references.place[one.rows]
        mine = place >= 0
        place, edges, grown = place[mine], one.edges[mine], one.values[mine]
        _add_below(references, place, edges, grown, below, seen)
        _add_total(place, edges, grown, total)
        at[place], seconds[place], stale[place] = one.at, one.window_seconds, one.stale
    column = np.arange(shape[1])
    is_last = column[None, :] == references.last[:, None]
    below = np.where(is_last, total[:, None], below)
    known = np.isfinite(total)
    lacking = known & (references.used & ~is_last & ~seen).any(axis=1)
    counts = np.where(references.used, np.diff(below, axis=1, prepend=0.0), 0.0)
    torn = known & ~lacking & (counts < -TORN_SHARE * np.maximum(total, 1.0)[:, None]).any(axis=1)
    counts = np.where((known & ~lacking & ~torn)[:, None], np.maximum(counts, 0.0), np.nan)
    fault = tuple(
        _fault(*flags, asked=bool(asked))
        for flags in zip(
            failed.tolist(), known.tolist(), lacking.tolist(), torn.tolist(), strict=True
        )
    )
    shares, floored = shares_by_row(counts, references.used)
    methods, method_index = _methods(references, floored)
    merged = merged_shares(shares, references.group)
    distance = psi_by_row(references.merged, merged, references.merged > 0)
    enough = np.fmin(references.n, total) >= MIN_ROWS_FOR_KS
    return Window(
        of=asked,
        counts=counts,
        shares=shares,
        floored=floored,
        n=total,
        psi=distance,
        ks=np.where(enough, ks_by_row(references.shares, shares), np.nan),
        floor=_floor(references, total),
        states=_states(total, failed & ~known, stale, lacking | torn),
        fault=fault,
        at=at,
        window_seconds=seconds,
        methods=methods,
        method_index=method_index,
    )


def _places(references: References, rows: Indices) -> Indices:
    found = references.place[rows]
    return found[found >= 0]


def _add_below(
    references: References,
    place: Indices,
    edges: Floats,
    grown: Floats,
    below: Floats,
    seen: Mask,
) -> None:
    """Add what lies under each edge that a reference asks for; other edges are passed over.

    One edge may come in several spellings ("1" and "1.0"): their growths add up.
    """
    wanted = references.inner[place]
    with np.errstate(invalid="ignore"):
        gap = np.abs(wanted - edges[:, None])
        hit = gap <= SAME_EDGE * np.maximum(np.abs(wanted), 1.0)
    entry, column = np.nonzero(hit & np.isfinite(grown)[:, None])
    np.add.at(below, (place[entry], column), grown[entry])
    seen[place[entry], column] = True


def _add_total(place: Indices, edges: Floats, grown: Floats, total: Floats) -> None:
    whole = np.isposinf(edges) & np.isfinite(grown)
    total[place[whole]] = np.where(np.isnan(total[place[whole]]), 0.0, total[place[whole]])
    np.add.at(total, place[whole], grown[whole])


def _fault(failed: bool, known: bool, lacking: bool, torn: bool, *, asked: bool) -> str:
    if failed and not known:
        return ""
    if not known:
        return ABSENT if asked else UNASKED
    if lacking:
        return OTHER_EDGES
    return TORN if torn else ""


def _floor(references: References, n: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = (1.0 / references.n + 1.0 / n) * references.chi2
    return np.fmax(noise, PSI_LITTLE)


def _states(n: Floats, failed: Mask, stale: Mask, unusable: Mask) -> Codes:
    """Return what each window is worth; the worse reason last."""
    states = np.full(len(n), np.uint8(ReadingState.NO_DATA))
    known = np.isfinite(n) & ~unusable
    states[known] = int(ReadingState.OK)
    states[known & stale] = int(ReadingState.STALE)
    states[known & (n < MIN_ROWS_FOR_PSI)] = int(ReadingState.TOO_FEW)
    states[known & (n <= 0)] = int(ReadingState.NO_TRAFFIC)
    states[failed] = int(ReadingState.ERROR)
    return states


def with_score_drift(observed: Observed, drift: ScoreDrift | None, rows: int) -> Observed:
    """Return what was observed with drift columns that references in force speak for.

    Elsewhere the exporter's own gauge stays, and its method says why the reference is not used.
    Columns ``drift_floor`` and ``drift_floor@prev`` hold the PSI that noise alone explains.
    """
    if drift is None:
        return observed
    references, force = drift.references, drift.now.in_force
    columns = dict(observed.columns)
    empty = empty_column(rows)
    gauge = columns.get("drift_psi", empty)
    columns["drift_psi"] = _told(_put(gauge, drift, drift.now, force), drift, force)
    before = columns.get("drift_psi@prev", empty)
    columns["drift_psi@prev"] = _put(before, drift, drift.previous, force)
    samples = columns.get("drift_samples", empty)
    mine = references.rows[force]
    columns["drift_samples"] = _with(
        samples, mine, drift.now.n[force], np.isfinite(drift.now.n[force])
    )
    for name, seen in (("drift_floor", drift.now), ("drift_floor@prev", drift.previous)):
        floor = seen.floor[force]
        columns[name] = _with(empty, mine, floor, np.isfinite(floor))
    for name, seen in (("drift_ks", drift.now), ("drift_ks@prev", drift.previous)):
        apart = seen.ks[force]
        columns[name] = _with(empty, mine, apart, np.isfinite(apart))
    return replace(observed, columns=columns)


def _put(column: SignalColumn, drift: ScoreDrift, seen: Window, force: Mask) -> SignalColumn:
    """Return a PSI column in which references in force replace whatever stood there."""
    rows = drift.references.rows[force]
    states = seen.states[force]
    shown = (states == int(ReadingState.OK)) | (states == int(ReadingState.STALE))
    return SignalColumn(
        values=_replaced(column.values, rows, np.where(shown, seen.psi[force], np.nan)),
        states=_replaced(column.states, rows, states),
        at=_replaced(column.at, rows, seen.at[force]),
        n=_replaced(column.n, rows, seen.n[force]),
        window_seconds=_replaced(column.window_seconds, rows, seen.window_seconds[force]),
        method_index=column.method_index,
        methods=column.methods,
    )


def _with(column: SignalColumn, rows: Indices, values: Floats, known: Mask) -> SignalColumn:
    states = np.where(known, np.uint8(ReadingState.OK), np.uint8(ReadingState.NO_DATA))
    return replace(
        column,
        values=_replaced(column.values, rows, values),
        states=_replaced(column.states, rows, states),
    )


def _replaced(array: NDArray[Entry], rows: Indices, values: NDArray[Entry]) -> NDArray[Entry]:
    made = array.copy()
    made[rows] = values
    return made


def _told(column: SignalColumn, drift: ScoreDrift, force: Mask) -> SignalColumn:
    """Return the column with a method for every row that has a reference."""
    references, seen = drift.references, drift.now
    index, methods = column.method_index.copy(), [*column.methods, *seen.methods]
    index[references.rows[force]] = len(column.methods) + seen.method_index[force]
    for place in np.flatnonzero(~force).tolist():
        row = int(references.rows[place])
        gauge = column.methods[int(column.method_index[row])]
        text = f"{references.listed[place].name} is not in force: {seen.fault[place]}"
        if gauge:
            text = f"exporter's gauge ({gauge}); {text}"
        if text not in methods:
            if len(methods) >= _MOST_METHODS:
                continue
            methods.append(text)
        index[row] = methods.index(text)
    return replace(column, method_index=index, methods=tuple(methods))


def _methods(references: References, floored: NDArray[np.int64]) -> tuple[tuple[str, ...], Codes]:
    """Return the distinct methods, and which one each reference is measured by."""
    places: dict[str, int] = {}
    index = np.zeros(len(references), dtype=np.uint8)
    empty = (floored + references.floored).tolist()
    for at, (title, lifted) in enumerate(zip(references.titles, empty, strict=True)):
        text = f"PSI of scores against {title}"
        if lifted:
            text += f", {lifted} empty share{'s' if lifted > 1 else ''} floored at 1e-4"
        if text not in places and len(places) >= _MOST_OWN_METHODS:
            text = "PSI of scores against the declared reference"
        index[at] = places.setdefault(text, len(places))
    return tuple(places), index


def fault_of(drift: ScoreDrift | None, model: str) -> str:
    """Return why a model's reference is not in force; empty where it is, or there is none."""
    place = None if drift is None else drift.references.place_of.get(model)
    return "" if drift is None or place is None else drift.now.fault[place]
