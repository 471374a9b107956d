"""Which replica stands out of its siblings, and which differences are no harm."""

from __future__ import annotations

import pytest

from console.domain.snapshot import Replica
from console.evaluation.replicas import odd_ones


def four(signal: str, *values: float, rate: float = 1.0) -> tuple[Replica, ...]:
    return tuple(
        Replica(f"pod-{number}", {signal: value, "requests_rate": rate})
        for number, value in enumerate(values)
    )


@pytest.mark.parametrize(
    ("replicas", "way"),
    [
        (four("latency_p95", 0.2, 0.2, 0.2, 0.5), "slow"),
        (four("ttft_p95", 0.2, 0.9), "slow"),
        (four("latency_p95", 0.2, 0.2, 0.2, 0.3), None),  # not twice as slow
        (four("latency_p95", 0.002, 0.002, 0.002, 0.02), None),  # 18 ms hurt nobody
        (four("latency_p95", 0.2, 0.2, 0.9, 0.9), "slow"),  # half of them
        (four("latency_p95", 0.2, 0.9, 0.9, 0.9), None),  # one fast is no harm
        (four("latency_p95", 0.2, 0.2, 0.2, 0.9, rate=0.1), None),  # 12 requests each
        (four("error_ratio", 0.0, 0.0, 0.0, 0.2), "failing"),
        (four("error_ratio", 0.0, 0.0, 0.0, 0.04), None),
        (four("error_ratio", 0.2, 0.2, 0.2, 0.2), None),
        (four("queue_depth", 1, 1, 2, 40, rate=0.0), "queueing"),  # it hangs: no traffic either
        (four("queue_depth", 0, 0, 0, 5), None),
    ],
)
def test_twice_the_median_of_the_others_and_enough_to_hurt(
    replicas: tuple[Replica, ...], way: str | None
) -> None:
    found = odd_ones(replicas)
    assert [each.way for each in found] == ([] if way is None else [way])


def test_the_sentence_names_the_worst_and_counts_them() -> None:
    (odd,) = odd_ones(four("latency_p95", 0.2, 0.2, 0.2, 0.2, 0.9, 1.5))
    assert odd.text == "2 of 6 slow: pod-5 and 1 more p95 1.5s, the others' median .2s"
