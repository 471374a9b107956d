"""What a simulated service is made of, and the story of what happens to the fleet."""

import math
from dataclasses import dataclass, field
from typing import Final, Literal

Profile = Literal["midwatch", "vllm", "triton"]


def check_speed(speed: float) -> None:
    """Raise `ValueError` for a pace that a story cannot have."""
    if not (math.isfinite(speed) and speed > 0):
        raise ValueError(f"speed must be a number above 0, not {speed}")


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


# A scenario only moves causes. Every metric that a viewer sees moves because requests then fare
# differently.

Scenario = Literal["story", "calm", "outage"]
SCENARIOS: Final[tuple[Scenario, ...]] = ("story", "calm", "outage")

OUTAGE_STARTS_SECONDS = 20.0
_RAMP_SECONDS = 15.0
_OUTAGE_ENDS_SECONDS = 260.0
_RECOVERY_SECONDS = 45.0
_PERIOD_SECONDS = 1200.0
_OUTAGE_TIMEOUT_RATIO = 0.93
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Weather:
    """How one dependency treats an attempt: added failure ratios (0–1) and a latency factor."""

    timeout_ratio: float = 0.0
    error_ratio: float = 0.0
    slowness: float = 1.0


CLEAR = Weather()


def _ramp(value: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (value - start) / (end - start)))


def scenario_named(name: str) -> Scenario:
    """Return the scenario of that name; raises ``ValueError`` naming those there are."""
    for scenario in SCENARIOS:
        if scenario == name:
            return scenario
    raise ValueError(f"no scenario is called {name!r}; there are {', '.join(SCENARIOS)}")


@dataclass(frozen=True, slots=True)
class Story:
    """Causes as functions of story seconds: negative before the start, scaled by speed after it."""

    scenario: Scenario

    def weather(self, dependency: str, seconds: float) -> Weather:
        """Return how ``dependency`` behaves at story time ``seconds``."""
        if self.scenario == "calm" or seconds < 0:
            return CLEAR
        if dependency == "feature-store-eu":
            strength = self._outage_strength(seconds)
            if strength > 0:
                return Weather(_OUTAGE_TIMEOUT_RATIO * strength, 0.0, 1.0 + 3.0 * strength)
        if dependency == "llm-provider-a":
            limits = 0.06 if self.scenario == "story" else 0.35
            return Weather(0.0, limits * _ramp(seconds, 0, 600), 1.0)
        return CLEAR

    def shift(self, model: str, resting: float, seconds: float) -> float:
        """Return how far the inputs of ``model`` moved, in standard deviations of the reference."""
        if self.scenario != "story" or model != "churn-ranker":
            return resting
        before = 0.43 * _ramp(seconds, -8 * _HOUR, -2 * _HOUR)
        after = 0.05 * _ramp(seconds, 0, 2 * _HOUR)
        return resting + before + after

    def tokens_factor(self, model: str, seconds: float) -> float:
        """Return how many times longer the texts of ``model`` are than planned."""
        if self.scenario != "story" or model != "support-llm":
            return 1.0
        longer = 2.7 * _ramp(seconds, -7 * _HOUR, -6 * _HOUR) + 0.5 * _ramp(seconds, -6 * _HOUR, 0)
        return 1.0 + longer + 0.8 * _ramp(seconds, 0, _HOUR)

    def metrics_away(self, model: str, seconds: float) -> bool:
        """True while the service of ``model`` answers 503 instead of its metrics."""
        if self.scenario != "story" or model != "lead-score" or seconds < 0:
            return False
        return 400.0 <= math.fmod(seconds, 900.0) < 460.0

    def _outage_strength(self, seconds: float) -> float:
        if self.scenario == "outage":
            return _ramp(seconds, 5.0, 5.0 + _RAMP_SECONDS)
        phase = math.fmod(seconds, _PERIOD_SECONDS)
        rising = _ramp(phase, OUTAGE_STARTS_SECONDS, OUTAGE_STARTS_SECONDS + _RAMP_SECONDS)
        falling = _ramp(phase, _OUTAGE_ENDS_SECONDS, _OUTAGE_ENDS_SECONDS + _RECOVERY_SECONDS)
        return rising * (1.0 - falling)
