"""Rewrites a measurement for other windows, quantiles and moments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from console.domain.signals import (
    BURN_WINDOWS,
    DAY_COLUMNS,
    SIGNALS,
    SLOW_WINDOW_SECONDS,
    SPENT_BY_NOW_COLUMNS,
    USUAL_PAD_SECONDS,
    USUAL_SPEND_COLUMNS,
)
from console.metrics.expressions import (
    Either,
    Gauge,
    Increase,
    OrZero,
    Over,
    Quantile,
    Rate,
    Scaled,
    Sum,
)
from console.metrics.labels import ExpressionError, duration
from console.metrics.profile import Definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.metrics.expressions import Expression
    from console.metrics.profile import Profile
    from console.metrics.queries import Cadence


def over_window(expression: Expression) -> Expression:
    """Return the growth over the window of a measurement made of rates.

    Raises `ExpressionError` when a part is not a rate, because the result would be neither.
    """
    match expression:
        case Rate(metric=metric, where=where):
            return Increase(metric, where)
        case OrZero(of=of, total=total):
            return OrZero(over_window(of), over_window(total))
        case Sum(terms=terms):
            return Sum(tuple(map(over_window, terms)))
        case Either(options=options):
            return Either(tuple(map(over_window, options)))
        case Scaled(of=of, factor=factor):
            return Scaled(over_window(of), factor)
    raise ExpressionError(f"{type(expression).__name__} is not a rate and has no growth")


def at_quantile(expression: Expression, q: float) -> Expression | None:
    """Return a measured quantile at another ``q`` (0-1), or None for what is no quantile."""
    match expression:
        case Quantile(histogram=histogram, where=where):
            return Quantile(q, histogram, where)
        case Scaled(of=of, factor=factor):
            inner = at_quantile(of, q)
            return None if inner is None else Scaled(inner, factor)
        case Either(options=options):
            found = [at_quantile(option, q) for option in options]
            known = tuple(option for option in found if option is not None)
            return Either(known) if len(known) == len(options) else None
    return None


DEFAULT_WINDOW_SECONDS = 300.0
LIVE_WINDOW_SECONDS = 60.0
"""Requests and bad requests a second are looked at over so much: what a key did shows in ticks."""

DEFAULT_THRESHOLD = 0.5
"""The confidence threshold of models that declare none."""

BUDGET_WINDOW_SECONDS = 30 * 86400.0
_PREVIOUS_SECONDS = 600.0
_HOUR, _DAY = 3600.0, 86400.0

_BASELINES: Mapping[str, float] = {
    "latency_p50": 6 * _HOUR,
    "latency_p95": 6 * _HOUR,
    "latency_p99": 6 * _HOUR,
    "latency_mean": 6 * _HOUR,
    "ttft_p95": 6 * _HOUR,
    "low_confidence_ratio": _DAY,
    "confidence_mean": _DAY,
}
_EDGES: Mapping[str, Literal["confidence", "latency"]] = {
    "low_confidence_ratio": "confidence",
    "slow_ratio": "latency",
}
_TOPS: Mapping[str, str] = {"latency_top": "latency_p99", "ttft_top": "ttft_p95"}
SINCE_COLUMNS = frozenset({"cost_today", "cost_month"})
"""Amounts since a moment: of a model that began later they are whole."""

_LIVE = ("requests_rate", "bad_rate")
_SLOW_PARTS = ("latency_top", "drift_samples", "review_capacity")

_MIN_SAMPLES: Mapping[str, float] = {
    "latency_p95": 5,
    "latency_p99": 10,
    "confidence_mean": 20,
    "low_confidence_ratio": 20,
    "drift_psi": 200,
    "prediction_drift": 200,
}
"""Samples under which a number means nothing; 200 rows for PSI over ten bins (formulas: with
100 rows and no drift at all, PSI exceeds 0.1 in 39% of windows)."""

_COUNTED_BY_REQUESTS = frozenset(
    {"error_ratio", "slow_ratio", "latency_p50", "latency_p95", "latency_p99", "latency_mean"}
    | {"ttft_p95", "tpot_p95", "confidence_mean", "low_confidence_ratio", "attempts_per_request"}
)
_COUNTED_WINDOWS = {seconds: name for name, seconds in BURN_WINDOWS.items()} | {
    600.0: "10m",
    BUDGET_WINDOW_SECONDS: "30d",
}
_COUNTED_BY_DRIFT = frozenset({"drift_psi", "prediction_drift", "drift_features"})


@dataclass(frozen=True, slots=True)
class Variant:
    """One column and the measurement ``base`` behind it, over a window (seconds) and offset.

    ``edge`` says whose threshold the measurement needs, ``share`` which part of the window's
    amount is meant, ``fallback_seconds`` the span for sources that sample too slowly.
    ``is_plain`` marks the column that bears the measurement's own name: a profile may declare
    another window for it.
    """

    column: str
    base: str
    cadence: Cadence = "tick"
    window_seconds: float = DEFAULT_WINDOW_SECONDS
    offset_seconds: float = 0.0
    edge: Literal["confidence", "latency"] | None = None
    share: float = 1.0
    fallback_seconds: float | None = None

    @property
    def is_plain(self) -> bool:
        """Tell whether this is the measurement as such."""
        return self.column == self.base


def measurements(profile: Profile) -> Mapping[str, Definition]:
    """Return a profile's definitions with those that follow from others.

    cost_per_hour is 3,600 times the spend a second; requests_count and cost_increase are the
    growth of requests and spend over the window, cost_resets how often a counter of spend went
    back, cost_least its least value. latency_top and ttft_top are the quantile 1:
    a percentile equal to it lies in the top bucket and is only a lower bound.
    """
    found = dict(profile.signals)
    cost = found.get("cost_rate")
    if cost is not None:
        found.setdefault("cost_per_hour", Definition(Scaled(cost.expression, 3600.0), cost.window))
        found["cost_increase"] = Definition(over_window(cost.expression))
        if (counter := _counter(cost.expression)) is not None:
            found["cost_resets"] = Definition(Over(counter.metric, "resets", "max", counter.where))
            found["cost_least"] = Definition(Gauge(counter.metric, "min", counter.where))
    for name, percentile in _TOPS.items():
        highest = at_quantile(found[percentile].expression, 1.0) if percentile in found else None
        if highest is not None:
            found[name] = Definition(highest, model_label=found[percentile].model_label)
    requests = found.get("requests_rate")
    if requests is not None:
        found["requests_count"] = Definition(over_window(requests.expression))
    return found


def _counter(expression: Expression) -> Rate | None:
    """Return the one counter behind a rate, None where there are several or none."""
    if isinstance(expression, Scaled):
        return _counter(expression.of)
    return expression if isinstance(expression, Rate) else None


def variants(now: float) -> tuple[Variant, ...]:
    """Return every column a source may be asked for; ``now`` is Unix seconds."""
    return (*_plain(), *_burn(), *_baselines(), *_spend(now))


def _plain() -> list[Variant]:
    found = [
        Variant(name, name, "slow" if fact.slow else "tick", edge=_EDGES.get(name))
        for name, fact in SIGNALS.items()
        if not fact.derived and name not in (*_LIVE, "cost_today", "cost_month")
    ]
    found += [
        Variant(
            name,
            name,
            window_seconds=LIVE_WINDOW_SECONDS,
            fallback_seconds=DEFAULT_WINDOW_SECONDS,
        )
        for name in _LIVE
    ]
    found += [Variant(name, name, "slow") for name in _SLOW_PARTS]
    # There is one TTFT percentile and no higher one to tell by (`HIGHER_OF`): its edge every tick.
    found.append(Variant("ttft_top", "ttft_top"))
    found.append(Variant("drift_psi@prev", "drift_psi", "slow", offset_seconds=_PREVIOUS_SECONDS))
    return found


def _burn() -> list[Variant]:
    found = []
    for name, seconds in {**BURN_WINDOWS, "30d": BUDGET_WINDOW_SECONDS}.items():
        cadence: Cadence = "slow" if seconds >= SLOW_WINDOW_SECONDS else "tick"
        found += [
            Variant(f"{base}@{name}", base, cadence, seconds, edge=_EDGES.get(base))
            for base in ("error_ratio", "requests_count", "slow_ratio")
        ]
    return found


def _baselines() -> list[Variant]:
    found = [
        Variant(f"{base}@{duration(seconds)}", base, "slow", seconds, edge=_EDGES.get(base))
        for base, seconds in _BASELINES.items()
    ]
    for window, seconds in (("10m", 600.0), ("30m", 1800.0)):
        column = f"low_confidence_ratio@{window}"
        found.append(Variant(column, "low_confidence_ratio", "slow", seconds, edge="confidence"))
    found.append(Variant("requests_count@10m", "requests_count", "slow", 600.0))
    return found


def _spend(now: float) -> list[Variant]:
    return [
        _spent("cost_today", since_midnight_seconds(now)),
        _spent("cost_month", since_first_seconds(now)),
        Variant("cost_increase@5m", "cost_increase", "tick", 300.0),
        Variant("cost_increase@1h", "cost_increase", "slow", _HOUR),
        Variant("cost_increase@6h", "cost_increase", "slow", 6 * _HOUR),
        Variant("cost_resets", "cost_resets", "rare", _DAY),
        Variant("cost_least", "cost_least", "rare"),
        *_days(now),
        *(
            Variant(
                column,
                "cost_increase",
                "rare",
                BURN_WINDOWS[window] + 2 * USUAL_PAD_SECONDS,
                offset_seconds=weeks * 7 * _DAY - USUAL_PAD_SECONDS,
            )
            for window, columns in USUAL_SPEND_COLUMNS.items()
            for weeks, column in enumerate(columns, 1)
        ),
    ]


def _days(now: float) -> list[Variant]:
    """Ask for the spend of whole days before today, and of its weekday's days by this hour."""
    today = since_midnight_seconds(now)
    whole = [
        Variant(column, "cost_increase", "rare", _DAY, offset_seconds=today + days * _DAY)
        for days, column in enumerate(DAY_COLUMNS)
    ]
    by_now = [
        Variant(
            column,
            "cost_increase",
            "slow",
            max(today, DEFAULT_WINDOW_SECONDS),
            offset_seconds=weeks * 7 * _DAY,
        )
        for weeks, column in enumerate(SPENT_BY_NOW_COLUMNS, 1)
    ]
    return [*whole, *by_now]


def _spent(column: str, seconds: float) -> Variant:
    """Ask for the spend of ``seconds``; of less than 5m as its part of the last 5m.

    A minute after midnight most sources have no two samples since, so there would be no answer.
    """
    window = max(seconds, DEFAULT_WINDOW_SECONDS)
    return Variant(column, "cost_increase", "slow", window, share=seconds / window)


def since_midnight_seconds(now: float) -> float:
    """Return the seconds since midnight UTC, rounded up to whole minutes, at least one."""
    moment = datetime.fromtimestamp(now, UTC)
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return _whole_minutes(now - start.timestamp())


def since_first_seconds(now: float) -> float:
    """Return the seconds since the first of the month UTC, rounded up to whole minutes."""
    moment = datetime.fromtimestamp(now, UTC)
    start = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return _whole_minutes(now - start.timestamp())


def _whole_minutes(seconds: float) -> float:
    return max(1, math.ceil(seconds / 60.0)) * 60.0


def samples_behind(
    variant: Variant, defined: Mapping[str, Definition], window_seconds: float | None
) -> tuple[str | None, float]:
    """Return the column that counts the samples behind a column, and how many are too few.

    That is the requests of the same window where they are asked for; else their rate now.
    """
    if variant.base in _COUNTED_BY_DRIFT and "drift_samples" in defined:
        return "drift_samples", _MIN_SAMPLES.get(variant.base, 0.0)
    if variant.base in _COUNTED_BY_REQUESTS and "requests_rate" in defined:
        counted = _COUNTED_WINDOWS.get(window_seconds or DEFAULT_WINDOW_SECONDS)
        column = "requests_rate" if counted is None else f"requests_count@{counted}"
        return column, _MIN_SAMPLES.get(variant.base, 0.0)
    return None, 0.0
