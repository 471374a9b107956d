"""``midwatch failures MODEL``: every spell in which a model failed, over a span of the past."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.action_session import opened, run_async, told
from console.cli.bootstrap import NOTHING_TO_READ, refuse_existing, write_whole
from console.cli.command_line import (
    CommandError,
    Parser,
    UsageError,
    add_shared,
    moment,
    row_of,
)
from console.domain.text import visible
from console.journal import Question

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.bootstrap import Prepared
    from console.domain.entry import Entry
    from console.domain.model import ModelRow
    from console.journal import Journal
    from console.reports.failures import FailuresDocument

_LIMIT_SECONDS = 60.0
_SHORTEST_SECONDS, _LONGEST_SECONDS = 300.0, 31 * 86400.0
_USUAL_SECONDS = 86400.0
_STEP_SECONDS = 15.0
_MOST_POINTS = 2000


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print or write the report."""
    chosen = parser().parse_all(arguments)
    if chosen.output is not None:
        refuse_existing(Path(chosen.output), force=chosen.force)
    now = time.time()
    end = now if chosen.until is None else chosen.until
    start = now - _USUAL_SECONDS if chosen.since is None else chosen.since
    if not _SHORTEST_SECONDS <= end - start <= _LONGEST_SECONDS or end > now:
        raise UsageError("the span is from 5m to 31d long and lies in the past: --since, --until")
    return run_async(_failures(shared, chosen, start, end))


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch failures", "Every spell in which one model failed.")
    made.add_argument("model", metavar="MODEL", help="a model")
    for flag, text in (
        ("--since", "24h ago (default), 7d, or a UTC time"),
        ("--until", "now (default), or as --since"),
    ):
        made.add_argument(flag, metavar="TIME", type=made.value(moment, flag), help=text)
    made.add_argument("-o", "--output", metavar="FILE", help="write it there")
    made.add_argument("--force", action="store_true", help="replace FILE if it exists")
    made.add_argument("--json", action="store_true", help="a document, see docs/handover.md")
    add_shared(made)
    return made


async def _failures(
    shared: argparse.Namespace, chosen: argparse.Namespace, start: float, end: float
) -> int:
    async with opened(shared) as session:
        if not session.prepared.loaded.settings.sources:
            raise CommandError(NOTHING_TO_READ, command_line.BAD_CONFIG)
        document = await _document(
            session.prepared, session.bench.journal, chosen.model, start, end
        )
    from console.reports.failures import failures_blocks
    from console.reports.markdown import markdown
    from console.reports.status import as_json

    text = f"{as_json(document)}\n" if chosen.json else markdown(failures_blocks(document))
    if chosen.output is None:
        sys.stdout.write(text)
    else:
        write_whole(Path(chosen.output), text.encode(), force=chosen.force)
    return command_line.OK


async def _document(
    prepared: Prepared, journal: Journal, model: str, start: float, end: float
) -> FailuresDocument:
    from console.reports.episodes import SIGNALS
    from console.reports.failures import FailureFacts, failures
    from console.reports.redact import cleaned

    engine = prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        snapshot = await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        row = snapshot.rows[row_of(snapshot, model)]
        cells = min(_MOST_POINTS, int((end - start) / _STEP_SECONDS))
        answer = await engine.series_between(model, SIGNALS, start, end, cells)
        breakers = await engine.breakers_between(model, start, end, cells)
    finally:
        await engine.close()
    entries = await asyncio.to_thread(_entries, journal, row, start, end)
    problems = {each.error for each in answer.series if each.error}
    for problem in sorted(problems):
        told("note", visible(problem, 300))
    facts = FailureFacts(
        environment=prepared.loaded.settings.environment,
        row=row,
        start=start,
        end=end,
        step=(end - start) / cells,
        now=time.time(),
        series={each.signal: each for each in answer.series},
        breakers=breakers,
        entries=entries,
        changes=snapshot.changes,
    )
    return cleaned(failures(facts), prepared.resolver.known())


def _entries(journal: Journal, row: ModelRow, start: float, end: float) -> tuple[Entry, ...]:
    """Return what is on the record about the model and what it depends on, and told changes."""
    from console.reports.failures import AFTER_SECONDS, BEFORE_SECONDS

    about = {row.model, *(f"dep:{each}" for each in row.dependencies), *row.dependencies}
    listed = journal.entries(Question(since=start - BEFORE_SECONDS, until=end + AFTER_SECONDS))
    return tuple(
        each
        for each in listed
        if each.target in about
        or (each.kind == "change" and not each.target)
        or row.model in _models(each)
    )


def _models(entry: Entry) -> Sequence[str]:
    kept = entry.details.get("models")
    return [str(each) for each in kept] if isinstance(kept, list | tuple) else []
