"""Whole Snapshots written by hand: the sample night, a hostile fleet, a big one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from msgspec import structs

from console.domain.model import Fallback, ModelRow, Objectives, OnCall
from console.domain.samples import SourceStatus
from console.domain.severity import Breaker, BreakerState, Finding, Route, Severity
from console.domain.signals import SIGNALS, Reading, ReadingState
from console.domain.snapshot import Cause, Change, Dependency, SignalColumn, Snapshot
from tests.support.columns import (
    ERROR,
    NO_TRAFFIC,
    Entry,
    column,
    columns_by_model,
    method_of,
    stale,
    too_few,
    window_of,
)

SAMPLE_NOW = datetime(2026, 10, 22, 2, 47, 13, tzinfo=UTC).timestamp()
"""Thursday 2026-10-22 02:47:13 UTC, the moment of the sample night."""

MINUTE = 60.0
HOUR = 3600.0

HOSTILE_NAMES = (
    "[/foo]",
    "[bold red]loud[/]",
    "\x1b[2J\x1b[Hgone",
    '"} or vector(1) #',
    "a\nb\tc\rd",
    "{0.__class__}%s%n",
    "$(reboot)`id`;../../etc",
    "\u202eredro esrever",
    "\u0645\u0631\u062d\u0628\u0627",
    "\u6a21\u578b\u2014\u5bbd\u5b57\u7b26",
    "e\u0301\u0301\u0301 zero\u200bwidth \U0001f525\ufe0f",
    "x" * 10_000,
)
"""Model names no screen may obey, cut in the middle of, or be widened by."""

_SLO_FRAUD = Objectives(0.999, 0.4, 0.99, declared=True)
_SLO_COMMON = Objectives(0.995, 1.0, 0.99, declared=True)
_ANA = OnCall("ana", "joel", ("#risk", "cto"))
_BEN = OnCall("ben", "li", ("#llm",))

_ROWS = (
    ModelRow(
        "churn-ranker", "prom-eu", "midwatch", "v12", configured=True, tier=2, region="eu",
        allowed_regions=("eu",), owner="growth", oncall=_ANA, objectives=_SLO_COMMON,
        dependencies=("feature-store-eu",), budget_month_usd=300.0,
    ),
    ModelRow(
        "doc-extract", "prom-us", "midwatch", "v7", configured=True, tier=2, region="us",
        allowed_regions=("us", "eu"), owner="docs", oncall=_ANA, objectives=_SLO_COMMON,
        review_sla_seconds=900.0, fallbacks=(Fallback("doc-small", "L2", "us", 4.0),),
        budget_month_usd=900.0,
    ),
    ModelRow(
        "embedder", "prom-eu", "midwatch", "v5", configured=True, tier=2, region="eu",
        owner="search", oncall=_BEN, objectives=_SLO_COMMON, budget_month_usd=200.0,
    ),
    ModelRow(
        "fraud-scorer", "prom-eu", "midwatch", "v41", "model-api", configured=True, tier=1,
        region="eu", allowed_regions=("eu",), consent="contract-6.1.b", fails_closed=True,
        owner="risk-ml", oncall=_ANA, runbook="https://runbooks.example.net/fs-timeout",
        dependencies=("feature-store-eu",), objectives=_SLO_FRAUD, confidence_threshold=0.60,
        confidence_base_ratio=0.016, review_capacity_per_second=0.13, review_sla_seconds=900.0,
        budget_month_usd=4000.0, drift_reference="refs/fraud-2026-10.json",
        fallbacks=(Fallback("fraud-small", "L2", "eu", 8.6), Fallback("rules-v9", "L3", "eu")),
        intervene=(("error_ratio > 0.2 for 3m", "trip"),),
        info={"code": "9be2c1", "data_snapshot": "2026-09-28", "region": "eu"},
    ),
    ModelRow(
        "kyc-vision", "prom-eu", "midwatch", "v9", configured=True, tier=1, region="eu",
        allowed_regions=("eu",), owner="kyc", oncall=_ANA, objectives=_SLO_COMMON,
        dependencies=("feature-store-eu",), confidence_threshold=0.85, budget_month_usd=5000.0,
    ),
    ModelRow("lead-score", "prom-us", "triton", "3", "triton", tier=3, region="us"),
    ModelRow(
        "price-opt", "prom-ap", "midwatch", "v3", configured=True, tier=1, region="ap",
        owner="", objectives=_SLO_COMMON,
    ),
    ModelRow(
        "search-rerank", "prom-us", "midwatch", "v19", configured=True, tier=2, region="us",
        owner="search", oncall=OnCall("li"), objectives=_SLO_COMMON,
        dependencies=("vector-db",), budget_month_usd=1200.0,
    ),
    ModelRow("summarizer", "prom-us", "vllm", "", "vllm", tier=3, region="us"),
    ModelRow(
        "support-llm", "prom-eu", "vllm", "2026-09", "vllm", configured=True, tier=1, region="eu",
        owner="support", oncall=_BEN, objectives=_SLO_COMMON, dependencies=("llm-provider-a",),
        budget_month_usd=6000.0,
    ),
    ModelRow(
        "toxicity", "prom-eu", "midwatch", "v2", configured=True, tier=2, region="eu",
        owner="trust", oncall=OnCall("li"), objectives=_SLO_COMMON, dependencies=("vector-db",),
    ),
)  # fmt: skip
_MODELS = tuple(row.model for row in _ROWS)


def _line(**by_model: Entry) -> dict[str, Entry]:
    return {model.replace("_", "-"): entry for model, entry in by_model.items()}


_TABLE: dict[str, dict[str, Entry]] = {
    "requests_rate": _line(
        fraud_scorer=6.9, support_llm=0.5, doc_extract=1.4, search_rerank=88.0, churn_ranker=2.0,
        embedder=140.0, toxicity=31.0, kyc_vision=0.8, summarizer=4.4, lead_score=0.2,
        price_opt=stale(3.1, 240.0),
    ),
    "bad_rate": _line(
        fraud_scorer=6.87, support_llm=0.18, doc_extract=0.1, search_rerank=0.15,
        churn_ranker=0.016, embedder=0.016, toxicity=0.0, kyc_vision=0.0, summarizer=0.0,
        lead_score=0.0,
    ),
    "error_ratio": _line(
        fraud_scorer=0.99, support_llm=0.035, doc_extract=0.01, search_rerank=0.015,
        churn_ranker=0.005, embedder=0.002, toxicity=0.0, kyc_vision=0.001, summarizer=0.001,
        lead_score=0.0, price_opt=ERROR,
    ),
    "tokens_rate": _line(support_llm=410.0, summarizer=900.0),
    "attempts_per_request": _line(
        fraud_scorer=4.1, support_llm=1.2, doc_extract=1.1, search_rerank=1.0, churn_ranker=1.0,
        embedder=1.0, toxicity=1.0, kyc_vision=1.0,
    ),
    "latency_p50": _line(
        fraud_scorer=0.6, doc_extract=0.4, search_rerank=0.05, churn_ranker=0.1, embedder=0.012,
        toxicity=0.02, kyc_vision=0.3, support_llm=4.0, summarizer=1.5,
    ),
    "latency_p95": _line(
        fraud_scorer=1.9, doc_extract=0.8, search_rerank=0.1, churn_ranker=0.2, embedder=0.03,
        toxicity=0.04, kyc_vision=0.6, support_llm=9.1, summarizer=3.2,
        price_opt=stale(0.21, 240.0),
    ),
    "latency_p99": _line(
        fraud_scorer=10.0, doc_extract=1.3, search_rerank=0.2, churn_ranker=0.4, embedder=0.06,
        toxicity=0.09, kyc_vision=0.9, support_llm=14.0, summarizer=5.0,
    ),
    "latency_mean": _line(lead_score=0.1),
    "ttft_p95": _line(support_llm=3.4, summarizer=0.7),
    "tpot_p95": _line(support_llm=0.09, summarizer=0.03),
    "saturation": _line(
        fraud_scorer=0.9, support_llm=0.97, doc_extract=0.3, search_rerank=0.5, churn_ranker=0.1,
        embedder=0.6, toxicity=0.0, kyc_vision=0.4, summarizer=0.4, lead_score=0.0,
    ),
    "kv_cache": _line(support_llm=0.97, summarizer=0.4),
    "queue_depth": _line(support_llm=14.0, summarizer=0.0, lead_score=0.0),
    "in_flight": _line(support_llm=32.0, summarizer=5.0),
    "confidence_mean": _line(
        fraud_scorer=0.81, doc_extract=0.84, churn_ranker=0.83, kyc_vision=0.93,
        lead_score=NO_TRAFFIC,
    ),
    "low_confidence_ratio": _line(
        fraud_scorer=0.062, doc_extract=0.12, churn_ranker=0.09, kyc_vision=0.04,
        lead_score=NO_TRAFFIC,
    ),
    "review_rate": _line(fraud_scorer=0.43, doc_extract=0.02, kyc_vision=0.01),
    "review_depth": _line(fraud_scorer=212.0, doc_extract=8.0, kyc_vision=3.0),
    "review_oldest": _line(fraud_scorer=19 * MINUTE, doc_extract=2 * MINUTE, kyc_vision=MINUTE),
    "review_rho": _line(fraud_scorer=3.3, doc_extract=0.3, kyc_vision=0.1),
    "drift_psi": _line(
        fraud_scorer=0.27, doc_extract=0.12, search_rerank=0.06, churn_ranker=0.23, embedder=0.14,
        toxicity=0.02, kyc_vision=0.03, lead_score=0.05, price_opt=too_few(120.0),
    ),
    "drift_features": _line(fraud_scorer=0.075, churn_ranker=0.2, kyc_vision=0.0),
    "prediction_drift": _line(fraud_scorer=0.27, churn_ranker=0.23),
    "null_ratio": _line(fraud_scorer=0.22, churn_ranker=0.01, kyc_vision=0.0),
    "ece": _line(fraud_scorer=0.04),
    "cost_per_hour": _line(
        fraud_scorer=2.2, support_llm=26.0, doc_extract=1.3, search_rerank=1.6, churn_ranker=0.4,
        embedder=0.35, toxicity=0.01, kyc_vision=6.5, summarizer=stale(2.1),
    ),
    "cost_today": _line(
        fraud_scorer=6.0, support_llm=88.0, doc_extract=4.1, search_rerank=5.0, churn_ranker=1.1,
        embedder=0.9, toxicity=0.03, kyc_vision=18.0, summarizer=5.9,
    ),
    "cost_month": _line(fraud_scorer=2710.0, support_llm=5100.0, kyc_vision=3300.0),
    "cost_per_1k": _line(
        fraud_scorer=0.09, support_llm=18.2, doc_extract=1.45, search_rerank=0.015,
        churn_ranker=0.11, embedder=0.01, toxicity=0.001, kyc_vision=6.3, summarizer=4.9,
        lead_score=0.08,
    ),
    "cost_pace": _line(
        fraud_scorer=1.0, support_llm=3.2, doc_extract=1.1, search_rerank=1.0, churn_ranker=0.9,
        embedder=1.3, kyc_vision=0.8,
    ),
    "spend_burn": _line(fraud_scorer=0.4, support_llm=3.1, kyc_vision=0.9),
    "waste_ratio": _line(fraud_scorer=0.38, support_llm=0.07, embedder=ERROR, kyc_vision=0.01),
    "burn_5m": _line(fraud_scorer=833.0, support_llm=7.4, doc_extract=2.1, toxicity=0.0),
    "burn_30m": _line(fraud_scorer=120.0, support_llm=6.0, doc_extract=2.0, toxicity=0.0),
    "burn_1h": _line(
        fraud_scorer=69.0, support_llm=7.0, doc_extract=2.0, search_rerank=3.0, churn_ranker=1.0,
        embedder=0.4, toxicity=0.0, kyc_vision=0.2, summarizer=0.1, lead_score=0.0, price_opt=ERROR,
    ),
    "burn_2h": _line(fraud_scorer=35.0, search_rerank=3.2, churn_ranker=1.0),
    "burn_6h": _line(fraud_scorer=12.0, support_llm=3.0, churn_ranker=1.1),
    "burn_1d": _line(fraud_scorer=3.1, search_rerank=3.1, churn_ranker=1.0),
    "burn_3d": _line(fraud_scorer=1.2, churn_ranker=1.1),
    "budget_left": _line(
        fraud_scorer=0.61, support_llm=0.44, doc_extract=0.9, search_rerank=0.72,
        churn_ranker=0.88, embedder=0.95, toxicity=0.97, kyc_vision=0.99, summarizer=0.99,
        lead_score=1.0,
    ),
}  # fmt: skip

_BASE: dict[str, dict[str, float]] = {
    "latency_p95": {
        "fraud-scorer": 0.4, "doc-extract": 0.7, "search-rerank": 0.1, "churn-ranker": 0.2,
        "embedder": 0.03, "toxicity": 0.1, "kyc-vision": 0.6, "support-llm": 3.0,
        "summarizer": 3.3,
    },
    "latency_p50": {"fraud-scorer": 0.2, "kyc-vision": 0.3},
    "latency_p99": {"fraud-scorer": 0.7, "kyc-vision": 0.9},
    "latency_mean": {"lead-score": 0.1},
    "ttft_p95": {"support-llm": 0.9, "summarizer": 0.8},
    "low_confidence_ratio": {
        "fraud-scorer": 0.016, "doc-extract": 0.09, "churn-ranker": 0.09, "kyc-vision": 0.04,
    },
    "confidence_mean": {"fraud-scorer": 0.91, "kyc-vision": 0.93},
    "cost_per_hour": {"fraud-scorer": 2.2, "support-llm": 8.1, "kyc-vision": 6.6},
}  # fmt: skip

_SEVERITIES = {
    "fraud-scorer": Severity.S1,
    "support-llm": Severity.S2,
    "doc-extract": Severity.S2,
    "price-opt": Severity.UNKNOWN,
    "search-rerank": Severity.S3,
    "churn-ranker": Severity.S3,
    "embedder": Severity.S4,
    "toxicity": Severity.S4,
}
_RANK = (
    "fraud-scorer", "support-llm", "doc-extract", "price-opt", "search-rerank", "churn-ranker",
    "embedder", "toxicity", "kyc-vision", "summarizer", "lead-score",
)  # fmt: skip


def _findings(now: float) -> dict[str, tuple[Finding, ...]]:
    four, hours = now - 4 * MINUTE, now - 3 * HOUR
    return {
        "fraud-scorer": (
            Finding("burn_page_fast", Severity.S1, "burn 69x on 1h, 833x on 5m", four),
            Finding(
                "breaker_no_answer",
                Severity.S1,
                "breaker OPN and nothing answers: 412 requests a minute refused",
                now - 3 * MINUTE,
            ),
            Finding("review_sla", Severity.S2, "oldest review 19m, past its SLA of 15m", four),
            Finding("retry_storm", Severity.S2, "attempts 4.1 a request, errors rising", four),
        ),
        "support-llm": (
            Finding("burn_degraded", Severity.S2, "burn 7x on 1h, 7.4x on 5m", now - 22 * MINUTE),
        ),
        "doc-extract": (
            Finding("off_primary", Severity.S2, "off primary: doc-small (L2)", now - 9 * MINUTE),
        ),
        "search-rerank": (
            Finding("burn_ticket", Severity.S3, "burn 3.1x on 1d, 3.2x on 2h", hours),
            Finding("canary", Severity.S4, "canary serves a share of traffic", hours),
        ),
        "churn-ranker": (
            Finding("drift_alone", Severity.S3, "drift PSI .23 for two windows", now - 24 * HOUR),
        ),
        "embedder": (
            Finding("drift_watch", Severity.S4, "drift PSI .14", now - 48 * HOUR),
        ),
        "toxicity": (
            Finding("off_primary", Severity.S2, "off primary: rules (L3)", now - 12 * MINUTE),
        ),
    }  # fmt: skip


def _ok(value: float, now: float, window_seconds: float | None = 300.0) -> Reading:
    return Reading(ReadingState.OK, value, now - 2.0, window_seconds, 2070.0, "rate over 5m")


def _dependencies(now: float) -> tuple[Dependency, ...]:
    since = now - 4 * MINUTE
    return (
        Dependency(
            "feature-store-eu", "down", _ok(0.38, now), _ok(4.1, now), _ok(2.0, now),
            Breaker(BreakerState.OPEN, now - 3 * MINUTE, now),
            ("churn-ranker", "fraud-scorer", "kyc-vision"), "platform", True,
            "feature-store-eu timeouts 38% since 02:43", since,
        ),
        Dependency(
            "llm-provider-a", "degraded", _ok(0.06, now), _ok(1.2, now), _ok(3.1, now),
            Breaker(BreakerState.CLOSED, now - 72 * HOUR, now), ("support-llm",), "ai-platform",
            False, "llm-provider-a errors 6%", now - 22 * MINUTE,
        ),
        Dependency(
            "vector-db", "ok", _ok(0.0, now), _ok(1.0, now), _ok(0.01, now),
            Breaker(BreakerState.CLOSED, now - 72 * HOUR, now), ("search-rerank", "toxicity"),
        ),
    )  # fmt: skip


def _sources(now: float) -> tuple[SourceStatus, ...]:
    return (
        SourceStatus("prom-eu", "prometheus", "up", now - 2.0, queries=61, server_seconds=0.21),
        SourceStatus("prom-us", "prometheus", "up", now - 4.0, queries=61, server_seconds=0.34),
        SourceStatus(
            "prom-ap",
            "prometheus",
            "down",
            now - 240.0,
            "connection refused by prom-ap.example.net:9090; is the server running?",
            now + 12.0,
        ),
    )


def _changes(now: float) -> tuple[Change, ...]:
    return (
        Change(now - 183.0, "fraud-scorer", "fraud-scorer's breaker opened, nothing answers"),
        Change(now - 208.0, "feature-store-eu", "feature-store-eu timeouts 38%"),
        Change(now - 2 * HOUR, "doc-extract", "doc-extract went from primary to doc-small (L2)"),
    )


def sample_snapshot(now: float = SAMPLE_NOW, tick: int = 7) -> Snapshot:
    """Return the sample night: eleven models, every reading state, one culprit, one dead source."""
    index = {model: row for row, model in enumerate(_MODELS)}
    return Snapshot(
        environment="prod",
        taken_at=now,
        tick=tick,
        rows=_ROWS,
        columns=columns_by_model(_TABLE, _MODELS, now),
        severities=np.array(
            [int(_SEVERITIES.get(model, Severity.OK)) for model in _MODELS], dtype=np.uint8
        ),
        order=np.array([index[model] for model in _RANK], dtype=np.int64),
        findings={index[model]: found for model, found in _findings(now).items()},
        planned=frozenset({index["toxicity"]}),
        breakers={index[model]: breaker for model, breaker in _breakers(now).items()},
        routes={index[model]: route for model, route in _routes().items()},
        baselines={
            signal: np.array([base.get(model, np.nan) for model in _MODELS], dtype=np.float64)
            for signal, base in _BASE.items()
        },
        dependencies=_dependencies(now),
        sources=_sources(now),
        changes=_changes(now),
        index=index,
        causes={
            index["fraud-scorer"]: Cause(
                "feature-store-eu",
                "dependency",
                "likely",
                (
                    "feature-store-eu, timeouts 38% since 02:43",
                    "25s before fraud-scorer's errors",
                    "explains 94% of them",
                    "2 of 3 callers hurt",
                ),
                since=now - 208.0,
            )
        },
    )


def _breakers(now: float) -> dict[str, Breaker]:
    special = {
        "fraud-scorer": Breaker(BreakerState.OPEN, now - 183.0, now - 2.0),
        "doc-extract": Breaker(BreakerState.HALF_OPEN, now - 9 * MINUTE, now - 4.0),
        "toxicity": Breaker(BreakerState.FORCED_OPEN, now - 12 * MINUTE, now - 2.0),
    }
    closed = {
        model: Breaker(BreakerState.CLOSED, now - 72 * HOUR, now - 2.0)
        for model in _MODELS
        if model != "price-opt"
    }
    return closed | special


def _routes() -> dict[str, Route]:
    special = {
        "fraud-scorer": Route("refuse", "L5", "eu"),
        "doc-extract": Route("doc-small", "L2", "us"),
        "search-rerank": Route("canary", "L0", "us"),
        "toxicity": Route("rules", "L3", "eu"),
        "lead-score": Route("shadow", "L0", "us"),
    }
    regions = {row.model: row.region for row in _ROWS if row.model != "price-opt"}
    return {model: Route("primary", "L0", region) for model, region in regions.items()} | special


def hostile_snapshot(now: float = SAMPLE_NOW) -> Snapshot:
    """Return the sample night with outside text that wants to be obeyed, everywhere text stands."""
    base = sample_snapshot(now)
    names = HOSTILE_NAMES[: len(base.rows)]
    bad = HOSTILE_NAMES[2]
    rows = tuple(
        replace(
            row,
            model=name,
            version=name,
            owner=name,
            runbook=name,
            dependencies=(name,),
            oncall=OnCall(name, name, (name,)),
            info={name: name, "region": name},
        )
        for row, name in zip(base.rows, names, strict=True)
    )
    return replace(
        base,
        environment=bad,
        rows=rows,
        index={row.model: number for number, row in enumerate(rows)},
        findings={
            number: tuple(
                structs.replace(finding, text=f"{names[number]} {bad}") for finding in found
            )
            for number, found in base.findings.items()
        },
        routes={number: Route(name, name, name) for number, name in enumerate(names)},
        dependencies=tuple(
            replace(dependency, name=name, owner=name, models=names, text=f"{name} timeouts")
            for dependency, name in zip(base.dependencies, names[2:], strict=False)
        ),
        causes={0: Cause(bad, "dependency", "likely", (bad, bad, bad), also=(bad,))},
        sources=tuple(
            replace(source, name=name, error=HOSTILE_NAMES[-1] + bad, warnings=(name,))
            for source, name in zip(base.sources, names, strict=False)
        ),
        changes=tuple(
            replace(change, subject=name, text=f"{name} {bad}")
            for change, name in zip(base.changes, names, strict=False)
        ),
    )


def big_snapshot(n: int, seed: int = 0, now: float = SAMPLE_NOW, tick: int = 1) -> Snapshot:
    """Return ``n`` models with values drawn from ``seed``; the same rows for every seed."""
    random = np.random.default_rng(seed)
    rows = tuple(_big_row(number) for number in range(n))
    severities = random.choice(
        np.array([1, 2, 3, 4, 5, 6], dtype=np.uint8), n, p=[0.004, 0.01, 0.01, 0.03, 0.05, 0.896]
    )
    columns = {signal: _random_column(signal, n, random, now) for signal in SIGNALS}
    raised = np.flatnonzero(severities < int(Severity.OK))
    return Snapshot(
        environment="load",
        taken_at=now,
        tick=tick,
        rows=rows,
        columns=columns,
        severities=severities,
        order=np.lexsort((np.arange(n), severities)).astype(np.int64),
        findings=_big_findings(raised, severities, now),
        breakers={int(row): Breaker(BreakerState.CLOSED, now - HOUR, now) for row in range(n)},
        routes={row: Route("primary", "L0", rows[row].region) for row in range(n)},
        baselines={
            signal: np.asarray(columns[signal].values * 0.9, dtype=np.float64) for signal in _BASE
        },
        sources=(SourceStatus("prom-eu", "prometheus", "up", now - 1.0, queries=61),),
        index={row.model: number for number, row in enumerate(rows)},
    )


def _big_row(number: int) -> ModelRow:
    region = ("eu", "us", "ap")[number % 3]
    return ModelRow(
        f"model-{number:05d}", "prom-eu", "midwatch", f"v{number % 40}", configured=True,
        tier=1 + number % 3, region=region, allowed_regions=(region,), owner=f"team-{number % 25}",
        oncall=OnCall("ana"), objectives=_SLO_COMMON,
    )  # fmt: skip


def _random_column(signal: str, n: int, random: np.random.Generator, now: float) -> SignalColumn:
    scale = 100.0 if SIGNALS[signal].unit in ("1/s", "count") else 1.0
    base = column(
        [0.0] * n, now, n=2070.0, window_seconds=window_of(signal), method=method_of(signal)
    )
    states = np.where(random.random(n) < 0.97, int(ReadingState.OK), int(ReadingState.NO_DATA))
    values = np.where(states == int(ReadingState.OK), random.random(n) * scale, np.nan)
    return replace(base, values=values, states=states.astype(np.uint8))


def _big_findings(
    raised: np.ndarray, severities: np.ndarray, now: float
) -> Mapping[int, tuple[Finding, ...]]:
    five = now - 5 * MINUTE
    by_level = {
        Severity.S1: Finding("burn_page_fast", Severity.S1, "burn 20x on 1h, 31x on 5m", five),
        Severity.S2: Finding("off_primary", Severity.S2, "off primary: small (L2)", now - 900),
        Severity.S3: Finding("drift_alone", Severity.S3, "drift PSI .23, two windows", now - 9e4),
        Severity.S4: Finding("drift_watch", Severity.S4, "drift PSI .14", now - 9e4),
    }
    return {
        int(row): (by_level[Severity(int(severities[row]))],)
        for row in raised
        if Severity(int(severities[row])) in by_level
    }
