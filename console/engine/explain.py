"""Where a number comes from, or why it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.engine.derived import BASES
from console.engine.handle import Explanation
from console.engine.hints import hint, short_history
from console.engine.score_series import PSI
from console.facts.reading import NO_DATA, Reading
from console.facts.signals import SIGNALS
from console.facts.text import visible
from console.fleet.distribution import of_model, sentence
from console.fleet.score_drift import OTHER_EDGES, fault_of
from console.signals.scores import SCORES
from console.signals.units import format_signal

if TYPE_CHECKING:
    from console.engine.board import Asked
    from console.engine.desk import Desk
    from console.facts.snapshot import Snapshot
    from console.fleet.score_drift import ScoreDrift


def explain(
    desk: Desk,
    snapshot: Snapshot | None,
    model: str,
    signal: str,
    now: float,
    drift: ScoreDrift | None = None,
) -> Explanation:
    """Explain one signal of one model as of ``now`` (Unix seconds); ``drift`` as last measured."""
    fact = SIGNALS.get(signal)
    reading, asked, source, profile = _found(desk, snapshot, model, signal)
    failure = next((item.answer.error for item in asked if item.answer and item.answer.error), None)
    return Explanation(
        model=model,
        signal=signal,
        title=fact.title if fact is not None else signal,
        unit=fact.unit if fact is not None else "",
        formula=fact.formula if fact is not None else "",
        promql="\n".join(dict.fromkeys(item.query.promql for item in asked)),
        source=source,
        profile=profile,
        state=reading.state,
        value_text=format_signal(signal, reading.value),
        at=reading.at,
        age_seconds=None if reading.at is None else max(0.0, now - reading.at),
        window_seconds=reading.window_seconds,
        n=reading.n,
        method=_method(reading, asked, _measures(drift, model, signal)),
        hint=visible(failure)
        if failure
        else _reference_hint(drift, model, signal) or _hint(reading, signal, model, profile),
    )


def _hint(reading: Reading, signal: str, model: str, profile: str) -> str:
    if reading.history_seconds is not None:
        return short_history(reading.history_seconds, reading.window_seconds)
    return hint(signal, model, reading.state, profile)


def _method(reading: Reading, asked: tuple[Asked, ...], measured: str) -> str:
    method = reading.method or (asked[-1].query.method if asked else "")
    return f"{method}: {measured}" if measured else method


def _reference_hint(drift: ScoreDrift | None, model: str, signal: str) -> str:
    """Return what to do about a declared reference that nothing can be measured by."""
    fault = fault_of(drift, model) if signal == PSI else ""
    if not fault:
        return ""
    then = ": `midwatch reference` takes a new one" if fault == OTHER_EDGES else ""
    return f"the declared reference is not in force, {fault}{then}"


def _measures(drift: ScoreDrift | None, model: str, signal: str) -> str:
    """Return every measure of a drift that the console computed itself, else nothing."""
    found = of_model(drift, model) if signal == PSI else None
    return sentence(found.measures) if found is not None and found.measures else ""


def _found(
    desk: Desk, snapshot: Snapshot | None, model: str, signal: str
) -> tuple[Reading, tuple[Asked, ...], str, str]:
    # One read of the attribute: the engine's thread may put a new seating there meanwhile.
    seating = desk.board.seating
    row = next((at for at, known in enumerate(seating.rows) if known.model == model), None)
    if row is None:
        return NO_DATA, (), "", ""
    seat = seating.seats[row]
    asked = tuple(
        item for column in BASES.get(signal, (signal,)) for item in desk.board.asked(seat, column)
    )
    if signal == PSI and seating.rows[row].reference is not None:
        asked = (*desk.board.asked(seat, SCORES), *asked)
    shown = None if snapshot is None else snapshot.index.get(model)
    reading = NO_DATA if snapshot is None or shown is None else snapshot.reading(signal, shown)
    return reading, asked, seat.source, seat.profile
