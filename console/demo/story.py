"""What happens to the world around the fleet: dependencies fail, inputs drift, prompts grow.

A scenario only moves causes. Every metric that a viewer sees moves because requests then fare
differently.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

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
