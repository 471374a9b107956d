"""Charts of an incident's signals, with what was done marked under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.reports.plots import chart, with_marks
from console.reports.postmortem_document import ChartReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.facts.incident_view import TimelineEvent
    from console.facts.samples import Series

MARKED = ("change", "auto", "action", "detect")
"""Kinds of event that get a letter under the charts."""

WIDTH, HEIGHT = 76, 11
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def marks_of(events: Sequence[TimelineEvent]) -> Mapping[TimelineEvent, str]:
    """Return a letter for each marked event, in their order; after z there are no more."""
    marked = [event for event in events if event.kind in MARKED]
    return dict(zip(marked, _LETTERS, strict=False))


def charts(
    series: Sequence[tuple[str, Series]],
    events: Sequence[TimelineEvent],
    *,
    ascii_only: bool = False,
) -> tuple[ChartReport, ...]:
    """Return each signal drawn; one without a value says why there is nothing to draw."""
    marks = [(event.at, letter) for event, letter in marks_of(events).items()]
    return tuple(_chart(model, one, marks, ascii_only=ascii_only) for model, one in series)


def _chart(
    model: str, series: Series, marks: Sequence[tuple[float, str]], *, ascii_only: bool
) -> ChartReport:
    drawn = chart(series, width=WIDTH, height=HEIGHT, ascii_only=ascii_only)
    if drawn:
        start, end = float(series.times[0]), float(series.times[-1])
        drawn = with_marks(drawn, start, end, marks)
    return ChartReport(
        model=model,
        signal=series.signal,
        drawing=drawn,
        problem=None if drawn else (series.error or "no value in this span"),
    )
