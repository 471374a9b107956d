"""One question to a source: what is asked, for whom, how often, and where the answer goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from console.signals.expressions import Scope
from console.signals.methods import is_answerable

if TYPE_CHECKING:
    from console.signals.expressions import Expression
    from console.signals.matchers import Matcher

Cadence = Literal["tick", "slow", "rare"]
BUCKET_LABEL = "le"


@dataclass(frozen=True, slots=True)
class Query:
    """One instant query for the whole fleet.

    ``by`` names the labels whose values form ``Answer.keys``; ``by[0]`` is the model's (or
    dependency's) label. ``models`` lists the series values that take the answer (None: all).
    ``n_column`` gives the samples behind a value: the value itself for a column in ``1``,
    times the window for one in ``1/s``; under ``min_n`` a value is too_few. ``exclusive``
    marks an operator's own PromQL, which replaces the profile's answer even when it is empty;
    if it names one model and answers one series, that series is the model's whatever its labels.
    ``fallback_seconds`` is the span taken where the window holds no two samples (`Scope`).
    Times are seconds.
    """

    id: str
    column: str
    profile: str
    by: tuple[str, ...]
    promql: str
    expression: Expression | None
    window_seconds: float | None = None
    offset_seconds: float = 0.0
    edge: float | None = None
    cadence: Cadence = "tick"
    labelled: bool = False
    models: frozenset[str] | None = None
    method: str = ""
    n_column: str | None = None
    min_n: float = 0.0
    matchers: tuple[Matcher, ...] = ()
    exclusive: bool = False
    fallback_seconds: float | None = None

    def scope(self) -> Scope:
        """Return the scope the expression is compiled and evaluated in."""
        return Scope(
            by=self.by,
            matchers=self.matchers,
            window_seconds=self.window_seconds or 300.0,
            offset_seconds=self.offset_seconds,
            edge=self.edge,
            fallback_seconds=self.fallback_seconds,
        )

    def over_steps(self, step_seconds: float) -> Query:
        """Return the question for a chart: steps longer than a short window need a longer one."""
        if self.fallback_seconds is None or step_seconds <= (self.window_seconds or 0.0) / 2:
            return self
        return replace(self, window_seconds=self.fallback_seconds, fallback_seconds=None)

    @property
    def is_buckets(self) -> bool:
        """Tell whether the answer is a histogram: one series a model and upper edge."""
        return self.by[-1:] == (BUCKET_LABEL,)

    @property
    def answerable_from_samples(self) -> bool:
        """Tell whether a source without PromQL can answer."""
        return self.expression is not None and is_answerable(self.expression)
