"""Placeholders in PromQL that an operator or a profile wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.metrics.labels import ExpressionError, Matcher, checked_label, selector

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\$(\$|[A-Za-z_][A-Za-z0-9_]*)?")


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with ``$name`` replaced from ``values`` and ``$$`` by a dollar, in one pass.

    What is put in is never read again, so a label value holding ``$window`` stays itself.
    Raises `ExpressionError` for any other placeholder.
    """

    def put(found: re.Match[str]) -> str:
        name = found.group(1)
        if name == "$":
            return "$"
        if name is None or name not in values:
            allowed = ", ".join(f"${known}" for known in sorted(values))
            raise ExpressionError(
                f"{found.group(0)} is not a placeholder; there are {allowed} and $$ for a dollar"
            )
        return values[name]

    return _PLACEHOLDER.sub(put, text)


def names(text: str) -> frozenset[str]:
    """Return the placeholder names in ``text``."""
    return frozenset(
        found.group(1) for found in _PLACEHOLDER.finditer(text) if found.group(1) not in (None, "$")
    )


RECENT_SECONDS = 150.0
"""A counter without a sample for so long has ended, as far as a short window is concerned."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question adds to an expression: grouping, matchers, window, offset, edge.

    ``by[0]`` is the label of the model (or dependency). Times are seconds. With a
    ``fallback_seconds`` a counter that has no two samples within the window is taken over that
    span, so that a short window suits sources that sample slowly too.
    """

    by: tuple[str, ...]
    matchers: tuple[Matcher, ...] = ()
    window_seconds: float = 300.0
    offset_seconds: float = 0.0
    edge: float | None = None
    fallback_seconds: float | None = None

    def grouping(self, *more: str) -> str:
        """Return the ``by`` clause."""
        return f"by ({', '.join(map(checked_label, (*self.by, *more)))})"

    @property
    def offset(self) -> str:
        """Return the ``offset`` clause with its leading space, or nothing."""
        return f" offset {duration(self.offset_seconds)}" if self.offset_seconds else ""

    def instant(self, metric: str, where: tuple[Matcher, ...]) -> str:
        """Return an instant selector."""
        return selector(metric, (*where, *self.matchers)) + self.offset

    def bare(self, metric: str) -> str:
        """Return an instant selector without the scope's matchers: of what others export."""
        return selector(metric, ()) + self.offset

    def ranged(self, metric: str, where: tuple[Matcher, ...]) -> str:
        """Return a range selector over the window."""
        return self.over(metric, where, self.window_seconds)

    def over(self, metric: str, where: tuple[Matcher, ...], seconds: float) -> str:
        """Return a range selector over ``seconds``."""
        text = selector(metric, (*where, *self.matchers))
        return f"{text}[{duration(seconds)}]{self.offset}"


def duration(seconds: float) -> str:
    """Return seconds as a PromQL duration in its largest whole unit: 5m, 6h, 30d, 167m."""
    milliseconds = round(seconds * 1000)
    if milliseconds <= 0:
        raise ExpressionError(f"a window is longer than nothing, not {seconds} s")
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def number(value: float) -> str:
    """Return a number as PromQL reads it."""
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
