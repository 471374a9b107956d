"""``midwatch incidents``: what other systems' alerts come to, for people, pipes and scripts."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from console.cli import exits
from console.cli.exits import CommandError, UsageError
from console.cli.loading import prepare
from console.cli.parsing import Parser, add_shared, flags
from console.facts.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.engine.service import Engine
    from console.facts.snapshot import Snapshot

_EPILOG = (
    "Exit code: 2 a firing S1 (severity critical or page), else 1 a firing S2 (warning), else 3 "
    "a place for alerts is away or a severity is not understood, else 0; 64 bad usage, 78 bad "
    "configuration."
)
_LIMIT_SECONDS = 12.0


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch incidents", "What fires, grouped by model and by shared dependency.")
    made.epilog = _EPILOG
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a document, see docs/incidents.md")
    form.add_argument("--plain", action="store_true", help="one fact a line")
    made.add_argument(
        "--held", action="store_true", help="what people have, the oldest first, and no more"
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the incidents and return the exit code."""
    chosen = parser().parse_all(arguments)
    prepared = prepare(flags(shared), needs_source=False)
    from console.incidents.build import alert_settings

    if chosen.held and chosen.plain:
        raise UsageError("--held is a table, or a document with --json")
    if not chosen.held and not alert_settings(prepared.loaded.settings):
        raise CommandError(
            "there is no place to read alerts from: declare one as [[alerts]] in the configuration "
            "(docs/incidents.md), or give --prometheus URL",
            exits.BAD_CONFIG,
        )
    return asyncio.run(_incidents(prepared.engine(), chosen))


async def _incidents(engine: Engine, chosen: argparse.Namespace) -> int:
    engine.on_problem = _tell
    try:
        await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        # Who calls what is known after one judgement, and grouping needs it: judge once more.
        snapshot = await engine.once(remembers=False, limit_seconds=0.0)
    finally:
        await engine.close()
    sys.stdout.write(_written(snapshot, chosen))
    from console.reports.incidents import incidents_exit_code

    if chosen.held:
        return exits.OK if snapshot.record.trusted else exits.UNKNOWN
    return incidents_exit_code(snapshot)


def _written(snapshot: Snapshot, chosen: argparse.Namespace) -> str:
    if chosen.held:
        from console.reports.holds import held_document, held_table
        from console.reports.status import as_json

        return f"{as_json(held_document(snapshot))}\n" if chosen.json else held_table(snapshot)
    if chosen.json:
        from console.reports.incident_document import incidents_document
        from console.reports.status import as_json

        return f"{as_json(incidents_document(snapshot))}\n"
    from console.reports.incidents import incidents_plain, incidents_table

    return incidents_plain(snapshot) if chosen.plain else incidents_table(snapshot)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"midwatch: {visible(sentence)}\n")
