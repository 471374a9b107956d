"""Which series tell how far back a windowed number can look, and how to ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.signals.matchers import Matcher, checked_label, conditions, one_of, selector
from console.signals.profile import profiles
from console.signals.scope import duration
from console.sources.past import COVERED_SHARE, SHORT_WINDOW_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from console.signals.query import Query

MOST_NAMED = 30
"""Up to so many models are asked for by name; beyond, the whole fleet is."""

LOOK_SECONDS = 1800.0
"""A probe looks at so much before its moment, because samples may be minutes apart."""

_EVERY_OBSERVATION = Matcher("le", "=", "+Inf")


@dataclass(frozen=True, slots=True)
class Family:
    """Series that a number is made of, one a histogram: metric names with their conditions.

    ``label`` is the model's. ``certain`` says that a model in the answer is in these series; an
    operator's own PromQL is judged by the profile's signature, which may not name it.
    """

    label: str
    selectors: tuple[tuple[str, tuple[Matcher, ...]], ...]
    certain: bool = True

    def promql(self, offset_seconds: float, named: Collection[str]) -> str:
        """Return who had samples ``offset_seconds`` ago, of ``named`` models if there are few."""
        only = (one_of(self.label, tuple(sorted(named))),) if len(named) <= MOST_NAMED else ()
        whole = round(offset_seconds * 1000) / 1000
        back = f" offset {duration(whole)}" if whole else ""
        by = f"count by ({checked_label(self.label)})"
        return " or ".join(
            f"{by} (last_over_time({selector(metric, (*where, *only))}"
            f"[{duration(LOOK_SECONDS)}]{back}))"
            for metric, where in self.selectors
        )


def needed_seconds(query: Query) -> float | None:
    """Return how far back the series of an honest answer reach; None for a short window."""
    window = query.window_seconds
    if window is None or window <= SHORT_WINDOW_SECONDS:
        return None
    return query.offset_seconds + COVERED_SHARE * window


def family_of(query: Query) -> Family | None:
    """Return the series behind a query, None where nobody can tell."""
    label = query.by[0]
    metrics = frozenset[str]() if query.expression is None else query.expression.metrics()
    if metrics:
        named = _one_a_histogram(metrics)
        return Family(label, tuple((m, (*where, *query.matchers)) for m, where in named))
    profile = profiles().get(query.profile)
    if profile is None or label != profile.model_label:
        return None
    where = (*conditions(profile.discovery_where), *query.matchers)
    return Family(label, tuple((metric, where) for metric in profile.signature), certain=False)


def _one_a_histogram(metrics: frozenset[str]) -> list[tuple[str, tuple[Matcher, ...]]]:
    """Leave out a histogram's other series: its buckets are many and begin when it does."""
    found: dict[str, tuple[Matcher, ...]] = {}
    for metric in sorted(metrics):
        stem = metric.removesuffix("_bucket").removesuffix("_sum")
        if stem != metric and f"{stem}_count" in metrics:
            continue
        found[metric] = (_EVERY_OBSERVATION,) if metric.endswith("_bucket") else ()
    return list(found.items())
