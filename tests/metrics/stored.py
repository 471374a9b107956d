"""Samples for tests: kept in memory for the evaluation, and written out for a real Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from console.metrics.histogram import LOOKBACK_SECONDS, Labels, Latest, Window
from console.metrics.labels import Matcher


@dataclass(frozen=True)
class Stored:
    name: str
    labels: Labels
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass
class ListStore:
    """The plainest store: a list of series, searched each time."""

    series: list[Stored] = field(default_factory=list)
    _labels: dict[tuple[Labels, ...], tuple[Labels, ...]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        labels: Mapping[str, str],
        times: Sequence[float],
        values: Sequence[float],
    ) -> None:
        kept = tuple(sorted((k, v) for k, v in labels.items() if v))
        rounded = tuple(round(t, 3) for t in times)
        self.series.append(Stored(name, kept, rounded, tuple(map(float, values))))

    def window(
        self, metric: str, matchers: tuple[Matcher, ...], start: float, end: float
    ) -> Window:
        found = []
        for series in self._matching(metric, matchers):
            inside = [
                (t, v)
                for t, v in zip(series.times, series.values, strict=True)
                if start - 1e-6 <= t <= end + 1e-6
            ]
            found.append((series.labels, inside))
        widest = max((len(inside) for _, inside in found), default=0)
        times = np.full((len(found), widest), 7.0)
        values = np.full((len(found), widest), -99.0)
        for row, (_, inside) in enumerate(found):
            for column, (moment, value) in enumerate(inside):
                times[row, column], values[row, column] = moment, value
        counts = np.array([len(inside) for _, inside in found], dtype=np.int64)
        return Window(self._same(tuple(labels for labels, _ in found)), times, values, counts)

    def latest(self, metric: str, matchers: tuple[Matcher, ...], at: float) -> Latest:
        labels, values = [], []
        for series in self._matching(metric, matchers):
            before = [place for place, t in enumerate(series.times) if t <= at + 1e-6]
            if before and series.times[before[-1]] >= at - LOOKBACK_SECONDS - 1e-6:
                labels.append(series.labels)
                values.append(series.values[before[-1]])
        return Latest(self._same(tuple(labels)), np.array(values, dtype=np.float64))

    def _matching(self, metric: str, matchers: tuple[Matcher, ...]) -> list[Stored]:
        return [
            series
            for series in self.series
            if series.name == metric
            and all(m.holds(dict(series.labels).get(m.label, "")) for m in matchers)
        ]

    def _same(self, labels: tuple[Labels, ...]) -> tuple[Labels, ...]:
        return self._labels.setdefault(labels, labels)

    def openmetrics(self) -> str:
        """Return all samples with their times, families together."""
        lines = []
        for series in sorted(self.series, key=lambda s: s.name):
            inside = ",".join(f'{k}="{_escaped(v)}"' for k, v in series.labels)
            head = f"{series.name}{{{inside}}}"
            for moment, value in zip(series.times, series.values, strict=True):
                lines.append(f"{head} {_number(value)} {moment:.3f}")
        return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return {float("inf"): "+Inf", float("-inf"): "-Inf"}.get(value, repr(value))
