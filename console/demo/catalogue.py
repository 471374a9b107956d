"""The fleet itself: twelve models, three dependencies, and small clones for larger fleets."""

from dataclasses import replace

from console.demo.scenario import Backend, BreakerRules, Call, DependencySpec, ModelSpec, Tokens

CONFIG_HEAD = (
    "# The demo's fleet. Everything here is simulated and lives on this machine.",
    "version = 1",
    'environment = "demo"',
    'writes = "armed"',
    'refresh = "5s"',
)
"""How its configuration begins: all that the first frame needs of it."""

MODELS_LIMIT = 200
CLONES_PER_SERVICE = 25

DEPENDENCIES: tuple[DependencySpec, ...] = (
    DependencySpec("feature-store-eu", "platform", 0.018, 0.45, 0.0008, 0.0012, 30.0, 0.000008),
    DependencySpec("llm-provider-a", "platform", 0.22, 0.35, 0.006, 0.001, 40.0, 0.0),
    DependencySpec("vector-db", "search-infra", 0.012, 0.4, 0.0006, 0.0004, 600.0, 0.000001),
)

_FEATURE_STORE_STUBBORN = Call(
    "feature-store-eu",
    timeout_seconds=0.4,
    max_attempts=6,
    tolerance=0.25,
    features=("txn_age", "device_age", "mcc_risk"),
    breaker=BreakerRules(failure_ratio=0.95, minimum_calls=200, window_seconds=30, wait_seconds=60),
)


def _feature_store(*features: str) -> Call:
    return Call(
        "feature-store-eu",
        timeout_seconds=0.3,
        max_attempts=3,
        tolerance=1.0,
        features=features,
        breaker=BreakerRules(failure_ratio=0.97, minimum_calls=200, window_seconds=60),
    )


def _fraud_scorer() -> ModelSpec:
    return ModelSpec(
        name="fraud-scorer",
        version="41",
        profile="midwatch",
        tier=1,
        region="eu",
        owner="risk-ml",
        on_call=("ana", "joel"),
        rate_per_second=7.0,
        peak_hour_utc=17.0,
        primary=Backend(
            "fraud-scorer", "L0", "eu", 20, 0.055, 0.5, 0.0002, 0.00006, 0.15, 0.016,
            calls=(_FEATURE_STORE_STUBBORN,),
        ),
        fallbacks=(
            Backend("fraud-small", "L2", "eu", 2, 0.22, 0.3, 0.0004, 0.00012, 0.25, 0.032),
            Backend("fraud-rules", "L3", "eu", 4, 0.004, 0.2, 0.0001, 0.00001, 0.02, 0.09),
        ),
        consent="contract-6.1.b",
        fails_closed=True,
        reviewers_per_second=0.16,
        features=("txn_age", "device_age", "mcc_risk", "amount", "country_pair"),
        availability=0.999,
        latency_under_seconds=0.4,
        latency_share=0.99,
        retraining_usd_per_hour=0.22,
    )  # fmt: skip


def _support_llm() -> ModelSpec:
    return ModelSpec(
        name="support-llm",
        version="2026-08",
        profile="midwatch",
        tier=1,
        region="eu",
        owner="care-ml",
        on_call=("ben", "mia"),
        rate_per_second=0.5,
        peak_hour_utc=14.0,
        primary=Backend(
            "support-llm", "L0", "eu", 12, 2.35, 0.4, 0.0015, 0.0002, 0.4, 0.03,
            calls=(Call("llm-provider-a", 4.0, 3, 0.0),),
            queue_seconds=30.0,
            tokens=Tokens(1800, 350, 0.25, 0.006, 3.0, 15.0),
        ),
        fallbacks=(
            Backend(
                "support-small", "L2", "eu", 6, 0.9, 0.4, 0.002, 0.0001, 0.2, 0.07,
                tokens=Tokens(1400, 220, 0.12, 0.0035, 0.3, 1.2),
            ),
        ),
        consent="contract-6.1.b",
        features=("passages", "prompt_length"),
        reviewers_per_second=0.05,
        review_sla_seconds=1800.0,
        availability=0.99,
        latency_under_seconds=40.0,
        rhythm=0.15,
        framework="provider-api",
    )  # fmt: skip


def _doc_extract() -> ModelSpec:
    return ModelSpec(
        name="doc-extract",
        version="12",
        profile="midwatch",
        tier=2,
        region="us",
        owner="docs-ml",
        on_call=("ana", "raj"),
        rate_per_second=1.4,
        peak_hour_utc=19.0,
        primary=Backend(
            "doc-extract", "L0", "us", 6, 0.42, 0.45, 0.002, 0.0011, 0.5, 0.09,
            calls=(Call("llm-provider-a", 3.0, 3, 0.6, features=("layout_summary",)),),
        ),
        fallbacks=(Backend("doc-small", "L2", "us", 4, 0.25, 0.3, 0.003, 0.0004, 0.3, 0.14),),
        threshold=0.70,
        features=("layout_summary", "page_count", "scan_quality"),
        reviewers_per_second=0.3,
        availability=0.99,
        latency_under_seconds=2.5,
        retraining_usd_per_hour=0.1,
        framework="torch",
    )  # fmt: skip


def _price_opt() -> ModelSpec:
    return ModelSpec(
        name="price-opt",
        version="7",
        profile="midwatch",
        tier=1,
        region="ap",
        owner="",
        on_call=("", ""),
        rate_per_second=0.02,
        peak_hour_utc=4.0,
        primary=Backend("price-opt", "L0", "ap", 2, 0.3, 0.3, 0.002, 0.0005, 0.1, 0.05),
        features=("stock_level", "competitor_price"),
        latency_under_seconds=2.5,
        omits=frozenset({"cost", "confidence", "attempts", "review", "saturation"}),
        framework="lightgbm",
    )  # fmt: skip


def _search_rerank() -> ModelSpec:
    return ModelSpec(
        name="search-rerank",
        version="33",
        profile="midwatch",
        tier=2,
        region="us",
        owner="search-ml",
        on_call=("li", "tom"),
        rate_per_second=88.0,
        peak_hour_utc=20.0,
        primary=Backend(
            "search-rerank", "L0", "us", 16, 0.045, 0.4, 0.0006, 0.00001, 0.4, 0.02,
            calls=(Call("vector-db", 0.25, 2, 0.9, features=("neighbour_count",)),),
        ),
        fallbacks=(Backend("bm25", "L3", "us", 24, 0.012, 0.3, 0.0002, 0.000002, 0.1, 0.2),),
        features=("neighbour_count", "query_length", "click_rate"),
        omits=frozenset({"review"}),
        latency_under_seconds=0.25,
        availability=0.995,
        retraining_usd_per_hour=0.3,
        framework="onnx",
    )  # fmt: skip


def _churn_ranker() -> ModelSpec:
    return ModelSpec(
        name="churn-ranker",
        version="18",
        profile="midwatch",
        tier=2,
        region="eu",
        owner="growth-ml",
        on_call=("ops", "mia"),
        rate_per_second=2.0,
        peak_hour_utc=12.0,
        primary=Backend(
            "churn-ranker", "L0", "eu", 4, 0.09, 0.4, 0.001, 0.00009, 0.08, 0.05,
            calls=(_feature_store("tenure_days", "plan_value"),),
        ),
        features=("tenure_days", "plan_value", "tickets_30d", "logins_7d"),
        omits=frozenset({"review"}),
        latency_under_seconds=0.5,
        retraining_usd_per_hour=0.08,
    )  # fmt: skip


def _summarizer() -> ModelSpec:
    return ModelSpec(
        name="summarizer",
        version="",
        profile="vllm",
        tier=3,
        region="us",
        owner="docs-ml",
        on_call=("ben", "raj"),
        rate_per_second=4.4,
        peak_hour_utc=18.0,
        primary=Backend(
            "summarizer", "L0", "us", 48, 3.2, 0.4, 0.001, 0.0, 2.4, 0.0,
            queue_seconds=20.0, tokens=Tokens(900, 160, 0.12, 0.014, 0.0, 0.0),
        ),
        latency_under_seconds=10.0,
    )  # fmt: skip


def _embedder() -> ModelSpec:
    return ModelSpec(
        name="embedder",
        version="3",
        profile="triton",
        tier=2,
        region="eu",
        owner="search-ml",
        on_call=("ben", "tom"),
        rate_per_second=140.0,
        peak_hour_utc=16.0,
        primary=Backend("embedder", "L0", "eu", 6, 0.018, 0.3, 0.0003, 0.0, 1.2, 0.0),
    )  # fmt: skip


def _toxicity() -> ModelSpec:
    return ModelSpec(
        name="toxicity",
        version="9",
        profile="midwatch",
        tier=2,
        region="eu",
        owner="trust-ml",
        on_call=("li", "joel"),
        rate_per_second=31.0,
        peak_hour_utc=19.0,
        primary=Backend("toxicity", "L0", "eu", 6, 0.03, 0.35, 0.0004, 0.000004, 0.06, 0.012),
        fallbacks=(Backend("word-rules", "L3", "eu", 8, 0.002, 0.2, 0.0001, 0.0, 0.01, 0.15),),
        threshold=0.65,
        features=("text_length", "language"),
        reviewers_per_second=0.8,
        latency_under_seconds=0.1,
        availability=0.995,
        retraining_usd_per_hour=0.05,
        framework="torch",
    )  # fmt: skip


def _kyc_vision() -> ModelSpec:
    return ModelSpec(
        name="kyc-vision",
        version="5",
        profile="midwatch",
        tier=1,
        region="eu",
        owner="risk-ml",
        on_call=("ana", "joel"),
        rate_per_second=0.8,
        peak_hour_utc=13.0,
        primary=Backend(
            "kyc-vision", "L0", "eu", 3, 0.55, 0.3, 0.0006, 0.0024, 0.6, 0.04,
            calls=(_feature_store("applicant_history"),),
        ),
        consent="law-aml-13",
        fails_closed=True,
        threshold=0.80,
        features=("applicant_history", "image_sharpness", "glare"),
        reviewers_per_second=0.06,
        availability=0.999,
        latency_under_seconds=2.5,
        retraining_usd_per_hour=0.3,
        framework="torch",
    )  # fmt: skip


def _lead_score() -> ModelSpec:
    return ModelSpec(
        name="lead-score",
        version="21",
        profile="midwatch",
        tier=3,
        region="us",
        owner="growth-ml",
        on_call=("ops", "mia"),
        rate_per_second=0.2,
        peak_hour_utc=17.0,
        primary=Backend("lead-score", "L0", "us", 2, 0.08, 0.3, 0.001, 0.00008, 0.008, 0.07),
        features=("visits", "company_size"),
        omits=frozenset({"review"}),
        latency_under_seconds=0.5,
    )  # fmt: skip


def _eta_predict() -> ModelSpec:
    return ModelSpec(
        name="eta-predict",
        version="14",
        profile="midwatch",
        tier=2,
        region="us",
        owner="logistics-ml",
        on_call=("tom", "raj"),
        rate_per_second=12.0,
        peak_hour_utc=22.0,
        primary=Backend(
            "eta-predict", "L0", "us", 4, 0.025, 0.35, 0.0008, 0.00002, 0.09, 0.03,
            calls=(Call("vector-db", 0.2, 2, 1.0, features=("route_neighbours",)),),
        ),
        fallbacks=(Backend("eta-table", "L3", "us", 8, 0.003, 0.2, 0.0001, 0.0, 0.01, 0.2),),
        features=("route_neighbours", "traffic_index", "hour"),
        omits=frozenset({"review"}),
        latency_under_seconds=0.25,
        retraining_usd_per_hour=0.06,
        framework="lightgbm",
    )  # fmt: skip


def base_models() -> tuple[ModelSpec, ...]:
    """Return the twelve models of the fleet; those of the story come first."""
    return (
        _fraud_scorer(),
        _support_llm(),
        _churn_ranker(),
        _doc_extract(),
        _kyc_vision(),
        _price_opt(),
        _search_rerank(),
        _toxicity(),
        _summarizer(),
        _embedder(),
        _lead_score(),
        _eta_predict(),
    )


def models_for(count: int | None) -> tuple[ModelSpec, ...]:
    """Return ``count`` models: the first of the twelve, then small clones of lead-score.

    Raises ``ValueError`` below one or above ``MODELS_LIMIT``.
    """
    base = base_models()
    if count is None:
        return base
    if not 1 <= count <= MODELS_LIMIT:
        raise ValueError(
            f"the demo runs 1 to {MODELS_LIMIT} models, not {count}: each one is simulated in this "
            f"process, request by request. Ask for --models {MODELS_LIMIT} or fewer."
        )
    seed = _lead_score()
    regions = ("eu", "us", "ap")
    clones = tuple(
        replace(
            seed,
            name=f"scorer-{number:03d}",
            version=str(1 + number % 9),
            region=regions[number % 3],
            rate_per_second=0.2 + 0.1 * (number % 11),
            peak_hour_utc=float(8 + number % 12),
            primary=replace(seed.primary, name=f"scorer-{number:03d}", region=regions[number % 3]),
        )
        for number in range(len(base) + 1, count + 1)
    )
    return base[:count] + clones
