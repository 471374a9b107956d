"""``midwatch plot``: a chart of one signal of one model, in the shell."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.bootstrap import Prepared, prepare
from console.cli.command_line import (
    CommandError,
    Parser,
    add_shared,
    duration,
    flags,
    one_of,
    row_of,
)
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from console.domain.samples import Series
    from console.engine.service import Engine

    Floats = NDArray[np.float64]

_LIMIT_SECONDS = 60.0
_ROWS = 18
_USUAL_SECONDS = 6 * 3600.0


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch plot", "A chart of one signal of one model.")
    made.add_argument("model", metavar="MODEL", help="a model")
    made.add_argument(
        "signal",
        metavar="SIGNAL",
        type=made.value(one_of(SIGNALS, "signal")),
        help="such as latency_p95",
    )
    made.add_argument(
        "--range",
        metavar="TIME",
        type=made.value(duration(), "--range"),
        default=_USUAL_SECONDS,
        help="how far back (default 6h)",
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the chart; exit 1 where there is nothing to draw."""
    chosen = parser().parse_all(arguments)
    seconds = chosen.range
    width = max(40, min(160, shutil.get_terminal_size((100, 24)).columns))
    prepared = prepare(flags(shared))
    series, hint = asyncio.run(_fetch(prepared, chosen.model, chosen.signal, seconds, width))
    if series.error is not None:
        raise CommandError(visible(series.error))
    from console.reports.plots import chart

    plain = not (sys.stdout.encoding or "ascii").lower().startswith("utf")
    text = chart(series, model=chosen.model, width=width, height=_ROWS, ascii_only=plain)
    if not text:
        raise CommandError(
            f"{visible(chosen.model)} has no value of {chosen.signal} "
            f"in the last {format_duration(seconds)}; "
            f"{visible(hint) or 'its source keeps nothing that old'}"
        )
    sys.stdout.write(text)
    return command_line.OK


async def _fetch(
    prepared: Prepared, model: str, signal: str, seconds: float, cells: int
) -> tuple[Series, str]:
    """Return the points, and what would fill the signal if it is empty at this moment."""
    engine = prepared.engine()
    try:
        snapshot = await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        row_of(snapshot, model)
        framed = await _framed(prepared, engine, model, signal, seconds, cells)
        hint = _hint(prepared, engine, model, signal)
        if framed is not None:
            return framed, hint
        return (await engine.series(model, (signal,), seconds, cells)).series[0], hint
    finally:
        await engine.close()


def _hint(prepared: Prepared, engine: Engine, model: str, signal: str) -> str:
    seat = engine.seat(model)
    kinds = {source.name: source.kind for source in prepared.loaded.settings.sources}
    if seat is not None and kinds.get(seat.source) == "scrape":
        return "a scrape source knows nothing from before this command, a Prometheus server does"
    return engine.explain(model, signal).hint


async def _framed(
    prepared: Prepared, engine: Engine, model: str, signal: str, seconds: float, cells: int
) -> Series | None:
    """Return a measured signal as its Prometheus server keeps it, None for anything else."""
    question = engine.question(model, signal)
    if question is None:
        return None
    query, seat = question
    declared = next(each for each in prepared.loaded.settings.sources if each.name == seat.source)
    if declared.kind != "prometheus":
        return None
    import numpy as np
    import pandas as pd

    from console.domain.samples import Series
    from console.http.endpoint import endpoint_of
    from console.sources.base import SourceDown
    from console.sources.data_frames import Frames

    end, step = time.time(), float(max(1, round(seconds / cells)))
    frames = Frames(endpoint_of(declared), prepared.resolver)
    try:
        frame = await frames.ranged(query, seat.series_value, end - seconds, end, step)
    except SourceDown as down:
        return Series(signal, np.empty(0), np.empty(0), down.sentence)
    return _on_a_grid(
        signal,
        pd.DatetimeIndex(frame.index).as_unit("ns").asi8 / 1e9,
        frame["value"].to_numpy(dtype=np.float64),
        step,
    )


def _on_a_grid(signal: str, times: Floats, values: Floats, step: float) -> Series:
    """Return the points at every step, NaN where the server left one out: a gap stays a gap."""
    import numpy as np

    from console.domain.samples import Series

    if not len(times):
        return Series(signal, times, values)
    places = np.rint((times - times[0]) / step).astype(np.intp)
    grid = np.full(int(places[-1]) + 1, np.nan)
    grid[places] = values
    return Series(signal, times[0] + step * np.arange(len(grid)), grid)
