"""Names of what is measured, and one measured value or the reason why there is none."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReadingState(IntEnum):
    """What a reading is worth; the number is its code in a column."""

    NO_DATA = 0
    """The source has no such series."""
    OK = 1
    """A value, zero included."""
    NO_TRAFFIC = 2
    """The series is there and says 0/0: nothing was asked of the model."""
    TOO_FEW = 3
    """There is a number, but from too few samples to mean anything; it is not shown as a value."""
    STALE = 4
    """The last known value; the source has not answered since."""
    ERROR = 5
    """The source refused or failed this one question."""

    @property
    def label(self) -> str:
        """Return the state's name in JSON."""
        return self.name.lower()


class Reading(Struct, frozen=True):
    """A value with where it comes from.

    ``value`` is set for ``OK`` and ``STALE`` only. ``at`` is Unix seconds of the measurement,
    ``window_seconds`` the span it covers (None for a gauge), ``n`` the samples behind it.
    ``history_seconds`` is set where there is no data only because the source's history is
    shorter than the window: so far back it reaches.
    """

    state: ReadingState
    value: float | None = None
    at: float | None = None
    window_seconds: float | None = None
    n: float | None = None
    method: str = ""
    history_seconds: float | None = None

    @property
    def known(self) -> bool:
        """Tell whether there is a current value to judge by."""
        return self.state is ReadingState.OK


NO_DATA = Reading(ReadingState.NO_DATA)

Unit = Literal["1", "s", "1/s", "USD", "USD/h", "x", "count", "bool"]
Group = Literal["traffic", "latency", "saturation", "confidence", "review", "drift", "cost", "burn"]


class SignalFact(Struct, frozen=True):
    """One signal: its name, unit, and the sentence that ``?`` shows for it.

    ``derived`` signals are computed by the console from other readings; the rest are asked
    of a source. ``slow`` signals are refreshed every 60 s instead of every tick.
    """

    name: str
    unit: Unit
    group: Group
    title: str
    formula: str
    slow: bool = False
    derived: bool = False


BURN_WINDOWS: Mapping[str, float] = MappingProxyType(
    {
        "5m": 300.0,
        "30m": 1800.0,
        "1h": 3600.0,
        "2h": 7200.0,
        "6h": 21600.0,
        "1d": 86400.0,
        "3d": 259200.0,
    }
)
"""Burn windows by name, in seconds."""

DAY_COLUMNS = tuple(f"cost_day@{days}d" for days in range(1, 29))
"""The spend of each of the last 28 days (UTC), yesterday first."""

SPENT_BY_NOW_COLUMNS = tuple(f"cost_by_now@{days}d" for days in (7, 14, 21, 28))
"""The spend of this weekday's last four days by this time of day."""

SLOW_WINDOW_SECONDS = 3600.0
"""A window of this length or more is asked for every 60 s, not every tick."""

_TRAFFIC = (
    SignalFact("requests_rate", "1/s", "traffic", "requests a second", "rate of all requests"),
    SignalFact(
        "bad_rate", "1/s", "traffic", "bad requests a second", "rate of failed and refused requests"
    ),
    SignalFact(
        "error_ratio", "1", "traffic", "error ratio", "bad requests / all requests in the window"
    ),
    SignalFact(
        "tokens_rate", "1/s", "traffic", "output tokens a second", "rate of generated tokens"
    ),
    SignalFact(
        "attempts_per_request",
        "1",
        "traffic",
        "attempts per request",
        "attempts on dependencies / requests that were not refused; above 1.1 retries build up",
    ),
)
_LATENCY = (
    SignalFact(
        "latency_p50",
        "s",
        "latency",
        "latency p50",
        "0.50 quantile of summed request duration buckets",
    ),
    SignalFact(
        "latency_p95",
        "s",
        "latency",
        "latency p95",
        "0.95 quantile of summed request duration buckets",
    ),
    SignalFact(
        "latency_p99",
        "s",
        "latency",
        "latency p99",
        "0.99 quantile of summed request duration buckets",
    ),
    SignalFact(
        "latency_mean",
        "s",
        "latency",
        "latency mean",
        "summed duration / requests; a mean, not a percentile",
    ),
    SignalFact(
        "ttft_p95", "s", "latency", "time to first token p95", "0.95 quantile, queueing included"
    ),
    SignalFact(
        "tpot_p95",
        "s",
        "latency",
        "time per output token p95",
        "0.95 quantile of the time per output token",
    ),
)
_SATURATION = (
    SignalFact(
        "saturation",
        "1",
        "saturation",
        "saturation",
        "busy share of capacity; an LLM is saturated at 0.9 KV cache with requests waiting",
    ),
    SignalFact("kv_cache", "1", "saturation", "KV cache use", "used share of the KV cache"),
    SignalFact(
        "queue_depth",
        "count",
        "saturation",
        "waiting requests",
        "requests accepted but not started",
    ),
    SignalFact(
        "in_flight", "count", "saturation", "running requests", "requests being answered now"
    ),
)
_CONFIDENCE = (
    SignalFact(
        "confidence_mean",
        "1",
        "confidence",
        "mean confidence",
        "mean of the highest class probability",
    ),
    SignalFact(
        "low_confidence_ratio",
        "1",
        "confidence",
        "low-confidence share",
        "share of predictions with confidence under the threshold",
    ),
    SignalFact(
        "ece",
        "1",
        "confidence",
        "calibration error (ECE)",
        "sum over bins of share x |accuracy - confidence|; needs labels",
        slow=True,
    ),
)
_REVIEW = (
    SignalFact(
        "review_rate",
        "1/s",
        "review",
        "review arrivals",
        "rate of predictions sent to human review",
    ),
    SignalFact(
        "review_depth", "count", "review", "review queue", "predictions waiting for a person"
    ),
    SignalFact("review_oldest", "s", "review", "oldest review", "age of the oldest waiting review"),
    SignalFact(
        "review_rho",
        "1",
        "review",
        "review load",
        "arrivals / capacity; at 1 the queue grows without end",
        derived=True,
    ),
)
_DRIFT = (
    SignalFact(
        "drift_psi",
        "1",
        "drift",
        "drift PSI",
        "sum of (q - p) ln(q / p) over the score's bins",
        slow=True,
    ),
    SignalFact(
        "drift_features",
        "1",
        "drift",
        "drifted features",
        "share of features whose PSI is above 0.2",
        slow=True,
    ),
    SignalFact(
        "prediction_drift",
        "1",
        "drift",
        "prediction drift",
        "PSI of the prediction as its exporter measures it",
        slow=True,
    ),
    SignalFact("null_ratio", "1", "drift", "missing inputs", "missing input values / input values"),
)
_COST = (
    SignalFact("cost_per_hour", "USD/h", "cost", "cost an hour", "rate of spend x 3600", slow=True),
    SignalFact("cost_today", "USD", "cost", "cost today", "spend since midnight UTC", slow=True),
    SignalFact(
        "cost_month",
        "USD",
        "cost",
        "cost this month",
        "spend since the first of the month UTC",
        slow=True,
    ),
    SignalFact(
        "cost_month_p50",
        "USD",
        "cost",
        "month's end P50",
        "spent + each day left: median of its last four weekdays x trend (Theil-Sen, 0.5 to 2)",
        slow=True,
        derived=True,
    ),
    SignalFact(
        "cost_month_p90",
        "USD",
        "cost",
        "month's end P90",
        "P50 + 1.2816 x 1.4826 x MAD x sqrt(days left)",
        slow=True,
        derived=True,
    ),
    SignalFact(
        "cost_per_1k",
        "USD",
        "cost",
        "cost per 1,000 requests",
        "1000 x spend / requests",
        slow=True,
        derived=True,
    ),
    SignalFact(
        "cost_pace",
        "x",
        "cost",
        "cost pace",
        "spent today / (daily budget x share of a day due by this hour)",
        slow=True,
        derived=True,
    ),
    SignalFact(
        "spend_burn",
        "x",
        "cost",
        "spend burn",
        "hourly spend / (monthly budget / 720)",
        slow=True,
        derived=True,
    ),
    SignalFact(
        "waste_ratio",
        "1",
        "cost",
        "waste share",
        "spend on retries, failures, fallback premium, idle and discarded work / spend",
        slow=True,
    ),
)
_BURN = (
    *(
        SignalFact(
            f"burn_{name}",
            "x",
            "burn",
            f"burn over {name}",
            "bad ratio / (1 - SLO); the worse of availability and latency",
            slow=seconds >= SLOW_WINDOW_SECONDS,
            derived=True,
        )
        for name, seconds in BURN_WINDOWS.items()
    ),
    SignalFact(
        "budget_left",
        "1",
        "burn",
        "error budget left",
        "1 - bad / ((1 - SLO) x all) over 30 days",
        slow=True,
        derived=True,
    ),
)

SIGNALS: Mapping[str, SignalFact] = MappingProxyType(
    {
        fact.name: fact
        for fact in (
            *_TRAFFIC,
            *_LATENCY,
            *_SATURATION,
            *_CONFIDENCE,
            *_REVIEW,
            *_DRIFT,
            *_COST,
            *_BURN,
        )
    }
)
"""Every public signal by name; names are never renamed."""

HIGHER_OF: Mapping[str, str] = MappingProxyType(
    {"latency_p50": "latency_p95", "latency_p95": "latency_p99"}
)
"""The next higher percentile of the same tick: buckets give both the same number only where both
lie beyond the last finite edge, so a lower bound is known without asking for that edge."""

TOP_OF: Mapping[str, str] = MappingProxyType(
    {
        "latency_p50": "latency_top",
        "latency_p95": "latency_top",
        "latency_p99": "latency_top",
        "ttft_p95": "ttft_top",
    }
)
"""The column that holds a percentile's highest bucket edge: a value equal to it is a lower bound.

These columns are in a Snapshot beside the signals, and are no signals themselves.
"""
