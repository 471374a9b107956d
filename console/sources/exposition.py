"""Reading a service's own ``/metrics`` text, fast enough to do it every few seconds.

prometheus_client's parser walks labels character by character, some 25 µs a line. A service
sends the same series again and again, so each series' text goes through that parser once; later
scrapes find it in a dictionary, under half a microsecond a line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

Labels = tuple[tuple[str, str], ...]

ACCEPT = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1"
"""The Accept header of a scrape: the plain text format first, because all services speak it."""

_UNWANTED = -1
_FORGET_ABOVE = 2.0
_FORGET_SPARE_LINES = 1000
_SHOWN_CHARACTERS = 80

_NAME = re.compile(r"[ \t]*[a-zA-Z_:][a-zA-Z0-9_:]*(?=[ \t{])")
"""A metric's name; without one nobody can tell that a line is not read."""

_LINE = re.compile(
    r"""[ \t]*
    (?P<series>
        [^\s{}"\#]*                                       # the name, empty when it is quoted
        (?:[ \t]*\{(?:[^"{}\n]|"(?:[^"\\\n]|\\.)*")*\})?  # labels, whose values may hold anything
    )
    [ \t]*(?<=[\s}])(?P<value>[^\s\#{}"]+)
    (?:[ \t]+(?P<timestamp>[-+.0-9eE]+))?
    [ \t\r]*(?:\#.*)?$                                    # an exemplar
    """,
    re.VERBOSE,
)


LONGEST_VALUE = 16_384
"""Characters of a label's value that are kept whole; one of 15 MB took 2 GB of memory to read."""

LONGEST_LINE = 262_144

_KEPT_OF_LONG = 200


def bounded_value(whole: str) -> str:
    """Return a label's value, cut where it is too long and told from others by a digest."""
    if len(whole) <= LONGEST_VALUE:
        return whole
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    kept = whole[:_KEPT_OF_LONG].rpartition("\\")[0] or whole[:_KEPT_OF_LONG]
    return f"{kept}…#{digest}"


def cut_long_values(line: str) -> str:
    """Return a line whose longer label values are cut, each told from others by a digest."""
    parts: list[str] = []
    done = at = 0
    while (opened := line.find('"', at)) >= 0:
        closed = opened + 1
        while (closed := line.find('"', closed)) >= 0 and _is_escaped(line, closed):
            closed += 1
        if closed < 0:
            break
        if closed - opened - 1 > LONGEST_VALUE:
            parts += [line[done : opened + 1], bounded_value(line[opened + 1 : closed])]
            done = closed
        at = closed + 1
    return "".join((*parts, line[done:])) if parts else line


def _is_escaped(line: str, at: int) -> bool:
    """Tell whether an odd number of backslashes stands before ``at``."""
    first = at
    while first > 0 and line[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1


class ExpositionError(Exception):
    """A text that cannot be used; ``sentence`` says why and shows what was found harmlessly."""

    def __init__(self, sentence: str) -> None:
        """Keep the sentence."""
        super().__init__(sentence)
        self.sentence = sentence


class TooManySeriesError(ExpositionError):
    """A target with more wanted series than the console is willing to hold."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """One reading of a target: ``ids[i]`` indexes `ExpositionReader.series`; lines as sent."""

    ids: list[int]
    values: list[float]
    lines: int


class ExpositionReader:
    """Reads the texts of one target and keeps the series that ``keeps(name)`` asks for.

    Not for two threads at once. ``series`` grows while ``generation`` stays the same; where labels
    change without end, everything is forgotten once and the generation counts up.
    """

    def __init__(self, keeps: Callable[[str], bool], *, max_series: int = 20_000) -> None:
        """Refuse a target that has more than ``max_series`` wanted series."""
        self.series: list[tuple[str, Labels]] = []
        self.generation = 0
        self._keeps = keeps
        self._max_series = max_series
        self.cut_lines = 0
        self.skipped = 0
        self.skipped_line = ""
        self._known: dict[str, int] = {}
        self._ids: dict[tuple[str, Labels], int] = {}

    def read(self, body: bytes) -> Scrape:
        """Parse a whole text; raises `ExpositionError` for a malformed line that is read.

        A malformed line of a metric that nobody reads is skipped, counted in ``skipped`` and shown
        in ``skipped_line``: a careless exporter must not take a model's row away. Timestamps in the
        text are ignored: a sample counts from when it was read.
        """
        if body[:2] == b"\x1f\x8b":
            raise ExpositionError("it looks gzip-compressed, and no header says so")
        self.skipped, self.skipped_line = 0, ""
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            if b"\n" not in body.strip():
                raise ExpositionError(f"the text is not UTF-8 (byte {error.start})") from None
            text = self._without_bad_lines(body)
        try:
            return self._read(text)
        except TooManySeriesError:
            self.start_over()
            return self._read(text)

    def _without_bad_lines(self, body: bytes) -> str:
        """Return a text without the lines that are not UTF-8, none of which is read."""
        lines: list[str] = []
        for number, raw in enumerate(body.split(b"\n"), 1):
            try:
                lines.append(raw.decode("utf-8"))
            except UnicodeDecodeError:
                line = raw.decode("utf-8", "replace")
                if not line.startswith("#"):
                    self._skip(line, number, f"line {number} is not UTF-8: {_shown(line)}")
                lines.append("")
        return "\n".join(lines)

    def _skip(self, line: str, number: int, sentence: str) -> None:
        """Pass a malformed line over; raises `ExpositionError` where its metric is read."""
        named = _NAME.match(line)
        if named is None or self._keeps(named[0].strip()):
            raise ExpositionError(sentence)
        self.skipped += 1
        self.skipped_line = self.skipped_line or sentence

    def start_over(self) -> None:
        """Forget all series; ids begin anew in the next generation."""
        self.series = []
        self._ids.clear()
        self._known.clear()
        self.generation += 1

    def _read(self, text: str) -> Scrape:
        ids: list[int] = []
        values: list[float] = []
        known = self._known
        number = self.cut_lines = 0
        for number, line in enumerate(text.split("\n"), 1):
            series, _, shown = line.rpartition(" ")
            found = known.get(series)
            if found is None:
                if not line or line[0] == "#" or line.isspace():
                    continue
                found, shown = self._slowly(line, number)
            if found == _UNWANTED:
                continue
            try:
                value = float(shown)
            except ValueError:
                value = _not_a_number(line, number)
            ids.append(found)
            values.append(value)
        self._forget(number)
        return Scrape(ids, values, number)

    def _slowly(self, line: str, number: int) -> tuple[int, str]:
        """Take a line apart that was not seen before, and remember its series."""
        if len(line) > LONGEST_VALUE and (cut := cut_long_values(line)) != line:
            self.cut_lines += 1
            line = cut
        if len(line) > LONGEST_LINE:
            raise ExpositionError(
                f"line {number} has {len(line)} characters, {LONGEST_LINE} are the most: "
                f"{_shown(line[:LONGEST_VALUE])}"
            )
        matched = _LINE.match(line)
        if matched is None:
            self._skip(line, number, f"line {number} is not a metric: {_shown(line)}")
            return _UNWANTED, ""
        series = matched["series"]
        found = self._known.get(series)
        if found is None:
            found = self._known[series] = self._id_of(series, line, number)
        return found, matched["value"]

    def _id_of(self, series: str, line: str, number: int) -> int:
        name = series.partition("{")[0].rstrip()
        if name and not self._keeps(name):
            return _UNWANTED
        parsed = _parse_series(series, line, number)
        if not self._keeps(parsed[0]):
            return _UNWANTED
        known = self._ids.get(parsed)
        if known is not None:
            return known
        if len(self.series) >= self._max_series:
            raise TooManySeriesError(
                f"the target has more than {self._max_series} series of metrics the console reads"
            )
        self.series.append(parsed)
        self._ids[parsed] = len(self.series) - 1
        return len(self.series) - 1

    def _forget(self, lines: int) -> None:
        """Drop remembered texts when a target invents new label values for ever."""
        if len(self._known) > _FORGET_ABOVE * lines + _FORGET_SPARE_LINES:
            self._known.clear()


def _parse_series(series: str, line: str, number: int) -> tuple[str, Labels]:
    from prometheus_client.parser import text_string_to_metric_families

    try:
        # Without a TYPE line the parser leaves the name as it is; with one it renames counters.
        for family in text_string_to_metric_families(f"{series} 0\n"):
            for sample in family.samples:
                return sample.name, tuple(sorted(sample.labels.items()))
    except (ValueError, IndexError):
        pass
    raise ExpositionError(f"line {number} has malformed labels: {_shown(line)}")


def _not_a_number(line: str, number: int) -> float:
    raise ExpositionError(f"line {number} has no number: {_shown(line)}")


def _shown(line: str) -> str:
    return visible(line, _SHOWN_CHARACTERS)
