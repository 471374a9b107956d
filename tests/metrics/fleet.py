"""A small fleet's samples with everything that goes wrong in real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.metrics.stored import ListStore

NOW = 1_763_865_000.0
STEP = 15.0
SPAN = 4500.0
HOSTILE = 'we"ird\\ {x="y"}\nname'
Floats = NDArray[np.float64]

DURATION_EDGES = ("0.005", "0.1", "0.4", "1.0", "2.5", "10.0", "+Inf")
OTHER_SPELLING = ("0.005", "0.10", "4e-01", "1", "2.50", "1e+01", "+Inf")
CONFIDENCE_EDGES = ("0.1", "0.5", "0.6", "0.9", "1.0", "+Inf")


class Maker:
    """Writes one target's series into a store, all at that target's scrape times."""

    def __init__(
        self,
        store: ListStore,
        seed: int,
        base: Mapping[str, str],
        *,
        start: float = NOW - SPAN,
        end: float = NOW,
        gap: tuple[float, float] | None = None,
        reset_at: float | None = None,
    ) -> None:
        self.store, self.base = store, dict(base)
        self.random = np.random.default_rng(seed)
        ticks = np.arange(start + self.random.uniform(0, STEP), end, STEP)
        ticks = ticks + self.random.integers(-40, 40, len(ticks)) / 1000
        if gap is not None:
            ticks = ticks[(ticks < gap[0]) | (ticks > gap[1])]
        self.times = ticks
        self.reset_at = reset_at

    def counter(self, name: str, labels: Mapping[str, str], rate: float, born: float = 0.0) -> None:
        steps = self.random.poisson(rate * STEP, len(self.times)).astype(float)
        self.write(name, labels, born + self.accumulated(steps))

    def money(self, name: str, labels: Mapping[str, str], rate: float) -> None:
        steps = self.random.gamma(2.0, rate * STEP / 2, len(self.times))
        self.write(name, labels, self.accumulated(steps))

    def accumulated(self, steps: Floats) -> Floats:
        total = np.cumsum(steps, axis=0)
        if self.reset_at is not None:
            after = self.times >= self.reset_at
            if after.any():
                total[after] -= total[np.argmax(after)] - steps[np.argmax(after)]
        return total

    def gauge(self, name: str, labels: Mapping[str, str], values: float | Sequence[float]) -> None:
        self.write(name, labels, np.broadcast_to(values, self.times.shape))

    def process(self, began: float) -> None:
        """Write the start of the process itself, which no model label says anything of."""
        labels = {name: self.base[name] for name in ("instance", "job")}
        values = [began] * len(self.times)
        self.store.add("process_start_time_seconds", labels, self.times.tolist(), values)

    def histogram(
        self, name: str, labels: Mapping[str, str], edges: Sequence[str], rate: float
    ) -> None:
        weights = self.random.dirichlet(np.ones(len(edges)))
        each = self.random.poisson(rate * STEP * weights, (len(self.times), len(edges)))
        buckets = np.cumsum(self.accumulated(each.astype(float)), axis=1)
        for place, edge in enumerate(edges):
            self.write(f"{name}_bucket", {**labels, "le": edge}, buckets[:, place])
        self.write(f"{name}_count", labels, buckets[:, -1])
        self.write(f"{name}_sum", labels, buckets[:, -1] * 0.37)

    def write(self, name: str, labels: Mapping[str, str], values: Floats) -> None:
        self.store.add(name, {**self.base, **labels}, self.times.tolist(), values.tolist())


def midwatch_store(seed: int = 1) -> ListStore:
    """Return a fleet in the contract's own metrics: traffic, resets, gaps, NaN, births, silence."""
    store = ListStore()
    for number, instance in enumerate(("a:1", "b:1")):
        base = {"model": "fraud", "version": f"v{number}", "instance": instance, "job": "m"}
        _service(Maker(store, seed + number, base), 6.0, spelled_otherwise=bool(number))
    base = {"model": "reset", "instance": "c:1", "job": "m"}
    _service(Maker(store, seed + 2, base, reset_at=NOW - 130), 2.0)
    base = {"model": "gap", "instance": "d:1", "job": "m"}
    _service(Maker(store, seed + 3, base, gap=(NOW - 260, NOW - 90)), 1.0)
    base = {"model": "idle", "instance": "e:1", "job": "m"}
    _service(Maker(store, seed + 4, base), 0.0)
    base = {"model": "fresh", "instance": "f:1", "job": "m"}
    _service(Maker(store, seed + 5, base, start=NOW - 100), 3.0)
    base = {"model": "once", "instance": "g:1", "job": "m"}
    _service(Maker(store, seed + 6, base, start=NOW - 14), 3.0)
    base = {"model": "gone", "instance": "h:1", "job": "m"}
    _service(Maker(store, seed + 7, base, end=NOW - 400), 3.0)
    base = {"model": HOSTILE, "instance": "i:1", "job": "m"}
    _service(Maker(store, seed + 8, base), 4.0)
    _odd_ones(store, seed + 9)
    return store


def _service(make: Maker, rate: float, *, spelled_otherwise: bool = False) -> None:
    make.process(NOW - SPAN - 100.0 * make.random.integers(1, 90))
    for outcome, share in (("success", 0.9), ("error", 0.06), ("refused", 0.03)):
        make.counter("model_requests_total", {"outcome": outcome}, rate * share, born=1.0)
    edges = OTHER_SPELLING if spelled_otherwise else DURATION_EDGES
    make.histogram("model_request_duration_seconds", {}, edges, rate)
    make.histogram("model_prediction_confidence", {}, CONFIDENCE_EDGES, rate)
    for dependency in ("features", "vectors"):
        make.counter("model_attempts_total", {"dependency": dependency}, rate * 1.2)
        for outcome in ("success", "timeout", "retry"):
            labels = {"dependency": dependency, "outcome": outcome}
            make.counter("model_dependency_requests_total", labels, rate / 2)
        make.histogram("model_dependency_duration_seconds", {"dependency": dependency}, edges, rate)
        make.gauge("model_circuit_breaker_state", {"dependency": dependency}, 1.0)
    make.gauge("model_circuit_breaker_state", {}, 0.0)
    make.counter("model_review_total", {"outcome": "approved"}, rate / 20)
    depth = np.abs(np.cumsum(make.random.normal(0, 2, len(make.times))))
    make.gauge("model_review_queue_depth", {}, depth.tolist())
    make.gauge("model_review_oldest_seconds", {}, 62.5)
    make.gauge("model_review_capacity_per_second", {}, 0.25)
    make.gauge("model_drift", {"kind": "prediction", "measure": "psi"}, 0.07)
    make.gauge("model_drift_samples", {"kind": "prediction"}, 900.0)
    for number, psi in enumerate((0.01, 0.31, 0.22, float("nan"))):
        labels = {"kind": "feature", "feature": f"f{number}", "measure": "psi"}
        make.gauge("model_drift", labels, psi)
    make.counter("model_input_nulls_total", {"feature": "age"}, rate / 9)
    make.counter("model_input_values_total", {"feature": "age"}, rate)
    for use in ("useful", "retry", "failed"):
        make.money("model_cost_usd_total", {"component": "inference", "use": use}, rate / 900)
    make.gauge("model_route", {"target": "primary", "level": "L0", "region": "eu"}, 1.0)
    make.gauge("model_route", {"target": "small", "level": "L2", "region": "eu"}, 0.0)
    make.gauge("model_info", {"region": "eu", "code": "9be2"}, 1.0)
    make.gauge("model_saturation_ratio", {}, 0.4)


def _odd_ones(store: ListStore, seed: int) -> None:
    no_errors = Maker(store, seed, {"model": "clean", "job": "m", "instance": "j:1"})
    no_errors.counter("model_requests_total", {"outcome": "success"}, 5.0)
    no_errors.gauge("model_review_queue_depth", {}, float("nan"))
    odd = Maker(store, seed + 1, {"model": "odd", "job": "m", "instance": "k:1"})
    name = "model_request_duration_seconds"
    odd.histogram(name, {}, ("+Inf",), 3.0)
    odd.base["model"] = "headless"
    odd.histogram(name, {}, ("0.1", "0.4"), 3.0)
    odd.base["model"] = "nonsense"
    odd.histogram(name, {}, ("0.1", "wide", "+Inf"), 3.0)
    odd.base["model"] = "below-zero"
    odd.histogram(name, {}, ("-1", "0", "0.4", "+Inf"), 3.0)
    odd.base["model"] = "falling"
    for edge, rate in (("0.1", 5.0), ("0.4", 1.0), ("1.0", 6.0), ("+Inf", 5.5)):
        odd.counter(f"{name}_bucket", {"le": edge}, rate)
    odd.base["model"] = "not-a-number"
    odd.histogram(name, {}, ("0.1", "0.4", "+Inf"), 3.0)
    values = np.arange(len(odd.times), dtype=float)
    values[-3] = np.nan
    odd.write("model_requests_total", {"outcome": "success"}, values)
    odd.write(f"{name}_bucket", {"le": "0.2"}, values)
    odd.base["model"] = "topheavy"
    for edge, rate in (("0.1", 0.0), ("0.4", 0.1), ("+Inf", 9.0)):
        odd.counter(f"{name}_bucket", {"le": edge}, rate)


def random_store(seed: int = 7, series: int = 150) -> ListStore:
    """Return counters and histograms at random: sparse, dense, falling, NaN, infinite, negative."""
    store = ListStore()
    random = np.random.default_rng(seed)
    for number in range(series):
        labels = {"n": str(number)}
        samples = int(random.integers(1, 60))
        times = np.unique(np.round(NOW - random.uniform(0, 1200, samples), 3))
        values = np.cumsum(random.exponential(5, len(times))) + random.choice((0, 1, 500))
        for place in np.flatnonzero(random.random(len(times)) < random.choice((0, 0, 0.2))):
            values[place:] -= values[place] * random.choice((1.0, 0.5))
        if number % 10 == 0:
            values[int(random.integers(len(values)))] = np.nan
        if number % 17 == 0:
            values[int(random.integers(len(values)))] = np.inf
        if number % 7 == 0:
            values -= 40
        store.add("random_total", labels, times.tolist(), values.tolist())
        _random_histogram(store, random, labels)
    return store


def _random_histogram(
    store: ListStore, random: np.random.Generator, labels: Mapping[str, str]
) -> None:
    times = np.arange(NOW - 400, NOW, 20.0) + round(float(random.uniform(0, 10)), 3)
    edges = sorted({round(float(edge), 2) for edge in random.normal(1, 1, random.integers(0, 7))})
    total = np.zeros(len(times))
    for edge in (*map(str, edges), "+Inf"):
        total = total + np.cumsum(random.poisson(random.choice((0, 0, 1, 9)), len(times)))
        if random.random() < 0.95:
            where = {**labels, "le": edge}
            store.add("random_seconds_bucket", where, times.tolist(), total.tolist())
