"""The whole fleet in one world: dependencies that models share, and a story that moves them."""

import math
from collections.abc import Sequence

from console.demo.catalogue import DEPENDENCIES
from console.demo.scenario import ModelSpec, Scenario, Story, Weather
from console.demo.service import Causes, Service

LONGEST_STEP_SECONDS = 5.0


class Simulation:
    """All services under one clock; ``now`` is Unix seconds, ``speed`` scales the story alone."""

    def __init__(
        self,
        models: Sequence[ModelSpec],
        *,
        seed: int,
        scenario: Scenario,
        now: float,
        speed: float = 1.0,
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be a number above 0, not {speed}")
        self.models = tuple(models)
        self.seed = seed
        self.story = Story(scenario)
        self.speed = speed
        self.dependencies = {spec.name: spec for spec in DEPENDENCIES}
        self.restart(now)

    def restart(self, now: float) -> None:
        """Forget everything and begin at ``now``."""
        self.started_at = now
        self.now = now
        self.services = tuple(
            Service(model, self.dependencies, self.seed, now) for model in self.models
        )
        self._attempts_per_second = dict.fromkeys(self.dependencies, 0.0)

    @property
    def story_seconds(self) -> float:
        """Where the story is."""
        return (self.now - self.started_at) * self.speed

    def step(self, now: float) -> None:
        """Live through the time up to ``now``; of a longer pause only the last 5 s."""
        seconds = min(now - self.now, LONGEST_STEP_SECONDS)
        self.now = max(self.now, now)
        if seconds <= 0:
            return
        story_seconds = self.story_seconds
        weather = {name: self._weather(name, story_seconds) for name in self.dependencies}
        attempts = dict.fromkeys(self.dependencies, 0)
        for service in self.services:
            service.step(now, seconds, self.causes(service.model, story_seconds, weather))
            for name, count in service.attempts_last_step.items():
                attempts[name] += count
        for name, count in attempts.items():
            before = self._attempts_per_second[name]
            self._attempts_per_second[name] = before + 0.3 * (count / seconds - before)

    def causes(self, model: ModelSpec, story_seconds: float, weather: dict[str, Weather]) -> Causes:
        """Return what the world does to ``model`` at that point of the story."""
        return Causes(
            weather,
            self.story.shift(model.name, model.resting_shift, story_seconds),
            self.story.tokens_factor(model.name, story_seconds),
        )

    def _weather(self, dependency: str, story_seconds: float) -> Weather:
        """Return the story's weather, made worse where callers ask for more than there is room."""
        told = self.story.weather(dependency, story_seconds)
        asked = self._attempts_per_second[dependency]
        room = self.dependencies[dependency].capacity_per_second
        if asked <= room:
            return told
        overload = 1.0 - room / asked
        timeouts = 1.0 - (1.0 - told.timeout_ratio) * (1.0 - overload)
        return Weather(timeouts, told.error_ratio, told.slowness)
