"""Rules on confidence, human review, drift, calibration and latency against the usual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Severity
from console.evaluation.derive import log_tail
from console.evaluation.drift import equivalent_sigma
from console.evaluation.evidence import Truth, above, at_least, certain
from console.evaluation.rules.budgets import burning
from console.evaluation.rules.rule import Rule
from console.metrics.units import shown, span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.evaluation.evidence import Evidence

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

BASE_FACTOR = 2.0
BASE_STEP = 0.02
CLEAR_SHARE = 0.8
SPARSE_ANSWERS = 100.0
LEAST_SLOW_REQUESTS = 200.0
_LOG_CHANCE = float(np.log(1e-5))
_WINDOW_SECONDS = 300.0
PSI_WATCH, PSI_TICKET, PSI_ACT = 0.10, 0.20, 0.25
MIN_DRIFT_SAMPLES = 200.0
KS_SHIFT = 0.075
ECE_LIMIT = 0.10
SLOW_FACTOR = 3.0
SLOW_STEP_SECONDS = 0.05
_burning = burning(1.0, "1h", "5m")
LATENCY_SIGNALS = ("latency_p95", "ttft_p95", "latency_mean")
_FIRST_TOKEN = ("ttft_p95",)
_SHORT_NAMES = {"latency_p95": "p95", "ttft_p95": "TTFT p95", "latency_mean": "mean latency"}


def _unusual_share(evidence: Evidence, window: str) -> Truth:
    """Judge a window's low-confidence share against its base, and that its count is no chance.

    A base of the model's own is itself counted: it may be higher by what its count leaves open.
    """
    share = evidence.values(f"low_confidence_ratio@{window}")
    answers = evidence.values(f"requests_count@{window}")
    base = evidence.derived.baselines["low_confidence_ratio"]
    counted = np.maximum(evidence.values("requests_count@1d"), 1.0)
    own = np.isnan(evidence.statics.confidence_base) & np.isfinite(counted)
    highest = base + np.where(own, 0.75 * np.sqrt(base / counted), 0.0)
    over = at_least(share, base * BASE_FACTOR) & at_least(share, base + BASE_STEP)
    proven = log_tail(share * answers, np.maximum(highest * answers, 1e-9)) <= _LOG_CHANCE
    return Truth(over.yes & proven, over.no | (over.yes & np.isfinite(answers) & ~proven))


def _low_confidence(evidence: Evidence) -> Truth:
    """Judge the share of 10m, and of a sparse model (<100 answers in 10m) that of 30m as well."""
    short = _unusual_share(evidence, "10m")
    sparse = ~(evidence.values("requests_count@10m") >= SPARSE_ANSWERS)
    long = _unusual_share(evidence, "30m")
    yes = short.yes | (sparse & long.yes)
    return Truth(yes, ~yes & (short.no | (sparse & long.no)))


def _still_unsure(evidence: Evidence) -> Mask:
    """Return the rows whose share is not yet under 0.8 of the limit."""
    base = evidence.derived.baselines["low_confidence_ratio"]
    limit = CLEAR_SHARE * np.maximum(base * BASE_FACTOR, base + BASE_STEP)
    sparse = ~(evidence.values("requests_count@10m") >= SPARSE_ANSWERS)
    long = evidence.values("low_confidence_ratio@30m")
    short = evidence.values("low_confidence_ratio@10m")
    found: Mask = (short >= limit) | (sparse & (long >= limit))
    return found


def _low_confidence_text(evidence: Evidence, row: int) -> str:
    window = "10m" if _unusual_share(evidence, "10m").yes[row] else "30m"
    share = shown(evidence.value(f"low_confidence_ratio@{window}", row), "%")
    base = shown(float(evidence.derived.baselines["low_confidence_ratio"][row]), "%")
    own = "" if np.isfinite(evidence.statics.confidence_base[row]) else " ~"
    answers = evidence.value(f"requests_count@{window}", row)
    return f"low confidence {share} for {window}, base {base}{own}, n={answers:.0f}"


def _slow_for_long_enough(evidence: Evidence, since: Floats) -> Mask:
    """Return the rows that were slow for so many requests that a few slow ones are no reason."""
    rate = evidence.lately("requests_rate")
    found: Mask = rate * (evidence.now - since + _WINDOW_SECONDS) >= LEAST_SLOW_REQUESTS
    return found


def _saturated_unsafe(evidence: Evidence) -> Truth:
    full = at_least(evidence.rho(), 1.0)
    waiting = above(evidence.values("review_depth"), 0.0)
    unsure = above(evidence.values("low_confidence_ratio"), 0.0)
    open_failing = certain(~evidence.statics.fails_closed).given(evidence.statics.configured)
    return full & waiting & unsure & open_failing


def _saturated_text(evidence: Evidence, row: int) -> str:
    load = shown(float(evidence.rho()[row]), "x")
    waiting = shown(evidence.value("review_depth", row), "count")
    share = shown(evidence.value("low_confidence_ratio", row), "%")
    return f"review full (load {load}, {waiting} waiting), {share} unsure answers are acted on"


def _past_sla(evidence: Evidence) -> Truth:
    return above(evidence.values("review_oldest"), evidence.statics.review_sla_seconds)


def _past_sla_text(evidence: Evidence, row: int) -> str:
    oldest = span(evidence.value("review_oldest", row))
    sla = shown(float(evidence.statics.review_sla_seconds[row]), "s")
    return f"oldest review {oldest}, SLA {sla}"


def _drifted(evidence: Evidence, limit: float) -> Truth:
    """Judge PSI > max(limit, its noise floor) in two windows in a row, each by its own floor.

    Unknown with fewer than 200 samples. A drift gauge that comes without its sample count is
    taken at its word, and without its reference's rows above 0.10; the text says so.
    """
    few = evidence.values("drift_samples") < MIN_DRIFT_SAMPLES
    now = np.where(few, np.nan, evidence.values("drift_psi"))
    floor = np.fmax(evidence.values("drift_floor"), limit)
    floor_before = np.fmax(evidence.values("drift_floor@prev"), limit)
    return above(now, floor) & above(evidence.values("drift_psi@prev"), floor_before)


def _slower(evidence: Evidence, signal: str) -> Truth:
    base = evidence.derived.baselines[signal]
    now = evidence.values(signal)
    return at_least(now, base * SLOW_FACTOR) & above(now, base + SLOW_STEP_SECONDS)


def _slow_against_base(evidence: Evidence) -> Truth:
    """Judge latency >= 3x its own 6h base, where no declared latency objective can be judged.

    The objective is on whole requests: the time to the first token is judged beside it.
    """
    whole = [_slower(evidence, one) for one in LATENCY_SIGNALS if one not in _FIRST_TOKEN]
    without_objective = certain(~np.isfinite(evidence.values("slow_ratio@5m")))
    found = _either_known(whole[0], whole[1]) & without_objective
    for signal in _FIRST_TOKEN:
        found = _either_known(found, _slower(evidence, signal))
    return found


def _either_known(one: Truth, other: Truth) -> Truth:
    """Join judgements of which a model has only some: what is unknown does not count against."""
    yes = one.yes | other.yes
    return Truth(yes, ~yes & (one.no | other.no))


def _slow_text(evidence: Evidence, row: int) -> str:
    worst, said = -1.0, "latency was 3x its own base"
    for signal in LATENCY_SIGNALS:
        base = float(evidence.derived.baselines[signal][row])
        now = evidence.value(signal, row)
        if base > 0 and now / base > worst:
            worst = now / base
            said = f"{_SHORT_NAMES[signal]} {shown(now, 's')}, own base of 6h {shown(base, 's')} ~"
    return said


def _second_signal(evidence: Evidence) -> Truth:
    """Judge that something beside drift is bad: confidence, errors, latency or calibration."""
    signals = (
        evidence.once("low_confidence", _low_confidence),
        evidence.once("burning", _burning),
        evidence.once("latency_base", _slow_against_base),
        above(evidence.values("ece"), ECE_LIMIT),
    )
    found = signals[0]
    for signal in signals[1:]:
        found = found | signal
    return found


def _drift_with_second(evidence: Evidence) -> Truth:
    return _drifted(evidence, PSI_ACT) & _second_signal(evidence)


def _second_text(evidence: Evidence, row: int) -> str:
    if evidence.once("low_confidence", _low_confidence).yes[row]:
        return "low confidence up"
    if evidence.once("burning", _burning).yes[row]:
        return f"burn {shown(float(evidence.derived.burn['1h'].values[row]), 'x')} on 1h"
    if evidence.once("latency_base", _slow_against_base).yes[row]:
        return "latency up"
    return f"ECE {shown(evidence.value('ece', row), '1')}"


def _drift_with_second_text(evidence: Evidence, row: int) -> str:
    return f"{_drift_text(evidence, row)}, and {_second_text(evidence, row)}"


def _drift_alone(evidence: Evidence) -> Truth:
    return _drifted(evidence, PSI_TICKET)


def _drift_watch(evidence: Evidence) -> Truth:
    return _drifted(evidence, PSI_WATCH) & ~_drifted(evidence, PSI_TICKET)


def _drift_text(evidence: Evidence, row: int) -> str:
    samples = evidence.value("drift_samples", row)
    n = f"n={samples:.0f}" if np.isfinite(samples) else "n not given"
    floor = evidence.value("drift_floor", row)
    noise = f", noise up to {shown(floor, '1')}" if floor > PSI_WATCH else ""
    return f"drift PSI {shown(evidence.value('drift_psi', row), '1')} for two windows, {n}{noise}"


def _shifted(evidence: Evidence) -> Truth:
    """Judge a small shift of scores: KS over 0.075 (.19 sigma) in two windows of 2,000 rows."""
    now = above(evidence.values("drift_ks"), KS_SHIFT)
    return now & above(evidence.values("drift_ks@prev"), KS_SHIFT)


def _shifted_text(evidence: Evidence, row: int) -> str:
    apart = evidence.value("drift_ks", row)
    sigma, is_bound = equivalent_sigma(apart, "ks")
    about = "at least" if is_bound else "about"
    return f"scores shifted by {about} {sigma:.1f} sigma (KS {shown(apart, '1')}) for two windows"


def _uncalibrated(evidence: Evidence) -> Truth:
    return above(evidence.values("ece"), ECE_LIMIT)


def _uncalibrated_text(evidence: Evidence, row: int) -> str:
    return f"calibration error (ECE) {shown(evidence.value('ece', row), '1')}, limit .1"


_DRIFT_NEEDS = ("drift_psi", "drift_psi@prev", "drift_samples")
_LATENCY_NEEDS = tuple(name for signal in LATENCY_SIGNALS for name in (signal, f"{signal}@6h"))
_CONFIDENCE_NEEDS = (
    "low_confidence_ratio@10m",
    "low_confidence_ratio@30m",
    "low_confidence_ratio@1d",
    "requests_count@10m",
    "requests_count@30m",
)


def _one_replica(evidence: Evidence) -> Truth:
    facts = evidence.replicas
    odd = evidence.mask(facts.odd)
    return certain(odd).given(odd | evidence.mask(facts.judged))


def _one_replica_text(evidence: Evidence, row: int) -> str:
    return "; ".join(each.text for each in evidence.replicas.odd.get(row, ()))


RULES = (
    Rule(
        "review_saturated_unsafe",
        Severity.S1,
        "review load >= 1 with work waiting, unsure answers are given, and the configured model "
        "does not fail closed",
        ("review_rate", "review_capacity", "review_depth", "low_confidence_ratio"),
        _saturated_unsafe,
        _saturated_text,
    ),
    Rule(
        "low_confidence",
        Severity.S2,
        "low-confidence share of 10m (under 100 answers in 10m: of 30m too) >= 2x its base and "
        ">= 2 points above it, by a count that is no chance (1e-5); over under 0.8 of that",
        _CONFIDENCE_NEEDS,
        _low_confidence,
        _low_confidence_text,
        spans=True,
        paced_by="low_confidence_ratio@10m",
        keeps=_still_unsure,
    ),
    Rule(
        "review_sla",
        Severity.S2,
        "the oldest waiting review is older than the declared SLA",
        ("review_oldest",),
        _past_sla,
        _past_sla_text,
    ),
    Rule(
        "drift_with_second",
        Severity.S2,
        "PSI > 0.25 and above its noise floor in two windows (n >= 200) and low confidence, "
        "burn >= 1x on 1h and 5m, latency against its base, or ECE is bad too",
        (*_DRIFT_NEEDS, *_CONFIDENCE_NEEDS, "error_ratio@1h", "error_ratio@5m", "ece"),
        _drift_with_second,
        _drift_with_second_text,
        spans=True,
    ),
    Rule(
        "latency_base",
        Severity.S3,
        "latency (where no objective on it can be judged) or TTFT >= 3x its own base of 6h and "
        "50 ms above it, for 200 requests",
        _LATENCY_NEEDS,
        _slow_against_base,
        _slow_text,
        ripe=_slow_for_long_enough,
    ),
    Rule(
        "replica_outlier",
        Severity.S3,
        "less than half of a model's replicas have twice the p95 (or mean), TTFT, error share or "
        "queue of the others' median, over 2 minutes and 20 requests each, and 50 ms, 5% or "
        "10 waiting more",
        ("replicas",),
        _one_replica,
        _one_replica_text,
        spans=True,
    ),
    Rule(
        "drift_alone",
        Severity.S3,
        "PSI > 0.2 and above its noise floor in two windows (n >= 200); drift alone never pages",
        _DRIFT_NEEDS,
        _drift_alone,
        _drift_text,
        spans=True,
        implied_by=("drift_with_second",),
    ),
    Rule(
        "ece",
        Severity.S3,
        "calibration error (ECE) > 0.10",
        ("ece",),
        _uncalibrated,
        _uncalibrated_text,
    ),
    Rule(
        "drift_shift",
        Severity.S4,
        "scores shifted: KS > 0.075 against the reference in two windows, 2,000 rows or more in "
        "each and in the reference",
        ("drift_ks", "drift_ks@prev"),
        _shifted,
        _shifted_text,
        spans=True,
        implied_by=("drift_with_second", "drift_alone", "drift_watch"),
    ),
    Rule(
        "drift_watch",
        Severity.S4,
        "PSI > 0.1 and above its noise floor in two windows (n >= 200), not above 0.2",
        _DRIFT_NEEDS,
        _drift_watch,
        _drift_text,
        spans=True,
    ),
)
