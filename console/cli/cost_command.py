"""``midwatch cost``: what every model spent, where the month ends, and what changed."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, cast

from console.cli import command_line
from console.cli.bootstrap import prepare
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, flags, row_of
from console.domain.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.engine.service import Engine
    from console.evaluation.spend import Grouping
    from console.reports.cost_document import CostDocument

_LIMIT_SECONDS = 60.0
_GROUPINGS = ("model", "team", "component", "use")


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch cost", "What every model spent, and where the month ends.")
    made.add_argument("model", nargs="?", metavar="MODEL", help="only this model")
    made.add_argument(
        "--month", metavar="M", default="", help="such as 2026-11 (default: this one)"
    )
    made.add_argument(
        "--by", choices=_GROUPINGS, default="model", help="a line each (default model)"
    )
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a document, see docs/cost.md")
    form.add_argument("--csv", action="store_true", help="a line each, amounts unrounded")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the spend; exit 3 where that of a model is not known, 1 where nothing is."""
    chosen = parser().parse_all(arguments)
    document = asyncio.run(_document(prepare(flags(shared)).engine(), chosen))
    from console.reports.cost_document import cost_csv, cost_table
    from console.reports.status import as_json

    if chosen.json:
        text = f"{as_json(document)}\n"
    else:
        text = cost_csv(document) if chosen.csv else cost_table(document)
    sys.stdout.write(text)
    if document.total.month_usd is None:
        return command_line.FAILED
    return command_line.UNKNOWN if document.total.unknown else command_line.OK


async def _document(engine: Engine, chosen: argparse.Namespace) -> CostDocument:
    from console.engine.spending import UnknownMonthError
    from console.reports.cost_document import cost_document

    engine.on_problem = lambda sentence: _tell(sentence)
    try:
        snapshot = await engine.once(remembers=False, limit_seconds=_LIMIT_SECONDS)
        rows = [row_of(snapshot, chosen.model)] if chosen.model else range(len(snapshot.rows))
        if not rows:
            away = [status.error or status.state for status in snapshot.sources]
            raise CommandError(f"no model is known: {visible('; '.join(away), 300)}")
        facts = await engine.spend(chosen.month)
        assert facts is not None
        by = cast("Grouping", chosen.by)
        return cost_document(facts, by, rows, engine.settings.environment)
    except UnknownMonthError as fault:
        raise UsageError(f"--month {visible(chosen.month, 40)} {fault}") from fault
    finally:
        await engine.close()


def _tell(sentence: str) -> None:
    sys.stderr.write(f"midwatch: {sentence}\n")
