"""``midwatch plot``: a chart of one signal of one model, in the shell."""

from __future__ import annotations

import asyncio
import shutil
import sys
from typing import TYPE_CHECKING

from console.cli import exits
from console.cli.exits import CommandError, UsageError
from console.cli.loading import prepare
from console.cli.parsing import Parser, add_shared, flags
from console.facts.signals import SIGNALS
from console.facts.text import visible
from console.settings.durations import DurationError, parse_duration
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.engine.service import Engine
    from console.facts.samples import Series

_LIMIT_SECONDS = 60.0
_ROWS = 18


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the chart; exit 1 where there is nothing to draw."""
    parser = Parser("midwatch plot", "A chart of one signal of one model.")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("signal", metavar="SIGNAL", help="such as latency_p95")
    parser.add_argument("--range", default="6h", metavar="T", help="how far back, 6h by default")
    add_shared(parser)
    chosen = parser.parse_all(arguments)
    if chosen.signal not in SIGNALS:
        close = nearest(chosen.signal, SIGNALS)
        raise UsageError(f"there is no signal {visible(chosen.signal)}; {close}".rstrip("; "))
    try:
        seconds = parse_duration(chosen.range)
    except DurationError as fault:
        raise UsageError(f"--range: {fault}") from fault
    width = max(40, min(160, shutil.get_terminal_size((100, 24)).columns))
    engine = prepare(flags(shared)).engine()
    series = asyncio.run(_fetch(engine, chosen.model, chosen.signal, seconds, width))
    if series.error is not None:
        raise CommandError(visible(series.error))
    from console.reports.plots import chart

    text = chart(series, model=chosen.model, width=width, height=_ROWS)
    if not text:
        raise CommandError(
            f"{visible(chosen.model)} has no value of {chosen.signal} in the last {chosen.range}; "
            "a scrape source knows no past, only a Prometheus server does"
        )
    sys.stdout.write(text)
    return exits.OK


async def _fetch(engine: Engine, model: str, signal: str, seconds: float, cells: int) -> Series:
    try:
        snapshot = await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        if model not in snapshot.index:
            close = nearest(model, snapshot.index)
            raise CommandError(f"there is no model {visible(model)}; {close}".rstrip("; "))
        found = await engine.series(model, (signal,), seconds, cells)
        return found.series[0]
    finally:
        await engine.close()
