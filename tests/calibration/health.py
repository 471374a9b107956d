"""Healthy fleets and injected faults: how often the console cries, and how soon it does."""

from collections.abc import Iterable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from console.domain.severity import Severity
from console.domain.snapshot import Snapshot
from tests.calibration.world import STEP_SECONDS, Fleet, Floats, row

DAY_SECONDS = 86400.0
FASTEST_A_MINUTE, SLOWEST_A_MINUTE = 6000.0, 0.5


def healthy(random: Generator, models: int, hours: float, known_hours: float = 26.0) -> Fleet:
    """Return a fleet in which nothing is wrong: a day's rhythm, noise that lasts, any volume."""
    steps = int((known_hours + hours) * 3600.0 / STEP_SECONDS)
    slowest, fastest = np.log(SLOWEST_A_MINUTE), np.log(FASTEST_A_MINUTE)
    rate = np.exp(random.uniform(slowest, fastest, models)) / 60.0
    at = np.arange(steps)[:, None] * STEP_SECONDS
    rhythm = 1.0 + 0.5 * np.sin(2 * np.pi * (at / DAY_SECONDS + random.random(models)))
    expected = rate * rhythm * _lasting_noise(random, steps, models, 0.15) * STEP_SECONDS
    requests = random.poisson(expected)
    base = random.uniform(0.01, 0.08, models)
    unsure = random.binomial(requests, base)
    bad = random.binomial(requests, random.choice([0.0, 0.0002, 0.0005], models))
    return Fleet(
        rows=tuple(row(f"m{number:03d}", 0.999) for number in range(models)),
        requests=requests.astype(np.float64),
        bad=bad.astype(np.float64),
        unsure=unsure.astype(np.float64),
        p95=_percentiles(random, requests),
    )


def _lasting_noise(random: Generator, steps: int, models: int, spread: float) -> Floats:
    """Return factors around 1 whose deviation lasts about ten minutes."""
    slots = -(-steps // 40)
    kept, noise = 0.7, np.zeros((slots, models))
    for slot in range(1, slots):
        noise[slot] = kept * noise[slot - 1] + random.normal(0.0, spread, models)
    return np.asarray(np.exp(np.repeat(noise, 40, axis=0)[:steps]), np.float64)


def _percentiles(random: Generator, requests: NDArray[np.int64]) -> Floats:
    """Return p95 of lognormal durations (median .1 s), drawn by its rank for each five minutes."""
    steps, models = requests.shape
    slots = -(-steps // 20)
    padded = np.zeros((slots * 20, models), dtype=np.int64)
    padded[:steps] = requests
    count = padded.reshape(slots, 20, models).sum(axis=1)
    least = np.maximum(count, 1)
    rank = np.ceil(0.95 * least)
    share = np.clip(random.beta(rank, least + 1 - rank), 1e-9, 1 - 1e-9)
    seconds = np.where(count >= 5, 0.1 * np.exp(0.8 * _normal(share)), np.nan)
    return np.asarray(np.repeat(seconds, 20, axis=0)[:steps], np.float64)


def _normal(share: Floats) -> Floats:
    """Return the normal quantile of a share, by the logistic approximation (5% off in tails)."""
    return np.asarray(np.log(share / (1 - share)) / 1.702, np.float64)


def onsets(looks: Iterable[Snapshot]) -> dict[str, int]:
    """Count how often each rule began to hold, over all rows."""
    found: dict[str, int] = {}
    before: set[tuple[int, str]] = set()
    for snapshot in looks:
        now = {
            (place, one.rule)
            for place, listed in snapshot.findings.items()
            for one in listed
            if one.level <= Severity.S4
        }
        for _, rule in now - before:
            found[rule] = found.get(rule, 0) + 1
        before = now
    return found


def raised_share(fleet: Fleet, rule: str, first: float, last: float, every: float = 60.0) -> float:
    """Return the share of rows for which a rule was raised between two times (seconds)."""
    hit: set[int] = set()
    for snapshot in fleet.watched(first, last, every):
        hit |= {
            place
            for place, listed in snapshot.findings.items()
            if any(one.rule == rule for one in listed)
        }
    return len(hit) / len(fleet.rows)


def unsure_fleet(
    random: Generator, runs: int, a_minute: float, base: float, factor: float, minutes: float
) -> Fleet:
    """Return one model many times over whose low-confidence share rises after 26 hours."""
    steps = int((26 * 3600.0 + minutes * 60.0) / STEP_SECONDS) + 1
    requests = random.poisson(a_minute / 60.0 * STEP_SECONDS, (steps, runs))
    share = np.full((steps, 1), base)
    share[int(26 * 3600.0 / STEP_SECONDS) :] = base * factor
    return Fleet(
        rows=tuple(row(f"m{number:03d}") for number in range(runs)),
        requests=requests.astype(np.float64),
        bad=np.zeros((steps, runs)),
        unsure=random.binomial(requests, share).astype(np.float64),
    )


def failing_fleet(
    random: Generator,
    runs: int,
    a_minute: float,
    spans: Iterable[tuple[float, float]],
    hours: float,
    slo: float = 0.99,
) -> Fleet:
    """Return one model many times over: ``spans`` are (seconds, bad share from then on)."""
    steps = int(hours * 3600.0 / STEP_SECONDS) + 1
    requests = random.poisson(a_minute / 60.0 * STEP_SECONDS, (steps, runs))
    share = np.zeros((steps, 1))
    for begins, ratio in spans:
        share[int(begins / STEP_SECONDS) :] = ratio
    return Fleet(
        rows=tuple(row(f"m{number:03d}", slo) for number in range(runs)),
        requests=requests.astype(np.float64),
        bad=random.binomial(requests, share).astype(np.float64),
    )
