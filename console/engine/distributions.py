"""How a model's scores are distributed now, for whoever looks at one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.engine.buckets import edges_of
from console.facts.text import visible
from console.fleet.distribution import alone, buckets_to_bins, of_model
from console.settings.drift_files import MOST_BINS
from console.signals.profile import profiles
from console.signals.scores import WINDOW_SECONDS, one_model, since_start
from console.sources.protocol import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.board import Board
    from console.engine.seats import Seat
    from console.facts.drift import Distribution
    from console.facts.samples import Answer
    from console.fleet.score_drift import ScoreDrift
    from console.sources.protocol import Source

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
