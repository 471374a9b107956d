"""``midwatch reference``: freeze how a model's scores are distributed, to measure drift by."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.bootstrap import prepare, refuse_existing, write_whole
from console.cli.command_line import CommandError, Parser, add_shared, duration, flags
from console.domain.text import visible
from console.settings.durations import format_duration
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.bootstrap import Prepared

_LIMIT_SECONDS = 60.0
_SHORTEST_SECONDS, _USUAL_SECONDS, _LONGEST_SECONDS = 300.0, 86400.0, 90 * 86400.0
_BOUNDS = "from 5m to 90d; a day or a week of normal traffic is usual"
_FEWEST = 200
_FEW = 1000


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser(
        "midwatch reference", "Freeze how a model's scores are distributed, to measure drift by."
    )
    made.add_argument("model", metavar="MODEL", help="a model")
    made.add_argument("-o", "--output", metavar="FILE", help="write there instead of printing")
    made.add_argument("--force", action="store_true", help="replace FILE if it exists")
    made.add_argument(
        "--range",
        metavar="TIME",
        type=made.value(duration(_SHORTEST_SECONDS, _LONGEST_SECONDS, _BOUNDS), "--range"),
        default=_USUAL_SECONDS,
        help="how far back (default 24h)",
    )
    made.add_argument("--note", default="", metavar="TEXT", help="why this span was normal")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Write or print a reference; exit 1 where there is nothing to take it from."""
    chosen = parser().parse_all(arguments)
    target = None if chosen.output is None else Path(chosen.output)
    if target is not None:
        refuse_existing(target, force=chosen.force)
    # The file that is to be written may be declared already: its absence is no fault here.
    prepared = prepare(flags(shared), references=False)
    content, n = asyncio.run(_taken(prepared, chosen.model, chosen.range, chosen.note))
    if n < _FEW:
        sys.stderr.write(
            f"midwatch: it rests on n={n:.0f}; under {_FEW} its own noise looks like drift: "
            "take it over a longer --range\n"
        )
    if target is None:
        sys.stdout.write(content.decode())
        return command_line.OK
    write_whole(target, content, force=chosen.force)
    _tell(target, chosen.model, content, n)
    return command_line.OK


async def _taken(prepared: Prepared, model: str, seconds: float, note: str) -> tuple[bytes, float]:
    """Return the file and the predictions it rests on."""
    span = format_duration(seconds)
    from console.engine.distributions import NoDistributionError, score_counts
    from console.settings.drift_reference import ReferenceFault, reference_json

    engine = prepared.engine()
    try:
        snapshot = await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        if model not in snapshot.index:
            close = nearest(model, snapshot.index)
            raise CommandError(f"there is no model {visible(model)}; {close}".rstrip("; "))
        seat = engine.seat(model)
        source = None if seat is None else engine.source(seat.source)
        if seat is None or source is None:
            raise CommandError(
                f"no source that answers offers {visible(model)}; `midwatch check` says why"
            )
        now = time.time()
        without_past = source.kind == "scrape"
        edges, counts = await score_counts(source, seat, seconds, now, since_started=without_past)
        n = sum(counts)
        if n < _FEWEST:
            raise CommandError(_too_few(n, span, without_past=without_past))
        where = "counted since its services started" if without_past else f"the last {span}"
        said = "; ".join(part for part in (visible(note), f"{where}, {source.name}") if part)
        return reference_json(
            model=seat.series_value, taken_at=now, edges=edges, counts=counts, note=said
        ), n
    except NoDistributionError as fault:
        raise CommandError(
            f"{visible(model)}: {fault}; docs/drift.md says which metric a service must give"
        ) from fault
    except ReferenceFault as fault:
        raise CommandError(f"{visible(model)}: its histogram gives {fault}") from fault
    finally:
        await engine.close()


def _too_few(n: float, span: str, *, without_past: bool) -> str:
    if without_past:
        return f"only n={n:.0f} predictions since its services started; {_FEWEST} are the least"
    return f"only n={n:.0f} predictions in the last {span}; {_FEWEST} are the least: longer --range"


def _tell(target: Path, model: str, content: bytes, n: float) -> None:
    import hashlib
    import json

    shown = visible(str(target))
    sys.stderr.write(
        f"{shown} written, n={n:.0f}, sha256 {hashlib.sha256(content).hexdigest()}\n"
        f"next: under [models.{json.dumps(model, ensure_ascii=True)}] say "
        f"drift = {{ reference = {json.dumps(str(target), ensure_ascii=True)} }}, "
        "a path beside the configuration; then midwatch check\n"
    )
