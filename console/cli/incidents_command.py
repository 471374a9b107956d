"""``midwatch incidents``: what calls for somebody, and one incident as a whole."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.bootstrap import NOTHING_TO_READ, prepare
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, flags
from console.domain.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.bootstrap import Prepared
    from console.domain.incident import IncidentView
    from console.domain.snapshot import Snapshot

_LIMIT_SECONDS = 12.0
_LEAST_ID = 4


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch incidents", "What fires, grouped by model and by shared dependency.")
    made.add_argument(
        "words",
        nargs="*",
        metavar="show ID",
        help="one incident, by id, model or dep:NAME: timeline, impact, clock, checklist",
    )
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a document, see docs/incidents.md")
    form.add_argument("--plain", action="store_true", help="one fact a line")
    made.add_argument(
        "--held", action="store_true", help="what people have, the oldest first, and no more"
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the incidents, or one, and return the exit code."""
    chosen = parser().parse_all(arguments)
    words: list[str] = chosen.words
    if words and (words[0] != "show" or len(words) != 2):
        raise UsageError("it is midwatch incidents, or midwatch incidents show ID")
    prepared = prepare(flags(shared), needs_source=False)
    from console.incidents.feeds import alert_settings

    settings = prepared.loaded.settings
    if not chosen.held and not settings.sources and not alert_settings(settings):
        more = "A place for alerts alone is enough here: [[alerts]], see docs/incidents.md."
        raise CommandError(f"{NOTHING_TO_READ} {more}", command_line.BAD_CONFIG)
    if chosen.held and (chosen.plain or words):
        raise UsageError("--held is a table of all that is held, or a document with --json")
    if words:
        return asyncio.run(_show(prepared, words[1], chosen))
    return asyncio.run(_incidents(prepared, chosen))


async def _incidents(prepared: Prepared, chosen: argparse.Namespace) -> int:
    engine = prepared.engine()
    engine.on_problem = _tell
    try:
        if chosen.held:
            # The record alone says who has what.
            snapshot = await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        else:
            snapshot = await prepared.two_looks(engine, _LIMIT_SECONDS)
    finally:
        await engine.close()
    sys.stdout.write(_written(snapshot, chosen))
    from console.reports.plain import incidents_exit_code

    if chosen.held:
        return command_line.OK if snapshot.record.trusted else command_line.UNKNOWN
    return incidents_exit_code(snapshot)


async def _show(prepared: Prepared, name: str, chosen: argparse.Namespace) -> int:
    """Print one incident after two looks, one refresh apart: most rules need a second."""
    from console.engine.client import Refused

    engine = prepared.engine()
    engine.on_problem = _tell
    try:
        snapshot = await prepared.two_looks(engine, _LIMIT_SECONDS)
        view = await engine.incident_view(_named(snapshot, name))
    finally:
        await engine.close()
    if isinstance(view, Refused):
        raise CommandError(f"{view.sentences[0]}; list them with midwatch incidents")
    sys.stdout.write(_shown(view, chosen))
    return command_line.OK


def _named(snapshot: Snapshot, name: str) -> str:
    """Return the id that ``name`` is, begins or is about, else ``name``: the journal may know it.

    As `ack` takes it: an id, its first letters, or the model or ``dep:NAME`` that has an incident.
    """
    incidents = snapshot.incidents
    if any(one.id == name for one in incidents):
        return name
    about = [
        one.id
        for one in incidents
        if name in (one.model, f"dep:{one.dependency}") or (one.dependency and name in one.models)
    ]
    close = [one.id for one in incidents if len(name) >= _LEAST_ID and one.id.startswith(name)]
    found = about or close
    return found[0] if len(found) == 1 else name


def _shown(view: IncidentView, chosen: argparse.Namespace) -> str:
    from console.reports.incident_text import view_document, view_text

    if not chosen.json:
        return view_text(view)
    from console.reports.status import as_json

    return f"{as_json(view_document(view))}\n"


def _written(snapshot: Snapshot, chosen: argparse.Namespace) -> str:
    if chosen.held:
        from console.reports.holds import held_document, held_table
        from console.reports.status import as_json

        return f"{as_json(held_document(snapshot))}\n" if chosen.json else held_table(snapshot)
    if chosen.json:
        from console.reports.incident_document import incidents_document
        from console.reports.status import as_json

        return f"{as_json(incidents_document(snapshot))}\n"
    from console.reports.plain import incidents_plain, incidents_table

    return incidents_plain(snapshot) if chosen.plain else incidents_table(snapshot)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"midwatch: {visible(sentence)}\n")
