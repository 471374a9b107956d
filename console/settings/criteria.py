"""Written criteria for acting: ``error_ratio > 0.2 for 3m``."""

import math
import re
from typing import Literal

from msgspec import Struct

from console.settings.durations import DurationError, parse_duration

Comparison = Literal[">", ">=", "<", "<="]
COMPARISONS: tuple[Comparison, ...] = (">", ">=", "<", "<=")
ALLOWED = '"SIGNAL > VALUE" or "SIGNAL > VALUE for DURATION", comparisons > >= < <='

_CRITERION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|>|<)\s*(\S+)(?:\s+for\s+(\S+))?\s*")


class CriterionError(ValueError):
    """A text that is no criterion; the message says what is allowed."""


class Criterion(Struct, frozen=True):
    """``signal`` compared with ``value`` (in the signal's unit), held for ``for_seconds``."""

    signal: str
    comparison: Comparison
    value: float
    for_seconds: float

    def holds(self, reading: float) -> bool:
        """Return whether one reading meets the comparison; NaN never does."""
        match self.comparison:
            case ">":
                return reading > self.value
            case ">=":
                return reading >= self.value
            case "<":
                return reading < self.value
            case "<=":
                return reading <= self.value


def parse_criterion(text: str) -> Criterion:
    """Return the criterion written in ``text``; raise ``CriterionError`` if it is none."""
    found = _CRITERION.fullmatch(text)
    if found is None:
        raise CriterionError(ALLOWED)
    signal, written, number, duration = found.groups()
    comparison = next(each for each in COMPARISONS if each == written)
    try:
        value = float(number)
        for_seconds = parse_duration(duration) if duration else 0.0
    except DurationError as error:
        raise CriterionError(f"after for, {error}") from error
    except ValueError as error:
        raise CriterionError(f"{ALLOWED}; VALUE is a number") from error
    if not math.isfinite(value):
        raise CriterionError(f"{ALLOWED}; VALUE is a finite number")
    return Criterion(signal, comparison, value, for_seconds)
