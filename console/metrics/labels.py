"""Label conditions, grouping of label sets, and placeholders of a query's scope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from numpy.typing import NDArray

    from console.metrics.expressions import Aggregation
    from console.metrics.histogram import Labels
    from console.metrics.names import Derived

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

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


Keys = tuple[tuple[str, ...], ...]
_MOST_KEPT = 512


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """G groups of S series: ``group[i]`` is the group of series i, ``keys`` name the groups."""

    keys: Keys
    group: Places

    def sum(self, values: Floats) -> Floats:
        """Return the sum of each group (G entries)."""
        sums = np.bincount(self.group, values, len(self.keys))
        return sums.astype(np.float64, copy=False)

    def aggregate(self, how: Aggregation, values: Floats) -> Floats:
        """Return sum, count, avg, max or min of each group; max and min pass over NaN."""
        if how == "sum":
            return self.sum(values)
        if how == "count":
            return np.bincount(self.group, minlength=len(self.keys)).astype(np.float64)
        if how == "avg":
            return self.sum(values) / np.bincount(self.group, minlength=len(self.keys))
        result = np.full(len(self.keys), np.nan)
        (np.fmax if how == "max" else np.fmin).at(result, self.group, values)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Pairs of groups: ``left[i]`` goes with ``right[i]`` under ``keys[i]``."""

    keys: Keys
    left: Places
    right: Places


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """The left's keys followed by the ``extra`` places of the right."""

    keys: Keys
    extra: Places


class Groupings:
    """Answers about label sets, kept while the very same label tuples come back.

    Equal but not identical tuples are worked out again: identity is what a store promises.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, tuple[str, ...]], tuple[object, Groups]] = {}
        self._subsets: dict[tuple[int, bytes], tuple[object, tuple[Labels, ...]]] = {}
        self._matches: dict[tuple[int, int, object], tuple[object, object, Matching]] = {}
        self._unions: dict[tuple[int, int], tuple[object, object, Union]] = {}

    def of(self, labels: tuple[Labels, ...], by: tuple[str, ...]) -> Groups:
        """Return the groups of series by the values of ``by``; an absent label is empty."""
        name = (id(labels), by)
        known = self._groups.get(name)
        if known is not None and known[0] is labels:
            return known[1]
        _bound(self._groups)
        groups = _grouped(labels, by)
        self._groups[name] = (labels, groups)
        return groups

    def subset(self, labels: tuple[Labels, ...], kept: NDArray[np.bool_]) -> tuple[Labels, ...]:
        """Return the labels of the kept series, the same object for the same selection."""
        name = (id(labels), kept.tobytes())
        known = self._subsets.get(name)
        if known is not None and known[0] is labels:
            return known[1]
        _bound(self._subsets)
        chosen = tuple(labels[place] for place in np.flatnonzero(kept))
        self._subsets[name] = (labels, chosen)
        return chosen

    def matching(self, left: Keys, right: Keys, places: tuple[int, ...] | None = None) -> Matching:
        """Pair the left's keys with equal ones of the right.

        With ``places`` only those parts of a left key are compared, so that many left keys
        may meet one of the right.
        """
        name = (id(left), id(right), places)
        known = self._matches.get(name)
        if known is not None and known[0] is left and known[1] is right:
            return known[2]
        _bound(self._matches)
        found = _matched(left, right, places)
        self._matches[name] = (left, right, found)
        return found

    def shorter(self, keys: Keys, width: int) -> Groups:
        """Return the groups of keys whose first ``width`` parts are the same."""
        name = (id(keys), (str(width),))
        known = self._groups.get(name)
        if known is not None and known[0] is keys:
            return known[1]
        _bound(self._groups)
        numbers: dict[tuple[str, ...], int] = {}
        group = [numbers.setdefault(key[:width], len(numbers)) for key in keys]
        groups = Groups(tuple(numbers), np.array(group, dtype=np.intp))
        self._groups[name] = (keys, groups)
        return groups

    def union(self, left: Keys, right: Keys) -> Union:
        """Return the left's keys and those of the right that it lacks."""
        name = (id(left), id(right))
        known = self._unions.get(name)
        if known is not None and known[0] is left and known[1] is right:
            return known[2]
        _bound(self._unions)
        present = frozenset(left)
        extra = [place for place, key in enumerate(right) if key not in present]
        keys = left + tuple(right[place] for place in extra) if extra else left
        found = Union(keys, np.array(extra, dtype=np.intp))
        self._unions[name] = (left, right, found)
        return found


def _bound(kept: MutableMapping[Any, Any]) -> None:
    if len(kept) >= _MOST_KEPT:
        kept.clear()


def _grouped(labels: tuple[Labels, ...], by: tuple[str, ...]) -> Groups:
    places: dict[tuple[str, ...], int] = {}
    group = np.empty(len(labels), dtype=np.intp)
    for index, series in enumerate(labels):
        values = dict(series)
        key = tuple(values.get(label, "") for label in by)
        group[index] = places.setdefault(key, len(places))
    return Groups(tuple(places), group)


def _matched(left: Keys, right: Keys, places: tuple[int, ...] | None) -> Matching:
    if places is None and left is right:
        same = np.arange(len(left))
        return Matching(left, same, same)
    where = {key: place for place, key in enumerate(right)}
    pairs = []
    for index, key in enumerate(left):
        wanted = key if places is None else tuple(key[place] for place in places)
        found = where.get(wanted)
        if found is not None:
            pairs.append((index, found))
    keys = left if len(pairs) == len(left) else tuple(left[index] for index, _ in pairs)
    sides = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return Matching(keys, sides[:, 0].copy(), sides[:, 1].copy())


Metric = str | tuple[str, ...]
"""A metric's name, or several names of one meaning, the newest first."""


def names_of(metric: Metric) -> tuple[str, ...]:
    """Return the names of a metric."""
    return (metric,) if isinstance(metric, str) else metric


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
    span, so that a short window suits sources that sample slowly too. ``derived`` are the labels
    that a rule makes (`console.metrics.names`); matchers on these choose among its values.
    ``dropped`` are labels that only tell copies of one series apart, of which one counts.
    """

    by: tuple[str, ...]
    matchers: tuple[Matcher, ...] = ()
    window_seconds: float = 300.0
    offset_seconds: float = 0.0
    edge: float | None = None
    fallback_seconds: float | None = None
    derived: tuple[Derived, ...] = ()
    dropped: tuple[str, ...] = ()

    def grouping(self, *more: str) -> str:
        """Return the ``by`` clause."""
        return f"by ({', '.join(map(checked_label, (*self.by, *more)))})"

    @property
    def offset(self) -> str:
        """Return the ``offset`` clause with its leading space, or nothing."""
        return f" offset {duration(self.offset_seconds)}" if self.offset_seconds else ""

    def instant(self, metric: str, where: tuple[Matcher, ...]) -> str:
        """Return an instant selector."""
        return selector(metric, (*where, *self._plain())) + self.offset

    def bare(self, metric: str) -> str:
        """Return an instant selector without the scope's matchers: of what others export."""
        return selector(metric, ()) + self.offset

    def ranged(self, metric: str, where: tuple[Matcher, ...]) -> str:
        """Return a range selector over the window."""
        return self.over(metric, where, self.window_seconds)

    def over(self, metric: str, where: tuple[Matcher, ...], seconds: float) -> str:
        """Return a range selector over ``seconds``."""
        text = selector(metric, (*where, *self._plain()))
        return f"{text}[{duration(seconds)}]{self.offset}"

    def series(self, metric: Metric, of: Callable[[str], str]) -> str:
        """Return the series of a metric under its first name that has them, ready to be grouped.

        ``of`` makes a vector of one name. Where two names live side by side on one target the
        first counts, and pods that have only the other count beside it.
        """
        text = " or ".join(map(of, names_of(metric)))
        if self.dropped:
            text = f"max without ({', '.join(map(checked_label, self.dropped))}) ({text})"
        for derived in self.derived:
            wanted = [m for m in self.matchers if m.label == derived.label]
            if derived.label in self.by or wanted:
                equal = [m.value for m in wanted if m.operator == "="]
                text = derived.promql(text, equal[0] if equal else None)
        return text

    def _plain(self) -> tuple[Matcher, ...]:
        """Return the conditions that a source's own series can be asked for."""
        if not self.derived:
            return self.matchers
        made = {derived.label for derived in self.derived}
        return tuple(matcher for matcher in self.matchers if matcher.label not in made)


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
