"""A live line chart: what to draw, how it is laid out, and the widget that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from widgets.canvas import LIMIT, Canvas, DrawGlyphs, Level, Track, as_floats
from widgets.lines import Lines
from widgets.text_width import cells_of, cut, fit, wrap

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from textual import events

    Values = Sequence[float] | NDArray[np.float64]

MAX_FOOTERS = 2
NO_DATA = "no data"
_CORNERS: dict[bool, tuple[str, str, str, str, str, str]] = {
    False: ("┌", "┐", "└", "┘", "─", "│"),
    True: ("+", "+", "+", "+", "-", "|"),
}
_ASCII_TWINS = str.maketrans("·→–—≈×│─■▲◆↑≥≤…", "->--~x|-#^+^><~")

Line = list[tuple[str, str]]


def _plain_number(value: float) -> str:
    return f"{value:.3g}"


@dataclass(frozen=True)
class Series:
    """Values of one line, oldest first and equally spaced in time; NaN is a gap."""

    name: str
    values: Values
    role: str


@dataclass(frozen=True)
class Threshold:
    """A dashed line with a label; the part of a series beyond it is drawn as an alarm."""

    value: float
    label: str
    role: str = "alarm"
    """The role of the part beyond it; the dashed line itself has the role ``threshold``."""
    alarm_above: bool = True
    series: str = ""
    """The name of the one series it concerns; empty: all of them."""


@dataclass(frozen=True)
class ChartData:
    """Everything one chart shows."""

    title: str
    series: tuple[Series, ...]
    thresholds: tuple[Threshold, ...] = ()
    start_label: str = ""
    end_label: str = ""
    y_format: Callable[[float], str] = _plain_number
    marks: tuple[tuple[float, str], ...] = ()
    """Events: place on the time axis from 0 to 1, and a glyph or short label."""
    footer: tuple[tuple[str, str], ...] = ()
    """Up to two lines under the chart: text and role."""
    message: str = ""
    """Said instead of a chart; without it and without values the chart says ``no data``."""
    y_floor: float | None = 0.0
    """The axis begins here at the latest; ``None``: at the lowest value."""


def draw(data: ChartData, width: int, height: int, glyphs: DrawGlyphs = "braille") -> list[Line]:
    """Return ``height`` lines of runs (text, role), each exactly ``width`` terminal cells.

    The border carries the title. What there is no room for is left out in this order: border,
    footer, time axis, labels of the value axis.
    """
    if height <= 0:
        return []
    if width <= 0:
        return [[] for _ in range(height)]
    if width < 8 or height < 5:
        return _inside(data, width, height, glyphs)
    corners = _CORNERS[glyphs == "ascii"]
    top_left, top_right, bottom_left, bottom_right, across, down = corners
    title = cut(_text(data.title, glyphs), width - 6)
    rest = width - 2 - (cells_of(title) + 2 if title else 0)
    top: Line = [(top_left, "chart.border")]
    if title:
        top.append((f" {title} ", "chart.title"))
    top.append((across * rest + top_right, "chart.border"))
    side = (down, "chart.border")
    lines = [[side, *line, side] for line in _inside(data, width - 2, height - 2, glyphs)]
    bottom: Line = [(bottom_left + across * (width - 2) + bottom_right, "chart.border")]
    return [top, *lines, bottom]


def _inside(data: ChartData, width: int, height: int, glyphs: DrawGlyphs) -> list[Line]:
    # An infinite or unknown threshold has no place on the axis.
    shown = tuple(t for t in data.thresholds if -LIMIT <= t.value <= LIMIT)
    if shown != data.thresholds:
        data = replace(data, thresholds=shown)
    scale = None if data.message else _scale(data)
    footer: list[Line] = []
    if height >= 4:
        for text, role in data.footer[: min(MAX_FOOTERS, height - 3)]:
            footer.append([(fit(_whole_parts(_text(text, glyphs), width), width), role)])
    room = height - len(footer)
    if scale is None:
        message = wrap(_text(data.message or NO_DATA, glyphs), width, room)
        said: list[Line] = [[(fit(text, width), "dim")] for text in message]
        blank: list[Line] = [[(" " * width, "")] for _ in range(room - len(said))]
        return said + blank + footer
    has_axis = room >= 3 and bool(data.start_label or data.end_label or data.marks)
    plot_height = room - has_axis
    labels, gutter = _labels(data, scale, width, plot_height, glyphs)
    canvas = Canvas(width - gutter, plot_height, *scale, glyphs)
    tracks = [_track(series, data.thresholds) for series in data.series]
    levels = [Level(threshold.value, "threshold") for threshold in data.thresholds]
    lines: list[Line] = []
    for y, runs in enumerate(canvas.draw(tracks, levels)):
        label, role = labels.get(y, ("", ""))
        prefix: Line = [(fit(label, gutter - 1, "right") + " ", role)] if gutter else []
        lines.append(prefix + runs)
    if has_axis:
        lines.append(_time_axis(data, width, gutter, glyphs))
    return lines + footer


def _whole_parts(text: str, width: int) -> str:
    """Leave out at the end the parts, two blanks apart, that would not be whole in ``width``."""
    parts = text.split("  ")
    while len(parts) > 1 and cells_of("  ".join(parts)) > width:
        parts.pop()
    return "  ".join(parts)


def _text(text: str, glyphs: DrawGlyphs) -> str:
    if glyphs != "ascii" or text.isascii():
        return text
    return text.translate(_ASCII_TWINS).encode("ascii", "replace").decode("ascii")


def _scale(data: ChartData) -> tuple[float, float] | None:
    """Return the lowest and highest value of the axis, or ``None`` without any value."""
    if not data.series:
        return None
    import numpy as np

    lows, highs = [], []
    for series in data.series:
        values = as_floats(series.values)
        values = values[~np.isnan(values)]
        if len(values):
            lows.append(float(values.min()))
            highs.append(float(values.max()))
    if not lows:
        return None
    shown = [threshold.value for threshold in data.thresholds]
    low, high = min(lows + shown), max(highs + shown)
    if data.y_floor is not None and -LIMIT <= data.y_floor <= LIMIT:
        low = min(low, data.y_floor)
    if not high > low:
        high = low + max(1.0, abs(low) * 0.1)
    return low, high


def _track(series: Series, thresholds: tuple[Threshold, ...]) -> Track:
    limits = tuple(
        (threshold.value, threshold.alarm_above, threshold.role)
        for threshold in thresholds
        if threshold.series in ("", series.name)
    )
    return Track(series.values, series.role, limits)


def _labels(
    data: ChartData, scale: tuple[float, float], width: int, height: int, glyphs: DrawGlyphs
) -> tuple[dict[int, tuple[str, str]], int]:
    """Return the labels of the value axis by row, and how many cells they take with a blank."""
    if width < 12:
        return {}, 0
    low, high = scale
    canvas = Canvas(width, height, low, high, glyphs)
    labels: dict[int, tuple[str, str]] = {}
    for threshold in data.thresholds:
        labels.setdefault(
            canvas.row_of(threshold.value), (_text(threshold.label, glyphs), "threshold")
        )
    for row, value in ((0, high), (height - 1, low)):
        labels.setdefault(row, (_text(data.y_format(value), glyphs), "chart.axis"))
    widest = max((cells_of(cut(text, width // 3)) for text, _ in labels.values()), default=0)
    return labels, widest + 1


def _time_axis(data: ChartData, width: int, gutter: int, glyphs: DrawGlyphs) -> Line:
    room = width - gutter
    start = cut(_text(data.start_label, glyphs), room)
    end = cut(_text(data.end_label, glyphs), max(0, room - cells_of(start) - 1))
    blank = room - cells_of(start) - cells_of(end)
    line: Line = [(" " * gutter + start + " " * blank + end, "chart.axis")]
    for place, label in sorted(data.marks, key=lambda mark: mark[0]):
        if not 0.0 <= place <= 1.0:
            continue
        text = cut(_text(label, glyphs), room)
        x = gutter + min(round(place * (room - 1)), room - cells_of(text))
        line = _overlay(line, x, text)
    return line


def _overlay(line: Line, x: int, text: str) -> Line:
    """Write ``text`` over the line at cell ``x`` in the role ``mark``."""
    size = cells_of(text)
    before: Line = []
    after: Line = []
    at = 0
    for piece, role in line:
        end = at + cells_of(piece)
        if at < x:
            before.append((fit(piece, min(end, x) - at), role))
        if end > x + size:
            skip = max(0, x + size - at)
            rest = piece[len(cut(piece, skip)) :]
            after.append((fit(rest, end - max(at, x + size)), role))
        at = end
    return [*before, (text, "mark"), *after]


class Chart(Lines):
    """Shows one chart and repaints only the cells that change."""

    DEFAULT_CSS = """
    Chart {
        height: 1fr;
        width: 1fr;
        min-height: 3;
    }
    """
    ALLOW_MAXIMIZE = True

    def __init__(
        self,
        glyphs: DrawGlyphs = "braille",
        roles: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._glyphs: DrawGlyphs = glyphs
        self._data: ChartData | None = None
        if roles is not None:
            self.show_roles(roles)

    @property
    def data(self) -> ChartData | None:
        """What is shown now."""
        return self._data

    @property
    def glyphs(self) -> DrawGlyphs:
        """The characters it is drawn with."""
        return self._glyphs

    @glyphs.setter
    def glyphs(self, glyphs: DrawGlyphs) -> None:
        self._glyphs = glyphs
        self._redraw()

    def show(self, data: ChartData) -> None:
        """Show ``data`` from now on."""
        self._data = data
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        """Draw again for the new size."""
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.content_size
        if self._data is not None and width > 0 and height > 0:
            self.show_lines(draw(self._data, width, height, self._glyphs))
