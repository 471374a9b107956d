"""Names of what is measured, and one measured value or the reason why there is none."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, cast

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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

DAY_COLUMNS = tuple(f"cost_day@{days}d" for days in range(1, 37))
"""The spend of each of the last 36 days (UTC), yesterday first."""

SPENT_BY_NOW_COLUMNS = tuple(f"cost_by_now@{days}d" for days in (7, 14, 21, 28))
"""The spend of this weekday's last four days by this time of day."""

USUAL_SPEND_COLUMNS = {
    window: tuple(f"cost_usual_{window}@{weeks}w" for weeks in range(1, 5))
    for window in ("1h", "6h")
}
"""The spend of the same hour, and of the same six, of each of the last four weeks, by window."""

USUAL_PAD_SECONDS = 900.0
"""What is usual is asked for so rarely, and looked for so much to either side of the same hour."""

SLOW_WINDOW_SECONDS = 3600.0
"""A window of this length or more is asked for every 60 s, not every tick."""

# name | unit | title | slow, derived (where it is), and under it how the number is made.
_TABLE = """\
[traffic]
requests_rate | 1/s | requests a second
    rate of all requests
bad_rate | 1/s | bad requests a second
    rate of failed and refused requests
error_ratio | 1 | error ratio
    bad requests / all requests in the window
tokens_rate | 1/s | output tokens a second
    rate of generated tokens
attempts_per_request | 1 | attempts per request
    attempts on dependencies / requests that were not refused; above 1.1 retries build up
refused_rate | 1/s | refused requests a second
    rate of requests turned away: full queues, open breakers, limits
retries_rate | 1/s | retries a second
    rate of attempts made again by a gateway or router
fallback_rate | 1/s | fallbacks a second
    rate of requests that another model answered in its place
tokens_in_rate | 1/s | input tokens a second
    rate of tokens read
[latency]
latency_p50 | s | latency p50
    0.50 quantile of summed request duration buckets
latency_p95 | s | latency p95
    0.95 quantile of summed request duration buckets
latency_p99 | s | latency p99
    0.99 quantile of summed request duration buckets
latency_mean | s | latency mean
    summed duration / requests; a mean, not a percentile
ttft_p95 | s | time to first token p95
    0.95 quantile, queueing included
tpot_p95 | s | time per output token p95
    0.95 quantile of the time per output token
queue_time_p95 | s | time in the queue p95
    0.95 quantile of the wait before work began
queue_time_mean | s | mean time in the queue
    summed wait / requests; a mean, not a percentile
ttft_mean | s | mean time to first token
    a mean, not a percentile
tpot_mean | s | mean time per output token
    a mean, not a percentile
[saturation]
saturation | 1 | saturation
    busy share of capacity; an LLM is saturated at 0.9 KV cache with requests waiting
kv_cache | 1 | KV cache use
    used share of the KV cache
queue_depth | count | waiting requests
    requests accepted but not started
in_flight | count | running requests
    requests being answered now
replicas | count | replicas
    scraped processes that serve the model
healthy_share | 1 | healthy share
    replicas or hosts that are healthy / all
cooldowns | count | breaker openings
    breakers that opened, or backends that were rested, within the window
cache_hit_ratio | 1 | cache hits
    hits / lookups of the prefix or response cache
batch_size | count | batch size
    mean requests that were worked on together
gpu_util | 1 | GPU use
    busy share of the GPUs where the model runs
gpu_memory | 1 | GPU memory
    used share of the memory of the GPUs where the model runs
gpu_power_watts | count | GPU power
    watts drawn by the GPUs where the model runs
gpu_faults | count | GPU fault
    number of the last XID error; 0 is none
[confidence]
confidence_mean | 1 | mean confidence
    mean of the highest class probability
low_confidence_ratio | 1 | low-confidence share
    share of predictions with confidence under the threshold
ece | 1 | calibration error (ECE) | slow
    sum over bins of share x |accuracy - confidence|; needs labels
[review]
review_rate | 1/s | review arrivals
    rate of predictions sent to human review
review_depth | count | review queue
    predictions waiting for a person
review_oldest | s | oldest review
    age of the oldest waiting review
review_rho | 1 | review load | derived
    arrivals / capacity; at 1 the queue grows without end
[drift]
drift_psi | 1 | drift PSI | slow
    sum of (q - p) ln(q / p) over the score's bins
drift_features | 1 | drifted features | slow
    share of features whose PSI is above 0.2
prediction_drift | 1 | prediction drift | slow
    PSI of the prediction as its exporter measures it
null_ratio | 1 | missing inputs
    missing input values / input values
drift_share | 1 | checks with drift | slow
    share of drift checks in the window that found drift; no PSI
drift_flag | bool | drift, yes or no | slow
    1 where the detector finds drift now
drift_p_value | 1 | drift p-value | slow
    lowest p-value of the detector; drift is where it is small
drift_distance | 1 | drift distance | slow
    largest distance of the detector, in its own measure
quality | 1 | quality | slow
    accuracy or the like, as its exporter measures it
quality_change | 1 | quality against the reference | slow
    quality now less that of the reference
[cost]
cost_per_hour | USD/h | cost an hour | slow
    rate of spend x 3600
cost_today | USD | cost today | slow
    spend since midnight UTC
cost_month | USD | cost this month | slow
    spend since the first of the month UTC
cost_month_p50 | USD | month's end P50 | slow derived
    spent + each day left: its weekday's median share x level; a trend or shift where it is sure
cost_month_p90 | USD | month's end P90 | slow derived
    P50 + 1.2816 x spread of backtest errors, scaled to the days left
cost_per_1k | USD | cost per 1,000 requests | slow derived
    1000 x spend / requests
cost_pace | x | cost pace | slow derived
    spent today / (daily budget x share of a day due by this hour)
spend_burn | x | spend burn | slow derived
    spend of 1h / the larger of monthly budget / 720 and weekly budget x usual share of this hour
waste_ratio | 1 | waste share | slow
    spend on retries, failures, fallback premium, idle and discarded work / spend
"""


def _facts(table: str) -> Iterator[SignalFact]:
    """Yield the signals of a table in the format above; groups stand in brackets."""
    group, rows = "", table.splitlines()
    for row, formula in zip(rows, [*rows[1:], ""], strict=True):
        if row.startswith("["):
            group = row.strip("[]")
        elif not row.startswith(" "):
            name, unit, title, *flags = row.split(" | ")
            words = " ".join(flags).split()
            yield SignalFact(
                name, cast("Unit", unit), cast("Group", group), title, formula.strip(),
                slow="slow" in words, derived="derived" in words,
            )  # fmt: skip


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
    {fact.name: fact for fact in (*_facts(_TABLE), *_BURN)}
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
