"""Puts questions of one round together into fewer queries, and takes the answers apart again.

Measured on 30 models: a query costs 5 ms of this machine's time whatever it asks, and one tick
has 35 to 110 of them. A server computes the parts of one query one after another, so a large
fleet's questions, each of which takes it long, are put together less or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.sources.prom_api import Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.metrics.queries import Query

MARK = "midwatch_question"
"""The label that tells in a common answer which question a series answers."""

MOST_TOGETHER = 12
MOST_SERIES = 4_000
"""Series that the questions of one query are expected to have together."""

MOST_CHARACTERS = 8_000
"""Half of what VictoriaMetrics takes by default; Prometheus sets no limit."""

_MARKED_CHARACTERS = 60


def batches(queries: Sequence[Query], rows: int, alone: frozenset[str]) -> list[list[int]]:
    """Return the places of ``queries`` in groups to be asked together, in the given order.

    ``rows`` is how many models answer, ``alone`` are ids that are asked by themselves. So is what
    an operator wrote, which need not be a vector, and a histogram, which has many series a model.
    """
    together = min(MOST_TOGETHER, max(1, MOST_SERIES // max(rows, 1)))
    groups: list[list[int]] = []
    characters = MOST_CHARACTERS
    last: list[int] = []
    for place, query in enumerate(queries):
        if query.expression is None or query.is_buckets or query.id in alone:
            groups.append([place])
            continue
        size = len(query.promql) + _MARKED_CHARACTERS
        if not last or len(last) >= together or characters + size > MOST_CHARACTERS:
            last = []
            groups.append(last)
            characters = 0
        last.append(place)
        characters += size
    return groups


def joined(queries: Sequence[Query]) -> str:
    """Return one query for several, each series marked with the number of its question."""
    marked = (
        f'label_replace({query.promql}, "{MARK}", "{number}", "", "")'
        for number, query in enumerate(queries)
    )
    return " or ".join(marked)


def parted(vector: Vector, count: int) -> list[Vector] | None:
    """Return the answer of each of ``count`` questions; None where that cannot be told.

    A native histogram has no number and is skipped before anybody knows whose it was.
    """
    if vector.skipped:
        return None
    places: list[list[int]] = [[] for _ in range(count)]
    for place, labels in enumerate(vector.labels):
        number = labels.pop(MARK, "")
        if not number.isdecimal() or int(number) >= count:
            return None
        places[int(number)].append(place)
    return [
        Vector(
            [vector.labels[place] for place in each], vector.values[np.asarray(each, np.intp)], 0
        )
        for each in places
    ]
