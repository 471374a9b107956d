"""Styled pieces of a line, cut to a width; numbers and ages as short cell text."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from console.domain.signals import Reading, ReadingState
from console.metrics.units import format_age, format_value
from themes.glyphs import to_ascii
from widgets.lines import Run
from widgets.text_width import cells_of, cut, harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from themes.glyphs import Glyphs

HOUR_SECONDS = 3600.0


def compact(value: float, width: int = 5) -> str:
    """Return a bare number in at most ``width`` characters where it can: .27, 1.9, 412, 41k."""
    text = format_value(value, "1", width)
    return (text.rstrip("0").removesuffix(".") or "0") if text.startswith(".") else text


def seconds_text(value: float, *, at_least: bool = False) -> str:
    """Return a duration that was measured: 12ms, .4s, 1.9s, 75s, 4m; a lower bound as >10s."""
    if 0.0095 <= value < 0.0995:
        return f"{'>' if at_least else ''}{value * 1000:.0f}ms"
    return format_value(value, "s", 5, at_least=at_least)


def promise_text(seconds: float) -> str:
    """Return a declared duration exactly, because a promise is no measurement: 250ms, 1.5s, 90s."""
    return f"{seconds * 1000:.6g}ms" if seconds < 1.0 else f"{seconds:.6g}s"


def pair_of_seconds(value: float, base: float | None, *, at_least: bool = False) -> str:
    """Return now against normal in at most nine characters: 1.9/.4s, 30/28ms, 3.1s, >10/.4s."""
    if base is None:
        return seconds_text(value, at_least=at_least)
    mark = ">" if at_least else ""
    if value < 0.0995 and base < 0.0995:
        return f"{mark}{value * 1000:.0f}/{base * 1000:.0f}ms"
    return f"{mark}{_tenths(value)}/{_tenths(base)}s"


def _tenths(value: float) -> str:
    if not isfinite(value):
        return "?"
    if value < 0.095:
        return f"{value:.2f}".lstrip("0")
    return f"{value:.1f}".removeprefix("0") if value < 9.95 else f"{value:.0f}"


def percent_text(ratio: float) -> str:
    """Return a ratio 0-1 as a percentage: 0%, .4%, 6.2%, 38%."""
    return format_value(ratio, "%", 5)


def points(ratio: float) -> str:
    """Return a ratio 0-1 as bare percentage points for a narrow column: 0, .4, 6, 12."""
    if not isfinite(ratio):
        return "?"
    value = ratio * 100
    if value == 0 or value >= 0.95:
        return f"{value:.0f}"
    return f"{value:.1f}".lstrip("0") if value >= 0.05 else "<.1"


def age_text(seconds: float) -> str:
    """Return an age in at most three characters where it can: 6s, 12m, 3h, 9d."""
    return format_age(seconds)


def usd_text(value: float, width: int = 5) -> str:
    """Return an amount in USD: $.14, $6.2, $151, $41k; the sign goes where a bound needs room."""
    text = format_value(value, "USD", width)
    return text if len(text) <= width else text.replace("$", "", 1)


def clock_text(at: float, *, seconds: bool = True) -> str:
    """Return the UTC time of day of Unix seconds ``at``: 02:47:13."""
    return _moment(at, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def local_text(at: float, zone: tzinfo | None) -> str:
    """Return the local time of day: 04:47; ``zone`` None is this machine's own."""
    return _moment(at, zone).strftime("%H:%M")


def when_text(at: float, now: float) -> str:
    """Return the time of day, with the date when it was not in the last 20 hours."""
    if abs(now - at) < 20 * HOUR_SECONDS:
        return clock_text(at, seconds=False)
    return _moment(at, UTC).strftime("%d %b %H:%M")


def _moment(at: float, zone: tzinfo | None) -> datetime:
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.astimezone(zone)


def state_text(reading: Reading, few: str = "few") -> str:
    """Return what stands in place of a value, a different text for each reason."""
    match reading.state:
        case ReadingState.NO_TRAFFIC:
            return "idle"
        case ReadingState.TOO_FEW:
            return few
        case ReadingState.ERROR:
            return "err"
        case ReadingState.NO_DATA:
            return NO_DATA_TEXT
        case _:
            return ""


NO_DATA_TEXT = "–"
STALE_MARK = "*"
"""Follows a value that is the last known one, so that grey is not the only sign of it."""

RunLine = list[Run]


class Piece(NamedTuple):
    """A part of a line that is shown whole or not at all; the lowest ``rank`` stays longest."""

    runs: tuple[Run, ...]
    rank: int = 0


def piece(text: str, role: str = "", rank: int = 0) -> Piece:
    """Return a piece of one run."""
    return Piece((Run(text, role),), rank)


def width_of(runs: Iterable[tuple[str, str]]) -> int:
    """Return the width of runs in terminal cells."""
    return sum(cells_of(harmless(text)) for text, _ in runs)


def join_that_fit(
    pieces: Sequence[Piece], width: int, separator: Run, *, fill_with: Run | None = None
) -> RunLine:
    """Return the pieces that fit into ``width`` cells in their order, least needed left out.

    With ``fill_with`` the rest of the line is filled by that one-cell run.
    """
    kept = list(pieces)
    gap = cells_of(separator.text)
    widths = {id(one): width_of(one.runs) for one in kept}

    def total() -> int:
        return sum(widths[id(one)] for one in kept) + gap * max(0, len(kept) - 1)

    while len(kept) > 1 and total() > width:
        kept.remove(max(reversed(kept), key=lambda one: one.rank))
    line: RunLine = []
    for place, one in enumerate(kept):
        if place:
            line.append(separator)
        line.extend(one.runs)
    if fill_with is not None:
        line.append(Run(fill_with.text * max(0, width - width_of(line)), fill_with.role))
    return line


def fitted(line: Sequence[tuple[str, str]], width: int, ellipsis: str) -> RunLine:
    """Return the runs cut to ``width`` cells, an ellipsis showing that something is missing."""
    if width_of(line) <= width:
        return [Run(*run) for run in line]
    room = max(0, width - cells_of(ellipsis))
    out: RunLine = []
    for text, role in line:
        part = cut(text, room)
        out.append(Run(part, role))
        room -= cells_of(part)
        if room <= 0 or part != harmless(text):
            break
    out.append(Run(cut(ellipsis, width), "dim"))
    return out


def twins(lines: Sequence[Sequence[tuple[str, str]]], glyphs: Glyphs) -> list[RunLine]:
    """Return the lines in the characters of this set: ASCII twins where only ASCII may be sent."""
    if glyphs.name != "ascii":
        return [[Run(*run) for run in line] for line in lines]
    return [[Run(_twin(text), role) for text, role in line] for line in lines]


def keys_that_fit(pieces: Sequence[Piece], width: int, glyphs: Glyphs) -> RunLine:
    """Return the pieces of a bottom line that fit, in the characters of this set.

    The twins come first: an arrow's ASCII twin is wider than the arrow.
    """
    drawn = [one._replace(runs=tuple(twins([one.runs], glyphs)[0])) for one in pieces]
    return join_that_fit(drawn, width, Run("  ", ""))


def _twin(text: str) -> str:
    """Return the ASCII twin; blanks that pad a text to a column give way to longer twins."""
    if text.isascii():
        return text
    content = text.rstrip(" ")
    padding = len(text) - len(content)
    twin = to_ascii(content)
    return twin.ljust(cells_of(text)) if padding > 1 else twin + " " * padding
