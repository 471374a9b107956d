"""What a simulated service is made of: models, backends, dependencies, breaker rules."""

from dataclasses import dataclass, field
from typing import Literal

Profile = Literal["midwatch", "vllm", "triton"]


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens by itself: a failure ratio (0–1) over a window of calls."""

    failure_ratio: float = 0.5
    minimum_calls: int = 20
    window_seconds: float = 60.0
    wait_seconds: float = 45.0
    probes: int = 10


@dataclass(frozen=True, slots=True)
class DependencySpec:
    """Something that models call: median latency of a lognormal, failure ratios an attempt."""

    name: str
    owner: str
    latency_seconds: float
    spread: float
    error_ratio: float
    timeout_ratio: float
    capacity_per_second: float
    call_usd: float


@dataclass(frozen=True, slots=True)
class Call:
    """How one backend uses one dependency.

    ``tolerance`` is the share (0–1) of requests that can still be answered when every attempt
    failed; such answers are made with missing features.
    """

    dependency: str
    timeout_seconds: float
    max_attempts: int
    tolerance: float
    features: tuple[str, ...] = ()
    breaker: BreakerRules = field(default_factory=BreakerRules)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Language-model work: tokens a request, seconds a token, USD a million tokens."""

    prompt_mean: float
    output_mean: float
    prefill_seconds: float
    seconds_per_token: float
    prompt_usd_per_million: float
    output_usd_per_million: float


@dataclass(frozen=True, slots=True)
class Backend:
    """What answers requests, the primary or a fallback, with its own capacity and cost."""

    name: str
    level: str
    region: str
    workers: int
    service_seconds: float
    spread: float
    error_ratio: float
    request_usd: float
    hourly_usd: float
    low_share: float
    calls: tuple[Call, ...] = ()
    queue_seconds: float = 8.0
    tokens: Tokens | None = None

    @property
    def capacity_per_second(self) -> float:
        """Requests a second that its workers can answer when nothing else holds them."""
        mean_seconds = self.service_seconds * (1 + self.spread * self.spread / 2)
        return self.workers / mean_seconds


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One simulated model: who owns it, how it is asked, what answers, and what it exports."""

    name: str
    version: str
    profile: Profile
    tier: int
    region: str
    owner: str
    on_call: tuple[str, str]
    rate_per_second: float
    peak_hour_utc: float
    primary: Backend
    rhythm: float = 0.45
    fallbacks: tuple[Backend, ...] = ()
    consent: str = ""
    fails_closed: bool = False
    threshold: float = 0.60
    reviewers_per_second: float = 0.0
    review_sla_seconds: float = 900.0
    features: tuple[str, ...] = ()
    score_mean: float = -0.4
    score_spread: float = 1.3
    resting_shift: float = 0.06
    availability: float = 0.99
    latency_under_seconds: float | None = None
    latency_share: float = 0.95
    retraining_usd_per_hour: float = 0.0
    omits: frozenset[str] = frozenset()
    framework: str = "xgboost"
    trained_at: str = "2026-09-28"

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Names of the dependencies that the primary calls, in order."""
        return tuple(call.dependency for call in self.primary.calls)
