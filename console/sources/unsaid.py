"""Servers that leave 0/0 out of their answers, where Prometheus says NaN.

VictoriaMetrics answers the error ratio of an idle model with nothing, as if nobody measured it.
No traffic and no data are two things: where such a server says that a model is asked nothing, what
it leaves out of that model's shares and quantiles is put back as NaN.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from console.signals.methods import divides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.facts.samples import Answer
    from console.signals.query import Query

    Keys = tuple[tuple[str, ...], ...]

ZERO_BY_ZERO = "vector(0) / vector(0)"
"""One NaN from a server that tells it, no series from one that leaves it out."""

TRAFFIC = "requests_rate"


class Unsaid:
    """What one server leaves out. ``known`` is False until it was asked `ZERO_BY_ZERO`."""

    def __init__(self) -> None:
        self.known = False
        self._leaves_out = False
        self._idle: dict[str, frozenset[str]] = {}

    def learn(self, series_count: int) -> None:
        """Take the number of series the server answered `ZERO_BY_ZERO` with."""
        self.known = True
        self._leaves_out = series_count == 0

    def put_back(
        self,
        queries: Sequence[Query],
        answers: Sequence[Answer],
        same_keys: Callable[[str, Keys], Keys],
    ) -> list[Answer]:
        """Return the answers of one round with NaN for idle models that were left out.

        ``same_keys`` returns the known keys object of a query where it says the same.
        """
        if not self._leaves_out:
            return list(answers)
        self._see_idle(queries, answers)
        return [
            self._with_idle(query, answer, same_keys)
            for query, answer in zip(queries, answers, strict=True)
        ]

    def _see_idle(self, queries: Sequence[Query], answers: Sequence[Answer]) -> None:
        """Note per profile which models are asked nothing; other questions come less often."""
        idle: dict[str, set[str]] = {}
        for query, answer in zip(queries, answers, strict=True):
            if query.column == TRAFFIC and len(query.by) == 1 and answer.error is None:
                names = idle.setdefault(query.profile, set())
                still = np.flatnonzero(answer.values == 0.0).tolist()
                names.update(answer.keys[place][0] for place in still)
        self._idle.update((profile, frozenset(names)) for profile, names in idle.items())

    def _with_idle(
        self, query: Query, answer: Answer, same_keys: Callable[[str, Keys], Keys]
    ) -> Answer:
        idle = self._idle.get(query.profile)
        asked = query.expression is not None and len(query.by) == 1 and not query.exclusive
        if not idle or not asked or answer.error is not None:
            return answer
        if query.expression is None or not divides(query.expression):
            return answer
        wanted = idle if query.models is None else idle & query.models
        missing = sorted(wanted - {key[0] for key in answer.keys})
        if not missing:
            return answer
        keys = (*answer.keys, *((name,) for name in missing))
        values = np.concatenate([answer.values, np.full(len(missing), np.nan)])
        return replace(answer, keys=same_keys(query.id, keys), values=values)
