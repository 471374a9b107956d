"""Explains where a number comes from, or which metric or setting would fill an empty one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.signals import NO_DATA, SIGNALS, Reading, ReadingState
from console.domain.text import visible
from console.engine.client import Explanation
from console.engine.distributions import PSI
from console.engine.ranges import BASES
from console.evaluation.drift import of_model, sentence
from console.evaluation.score_drift import OTHER_EDGES, fault_of
from console.metrics.profile import profiles
from console.metrics.queries import SCORES
from console.metrics.units import format_age, format_signal
from console.metrics.variants import measurements

if TYPE_CHECKING:
    from console.domain.snapshot import Snapshot
    from console.engine.answer_table import Asked
    from console.engine.query_planner import Desk
    from console.evaluation.score_drift import ScoreDrift
    from console.metrics.profile import Profile

OWN_PROFILE = "midwatch"
_SHOWN_METRICS = 3

# Which column a derived signal starves without, and the setting it needs besides.
_NEEDED = {
    "review_rho": ("review_rate", "set models.NAME.review.capacity_per_second"),
    "cost_per_1k": ("cost_per_hour", "set models.NAME.cost.per_1k_requests"),
    "cost_pace": ("cost_per_hour", "set models.NAME.cost.budget_month"),
    "cost_month_p50": ("cost_month", ""),
    "cost_month_p90": ("cost_month", ""),
    "spend_burn": ("cost_per_hour", "set models.NAME.cost.budget_month"),
    "budget_left": ("error_ratio", ""),
}
_REFERENCE_HINT = (
    "or set models.NAME.drift.reference where the service exports model_prediction_score"
)
_SPEND_PARTS = frozenset({"cost_today", "cost_month"})


def hint(signal: str, model: str, state: ReadingState, profile: str = OWN_PROFILE) -> str:
    """Return what to do about a reading that is not a value; empty when it is one."""
    match state:
        case ReadingState.OK:
            return ""
        case ReadingState.NO_TRAFFIC:
            return "nothing was asked of the model in this window"
        case ReadingState.TOO_FEW:
            return "there are too few samples behind it to mean anything; it fills by itself"
        case ReadingState.STALE:
            return "the source does not answer; this is the last known value"
        case ReadingState.ERROR:
            return "the source refused this question"
        case _:
            return _to_fill(signal, profile).replace("NAME", model)


def short_history(history_seconds: float, window_seconds: float | None) -> str:
    """Return why a number over a long window is withheld; spans in seconds."""
    window = "" if window_seconds is None else f", the window is {format_age(window_seconds)}"
    return f"history {format_age(history_seconds)}{window}; it fills by itself"


def _to_fill(signal: str, profile: str) -> str:
    base, setting = _NEEDED.get(
        signal, ("error_ratio" if signal.startswith("burn_") else signal, "")
    )
    metrics = _metrics(base, profile)
    told = " and ".join(part for part in (setting, metrics) if part)
    return f"{told}; {_REFERENCE_HINT}" if signal == "drift_psi" else told


def _metrics(signal: str, profile: str) -> str:
    known = profiles()
    mine = _names(signal, known.get(profile))
    if mine:
        return f"the source has no {mine} for it, or too short a history"
    served = known.get(profile)
    if served is not None and signal in served.not_given:
        return f"{served.title}: {served.not_given[signal]}"
    contract = _names(signal, known.get(OWN_PROFILE))
    own_promql = f"set models.NAME.signals.{signal} (own PromQL)"
    if profile != OWN_PROFILE:
        offered = f"; or export {contract}" if contract else ""
        return f"a server of profile {profile or 'unknown'} does not give it: {own_promql}{offered}"
    return own_promql


def _names(signal: str, profile: Profile | None) -> str:
    """Return the metrics a profile reads for a signal, empty where it does not measure it."""
    if profile is None:
        return ""
    measured = measurements(profile)
    definition = measured.get("cost_increase" if signal in _SPEND_PARTS else signal)
    if definition is None:
        return ""
    names = sorted(definition.expression.metrics())
    more = f" and {len(names) - _SHOWN_METRICS} more" if len(names) > _SHOWN_METRICS else ""
    return ", ".join(names[:_SHOWN_METRICS]) + more


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
