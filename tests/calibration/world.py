"""A world of counters with a seed, and the answers a source would give about its windows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from console.domain.model import ModelRow, Objectives
from console.domain.samples import SourceStatus
from console.domain.signals import BURN_WINDOWS, ReadingState
from console.domain.snapshot import Change, SignalColumn, Snapshot
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.evaluation.observations import LabelledValue, Observed
from console.settings.schema import Settings

Floats = NDArray[np.float64]

STEP_SECONDS = 15.0
"""The scrape interval: counters move only so often."""

START = 1_790_000_000.0
LIVE_SECONDS, TICK_SECONDS = 60.0, 300.0
SLOW_ASKED_SECONDS = 60.0
UP = (SourceStatus("prom", "prometheus", "up"),)


@dataclass(frozen=True)
class Totals:
    """Cumulative counters, steps x entries; row 0 is before the first step."""

    sums: Floats

    @staticmethod
    def of(counts: Floats) -> "Totals":
        return Totals(np.vstack([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)]))

    def over(self, step: int, seconds: float, before_seconds: float = 0.0) -> Floats:
        """Return the growth over a window that ends ``before_seconds`` before a step."""
        end = max(0, step - round(before_seconds / STEP_SECONDS))
        return np.asarray(self.sums[end] - self.sums[max(0, end - round(seconds / STEP_SECONDS))])


@dataclass
class Column:
    """One column as a source answers it: values, and when it was last asked."""

    values: Floats
    at: float
    history_seconds: float | None = None

    def built(self) -> SignalColumn:
        size = len(self.values)
        known = np.isfinite(self.values)
        if self.history_seconds is not None:
            missing = np.full(size, np.nan)
            return SignalColumn(
                values=missing,
                states=np.full(size, int(ReadingState.NO_DATA), dtype=np.uint8),
                at=np.full(size, self.at),
                n=missing,
                window_seconds=missing,
                method_index=np.zeros(size, dtype=np.uint8),
                history_seconds=np.full(size, self.history_seconds),
            )
        return SignalColumn(
            values=self.values,
            states=np.where(known, int(ReadingState.OK), int(ReadingState.NO_TRAFFIC)).astype(
                np.uint8
            ),
            at=np.full(size, self.at),
            n=np.full(size, np.nan),
            window_seconds=np.full(size, np.nan),
            method_index=np.zeros(size, dtype=np.uint8),
        )


@dataclass
class Fleet:
    """Counters of models and of their calls, steps x models and steps x pairs.

    ``pairs`` are (model, dependency); ``p95`` and ``pair_p95`` are what each step's requests
    took (seconds). What is None is not exported. ``short`` says that the source has no history
    before the first step, and withholds longer windows.
    """

    rows: tuple[ModelRow, ...]
    requests: Floats
    bad: Floats
    unsure: Floats | None = None
    p95: Floats | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    calls: Floats | None = None
    bad_calls: Floats | None = None
    tries: Floats | None = None
    pair_p95: Floats | None = None
    changes: tuple[Change, ...] = ()
    facts: Mapping[str, tuple[tuple[tuple[str, ...], float], ...]] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    short: bool = False
    _slow: dict[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._requests, self._bad = Totals.of(self.requests), Totals.of(self.bad)
        self._unsure = None if self.unsure is None else Totals.of(self.unsure)
        self._calls = None if self.calls is None else Totals.of(self.calls)
        self._bad_calls = None if self.bad_calls is None else Totals.of(self.bad_calls)
        self._tries = None if self.tries is None else Totals.of(self.tries)

    def observed(self, now: float) -> Observed:
        """Return what a source says at ``now`` (Unix seconds)."""
        step = int((now - START) // STEP_SECONDS)
        slow = not self._slow or now - next(iter(self._slow.values())).at >= SLOW_ASKED_SECONDS
        columns: dict[str, Column] = {}
        rates = {"requests_rate": self._requests, "bad_rate": self._bad}
        for name, totals in rates.items():
            columns[name] = Column(totals.over(step, LIVE_SECONDS) / LIVE_SECONDS, now)
        for window, seconds in {"": TICK_SECONDS, **BURN_WINDOWS}.items():
            suffix = f"@{window}" if window else ""
            if seconds >= 3 * 3600.0 and not slow:
                continue
            if self.short and window and seconds > max(1800.0, now - START):
                columns[f"error_ratio{suffix}"] = Column(self._requests.sums[0], now, now - START)
                columns[f"requests_count{suffix}"] = columns[f"error_ratio{suffix}"]
                continue
            requests = self._requests.over(step, seconds)
            columns[f"error_ratio{suffix}"] = Column(
                _ratio(self._bad.over(step, seconds), requests), now
            )
            if window:
                columns[f"requests_count{suffix}"] = Column(requests, now)
        if slow:
            self._confidence(columns, step, now)
        if self.p95 is not None:
            columns["latency_p95"] = Column(self._p95(self.p95, step, TICK_SECONDS), now)
            if slow:
                base = self._p95(self.p95, step, 6 * 3600.0)
                columns["latency_p95@6h"] = Column(base, now)
        fresh = {name: one for name, one in columns.items() if _is_slow(name)}
        self._slow.update(fresh)
        merged = {**self._slow, **columns}
        return Observed(
            columns={name: one.built() for name, one in merged.items()},
            labelled=self._labelled(step, now),
            told=tuple(one for one in self.changes if one.at <= now),
        )

    def _confidence(self, columns: dict[str, Column], step: int, now: float) -> None:
        if self._unsure is None:
            return
        for window, seconds in {"10m": 600.0, "30m": 1800.0, "1d": 86400.0}.items():
            requests = self._requests.over(step, seconds)
            columns[f"low_confidence_ratio@{window}"] = Column(
                _ratio(self._unsure.over(step, seconds), requests), now
            )
            columns[f"requests_count@{window}"] = Column(requests, now)

    @staticmethod
    def _p95(values: Floats, step: int, seconds: float) -> Floats:
        """Return the percentile of a window whose steps count alike."""
        first = max(0, step - round(seconds / STEP_SECONDS))
        return np.asarray(np.quantile(values[first : max(step, first + 1)], 0.95, axis=0))

    def _labelled(self, step: int, now: float) -> dict[str, tuple[LabelledValue, ...]]:
        found: dict[str, Floats] = {}
        hours = 6 * 3600.0
        if self._calls is not None and self._bad_calls is not None:
            found["dependency_calls"] = self._calls.over(step, TICK_SECONDS)
            found["dependency_bad_calls"] = self._bad_calls.over(step, TICK_SECONDS)
            found["dependency_calls_before"] = self._calls.over(step, hours, 600.0)
            found["dependency_bad_calls_before"] = self._bad_calls.over(step, hours, 600.0)
        if self._tries is not None:
            place = {row.model: at for at, row in enumerate(self.rows)}
            asked = np.array([place[model] for model, _ in self.pairs])
            for suffix, seconds, before in (("", TICK_SECONDS, 0.0), ("_before", hours, 600.0)):
                found[f"dependency_attempts{suffix}"] = _ratio(
                    self._tries.over(step, seconds, before),
                    self._requests.over(step, seconds, before)[asked],
                )
        if self.pair_p95 is not None:
            found["dependency_call_p95"] = self._p95(self.pair_p95, step, TICK_SECONDS)
            before = max(1, step - 40)
            found["dependency_call_p95_before"] = self._p95(self.pair_p95, before, hours)
        facts = {
            name: tuple(
                LabelledValue(pair, float(value), now)
                for pair, value in zip(self.pairs, values, strict=True)
                if np.isfinite(value)
            )
            for name, values in found.items()
        }
        for name, listed in self.facts.items():
            facts[name] = tuple(LabelledValue(labels, value, now) for labels, value in listed)
        return facts

    def watched(self, first: float, last: float, every: float = 5.0) -> Iterator[Snapshot]:
        """Yield the judgement of each look between two times (seconds from the start)."""
        memory = Memory()
        looks = int((last - first) / every)
        for tick in range(looks + 1):
            now = START + first + tick * every
            snapshot, memory = evaluate(
                self.rows,
                self.observed(now),
                UP,
                memory,
                now,
                environment="calibration",
                tick=tick + 1,
                settings=self.settings,
            )
            yield snapshot


def _is_slow(name: str) -> bool:
    return name.endswith(("@6h", "@1d", "@3d", "@30d")) or name.startswith("low_confidence_ratio@")


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def row(model: str, slo: float = 0.99, **declared: object) -> ModelRow:
    """Return a declared model with an availability objective."""
    made = ModelRow(
        model,
        source="prom",
        objectives=Objectives(availability_ratio=slo, declared=True),
        configured=True,
    )
    return replace(made, **declared)  # type: ignore[arg-type]
