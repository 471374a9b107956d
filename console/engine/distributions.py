"""Reads how a model's scores are distributed now, and PSI over time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from console.domain.samples import Series
from console.domain.text import visible
from console.engine.answer_table import edges_of
from console.evaluation.drift import (
    MIN_ROWS_FOR_PSI,
    alone,
    buckets_to_bins,
    of_model,
    psi_by_row,
    shares_by_row,
)
from console.metrics.profile import profiles
from console.metrics.queries import WINDOW_SECONDS, one_model, since_start, under_edge
from console.settings.drift_reference import MOST_BINS
from console.sources.base import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from console.domain.distribution import Distribution, DriftReference
    from console.domain.samples import Answer
    from console.engine.answer_table import Board
    from console.engine.row_assignment import Seat
    from console.evaluation.score_drift import ScoreDrift
    from console.metrics.queries import Query
    from console.sources.base import Source

    Floats = NDArray[np.float64]

PSI = "drift_psi"
LEAST_STEP_SECONDS = 60.0
"""An hour's distribution hardly moves within a minute, and every point costs a bucket each."""


async def psi_series(
    source: Source,
    query: Query,
    reference: DriftReference,
    series_value: str,
    start: float,
    end: float,
    step: float,
) -> Series | None:
    """Return the PSI of a model's scores from ``start`` to ``end`` (Unix seconds).

    ``query`` is the one that asks for its score buckets. A point with fewer than 200 predictions
    is a gap. None where the buckets are not a plain counter. Raises `SourceDown`.
    """
    step = max(step, LEAST_STEP_SECONDS)
    asked = [under_edge(query, edge) for edge in (*reference.edges[:-1], float("inf"))]
    known = [each for each in asked if each is not None]
    if len(known) != len(asked):
        return None
    found = await asyncio.gather(
        *(source.series(each, series_value, start, end, step) for each in known)
    )
    failure = next((each.error for each in found if each.error is not None), None)
    return Series(PSI, found[0].times, psi_over_time(reference, [s.values for s in found]), failure)


def psi_over_time(reference: DriftReference, below: Sequence[Floats]) -> Floats:
    """Return the PSI at T times from B rows of T cumulative growths, NaN where it is not known."""
    levels = np.stack(below, axis=1)
    counts = np.maximum(np.diff(levels, axis=1, prepend=0.0), 0.0)
    used = np.ones(counts.shape, dtype=np.bool_)
    p, _ = shares_by_row(np.asarray([reference.shares]), used[:1])
    q, _ = shares_by_row(counts, used)
    enough = levels[:, -1] >= MIN_ROWS_FOR_PSI
    known = enough & np.isfinite(levels).all(axis=1)
    return np.where(known, psi_by_row(p, q, used), np.nan)


SHORT_WINDOW_SECONDS = 900.0
"""Where an hour is not known yet, so much is shown instead."""


class NoDistributionError(Exception):
    """There is no distribution to be had; the message says why and what would give one."""


async def distribution(
    board: Board,
    source_of: Callable[[str], Source | None],
    drift: ScoreDrift | None,
    model: str,
    now: float,
) -> Distribution:
    """Return the scores of ``model`` at ``now`` (Unix seconds), beside its reference if in force.

    A model without a reference is asked for alone, at most once a call. Never raises for a
    source that is away: ``note`` says so.
    """
    # One read of the attribute: new seats may be put there while the source thinks.
    seating = board.seating
    measured = of_model(drift, model)
    if measured is not None:
        return measured
    pairs = zip(seating.rows, seating.seats, strict=True)
    found = next((seat for row, seat in pairs if row.model == model), None)
    if found is None:
        return _nothing(model, f"no model is named {visible(model)} any more")
    try:
        return await _asked(source_of, found, model, now)
    except NoDistributionError as fault:
        return _nothing(model, str(fault))


async def score_counts(
    source: Source, seat: Seat, window_seconds: float, now: float, *, since_started: bool = False
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return upper edges and predictions a bin of one model's scores over a window.

    With ``since_started`` the services' own counts since they began are taken, which is all that
    a source without history knows. Raises `NoDistributionError`.
    """
    profile = profiles().get(seat.profile)
    query = None if profile is None else one_model(profile, seat.series_value, window_seconds)
    if query is not None and since_started:
        query = since_start(query)
    if query is None:
        shown = visible(seat.profile) or "unknown"
        raise NoDistributionError(f"a server of profile {shown} gives no score histogram")
    try:
        answer = await source.ask_aside(query, now)
    except SourceDown as down:
        raise NoDistributionError(down.sentence) from down
    return _bins(answer)


def _bins(answer: Answer) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if answer.error is not None:
        raise NoDistributionError(visible(answer.error))
    if not answer.keys:
        reason = f": {visible(answer.infos[0])}" if answer.infos else ""
        raise NoDistributionError(
            f"its source has no model_prediction_score histogram of this window{reason}"
        )
    pairs = zip(edges_of(answer.keys).tolist(), answer.values.tolist(), strict=True)
    try:
        return buckets_to_bins(list(pairs), MOST_BINS)
    except ValueError as fault:
        raise NoDistributionError(str(fault)) from fault


async def _asked(
    source_of: Callable[[str], Source | None], seat: Seat, model: str, now: float
) -> Distribution:
    source = source_of(seat.source) if seat.source else None
    if source is None:
        raise NoDistributionError("no source offers this model")
    try:
        seconds = WINDOW_SECONDS
        edges, counts = await score_counts(source, seat, seconds, now)
    except NoDistributionError:
        if source.kind != "scrape":
            raise
        seconds = SHORT_WINDOW_SECONDS
        edges, counts = await score_counts(source, seat, seconds, now)
    return alone(model, edges, counts, window_seconds=seconds, at=now)


def _nothing(model: str, sentence: str) -> Distribution:
    return alone(model, (), (), window_seconds=WINDOW_SECONDS, at=None, note=sentence)
