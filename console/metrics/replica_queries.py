"""Asks what each replica of a model does: the questions by which one stands out of its siblings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.metrics.expressions import is_windowed, method
from console.metrics.queries import Query, spelled
from console.metrics.variants import measurements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.metrics.labels import Matcher
    from console.metrics.profile import Profile

PREFIX = "replica:"
REPLICA_SIGNALS = (
    "requests_rate", "error_ratio", "latency_p95", "latency_mean", "ttft_p95", "queue_depth",
    "kv_cache", "saturation",
)  # fmt: skip
"""What is asked of each replica; the mean only where there is no percentile."""

PLACE = ("pod", "instance")
WINDOW_SECONDS = 120.0
"""Shorter than the row's own windows: one bad replica of four is to be seen within two minutes."""


def replica_queries(
    profile: Profile, matchers: tuple[Matcher, ...], models: frozenset[str] | None
) -> Iterator[Query]:
    """Yield one question a signal, by model, pod and instance; a companion is asked none."""
    if profile.role == "companion":
        return
    defined = measurements(profile)
    percentile = "latency_p95" in defined
    for name in REPLICA_SIGNALS:
        definition = defined.get(name)
        if definition is None or (name == "latency_mean" and percentile):
            continue
        windowed = is_windowed(definition.expression)
        query = Query(
            id=f"{profile.name}/{PREFIX}{name}",
            column=f"{PREFIX}{name}",
            profile=profile.name,
            by=(definition.model_label or profile.model_label, *PLACE),
            promql="",
            expression=definition.expression,
            window_seconds=WINDOW_SECONDS if windowed else None,
            cadence="slow",
            labelled=True,
            models=models,
            method=method(definition.expression),
            matchers=matchers,
            derived=profile.derived,
            role=profile.role,
        )
        told = ",".join(matcher.text() for matcher in matchers)
        yield spelled(replace(query, id=f"{query.id}{{{told}}}") if told else query)
