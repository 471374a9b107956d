"""Draws what one model lived through before the start, coarse long ago and fine of late."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from console.demo.requests import (
    Situation,
    error_probability,
    expected_holding_seconds,
    queue_wait_seconds,
    serve,
)
from console.demo.server_metrics import Block, Floats, triton_summary
from console.demo.service import (
    REJECTED_INPUT_RATIO,
    Causes,
    Service,
    Simulation,
    arrival_rate,
    time_costs,
    vllm_gauges,
)
from console.demo.service_breaker import (
    BINS,
    REVIEW_SHARES,
    WINDOW_MINUTES,
    feature_shares,
    psi,
    reference,
    score_shares,
)

Counts = NDArray[np.int64]

DAYS = 30
COARSE_SECONDS, MIDDLE_SECONDS, FINE_SECONDS = 300.0, 60.0, 10.0
MIDDLE_SPAN_SECONDS, FINE_SPAN_SECONDS = 6 * 3600.0, 900.0
# One hour more than is shown: the drift of the first minute rests on the hour before it.
DRAWN_SPAN_SECONDS = MIDDLE_SPAN_SECONDS + WINDOW_MINUTES * 60.0
CHUNK_SECONDS = 1800.0


class Axis:
    """The time axis: 5 min steps until seven hours ago, then 60 s, 10 s for the last 15 min."""

    def __init__(self, now: float) -> None:
        begin = now - DAYS * 86400.0
        turn = now - DRAWN_SPAN_SECONDS
        last = now - FINE_SPAN_SECONDS
        coarse = np.arange(round((turn - begin) / COARSE_SECONDS) + 1, dtype=np.float64)
        self.coarse: Floats = begin + COARSE_SECONDS * coarse
        middle = turn + MIDDLE_SECONDS * np.arange(round((last - turn) / MIDDLE_SECONDS))
        fine = last + FINE_SECONDS * np.arange(round(FINE_SPAN_SECONDS / FINE_SECONDS) + 1)
        edges = np.concatenate((middle, fine))
        self.edges: Floats = edges
        self.steps: Floats = np.diff(edges)
        self.mids: Floats = edges[:-1] + self.steps / 2
        chunk = np.floor((self.mids - turn) / CHUNK_SECONDS).astype(np.int64)
        self.chunk: Counts = chunk
        self.chunk_mids: Floats = turn + CHUNK_SECONDS * (np.arange(chunk[-1] + 1) + 0.5)

    def places(self, step: float, span: float) -> Counts:
        """Return indices into ``edges``: multiples of ``step`` within ``span`` of the end."""
        before = self.edges[-1] - self.edges
        wanted = (before <= span + 0.5) & (np.abs(before / step - np.rint(before / step)) < 1e-6)
        return np.flatnonzero(wanted)


# Each half hour a pool of requests goes through the same physics as live ones; the shares found
# there
# are then drawn for every interval of the time axis. Counters end at the values with which live
# time
# goes on.

_POOL_REQUESTS = 2500
_STATES = (
    "model_circuit_breaker_state",
    "model_route",
    "model_info",
    "model_confidence_threshold",
    "model_review_capacity_per_second",
)


@dataclass(slots=True)
class _Pool:
    """What a pool of requests became: all series, and the size of each population."""

    values: Floats
    sizes: Mapping[str, float]
    to_review: int
    error_ratio: float
    utilisation: float
    holding_seconds: float
    usd_each: float


@dataclass(slots=True)
class Tale:
    """The history of one service: all series on the drawn axis, long-term ones before it."""

    values: Floats
    coarse: Floats
    coarse_columns: Counts


class Teller:
    """Draws the history of one service."""

    def __init__(self, simulation: Simulation, service: Service, axis: Axis) -> None:
        self._story = simulation.story
        self._now = simulation.now
        self._service = service
        self._axis = axis
        self._rng = np.random.default_rng([simulation.seed, 7919, *service.model.name.encode()])
        self._dependencies = simulation.dependencies
        self._weather = {name: self._story.weather(name, -1.0) for name in simulation.dependencies}

    def tell(self) -> Tale:
        """Draw everything, and leave the service as the history ends."""
        axis, service = self._axis, self._service
        pools = [self._pool(float(at)) for at in axis.chunk_mids]
        coarse_values, base = self._long_ago()
        rate = arrival_rate(service.model, axis.mids)
        arrivals = self._rng.poisson(rate * axis.steps)
        populations = self._outcomes(
            arrivals, np.asarray([p.error_ratio for p in pools])[axis.chunk]
        )
        steps = self._increments(populations, pools, axis.chunk)
        busy = np.asarray([pool.utilisation for pool in pools])[axis.chunk]
        low = self._time_and_low(steps, busy, axis.steps)
        values = np.concatenate((base[None, :], base + np.cumsum(steps, axis=0)))
        self._gauges(values, pools, rate)
        self._drift(values, populations["answered"])
        self._review(values, low, pools)
        service.values[:] = values[-1]
        load = service.loads[service.model.primary.name]
        load.holding_seconds = pools[-1].holding_seconds
        load.utilisation = pools[-1].utilisation
        columns = self._long_columns()
        return Tale(values, coarse_values, columns)

    def _causes(self, at: float) -> Causes:
        seconds, model = at - self._now, self._service.model
        return Causes(
            self._weather,
            self._story.shift(model.name, model.resting_shift, seconds),
            self._story.tokens_factor(model.name, seconds),
        )

    def _pool(self, at: float) -> _Pool:
        """Send a pool of requests through the circumstances of time ``at``."""
        service, model = self._service, self._service.model
        backend, causes = model.primary, self._causes(at)
        situation = service.situation(causes)
        holding = expected_holding_seconds(backend, situation)
        busy = float(arrival_rate(model, at)) * holding / backend.workers
        situation = Situation(
            weather=self._weather,
            dependencies=self._dependencies,
            wait_seconds=queue_wait_seconds(busy, backend.workers, holding),
            utilisation=busy,
            shift=causes.shift,
            tokens_factor=causes.tokens_factor,
        )
        batch = serve(self._rng, model, backend, _POOL_REQUESTS, situation)
        to_review = 0
        if service.review.capacity_per_second > 0:
            to_review = int(np.count_nonzero(batch.confidence < model.threshold))
        service.values[:] = 0.0
        service.record(backend, batch, to_review)
        values = service.values.copy()
        service.values[:] = 0.0
        where = service.layout.slices.get("nv_inference_request_summary_us")
        if where is not None:
            values[where] = triton_summary(batch.durations)
        answered = float(batch.size - batch.errors)
        sizes = {"worked": float(batch.size), "answered": answered}
        usd_each = float(service.priced_usd)
        error_ratio = error_probability(backend, situation)
        return _Pool(values, sizes, to_review, error_ratio, busy, holding, usd_each)

    def _outcomes(self, arrivals: Counts, error_ratio: Floats) -> dict[str, Counts]:
        rejected = self._rng.binomial(arrivals, REJECTED_INPUT_RATIO)
        worked = arrivals - rejected
        errors = self._rng.binomial(worked, error_ratio)
        return {
            "rejected_input": rejected,
            "refused": np.zeros_like(arrivals),
            "error": errors,
            "success": worked - errors,
            "worked": worked,
            "answered": worked - errors,
        }

    def _increments(
        self, populations: Mapping[str, Counts], pools: list[_Pool], chunk: Counts
    ) -> Floats:
        """Return what each interval adds to each series, (T, width)."""
        layout = self._service.layout
        steps: Floats = np.zeros((chunk.size, layout.width))
        for outcome, columns, shares in layout.outcomes:
            steps[:, columns] += self._rng.multinomial(populations[outcome], shares)
        for block in layout.blocks:
            where = layout.slices[layout.key(block)]
            if block.draw in ("count", "amount"):
                means = np.stack([p.values[where] / p.sizes[block.population] for p in pools])
                people = populations[block.population][:, None]
                steps[:, where] = self._count(block, means[chunk], people)
        self._reconcile_attempts(steps, populations["worked"])
        for block in layout.blocks:
            if block.draw == "buckets":
                where = layout.slices[layout.key(block)]
                people = self._people(block, populations, steps)
                steps[:, where] = self._buckets(block, pools, chunk, people, where)
        return steps

    def _count(self, block: Block, means: Floats, people: Counts) -> Floats:
        if block.draw == "amount":
            amounts: Floats = means * people
            if block.name.endswith("_us"):
                np.rint(amounts, out=amounts)
            return amounts
        whole: Floats = np.floor(means)
        counts: Floats = whole * people
        counts += self._rng.poisson((means - whole) * people)
        return counts

    def _reconcile_attempts(self, steps: Floats, worked: Counts) -> None:
        """Make attempts the sum of their outcomes, as they are when counted one by one."""
        slices = self._service.layout.slices
        calls = slices.get("model_dependency_requests_total")
        if calls is None:
            return
        attempts = slices["model_attempts_total"]
        for place in range(attempts.stop - attempts.start):
            start = calls.start + 4 * place
            steps[:, start] = np.minimum(steps[:, start], worked)
            total = steps[:, start : start + 3].sum(axis=1)
            steps[:, attempts.start + place] = np.maximum(total, worked)
            steps[:, start] += steps[:, attempts.start + place] - total
            steps[:, start + 3] = steps[:, attempts.start + place] - worked

    def _people(self, block: Block, populations: Mapping[str, Counts], steps: Floats) -> Counts:
        if block.population != "attempts":
            return populations[block.population]
        layout = self._service.layout
        labels = tuple(label for label in block.labels[0] if label[0] != "le")
        column = layout.column("model_attempts_total", labels)
        return steps[:, column].astype(np.int64)

    def _buckets(
        self, block: Block, pools: list[_Pool], chunk: Counts, people: Counts, where: slice
    ) -> Floats:
        """Return increments of a histogram: cumulative buckets, sum, count."""
        edges = np.asarray(block.edges)
        middles = np.concatenate(([edges[0] / 2], (edges[:-1] + edges[1:]) / 2, [edges[-1] * 1.5]))
        pooled = np.stack([pool.values[where] for pool in pools])
        counts = np.diff(pooled[:, :-2], axis=1, prepend=0.0)
        totals = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        shares = counts / totals
        shares[counts.sum(axis=1) == 0, 0] = 1.0
        means = pooled[:, -2:-1] / totals
        scale = means / np.maximum((shares * middles).sum(axis=1, keepdims=True), 1e-12)
        drawn = self._rng.multinomial(people, shares[chunk])
        sums = (drawn * (middles * scale[chunk])).sum(axis=1)
        steps: Floats = np.column_stack((np.cumsum(drawn, axis=1), sums, people))
        return steps

    def _time_and_low(self, steps: Floats, busy: Floats, seconds: Floats) -> Floats:
        """Add what time alone costs; return low-confidence answers an interval."""
        service = self._service
        slices = service.layout.slices
        costs = slices.get("model_cost_usd_total")
        if costs is not None:
            steps[:, costs] += time_costs(service.model, np.minimum(busy, 1.0), seconds)
        confidence = slices.get("model_prediction_confidence")
        if confidence is None or "model_review_total" not in slices:
            return np.zeros(seconds.size)
        edges = [
            block for block in service.layout.blocks if block.name == "model_prediction_confidence"
        ]
        place = edges[0].edges.index(service.model.threshold)
        low: Floats = steps[:, confidence.start + place]
        return low

    def _long_columns(self) -> Counts:
        layout = self._service.layout
        columns = [
            np.arange(layout.slices[layout.key(block)].start, layout.slices[layout.key(block)].stop)
            for block in layout.blocks
            if block.long_term
        ]
        return np.concatenate(columns)

    def _long_ago(self) -> tuple[Floats, Floats]:
        """Draw the weeks before: long-term series at 5 min, and where all series then stand."""
        service, layout = self._service, self._service.layout
        times = self._axis.coarse
        quiet_at = float(times[-1]) - CHUNK_SECONDS
        pool = self._pool(quiet_at)
        mids = times[:-1] + COARSE_SECONDS / 2
        rate = arrival_rate(service.model, mids)
        arrivals = self._rng.poisson(rate * COARSE_SECONDS)
        error_ratio = np.full(arrivals.size, pool.error_ratio)
        populations = self._outcomes(arrivals, error_ratio)
        columns = self._long_columns()
        steps: Floats = np.zeros((arrivals.size, layout.width))
        for outcome, outcome_columns, shares in layout.outcomes:
            steps[:, outcome_columns] += self._rng.multinomial(populations[outcome], shares)
        costs = layout.slices.get("model_cost_usd_total")
        if costs is not None:
            each = pool.values[costs] / pool.sizes["worked"]
            each[[0, 5]] += _review_usd(pool.to_review, pool.usd_each) / pool.sizes["worked"]
            per_rate = pool.utilisation / float(arrival_rate(service.model, quiet_at))
            busy = rate * per_rate
            steps[:, costs] = populations["worked"][:, None] * each
            steps[:, costs] += time_costs(service.model, np.minimum(busy, 1.0), COARSE_SECONDS)
        values = np.concatenate((np.zeros((1, columns.size)), np.cumsum(steps[:, columns], axis=0)))
        totals = {name: np.asarray([counts.sum()]) for name, counts in populations.items()}
        base = self._increments(totals, [pool], np.zeros(1, dtype=np.int64))[0]
        base[columns] = values[-1]
        reviews = layout.slices.get("model_review_total")
        if reviews is not None:
            low = pool.to_review * float(totals["worked"][0]) / pool.sizes["worked"]
            base[reviews] = np.floor(low * np.asarray(REVIEW_SHARES))
        return values, base

    def _gauges(self, values: Floats, pools: list[_Pool], rate: Floats) -> None:
        """Fill the gauges of load and state along the drawn axis."""
        service, axis = self._service, self._axis
        model, slices = service.model, service.layout.slices
        service.show(self._now)
        for name in _STATES:
            if name in slices:
                values[:, slices[name]] = service.values[slices[name]]
        chunk = np.concatenate(([0], axis.chunk))
        per_rate = np.asarray(
            [
                pool.utilisation / float(arrival_rate(model, at))
                for pool, at in zip(pools, axis.chunk_mids, strict=True)
            ]
        )
        expected = np.concatenate((rate[:1], rate)) * per_rate[chunk] * model.primary.workers
        # A gauge sees the requests of one moment, which come and go as a Poisson process.
        in_flight = np.minimum(self._rng.poisson(expected * 8.0) / 8.0, model.primary.workers)
        busy: Floats = in_flight / model.primary.workers
        if "model_in_flight_requests" in slices:
            values[:, slices["model_in_flight_requests"]] = in_flight[:, None]
            values[:, slices["model_saturation_ratio"]] = busy[:, None]
        if model.profile == "vllm":
            gauges = vllm_gauges(model, busy, np.zeros(busy.size))
            names = ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc")
            for name, gauge in zip(names, gauges, strict=True):
                values[:, slices[f"vllm:{name}"]] = gauge[:, None]
        where = slices.get("nv_inference_request_summary_us")
        if where is not None:
            summaries = np.stack([pool.values[where] for pool in pools])
            values[:, where] = summaries[chunk]

    def _drift(self, values: Floats, answered: Counts) -> None:
        """Fill the drift gauges from bin counts of the hour before each moment."""
        service, axis = self._service, self._axis
        where = service.layout.slices.get("model_drift")
        if where is None:
            return
        model = service.model
        counts: Floats = np.zeros((answered.size, 1 + len(model.features), BINS))
        for chunk, at in enumerate(axis.chunk_mids):
            shift = self._causes(float(at)).shift
            here = np.flatnonzero(axis.chunk == chunk)
            people = answered[here]
            counts[here, 0] = self._rng.multinomial(people, score_shares(model, shift))
            for feature, shares in enumerate(feature_shares(model, shift)):
                counts[here, 1 + feature] = self._rng.multinomial(people, shares)
        zero = np.zeros((1, *counts.shape[1:]))
        summed = np.concatenate((zero, np.cumsum(counts, axis=0)))
        window = axis.edges - WINDOW_MINUTES * 60.0
        begins = np.searchsorted(axis.edges, window + 1e-6)
        rolling: Floats = summed - summed[np.minimum(begins, np.arange(begins.size))]
        values[:, where] = psi(rolling, reference(model))
        values[:, service.layout.slices["model_drift_samples"]] = rolling.sum(axis=-1)
        self._hand_over_drift(counts)

    def _hand_over_drift(self, counts: Floats) -> None:
        """Give the service the last hour of bins, by minute, so that its window goes on."""
        ends = self._axis.edges[1:]
        age = np.floor((self._now - ends) / 60.0 + 1e-6).astype(np.int64)
        minutes = [
            counts[age == minute].sum(axis=0) for minute in range(WINDOW_MINUTES - 1, -1, -1)
        ]
        self._service.drift.restore(minutes)

    def _review(self, values: Floats, low: Floats, pools: list[_Pool]) -> None:
        """Fill the review queue's series: arrivals, people's pace, and what waits between them."""
        service, axis = self._service, self._axis
        slices = service.layout.slices
        if "model_review_total" not in slices:
            return
        pace = service.review.capacity_per_second
        could = self._rng.poisson(pace * axis.steps)
        ahead = np.cumsum(low - could)
        depth = ahead - np.minimum(np.minimum.accumulate(ahead), 0.0)
        done = np.maximum(low - np.diff(depth, prepend=0.0), 0.0).astype(np.int64)
        decided = np.cumsum(self._rng.multinomial(done, REVIEW_SHARES), axis=0)
        values[1:, slices["model_review_total"]] += decided
        costs = slices.get("model_cost_usd_total")
        if costs is not None:
            usd = np.asarray([pool.usd_each for pool in pools])[axis.chunk]
            values[1:, costs.start] += np.cumsum(done * REVIEW_SHARES[0] * usd)
            values[1:, costs.start + 5] += np.cumsum(done * (1.0 - REVIEW_SHARES[0]) * usd)
        values[1:, slices["model_review_queue_depth"]] = depth[:, None]
        oldest = np.where(depth > 0, depth / pace, 0.0)
        values[1:, slices["model_review_oldest_seconds"]] = oldest[:, None]
        service.review.restore(self._now, int(depth[-1]), float(oldest[-1]))


def _review_usd(count: int, usd_each: float) -> Floats:
    """Return the USD of ``count`` reviewed answers: those that were useful, those discarded."""
    approved = REVIEW_SHARES[0]
    split: Floats = np.asarray([approved, 1.0 - approved]) * count * usd_each
    return split
