"""Questions about one span of time and one model: how much was counted, from then to then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.signals.expressions import Gauge
from console.signals.matchers import exactly
from console.signals.methods import method
from console.signals.query import Query
from console.signals.scores import spelled
from console.signals.variants import measurements

if TYPE_CHECKING:
    from console.signals.expressions import Expression
    from console.signals.profile import Profile

LOWER_LEVELS = ("L2", "L3")


@dataclass(frozen=True, slots=True)
class OneModel:
    """A model as its source knows it: its profile, its series value, and further labels of its."""

    profile: Profile
    series_value: str
    labels: tuple[tuple[str, str], ...] = ()


def over_span(
    model: OneModel,
    name: str,
    seconds: float,
    ended_seconds_ago: float = 0.0,
    edge: float | None = None,
) -> Query | None:
    """Return the question for a measurement's mean over ``seconds``.

    ``name`` is a signal, a part (``cost_rate``) or a fact, whose further labels are summed over.
    A rate times the span is what was counted. None where the profile does not measure it.
    """
    defined = measurements(model.profile).get(name)
    label = model.profile.model_label
    if defined is not None:
        label = defined.model_label or label
        return _query(model, name, label, defined.expression, seconds, ended_seconds_ago, edge)
    fact = model.profile.facts.get(name)
    if fact is None:
        return None
    return _query(model, name, label, fact.expression, seconds, ended_seconds_ago, edge)


def on_lower_level(model: OneModel) -> Query | None:
    """Return the question whether a model's traffic goes to a rung of L2 or L3: 1 where it does."""
    fact = model.profile.facts.get("route")
    if fact is None or "level" not in fact.by or not isinstance(fact.expression, Gauge):
        return None
    gauge = fact.expression
    there = Gauge(gauge.metric, "max", {**gauge.where, "level": LOWER_LEVELS}, gauge.above)
    return _query(model, "lower_level", model.profile.model_label, there)


def _query(
    model: OneModel,
    name: str,
    label: str,
    expression: Expression,
    seconds: float = 0.0,
    ended_seconds_ago: float = 0.0,
    edge: float | None = None,
) -> Query:
    return spelled(
        Query(
            id=f"{model.profile.name}/{name} of one over a span",
            column=name,
            profile=model.profile.name,
            by=(label,),
            promql="",
            expression=expression,
            # Whole seconds: a window that is none cannot be spelt in every server's PromQL.
            window_seconds=float(round(seconds)) or None,
            offset_seconds=float(round(ended_seconds_ago)),
            edge=edge,
            method=method(expression),
            matchers=exactly({**dict(model.labels), label: model.series_value}),
        )
    )
