"""What charts and strips are drawn from: one model's signals over the last stretch of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.signals import Reading, ReadingState
from console.domain.text import visible
from console.metrics.units import format_value
from console.screens.panels.curves import Curves
from console.screens.spans import (
    age_text,
    clock_text,
    compact,
    percent_text,
    promise_text,
    seconds_text,
    state_text,
    usd_text,
)
from widgets.chart import ChartData, Threshold
from widgets.chart import Series as Series_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.screens.row_view import RowView


PANE_SIGNALS: dict[str, tuple[str, ...]] = {
    "latency": ("latency_p95", "latency_p50", "latency_p99", "ttft_p95", "latency_mean"),
    "confidence": ("low_confidence_ratio", "confidence_mean"),
    "drift": ("drift_psi", "prediction_drift", "drift_features"),
    "cost": ("cost_per_hour",),
}
"""What each pane is drawn from."""

ALL_PANE_SIGNALS = tuple(signal for signals in PANE_SIGNALS.values() for signal in signals)

FILLED_BY = {
    "latency": "a request duration histogram (model_request_duration_seconds) would fill it",
    "confidence": "the histogram model_prediction_confidence would fill it",
    "drift": "model_drift, or the histogram model_prediction_score, would fill it",
    "cost": "model_cost_usd_total, or cost.per_1k_requests of the model, would fill it",
}
HOURS_OF_A_MONTH = 720.0
FLATTENING = 3.0
POINTS = 240


@dataclass(frozen=True, slots=True)
class PaneFrame:
    """The stretch of time the panes show, and how the axis is labelled."""

    now: float
    seconds: float
    range_name: str


def pane_data(name: str, view: RowView, curves: Curves, frame: PaneFrame) -> ChartData:
    """Return what one pane shows for a row."""
    build = {"latency": _latency, "confidence": _confidence, "drift": _drift, "cost": _cost}[name]
    return build(view, curves, frame)


def _chart(
    view: RowView,
    curves: Curves,
    frame: PaneFrame,
    *,
    pane: str,
    title: str,
    drawn: Sequence[tuple[str, str, str]],
    y_format: Callable[[float], str],
    thresholds: tuple[Threshold, ...],
    footer: tuple[tuple[str, str], ...],
) -> ChartData:
    """Put a pane together; ``drawn`` is (signal, name, role) of each line that has values."""
    series = tuple(
        Series_chart(label, curves.on_grid(signal, frame.now, frame.seconds, POINTS), role)
        for signal, label, role in drawn
        if curves.has_values(signal)
    )
    return ChartData(
        title=f"{title} · {frame.range_name}",
        series=series,
        thresholds=thresholds,
        start_label=clock_text(frame.now - frame.seconds, seconds=False),
        # No label at the end: it is now, and what changed just now is marked there.
        y_format=y_format,
        marks=_marks(view, frame),
        footer=footer,
        message="" if series else _message(pane, view, curves),
    )


def _marks(view: RowView, frame: PaneFrame) -> tuple[tuple[float, str], ...]:
    subjects = {view.model.model, *(one.name for one in view.dependencies())}
    start = frame.now - frame.seconds
    changed = [(one.at, "↑") for one in view.snapshot.changes if one.subject in subjects]
    decided = [
        (one.decision.taken_at, "D")
        for one in view.snapshot.decisions
        if one.decision.model == view.model.model
    ]
    return tuple(
        ((at - start) / frame.seconds, mark)
        for at, mark in (*changed, *decided)
        if start <= at <= frame.now
    )


def _message(pane: str, view: RowView, curves: Curves) -> str:
    """Say why a pane is empty: each reason is another sentence, and what would fill it."""
    signals = PANE_SIGNALS[pane]
    states = {view.reading(signal).state for signal in signals}
    error = next((curves.errors[one] for one in signals if one in curves.errors), "")
    if ReadingState.OK in states or ReadingState.STALE in states:
        return f"no history: {visible(error, 160)}" if error else "fetching the history"
    if ReadingState.ERROR in states:
        return f"the source refused the question {visible(error, 160)}".rstrip()
    if ReadingState.TOO_FEW in states:
        few = next(
            view.reading(one) for one in signals if view.reading(one).state is ReadingState.TOO_FEW
        )
        had = "" if few.n is None else f": {few.n:.0f}"
        return f"too few samples for a verdict{had}"
    if ReadingState.NO_TRAFFIC in states:
        return "no traffic: nothing was asked of this model"
    if view.unknown:
        return "no data: the source of this model does not answer"
    return f"no data: {FILLED_BY[pane]}"


def _shown(reading: Reading, show: Callable[[float], str]) -> str:
    if reading.value is None:
        return state_text(reading)
    return show(reading.value) + ("*" if reading.state is ReadingState.STALE else "")


def _seconds_of(view: RowView, signal: str) -> Callable[[float], str]:
    """Return how a latency is written: in its open top bucket it is only a lower bound."""
    bound = view.is_bound(signal)
    return lambda value: seconds_text(value, at_least=bound)


def _with_base(view: RowView, signal: str, show: Callable[[float], str]) -> str:
    base = view.base(signal)
    normal = "" if base is None else f" ({show(base)})"
    return _shown(view.reading(signal), show) + normal


def _age(reading: Reading, now: float) -> str:
    return "" if reading.at is None else f"  {age_text(now - reading.at)} ago"


def _samples(reading: Reading) -> str:
    if reading.n is None:
        return ""
    window = "" if reading.window_seconds is None else f" in {age_text(reading.window_seconds)}"
    return f"  n={reading.n:.0f}{window}"


def _latency(view: RowView, curves: Curves, frame: PaneFrame) -> ChartData:
    drawn = [("latency_p50", "p50", "second"), ("latency_p95", "p95", "latency")]
    p95, p99 = view.value("latency_p95"), view.value("latency_p99")
    if p95 is not None and p99 is not None and p99 <= FLATTENING * p95:
        # A p99 far above would press the line that the promise is about onto the axis.
        drawn.insert(0, ("latency_p99", "p99", "third"))
    signal, reading = view.latency()
    title = "1 LATENCY p50 p95 p99"
    if signal == "ttft_p95" and curves.has_values("ttft_p95"):
        drawn = [("ttft_p95", "TTFT", "latency")]
        title = "1 LATENCY TTFT"
        ttft = view.value("ttft_p95")
        if p95 is not None and ttft is not None and p95 <= FLATTENING * ttft:
            drawn.insert(0, ("latency_p95", "p95", "second"))
            title += " p95"
    elif signal == "latency_mean":
        drawn = [("latency_mean", "mean", "latency")]
        title = "1 LATENCY mean, not a percentile"
    objectives = view.model.objectives
    base = view.base(signal)
    about = {"ttft_p95": "TTFT", "latency_mean": "mean"}.get(signal, "p95")
    thresholds: tuple[Threshold, ...] = ()
    if objectives.latency_under_seconds is not None and signal != "ttft_p95":
        under = objectives.latency_under_seconds
        thresholds = (Threshold(under, promise_text(under), series=about),)
        share = objectives.latency_share_ratio
        promise = f"SLO {promise_text(under)}" + (f" for {percent_text(share)}" if share else "")
    elif base is not None:
        thresholds = (Threshold(3 * base, f"~{seconds_text(3 * base)}", series=about),)
        promise = f"~3x its own normal {seconds_text(base)}"
    else:
        promise = "no SLO, no normal known yet"
    first = f"{about} {_shown(reading, _seconds_of(view, signal))}"
    first += "" if base is None else f" ({seconds_text(base)})"
    for other, label in (("latency_p50", "p50"), ("latency_p99", "p99"), ("tpot_p95", "TPOT")):
        if view.value(other) is not None and signal != "latency_mean":
            first += f"  {label} {_shown(view.reading(other), _seconds_of(view, other))}"
    second = f"{promise}{_samples(reading)}{_age(reading, frame.now)}"
    return _chart(
        view, curves, frame, pane="latency", title=title, drawn=drawn, y_format=seconds_text,
        thresholds=thresholds, footer=((first, _role(view, "lat")), (second, "dim")),
    )  # fmt: skip


def _role(view: RowView, column: str) -> str:
    return view.role_of(column) if view.holds(column) else "text"


def _confidence(view: RowView, curves: Curves, frame: PaneFrame) -> ChartData:
    base = view.base("low_confidence_ratio")
    drawn = [("low_confidence_ratio", "low", "confidence")]
    title = "2 CONFIDENCE low share"
    thresholds: tuple[Threshold, ...] = ()
    if not curves.has_values("low_confidence_ratio"):
        drawn = [("confidence_mean", "mean", "confidence")]
        title = "2 CONFIDENCE mean"
    elif base is not None:
        limit = max(2 * base, base + 0.02)
        thresholds = (Threshold(limit, percent_text(limit)),)
    edge = view.model.confidence_threshold
    name = "low" if edge is None else f"low<{compact(edge)}"
    first = (
        f"{name} {_with_base(view, 'low_confidence_ratio', percent_text)}"
        f"  mean {_with_base(view, 'confidence_mean', compact)}"
    )
    if view.value("ece") is not None:
        first += f"  ECE {_shown(view.reading('ece'), compact)}"
    return _chart(
        view, curves, frame, pane="confidence", title=title, drawn=drawn, y_format=percent_text,
        thresholds=thresholds,
        footer=((first, _role(view, "lowc")), (_review_text(view), _role(view, "review"))),
    )  # fmt: skip


def _review_text(view: RowView) -> str:
    depth, rho = view.reading("review_depth"), view.value("review_rho")
    if depth.value is None:
        return f"review queue {state_text(depth)}"
    text = f"review {_shown(depth, lambda value: f'{value:.0f}')}"
    oldest = view.value("review_oldest")
    if oldest is not None and depth.value > 0:
        text += f", oldest {age_text(oldest)}"
    if rho is not None:
        text += f", load {compact(rho)}" + (": grows" if rho >= 1 else "")
    return text


def _drift(view: RowView, curves: Curves, frame: PaneFrame) -> ChartData:
    signal = "drift_psi" if curves.has_values("drift_psi") else "prediction_drift"
    reading = view.reading("drift_psi")
    if reading.state is ReadingState.NO_DATA:
        reading = view.reading("prediction_drift")
    few = state_text(reading, "n<200")
    value = _shown(reading, compact) if reading.value is not None else few
    first = f"PSI {value}{_samples(reading)}"
    features, nulls = view.reading("drift_features"), view.reading("null_ratio")
    parts = []
    if features.value is not None:
        parts.append(f"features {_shown(features, percent_text)}")
    if nulls.value is not None:
        parts.append(f"nulls {_shown(nulls, percent_text)}")
    reference = view.model.drift_reference
    if reference:
        parts.append(f"ref {visible(reference, 40)}")
    return _chart(
        view, curves, frame, pane="drift", title="3 DRIFT PSI",
        drawn=[(signal, "PSI", "drift")], y_format=compact,
        thresholds=(
            Threshold(0.1, ".10", role="s4"),
            Threshold(0.25, ".25"),
        ),
        footer=((first, _role(view, "drift")), ("  ".join(parts) or "no feature drift known",
                                                 "dim")),
    )  # fmt: skip


def _cost(view: RowView, curves: Curves, frame: PaneFrame) -> ChartData:
    budget = view.model.budget_month_usd
    thresholds: tuple[Threshold, ...] = ()
    plan = None if budget is None else budget / HOURS_OF_A_MONTH
    if plan is not None:
        thresholds = (Threshold(plan, f"{usd_text(plan)} plan"),)
    base = view.base("cost_per_hour")
    first = f"{_shown(view.reading('cost_per_hour'), lambda v: format_value(v, 'USD/h'))}"
    if base is not None:
        first += f" ({usd_text(base)})"
    today, pace = view.reading("cost_today"), view.reading("cost_pace")
    if today.value is not None:
        first += f"  today {_shown(today, usd_text)}"
    if pace.value is not None:
        first += f"  pace {_shown(pace, lambda v: format_value(v, 'x'))}"
    elif budget is None:
        first += "  no budget set"
    return _chart(
        view, curves, frame, pane="cost", title="4 COST $/h",
        drawn=[("cost_per_hour", "$/h", "cost")], y_format=usd_text, thresholds=thresholds,
        footer=((first, _role(view, "pace")), (_waste_text(view, budget), "dim")),
    )  # fmt: skip


def _waste_text(view: RowView, budget: float | None) -> str:
    parts = []
    per_1k, waste = view.reading("cost_per_1k"), view.reading("waste_ratio")
    month = view.reading("cost_month")
    if waste.state is not ReadingState.NO_DATA:
        parts.append(f"waste {_shown(waste, percent_text)}")
    if per_1k.value is not None:
        parts.append(f"{_shown(per_1k, usd_text)}/1k")
    ahead = view.reading("cost_month_p50")
    if month.value is not None:
        of = "" if budget is None else f"/{usd_text(budget)}"
        parts.append(f"month {_shown(month, usd_text)}{of}")
    if budget is not None and ahead.value is not None:
        parts.append(f"P50 {_shown(ahead, usd_text)}")
    return "  ".join(parts) or "no waste split known"
