"""``midwatch postmortem ID``: one incident after the fact, from the journal and the ranges."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.action_session import opened, run_async, told
from console.cli.bootstrap import refuse_existing, write_whole
from console.cli.command_line import CommandError, Parser, add_shared
from console.decisions.decision_log import decisions_in
from console.domain.text import visible
from console.engine.client import Refused
from console.engine.report_facts import incident_series
from console.journal import Question

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.bootstrap import Prepared
    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry
    from console.domain.incident import IncidentView
    from console.engine.service import Engine
    from console.journal import Journal
    from console.reports.postmortem import PostmortemDocument

_LIMIT_SECONDS = 60.0


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print or write the postmortem; exit 1 where nobody knows the incident."""
    chosen = parser().parse_all(arguments)
    if chosen.output is not None:
        refuse_existing(Path(chosen.output), force=chosen.force)
    return run_async(_postmortem(shared, chosen))


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch postmortem", "One incident after the fact, told without blame.")
    made.add_argument("incident", metavar="ID", help="as midwatch incidents lists it")
    made.add_argument("-o", "--output", metavar="FILE", help="write it there")
    made.add_argument("--force", action="store_true", help="replace FILE if it exists")
    made.add_argument("--json", action="store_true", help="a document, see docs/handover.md")
    made.add_argument("--names", action="store_true", help="people's names instead of roles")
    add_shared(made)
    return made


async def _postmortem(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        document = await _document(session.prepared, session.bench.journal, chosen)
    from console.reports.markdown import markdown
    from console.reports.postmortem_text import postmortem_blocks
    from console.reports.status import as_json

    text = f"{as_json(document)}\n" if chosen.json else markdown(postmortem_blocks(document))
    if chosen.output is None:
        sys.stdout.write(text)
    else:
        write_whole(Path(chosen.output), text.encode(), force=chosen.force)
    return command_line.OK


async def _document(
    prepared: Prepared, journal: Journal, chosen: argparse.Namespace
) -> PostmortemDocument:
    from console.reports.postmortem import PostmortemFacts, postmortem
    from console.reports.redact import cleaned

    incident = chosen.incident.strip()
    entries, decisions = await asyncio.to_thread(_read, journal, incident)
    looked_at = time.time()
    engine = prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        view = await _view(engine, incident)
        series = await incident_series(engine, view, time.time())
    finally:
        await engine.close()
    facts = PostmortemFacts(
        environment=prepared.loaded.settings.environment,
        view=view,
        now=time.time(),
        entries=entries,
        decisions=decisions,
        series=series,
        named=chosen.names,
        unknown=_first_seen(view, looked_at),
        ascii_only=chosen.output is None and not _shows_braille(),
    )
    return cleaned(postmortem(facts), prepared.resolver.known())


def _first_seen(view: IncidentView, looked_at: float) -> tuple[str, ...]:
    """Say where the rules' own begins are not known: a command sees them when it looks."""
    seen_now = any(
        event.at >= looked_at and event.kind in ("signal", "detect") for event in view.events
    )
    if not seen_now:
        return ()
    return ("since when rules held, so no time to detect: this looked only just now",)


def _shows_braille() -> bool:
    return (sys.stdout.encoding or "ascii").lower().startswith("utf")


def _read(journal: Journal, incident: str) -> tuple[tuple[Entry, ...], tuple[DecisionRecord, ...]]:
    return journal.entries(Question(incident=incident)), decisions_in(journal).records


async def _view(engine: Engine, incident: str) -> IncidentView:
    """Return the incident as a whole: as it is now, else as the journal remembers it."""
    await engine.once(limit_seconds=_LIMIT_SECONDS)
    if engine.settings.sources:
        await asyncio.sleep(engine.settings.refresh_seconds)
        await engine.once(limit_seconds=_LIMIT_SECONDS)
    found = await engine.incident_view(incident)
    if isinstance(found, Refused):
        sentence = "; ".join(found.sentences)
        raise CommandError(
            f"{visible(sentence, 300)}: no source tells of it now and the journal never heard of "
            "it; midwatch incidents lists those there are"
        )
    return found
