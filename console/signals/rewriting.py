"""Measurements made from others: a rate's growth over its window, another quantile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.signals.expressions import Either, Increase, OrZero, Quantile, Rate, Scaled, Sum
from console.signals.matchers import ExpressionError

if TYPE_CHECKING:
    from console.signals.expressions import Expression


def over_window(expression: Expression) -> Expression:
    """Return the growth over the window of a measurement made of rates.

    Raises `ExpressionError` when a part is not a rate, because the result would be neither.
    """
    match expression:
        case Rate(metric=metric, where=where):
            return Increase(metric, where)
        case OrZero(of=of, total=total):
            return OrZero(over_window(of), over_window(total))
        case Sum(terms=terms):
            return Sum(tuple(map(over_window, terms)))
        case Either(options=options):
            return Either(tuple(map(over_window, options)))
        case Scaled(of=of, factor=factor):
            return Scaled(over_window(of), factor)
    raise ExpressionError(f"{type(expression).__name__} is not a rate and has no growth")


def at_quantile(expression: Expression, q: float) -> Expression | None:
    """Return a measured quantile at another ``q`` (0-1), or None for what is no quantile."""
    match expression:
        case Quantile(histogram=histogram, where=where):
            return Quantile(q, histogram, where)
        case Scaled(of=of, factor=factor):
            inner = at_quantile(of, q)
            return None if inner is None else Scaled(inner, factor)
        case Either(options=options):
            found = [at_quantile(option, q) for option in options]
            known = tuple(option for option in found if option is not None)
            return Either(known) if len(known) == len(options) else None
    return None
