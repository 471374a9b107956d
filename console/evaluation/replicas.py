"""Lays out what each replica of a model does, and finds the one that stands out of its siblings.

An average over four replicas hides that one is ten times slower: its users are hurt all the same.
Each is held against the median of the others, never against the average that it is part of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from console.metrics.replica_queries import PREFIX, WINDOW_SECONDS
from console.metrics.units import format_signal, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.domain.snapshot import Replica
    from console.evaluation.observations import LabelledValue, Statics

FACTOR = 2.0
"""So many times the median of its siblings makes a replica stand out."""

FEWEST_REQUESTS = 20.0
LEAST_SECONDS, LEAST_ERROR_RATIO, LEAST_FAILED, LEAST_WAITING = 0.05, 0.05, 5.0, 10.0
"""Under these a difference is no harm: 50 ms, 5% that are at least 5 requests, 10 waiting."""

Way = Literal["failing", "slow", "queueing"]
_WAYS: tuple[tuple[Way, tuple[str, ...]], ...] = (
    ("failing", ("error_ratio",)),
    ("slow", ("latency_p95", "latency_mean", "ttft_p95")),
    ("queueing", ("queue_depth",)),
)
_LEAST = {
    "error_ratio": LEAST_ERROR_RATIO,
    "latency_p95": LEAST_SECONDS,
    "latency_mean": LEAST_SECONDS,
    "ttft_p95": LEAST_SECONDS,
    "queue_depth": LEAST_WAITING,
}
_WORD = {
    "error_ratio": "errors",
    "latency_p95": "p95",
    "latency_mean": "mean",
    "ttft_p95": "TTFT",
    "queue_depth": "waiting",
}


class Odd(NamedTuple):
    """Replicas that stand out in one way: by which signal, and the median of the others."""

    way: Way
    signal: str
    places: tuple[str, ...]
    value: float
    siblings: float
    of: int

    @property
    def text(self) -> str:
        """Return the sentence: ``1 of 4 slow: pod-2 p95 2.1s, its siblings .4s``."""
        shown = name(self.places[0]) + (
            f" and {len(self.places) - 1} more" if len(self.places) > 1 else ""
        )
        theirs = format_signal(self.signal, self.siblings)
        return (
            f"{len(self.places)} of {self.of} {self.way}: {shown} {_WORD[self.signal]} "
            f"{format_signal(self.signal, self.value)}, the others' median {theirs}"
        )


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """Replicas of each row by name, and what stands out; ``judged`` rows have enough to compare."""

    by_row: Mapping[int, tuple[Replica, ...]] = field(default_factory=dict)
    odd: Mapping[int, tuple[Odd, ...]] = field(default_factory=dict)
    judged: frozenset[int] = frozenset()


def replica_labels(labelled: Mapping[str, tuple[LabelledValue, ...]]) -> list[LabelledValue]:
    """Return the facts of all replica questions in one list, the signal after the model."""
    from dataclasses import replace

    return [
        replace(item, labels=(item.labels[0], column.removeprefix(PREFIX), *item.labels[1:]))
        for column, items in labelled.items()
        if column.startswith(PREFIX)
        for item in items
        if item.labels
    ]


def replica_facts(labelled: Iterable[LabelledValue], statics: Statics) -> ReplicaFacts:
    """Fold series labelled (model, signal, pod, instance) to the replicas of each row.

    A replica is called by its pod, else by its instance. Of rows with one replica there is no
    entry: it has no siblings, and its numbers are the row's own.
    """
    from console.domain.snapshot import Replica

    found: dict[int, dict[str, dict[str, float]]] = {}
    for item in labelled:
        row = statics.index.get(item.labels[0])
        place = next((label for label in item.labels[2:] if label), "")
        if row is None or not place or item.value != item.value:
            continue
        found.setdefault(row, {}).setdefault(place, {})[item.labels[1]] = item.value
    by_row = {
        row: tuple(Replica(place, values) for place, values in sorted(places.items()))
        for row, places in found.items()
        if len(places) > 1
    }
    odd = {row: each for row, replicas in by_row.items() if (each := odd_ones(replicas))}
    for row, ways in odd.items():
        by_row[row] = tuple(
            Replica(
                each.place, each.values, ", ".join(o.way for o in ways if each.place in o.places)
            )
            for each in by_row[row]
        )
    judged = frozenset(
        row for row, replicas in by_row.items() if sum(map(_has_enough, replicas)) > 1
    )
    return ReplicaFacts(by_row, odd, judged)


def _has_enough(replica: Replica) -> bool:
    return replica.values.get("requests_rate", 0.0) * WINDOW_SECONDS >= FEWEST_REQUESTS


def odd_ones(replicas: tuple[Replica, ...]) -> tuple[Odd, ...]:
    """Return in which ways some stand out, the worst way first; never more than half of them."""
    found = []
    for way, signals in _WAYS:
        for signal in signals:
            odd = _odd(replicas, way, signal)
            if odd is not None:
                found.append(odd)
                break
    return tuple(found)


def _odd(replicas: tuple[Replica, ...], way: Way, signal: str) -> Odd | None:
    # A queue needs no traffic to be one: the replica that hangs answers nothing.
    counted = [
        each
        for each in replicas
        if signal in each.values and (way == "queueing" or _has_enough(each))
    ]
    places = [each for each in counted if _stands_out(each, counted, signal)]
    if not places or 2 * len(places) > len(counted):
        return None
    worst = max(places, key=lambda each: each.values[signal])
    others = [each.values[signal] for each in counted if each not in places]
    if not others:
        return None
    names = (worst.place, *(each.place for each in places if each is not worst))
    return Odd(way, signal, names, worst.values[signal], median(others), len(replicas))


def _stands_out(one: Replica, replicas: list[Replica], signal: str) -> bool:
    others = [each.values[signal] for each in replicas if each is not one]
    if not others:
        return False
    value, theirs = one.values[signal], median(others)
    if signal == "error_ratio":
        failed = value * one.values.get("requests_rate", 0.0) * WINDOW_SECONDS
        if failed < LEAST_FAILED:
            return False
    return value >= FACTOR * theirs and value - theirs >= _LEAST[signal]
