"""Label conditions: read from a profile, written into PromQL, tried on stored labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Operator = Literal["=", "!=", "=~", "!~"]
Conditions = Mapping[str, str | tuple[str, ...]]

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_REGEX_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_UNREADABLE = "\ufffd"


class ExpressionError(ValueError):
    """A measurement that cannot be asked for; the message is a sentence for the operator."""


class Matcher(Struct, frozen=True):
    """One condition on one label; ``value`` is an anchored RE2 pattern for ``=~`` and ``!~``."""

    label: str
    operator: Operator
    value: str

    def text(self) -> str:
        """Return the condition as PromQL."""
        return f"{self.label}{self.operator}{quoted(self.value)}"

    def holds(self, value: str) -> bool:
        """Tell whether a label value (empty: the label is absent) meets the condition."""
        if self.operator in ("=", "!="):
            found = value == self.value
        else:
            found = _pattern(self.value).fullmatch(value) is not None
        return found if self.operator in ("=", "=~") else not found


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def quoted(text: str) -> str:
    """Return ``text`` as a PromQL string literal that nothing inside can end early.

    The server's reader refuses the replacement character and unpaired surrogates written
    plainly, so these and all control characters are escaped by number.
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF or character == _UNREADABLE:
        return "\\ufffd"
    if 0x80 <= code < 0xA0 or code in (0x2028, 0x2029, 0xFEFF):
        return f"\\u{code:04x}"
    return character


def pattern_of(text: str) -> str:
    """Return an RE2 pattern that matches exactly ``text``."""
    return "".join("\\" + c if c in _REGEX_SPECIAL else c for c in text)


def exactly(labels: Mapping[str, str]) -> tuple[Matcher, ...]:
    """Return equality matchers for label values, sorted by label.

    Raises `ExpressionError` for a label name that PromQL cannot spell.
    """
    return tuple(Matcher(checked_label(name), "=", labels[name]) for name in sorted(labels))


def one_of(label: str, values: tuple[str, ...]) -> Matcher:
    """Return the matcher for any of several exact values."""
    if len(values) == 1:
        return Matcher(checked_label(label), "=", values[0])
    return Matcher(checked_label(label), "=~", "|".join(map(pattern_of, values)))


def conditions(where: Conditions) -> tuple[Matcher, ...]:
    """Read a profile's ``where``: a value, a list of values, or ``=~…`` ``!=…`` ``!~…``."""
    return tuple(_condition(label, where[label]) for label in sorted(where))


def _condition(label: str, wanted: str | tuple[str, ...]) -> Matcher:
    if not isinstance(wanted, str):
        return one_of(label, wanted)
    operators: tuple[Operator, ...] = ("=~", "!=", "!~")
    for operator in operators:
        if wanted.startswith(operator):
            value = wanted[2:]
            if operator != "!=":
                _check_pattern(value)
            return Matcher(checked_label(label), operator, value)
    return Matcher(checked_label(label), "=", wanted)


def _check_pattern(value: str) -> None:
    try:
        _pattern(value)
    except re.error as problem:
        message = f"the pattern {value!r} is not a regular expression: {problem}"
        raise ExpressionError(message) from problem


def checked_label(name: str) -> str:
    """Return ``name`` if PromQL can spell it as a label; raises `ExpressionError`."""
    if _LABEL_NAME.match(name) is None:
        raise ExpressionError(f"{name!r} is not a label name (letters, digits and _ only)")
    return name


def checked_metric(name: str) -> str:
    """Return ``name`` if PromQL can spell it as a metric; raises `ExpressionError`."""
    if _METRIC_NAME.match(name) is None:
        raise ExpressionError(f"{name!r} is not a metric name (letters, digits, _ and : only)")
    return name


def matchers_text(matchers: tuple[Matcher, ...]) -> str:
    """Return matchers as PromQL writes them between the braces."""
    return ",".join(matcher.text() for matcher in matchers)


def selector(metric: str, matchers: tuple[Matcher, ...]) -> str:
    """Return a PromQL selector for a metric."""
    inside = matchers_text(matchers)
    return f"{checked_metric(metric)}{{{inside}}}" if inside else checked_metric(metric)


def bucket_edge(edge: float) -> Matcher:
    """Return the matcher for a bucket edge in any spelling of its number.

    Client libraries write the same edge as ``0.6``, ``0.60``, ``1``, ``1.0`` or ``1e+06``.
    """
    if edge != edge or edge in (float("inf"), float("-inf")):
        raise ExpressionError(f"a bucket edge is a finite number, not {edge}")
    sign = "-" if edge < 0 else ""
    shortest = Decimal(repr(abs(edge))).normalize()
    whole, _, fraction = f"{shortest:f}".partition(".")
    tail = f"\\.{fraction}0*" if fraction else r"(\.0*)?"
    plain = sign + ("0?" if whole == "0" and fraction else whole) + tail
    first, *rest = map(str, shortest.as_tuple().digits)
    tail = f"\\.{''.join(rest)}0*" if rest else r"(\.0*)?"
    exponent = shortest.adjusted()
    power = f"-0*{-exponent}" if exponent < 0 else rf"\+?0*{exponent}"
    return Matcher("le", "=~", f"{plain}|{sign}{first}{tail}[eE]{power}")
