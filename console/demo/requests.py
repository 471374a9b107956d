"""The life of simulated requests: attempts at dependencies, waiting, work, confidence, score.

One function serves the live second and the pools from which history is drawn, so both follow the
same physics.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from console.demo.scenario import Backend, Call, DependencySpec, ModelSpec, Weather

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MISSING_LOGIT_SHIFT = 2.2
MISSING_SCORE_SHIFT = 0.6
BACKOFF_SECONDS = 0.02
_CONFIDENCE_SPREAD = 1.1


def logit(ratio: float) -> float:
    """Return the log-odds of a ratio strictly between 0 and 1."""
    return math.log(ratio / (1.0 - ratio))


def confidence_centre(threshold: float, low_share: float) -> float:
    """Return the mean logit that puts ``low_share`` (0–1) of confidences under ``threshold``."""
    share = min(max(low_share, 1e-4), 1 - 1e-4)
    return logit(threshold) - _CONFIDENCE_SPREAD * NormalDist().inv_cdf(share)


@dataclass(slots=True)
class Calls:
    """What one batch of requests did to one dependency; durations are seconds an attempt."""

    dependency: str
    attempt_usd: float
    asked: int
    attempts: int
    answered: int
    timeouts: int
    errors: int
    durations: Floats
    seconds: Floats
    missing: Flags


@dataclass(slots=True)
class Batch:
    """Requests that were worked on; arrays have one entry a request unless a comment says else."""

    failed: Flags
    missing: Flags
    durations: Floats
    holding_seconds: float
    confidence: Floats
    scores: Floats
    calls: list[Calls] = field(default_factory=list)
    waits: Floats | None = None
    prompt_tokens: Floats | None = None
    output_tokens: Floats | None = None
    first_token_seconds: Floats | None = None
    token_seconds: Floats | None = None

    @property
    def size(self) -> int:
        """Requests worked on."""
        return int(self.failed.size)

    @property
    def errors(self) -> int:
        """Requests that ended in an error."""
        return int(np.count_nonzero(self.failed))


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds for a batch: dependency weather, wait, drift, longer texts, open breakers.

    ``permits`` gives the requests that may ask a dependency; a missing name means all of them.
    """

    weather: Mapping[str, Weather]
    dependencies: Mapping[str, DependencySpec]
    wait_seconds: float = 0.0
    utilisation: float = 0.0
    shift: float = 0.0
    tokens_factor: float = 1.0
    permits: Mapping[str, int] = field(default_factory=dict)


def attempt_ratios(spec: DependencySpec, weather: Weather) -> tuple[float, float]:
    """Return the chances (0–1) that one attempt times out, or is answered with an error."""
    timeout = 1 - (1 - spec.timeout_ratio) * (1 - weather.timeout_ratio)
    error = (1 - timeout) * (1 - (1 - spec.error_ratio) * (1 - weather.error_ratio))
    return timeout, error


def error_probability(backend: Backend, situation: Situation) -> float:
    """Return the chance (0–1) that a request to ``backend`` fails, retries included."""
    survives = 1.0 - backend.error_ratio
    for call in backend.calls:
        weather = situation.weather[call.dependency]
        timeout, error = attempt_ratios(situation.dependencies[call.dependency], weather)
        lost = (timeout + error) ** call.max_attempts
        survives *= 1.0 - lost * (1.0 - call.tolerance)
    return 1.0 - survives


def expected_holding_seconds(backend: Backend, situation: Situation) -> float:
    """Return the mean seconds that one request holds a worker, waiting for a worker not counted."""
    seconds = own_seconds(backend, situation.tokens_factor, situation.utilisation)
    seconds *= math.exp(backend.spread * backend.spread / 2)
    for call in backend.calls:
        spec = situation.dependencies[call.dependency]
        weather = situation.weather[call.dependency]
        timeout, error = attempt_ratios(spec, weather)
        failing = timeout + error
        tries = sum(failing**number for number in range(call.max_attempts))
        answer = spec.latency_seconds * weather.slowness * math.exp(spec.spread**2 / 2)
        seconds += tries * (timeout * call.timeout_seconds + (1 - timeout) * answer)
    return seconds


def own_seconds(backend: Backend, tokens_factor: float, utilisation: float) -> float:
    """Return the median seconds of the backend's own work on one request."""
    tokens = backend.tokens
    if tokens is None:
        return backend.service_seconds
    busy = 1.0 + 0.5 * min(utilisation, 1.0) ** 2
    output = tokens.output_mean * tokens_factor * tokens.seconds_per_token
    return busy * (output + tokens.prefill_seconds * tokens_factor)


def queue_wait_seconds(utilisation: float, workers: int, holding_seconds: float) -> float:
    """Return the mean wait in an M/M/c queue (Sakasegawa's approximation), seconds.

    Above 95% the formula runs away; what does not fit is then a backlog, counted by the caller.
    """
    ratio = min(utilisation, 0.95)
    if ratio <= 0:
        return 0.0
    exponent = math.sqrt(2 * (workers + 1)) - 1
    return float(holding_seconds * ratio**exponent / (workers * (1 - ratio)))


def serve(
    rng: np.random.Generator, model: ModelSpec, backend: Backend, count: int, situation: Situation
) -> Batch:
    """Work on ``count`` requests with ``backend`` and return what became of each."""
    failed: Flags = rng.random(count) < backend.error_ratio
    missing: Flags = np.zeros(count, dtype=np.bool_)
    asked = [_ask(rng, call, count, situation) for call in backend.calls]
    held: Floats = np.zeros(count)
    for call, calls in zip(backend.calls, asked, strict=True):
        held += calls.seconds
        if calls.missing.any():
            fatal = calls.missing & (rng.random(count) >= call.tolerance)
            failed |= fatal
            missing |= calls.missing
    batch = Batch(failed, missing, held, 0.0, held, held, asked)
    _work(rng, backend, batch, situation)
    answered = ~failed
    centre = confidence_centre(model.threshold, backend.low_share)
    z: Floats = centre + _CONFIDENCE_SPREAD * rng.standard_normal(count)
    scores: Floats = model.score_mean + model.score_spread * (
        situation.shift + rng.standard_normal(count)
    )
    if missing.any():
        z -= MISSING_LOGIT_SHIFT * missing
        scores += MISSING_SCORE_SHIFT * missing
    batch.confidence = 1.0 / (1.0 + np.exp(-z[answered]))
    batch.scores = 1.0 / (1.0 + np.exp(-scores[answered]))
    return batch


def _work(rng: np.random.Generator, backend: Backend, batch: Batch, situation: Situation) -> None:
    """Add waiting and the backend's own work to the durations of ``batch``."""
    count = batch.size
    spread = np.exp(backend.spread * rng.standard_normal(count))
    waits: Floats = situation.wait_seconds * rng.exponential(size=count)
    held = batch.durations
    tokens = backend.tokens
    if tokens is None:
        own: Floats = backend.service_seconds * spread
    else:
        busy = 1.0 + 0.5 * min(situation.utilisation, 1.0) ** 2
        output = np.maximum(1.0, np.rint(tokens.output_mean * situation.tokens_factor * spread))
        prompt = np.rint(
            tokens.prompt_mean * situation.tokens_factor * np.exp(0.35 * rng.standard_normal(count))
        )
        pace = tokens.seconds_per_token * busy * np.exp(0.1 * rng.standard_normal(count))
        prefill = tokens.prefill_seconds * busy * prompt / tokens.prompt_mean
        batch.prompt_tokens, batch.output_tokens = prompt, output
        batch.first_token_seconds = waits + held + prefill
        batch.token_seconds = pace
        own = prefill + pace * (output - 1.0)
    held = held + own
    batch.waits = waits
    batch.holding_seconds = float(held.sum())
    batch.durations = held + waits


def _ask(rng: np.random.Generator, call: Call, count: int, situation: Situation) -> Calls:
    """Ask one dependency for each of ``count`` requests, with retries up to the cap."""
    spec = situation.dependencies[call.dependency]
    weather = situation.weather[call.dependency]
    permitted = min(count, situation.permits.get(call.dependency, count))
    timeout_ratio, error_ratio = attempt_ratios(spec, weather)
    failing = timeout_ratio + error_ratio
    luck = rng.random(permitted)
    failures = np.minimum(
        np.floor(np.log(np.maximum(luck, 1e-300)) / math.log(failing)), call.max_attempts
    ).astype(np.int64)
    answered: Flags = failures < call.max_attempts
    answered_count = int(np.count_nonzero(answered))
    answer_seconds = np.minimum(
        spec.latency_seconds
        * weather.slowness
        * np.exp(spec.spread * rng.standard_normal(permitted)),
        call.timeout_seconds,
    )
    seconds: Floats = np.where(answered, answer_seconds, 0.0)
    lost = int(failures.sum())
    timeouts = 0
    durations: Floats = answer_seconds[answered]
    if lost:
        timed_out = rng.random(lost) < timeout_ratio / failing
        timeouts = int(np.count_nonzero(timed_out))
        fail_seconds = np.where(timed_out, call.timeout_seconds, 0.5 * spec.latency_seconds)
        owners = np.repeat(np.arange(permitted), failures)
        seconds += np.bincount(owners, weights=fail_seconds + BACKOFF_SECONDS, minlength=permitted)
        durations = np.concatenate((durations, fail_seconds))
    missing: Flags = np.ones(count, dtype=np.bool_)
    missing[:permitted] = ~answered
    if permitted < count:
        seconds = np.concatenate((seconds, np.zeros(count - permitted)))
    return Calls(
        dependency=call.dependency,
        attempt_usd=spec.call_usd,
        asked=permitted,
        attempts=answered_count + lost,
        answered=answered_count,
        timeouts=timeouts,
        errors=lost - timeouts,
        durations=durations,
        seconds=seconds,
        missing=missing,
    )
