"""What can be said of a measurement from its form alone: span, method, and who can answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.signals.expressions import (
    Either,
    Gauge,
    HistogramMean,
    Increase,
    Node,
    OrZero,
    Quantile,
    Rate,
    Ratio,
    Raw,
    Scaled,
    ShareAbove,
    ShareBelow,
    Slope,
    Started,
    Sum,
)
from console.signals.placeholders import names as placeholders

if TYPE_CHECKING:
    from console.signals.expressions import Expression


def is_windowed(expression: Expression) -> bool:
    """Tell whether the measurement looks at a span of time rather than at the last values."""
    if isinstance(expression, Raw):
        return "window" in placeholders(expression.text)
    if isinstance(expression, (Gauge, Started)):
        return False
    parts = expression.parts()
    return not parts or any(map(is_windowed, parts))


def divides(expression: Expression) -> bool:
    """Tell whether the measurement of somebody who was asked nothing is 0/0."""
    kinds = (Ratio, Quantile, HistogramMean, ShareBelow)
    return isinstance(expression, kinds) or any(map(divides, expression.parts()))


def method(expression: Expression) -> str:
    """Return how the number is made, in the words of ``?`` and the status document."""
    match expression:
        case Gauge(aggregation=aggregation, where=where):
            kind = "summary quantile" if "quantile" in where else "last value"
            return f"{kind}, {aggregation}"
        case Scaled(of=of):
            return method(of)
        case Either(options=options):
            return method(options[0])
    return _METHODS[type(expression)]


_METHODS: dict[type[Node], str] = {
    Rate: "rate",
    Increase: "increase",
    Slope: "slope",
    Quantile: "histogram_quantile",
    HistogramMean: "mean",
    ShareBelow: "bucket share",
    ShareAbove: "bucket share",
    Ratio: "ratio",
    OrZero: "rate",
    Sum: "sum",
    Started: "newest process",
    Raw: "PromQL",
}


def is_answerable(expression: Expression) -> bool:
    """Tell whether stored samples can answer, which raw PromQL prevents."""
    return not isinstance(expression, Raw) and all(map(is_answerable, expression.parts()))
