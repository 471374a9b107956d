"""What would fill an empty reading: the metric or the setting, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.reading import ReadingState
from console.signals.profile import profiles
from console.signals.units import format_age
from console.signals.variants import measurements

if TYPE_CHECKING:
    from console.signals.profile import Profile

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
