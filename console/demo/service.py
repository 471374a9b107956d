"""One simulated model second by second, and the world of all models with their story."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from console.demo import midwatch_series, server_metrics
from console.demo.catalogue import DEPENDENCIES
from console.demo.requests import (
    Batch,
    Situation,
    expected_holding_seconds,
    queue_wait_seconds,
    serve,
)
from console.demo.scenario import (
    CLEAR,
    Backend,
    BreakerRules,
    DependencySpec,
    ModelSpec,
    Scenario,
    Story,
    Weather,
    check_speed,
)
from console.demo.server_metrics import Floats, Layout
from console.demo.service_breaker import (
    AUTOMATIC,
    BINS,
    REVIEW_SHARES,
    Breaker,
    DriftWindow,
    ReviewQueue,
    feature_shares,
)

REJECTED_INPUT_RATIO = 0.0004
PRIMARY_ROUTE = "primary"
DRIFT_EVERY_SECONDS = 5.0
_MODEL_BREAKER = BreakerRules(window_seconds=40.0)
_DAY = 86400.0
_RECENT_DURATIONS = 1000


@dataclass(frozen=True, slots=True)
class Causes:
    """What the world does to one model in one step; ``shift`` is in reference σ."""

    weather: Mapping[str, Weather]
    shift: float
    tokens_factor: float


@dataclass(slots=True)
class Route:
    """Where requests go; ``until`` is Unix seconds, None without an end."""

    target: str = PRIMARY_ROUTE
    level: str = "L0"
    until: float | None = None
    since: float = 0.0
    revision: int = 1
    by: str = AUTOMATIC
    reason: str = ""


@dataclass(slots=True)
class Threshold:
    """The confidence (0–1) under which an answer goes to review."""

    value: float
    until: float | None = None
    since: float = 0.0
    revision: int = 1
    by: str = AUTOMATIC
    reason: str = ""


@dataclass(slots=True)
class Load:
    """How busy a backend is: smoothed arrivals, seconds a request holds a worker, waiting ones."""

    arrivals_per_second: float
    holding_seconds: float
    backlog: float = 0.0
    utilisation: float = 0.0


def arrival_rate(model: ModelSpec, now: Floats | float) -> Floats:
    """Return requests a second at Unix seconds ``now``: a daily rhythm, quieter at weekends."""
    moment = np.asarray(now, dtype=np.float64)
    hour = (moment % _DAY) / 3600.0
    daily = 1.0 + model.rhythm * np.cos((hour - model.peak_hour_utc) * (math.pi / 12.0))
    # The epoch was a Thursday, so days 2 and 3 of each seven are Saturday and Sunday.
    weekend = np.isin((moment // _DAY) % 7, (2.0, 3.0))
    rate: Floats = model.rate_per_second * daily * np.where(weekend, 0.8, 1.0)
    return rate


class Service:
    """A model with its backends, breakers, queue and counters."""

    def __init__(
        self,
        model: ModelSpec,
        dependencies: Mapping[str, DependencySpec],
        seed: int,
        now: float,
    ) -> None:
        self.model = model
        self.rng = np.random.default_rng([seed, zlib.crc32(model.name.encode())])
        self.layout: Layout = _layout(model)
        self.values: Floats = np.zeros(self.layout.width)
        self.breakers = {"": Breaker(_MODEL_BREAKER, now)}
        for call in model.primary.calls:
            self.breakers[call.dependency] = Breaker(call.breaker, now)
        self.route = Route(since=now)
        self.threshold = Threshold(model.threshold, since=now)
        self.review = ReviewQueue(model.reviewers_per_second)
        self.drift = DriftWindow(model)
        self.attempts_last_step: dict[str, int] = {}
        self._dependencies = dependencies
        self._drift_due = now
        self._durations: Floats = np.zeros(0)
        self._shares: tuple[float, Floats] = (math.nan, np.zeros((0, BINS)))
        self.priced_usd = model.primary.request_usd
        calm = self.situation(
            Causes(dict.fromkeys(model.dependencies, CLEAR), model.resting_shift, 1.0)
        )
        self.loads = {
            backend.name: Load(
                float(arrival_rate(model, now)) if backend is model.primary else 0.0,
                expected_holding_seconds(backend, calm),
            )
            for backend in (model.primary, *model.fallbacks)
        }

    def situation(self, causes: Causes) -> Situation:
        """Return the circumstances of a batch under ``causes``."""
        return Situation(
            weather=causes.weather,
            dependencies=self._dependencies,
            shift=causes.shift,
            tokens_factor=causes.tokens_factor,
        )

    @property
    def backend(self) -> Backend | None:
        """What answers under the route in force; None when people do, or nobody does."""
        if self.route.target == PRIMARY_ROUTE:
            return self.model.primary
        for backend in self.model.fallbacks:
            if backend.name == self.route.target:
                return backend
        return None

    def step(self, now: float, seconds: float, causes: Causes) -> None:
        """Live through ``seconds`` that end at ``now``."""
        self._expire(now)
        arrivals = int(self.rng.poisson(float(arrival_rate(self.model, now)) * seconds))
        rejected = int(self.rng.binomial(arrivals, REJECTED_INPUT_RATIO))
        wanted = arrivals - rejected
        backend = self.backend
        self.attempts_last_step = {}
        success = errors = 0
        if backend is not None:
            admitted = wanted
            if backend is self.model.primary:
                admitted = self.breakers[""].admit(wanted)
            batch = self._work(now, seconds, backend, admitted, causes)
            errors = batch.errors
            success = batch.size - errors
        elif self.route.target == midwatch_series.HUMAN_ROUTE:
            success = self.review.arrive(now, wanted)
        refused = wanted - success - errors
        self.count_outcomes(success, errors, refused, rejected)
        self._accrue(now, seconds, causes)
        self.show(now)

    def _expire(self, now: float) -> None:
        for breaker in self.breakers.values():
            breaker.tick(now)
        if self.route.until is not None and now >= self.route.until:
            self.route = Route(since=now, revision=self.route.revision + 1)
        if self.threshold.until is not None and now >= self.threshold.until:
            revision = self.threshold.revision + 1
            self.threshold = Threshold(self.model.threshold, since=now, revision=revision)

    def _work(
        self, now: float, seconds: float, backend: Backend, admitted: int, causes: Causes
    ) -> Batch:
        load = self.loads[backend.name]
        count, wait_seconds = self._queue(backend, load, admitted, seconds)
        permits = {}
        if backend is self.model.primary:
            for name, breaker in self.breakers.items():
                if name:
                    permits[name] = breaker.admit(count)
        situation = Situation(
            weather=causes.weather,
            dependencies=self._dependencies,
            wait_seconds=wait_seconds,
            utilisation=load.utilisation,
            shift=causes.shift,
            tokens_factor=causes.tokens_factor,
            permits=permits,
        )
        batch = serve(self.rng, self.model, backend, count, situation)
        if count:
            self._learn(now, backend, load, batch)
            to_review = self._send_to_review(now, batch)
            self.record(backend, batch, to_review)
            self._watch_drift(now, batch, causes.shift)
        return batch

    def _queue(
        self, backend: Backend, load: Load, admitted: int, seconds: float
    ) -> tuple[int, float]:
        """Return how many are worked on, and their mean wait; the rest found the queue full."""
        pace = 1.0 - math.exp(-seconds / 5.0)
        load.arrivals_per_second += pace * (admitted / seconds - load.arrivals_per_second)
        clears_per_second = backend.workers / load.holding_seconds
        load.utilisation = load.arrivals_per_second / clears_per_second
        load.backlog = max(0.0, load.backlog + admitted - clears_per_second * seconds)
        room = max(1.0, backend.queue_seconds * clears_per_second)
        shed = 0
        # A single busy second is not an overload: bursts wait inside the queueing formula.
        if load.backlog > room:
            shed = min(admitted, math.ceil(load.backlog - room))
            load.backlog -= shed
        if load.utilisation < 1.0:
            load.backlog = min(load.backlog, room * load.utilisation)
        wait = queue_wait_seconds(load.utilisation, backend.workers, load.holding_seconds)
        return admitted - shed, min(wait + load.backlog / clears_per_second, backend.queue_seconds)

    def _learn(self, now: float, backend: Backend, load: Load, batch: Batch) -> None:
        weight = batch.size / (batch.size + max(4.0, 4.0 * load.arrivals_per_second))
        load.holding_seconds += weight * (batch.holding_seconds / batch.size - load.holding_seconds)
        if backend is self.model.primary:
            self.breakers[""].record(now, batch.size, batch.errors)
            for calls in batch.calls:
                self.attempts_last_step[calls.dependency] = calls.attempts
                failed = calls.attempts - calls.answered
                self.breakers[calls.dependency].record(now, calls.attempts, failed)
        if self.model.profile == "triton":
            recent = np.concatenate((self._durations, batch.durations))
            self._durations = recent[-_RECENT_DURATIONS:]

    def _send_to_review(self, now: float, batch: Batch) -> int:
        if self.review.capacity_per_second <= 0:
            return 0
        low = int(np.count_nonzero(batch.confidence < self.threshold.value))
        return self.review.arrive(now, low)

    def record(self, backend: Backend, batch: Batch, to_review: int) -> None:
        """Add a batch to the counters in the words of the model's profile."""
        if self.model.profile == "vllm":
            server_metrics.record_vllm(self.layout, self.values, batch)
        elif self.model.profile == "triton":
            server_metrics.record_triton(self.layout, self.values, batch)
        else:
            midwatch_series.record(self.layout, self.values, self.model, backend, batch, to_review)
            prices = midwatch_series.request_prices(backend, batch)
            self.priced_usd = float(prices.sum()) / batch.size

    def count_outcomes(self, success: int, errors: int, refused: int, rejected: int) -> None:
        """Count what became of requests, in the words of the model's profile."""
        counts = {
            "success": success,
            "error": errors,
            "refused": refused,
            "rejected_input": rejected,
        }
        for outcome, columns, shares in self.layout.outcomes:
            if columns.size == 1:
                self.values[columns] += counts[outcome]
            else:
                self.values[columns] += self.rng.multinomial(counts[outcome], shares)

    def _watch_drift(self, now: float, batch: Batch, shift: float) -> None:
        if "model_drift" not in self.layout.slices:
            return
        places = np.minimum((batch.scores * BINS).astype(np.int64), BINS - 1)
        counts: Floats = np.zeros((1 + len(self.model.features), BINS))
        counts[0] = np.bincount(places, minlength=BINS)
        rounded = round(shift, 3)
        if self._shares[0] != rounded:
            self._shares = (rounded, feature_shares(self.model, rounded))
        present = batch.size - int(np.count_nonzero(batch.missing))
        counts[1:] = self.rng.multinomial(present, self._shares[1])
        self.drift.add(now, counts)

    def _accrue(self, now: float, seconds: float, causes: Causes) -> None:
        """Let time cost: idle workers, retraining, and people deciding on reviews."""
        done = self.review.clear(self.rng, seconds) if self.review.depth else 0
        decided = self.rng.multinomial(done, REVIEW_SHARES) if done else None
        where = self.layout.columns("model_review_total")
        if decided is not None and where is not None:
            self.values[where] += decided
        costs = self.layout.columns("model_cost_usd_total")
        if costs is None:
            return
        primary = self.loads[self.model.primary.name]
        active = self.backend is self.model.primary
        busy = min(1.0, primary.utilisation) if active else 0.0
        self.values[costs] += time_costs(self.model, busy, seconds)
        if decided is not None:
            approved = int(decided[0])
            self.values[costs.start] += approved * self.priced_usd
            self.values[costs.start + 5] += (done - approved) * self.priced_usd

    def show(self, now: float) -> None:
        """Bring the gauges to what the simulation is at."""
        load = self.loads[(self.backend or self.model.primary).name]
        if self.model.profile == "vllm":
            self._show_vllm(load)
        elif self.model.profile == "triton":
            self._gauge("nv_inference_pending_request_count", math.floor(load.backlog))
            where = self.layout.slices["nv_inference_request_summary_us"]
            if self._durations.size:
                self.values[where] = server_metrics.triton_summary(self._durations)
        else:
            self._show_state(now, load)

    def _show_vllm(self, load: Load) -> None:
        running, waiting, cache = vllm_gauges(self.model, load.utilisation, load.backlog)
        self._gauge("vllm:num_requests_running", running)
        self._gauge("vllm:num_requests_waiting", waiting)
        self._gauge("vllm:kv_cache_usage_perc", cache)

    def _show_state(self, now: float, load: Load) -> None:
        values, slices = self.values, self.layout.slices
        values[slices["model_circuit_breaker_state"]] = [
            float(breaker.state) for breaker in self.breakers.values()
        ]
        values[slices["model_route"]] = [
            1.0 if target == self.route.target else 0.0
            for target, _, _ in midwatch_series.route_targets(self.model)
        ]
        self._gauge("model_info", 1.0)
        self._gauge("model_confidence_threshold", self.threshold.value)
        backend = self.backend
        workers = backend.workers if backend is not None else 0
        self._gauge("model_in_flight_requests", min(load.utilisation, 1.0) * workers)
        self._gauge("model_queue_depth", math.floor(load.backlog) if backend else 0.0)
        self._gauge("model_saturation_ratio", min(load.utilisation, 1.0) if backend else 0.0)
        if "model_review_total" in slices:
            self._gauge("model_review_queue_depth", self.review.depth)
            self._gauge("model_review_oldest_seconds", self.review.oldest_seconds(now))
            self._gauge("model_review_capacity_per_second", self.review.capacity_per_second)
        if now >= self._drift_due:
            self._drift_due = now + DRIFT_EVERY_SECONDS
            values[slices["model_drift"]], values[slices["model_drift_samples"]] = (
                self.drift.measure()
            )

    def _gauge(self, name: str, value: Floats | float) -> None:
        where = self.layout.slices.get(name)
        if where is not None:
            self.values[where] = value


def time_costs(model: ModelSpec, busy: Floats | float, seconds: Floats | float) -> Floats:
    """Return USD by (component, use) that time alone costs; shape (…, 10).

    A worker that waits for requests is idle; one that is busy is useful.
    """
    hours = np.asarray(seconds, dtype=np.float64) / 3600.0
    share = np.asarray(busy, dtype=np.float64)
    costs: Floats = np.zeros((*np.broadcast_shapes(hours.shape, share.shape), 10))
    costs[..., 0] = model.primary.hourly_usd * hours * share
    costs[..., 4] = model.primary.hourly_usd * hours * (1.0 - share)
    costs[..., 9] = model.retraining_usd_per_hour * hours
    return costs


def vllm_gauges(
    model: ModelSpec, utilisation: Floats | float, backlog: Floats | float
) -> tuple[Floats, Floats, Floats]:
    """Return requests running, requests waiting, and the used share (0–1) of the KV cache."""
    tokens = model.primary.tokens
    running: Floats = np.rint(np.minimum(utilisation, 1.0) * model.primary.workers)
    waiting: Floats = np.floor(np.asarray(backlog, dtype=np.float64))
    each = tokens.prompt_mean + tokens.output_mean / 2 if tokens is not None else 0.0
    cache: Floats = np.minimum(1.0, running * each / server_metrics.KV_CACHE_TOKENS)
    return running, waiting, cache


def _layout(model: ModelSpec) -> Layout:
    if model.profile == "vllm":
        return server_metrics.vllm_layout(model)
    if model.profile == "triton":
        return server_metrics.triton_layout(model)
    return midwatch_series.layout_for(model)


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
        check_speed(speed)
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
