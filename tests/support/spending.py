"""Thirty-six days of eight models that spend, as OpenMetrics text and as plain sums."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY = 86400.0
STEP_SECONDS = 1800.0
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp()
"""A Wednesday at noon, on a sample."""

MIDNIGHT, FIRST = NOW - NOW % DAY, datetime(2026, 11, 1, tzinfo=UTC).timestamp()
BEGIN = MIDNIGHT - 37 * DAY
TIMES = np.arange(BEGIN, NOW + 1.0, STEP_SECONDS)
SPANS = {
    "month": (FIRST, NOW),
    "today": (MIDNIGHT, NOW),
    "day": (NOW - DAY, NOW),
    "day_before": (NOW - 8 * DAY, NOW - 7 * DAY),
}


@dataclass(slots=True)
class Counter:
    """One counter: how much it grew within each step (the first entry is not used)."""

    metric: str
    labels: dict[str, str]
    grown: Floats
    reset_at: float | None = None
    absent: tuple[float, float] = (0.0, 0.0)
    born_at: float = BEGIN

    def sum(self, span: str) -> float:
        """Return what it grew over a span, added up step by step."""
        begin, end = SPANS[span]
        return self.between(max(begin, self.born_at), end)

    def between(self, begin: float, end: float) -> float:
        """Return what it grew between two moments (Unix seconds)."""
        first, last = np.searchsorted(TIMES, (begin, end), side="right")
        return float(np.sum(self.grown[first:last]))

    def lines(self) -> Iterator[str]:
        """Yield its samples as OpenMetrics text."""
        labels = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        total = 0.0
        for at, grown in zip(TIMES.tolist(), self.grown.tolist(), strict=True):
            if at < self.born_at:
                continue
            total = 0.0 if at == self.born_at else total + grown
            if at == self.reset_at:
                total = grown
            if not self.absent[0] < at < self.absent[1]:
                yield f"{self.metric}{{{labels}}} {total!r} {at:.0f}"


@dataclass(slots=True)
class Spender:
    """One model: its counters, and what its configuration declares."""

    model: str
    counters: list[Counter] = field(default_factory=list)
    budget_usd: float | None = None

    def add(self, metric: str, hourly: Floats, **more: object) -> None:
        """Add a counter that grows by ``hourly`` an hour."""
        labels = {"model": self.model, **{k: str(v) for k, v in more.items() if k in _LABELS}}
        others = {k: v for k, v in more.items() if k not in _LABELS}
        grown = np.asarray(hourly * (STEP_SECONDS / 3600.0) * np.ones(len(TIMES)))
        self.counters.append(Counter(metric, labels, grown, **others))  # type: ignore[arg-type]

    def sum(self, metric: str, span: str, **labels: str) -> float:
        """Return what counters of a metric with these labels grew over a span."""
        return sum(
            each.sum(span)
            for each in self.counters
            if each.metric == metric and labels.items() <= each.labels.items()
        )


_LABELS = ("outcome", "kind", "component", "team", "use")
USD, REQUESTS, TOKENS = "model_cost_usd_total", "model_requests_total", "model_tokens_total"


def spenders() -> tuple[Spender, ...]:
    """Return eight models: weekdays, step, reset, gap, young, batch, office hours, negative."""
    hours = (TIMES - 1.0) % DAY / 3600.0
    weekday = np.array([datetime.fromtimestamp(at - 1.0, UTC).weekday() for at in TIMES])
    working = (weekday < 5).astype(np.float64)
    after_step = (TIMES > MIDNIGHT - 5 * DAY).astype(np.float64)
    office = working * ((hours >= 8) & (hours < 18))
    batch = ((hours >= 2) & (hours < 4)).astype(np.float64)
    even = np.ones(len(TIMES))

    weekdays = Spender("weekdays", budget_usd=2000.0)
    _spend(weekdays, 2.0 + 3.0 * working, 400.0 + 600.0 * working, retry=0.2)
    step = Spender("step", budget_usd=500.0)
    _spend(step, 1.0 + after_step, 300.0 * even)
    reset = Spender("reset")
    _spend(reset, 1.5 * even, 200.0 * even, reset_at=MIDNIGHT - 3 * DAY + 9.5 * 3600)
    gap = Spender("gap")
    away = (MIDNIGHT - 10 * DAY + 6 * 3600, MIDNIGHT - 10 * DAY + 14 * 3600)
    _spend(gap, 1.0 * even, 100.0 * even, absent=away)
    young = Spender("young", budget_usd=300.0)
    _spend(young, 0.75 * even, 80.0 * even, born_at=MIDNIGHT - 12 * DAY + 6 * 3600)
    night = Spender("batch", budget_usd=900.0)
    _spend(night, 12.0 * batch, 9000.0 * batch)
    desk = Spender("office", budget_usd=1200.0)
    _spend(desk, 5.0 * office, 2000.0 * office, retry=0.1)
    odd = Spender("negative")
    odd.add(USD, -0.5 * even, component="inference", team="risk", use="fallback")
    odd.add(REQUESTS, 100.0 * even, outcome="success")
    return weekdays, step, reset, gap, young, night, desk, odd


def _spend(
    spender: Spender, usd: Floats, requests: Floats, retry: float = 0.0, **more: object
) -> None:
    team = "risk" if spender.model in ("weekdays", "step", "reset") else "search"
    spender.add(USD, usd * (1 - retry), component="inference", team=team, use="useful", **more)
    if retry:
        spender.add(USD, usd * retry, component="inference", team=team, use="retry", **more)
    spender.add(USD, usd * 0.1, component="retraining", team="platform", use="useful", **more)
    spender.add(REQUESTS, requests * 0.95, outcome="success", **more)
    spender.add(REQUESTS, requests * 0.05, outcome="error", **more)
    spender.add(TOKENS, requests * 300.0, kind="output", **more)


def openmetrics(all_of: tuple[Spender, ...]) -> str:
    """Return every sample as OpenMetrics text, a metric after the other."""
    lines: list[str] = []
    for metric in (USD, REQUESTS, TOKENS):
        lines.append(f"# TYPE {metric.removesuffix('_total')} counter")
        for spender in all_of:
            for counter in spender.counters:
                if counter.metric == metric:
                    lines.extend(counter.lines())
    return "\n".join(lines) + "\n"
