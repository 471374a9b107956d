"""What every command that changes the world shares: the session, the asking, the exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.actions.confirming import SHORTEST_REASON
from console.actions.gate_of_writes import mode_of_command
from console.actions.pipeline import Actor
from console.actions.preparing import Bench
from console.actions.refusal import ActionRefused, WritesNotAllowed
from console.actions.shelf import ControlShelf
from console.cli.exits import CommandError, UsageError
from console.cli.loading import prepare
from console.cli.parsing import flags
from console.facts.text import visible
from console.journal import JournalError, open_configured
from console.settings.durations import DurationError, parse_duration
from console.settings.schema import SHIFT_END

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable

    from console.cli.loading import Prepared
    from console.cli.parsing import Parser
    from console.facts.action import Outcome
    from console.facts.snapshot import Snapshot

DONE = 0
NOTHING_CHANGED = 1
UNVERIFIED = 4
PARTIAL = 5
SUPERSEDED = 6
REFUSED = 7
NOT_ALLOWED = 8

CODES = {
    "applied": DONE,
    "no_op": DONE,
    "rejected": NOTHING_CHANGED,
    "failed": NOTHING_CHANGED,
    "unverified": UNVERIFIED,
    "partial": PARTIAL,
    "superseded": SUPERSEDED,
}

EPILOG = (
    "Exit code: 0 applied or already so, 1 rejected or failed (nothing changed), 4 unverified (may "
    "have changed: look), 5 partial, 6 superseded, 7 refused by a guard, 8 writes not allowed."
)
LOOK_LIMIT_SECONDS = 15.0
SECOND_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Session:
    """One command's hold on configuration, journal and controls."""

    prepared: Prepared
    actor: Actor

    @property
    def bench(self) -> Bench:
        """What the actor works with."""
        return self.actor.bench


def add_flags(parser: Parser) -> None:
    """Add the flags that every action command takes."""
    parser.epilog = EPILOG
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        help="why it is done; required, and stands in the record",
    )
    parser.add_argument(
        "--ttl",
        metavar="TIME",
        help=f"when a held state ends: 15m, 1h (default), 4h, {SHIFT_END}",
    )
    parser.add_argument("--incident", metavar="ID", default="", help="the incident it belongs to")
    parser.add_argument(
        "--dry-run", action="store_true", help="show everything that would happen; send nothing"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    parser.add_argument(
        "--break-glass",
        metavar="REASON",
        default="",
        help="go without what a guard or class C3 asks for; stands in the record",
    )
    parser.add_argument("--instant", action="store_true", help="one look at the numbers, no second")
    parser.add_argument("--json", action="store_true", help="a document for scripts")


def ttl_of(chosen: argparse.Namespace, bench: Bench | None = None) -> float | None:
    """Return ``--ttl`` in seconds from now, None where it was not given.

    The end of the shift stands in the settings: without a ``bench`` it is not known yet, None.
    """
    if chosen.ttl is None:
        return None
    if chosen.ttl.strip() == SHIFT_END:
        return None if bench is None else _shift_end_seconds(bench)
    try:
        return parse_duration(chosen.ttl)
    except DurationError as fault:
        sentence = f"--ttl {visible(chosen.ttl, 40)}: {fault}, or {SHIFT_END}"
        raise UsageError(sentence) from fault


def _shift_end_seconds(bench: Bench) -> float:
    now = bench.clock()
    return float(round(bench.settings.shift.next_end(now) - now))


def reason_of(chosen: argparse.Namespace) -> str:
    """Return ``--reason``; without one the command is refused."""
    reason = (chosen.reason or "").strip()
    if not reason:
        raise UsageError("say why: --reason TEXT is required and stands in the record")
    if len(reason) < SHORTEST_REASON:
        raise UsageError("say why in at least three letters: --reason TEXT stands in the record")
    return str(reason)


@contextlib.asynccontextmanager
async def opened(
    shared: argparse.Namespace, progress: Callable[[str, str], None] | None = None
) -> AsyncIterator[Session]:
    """Hold journal and controls for the length of a ``with``; raises ``JournalError``."""
    prepared = prepare(flags(shared), needs_source=False)
    settings = prepared.loaded.settings
    journal = await asyncio.to_thread(
        open_configured, prepared.loaded, prepared.resolver, os.environ
    )
    shelf = ControlShelf(settings, prepared.resolver)
    try:
        from console.journal import declared_name, gather_who

        who = gather_who(*declared_name(settings, os.environ), os.environ)
        bench = Bench(settings, shelf, journal, who, time.time)
        yield Session(prepared, Actor(bench, mode_of_command(settings), progress or told))
    finally:
        await shelf.aclose()
        await asyncio.to_thread(journal.close)


def told(stage: str, sentence: str) -> None:
    """Tell a stage of the pipeline on standard error."""
    sys.stderr.write(f"{stage:<8} {visible(sentence, 600)}\n")
    sys.stderr.flush()


def run_async(work: Awaitable[int]) -> int:
    """Run a command to its exit code; refusals and faults of the journal become sentences."""

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show an arrow must not end what is under way.
            stream.reconfigure(errors="backslashreplace")

    async def whole() -> int:
        return await work

    try:
        return asyncio.run(whole())
    except WritesNotAllowed as fault:
        raise CommandError(
            f'{fault}: the configuration says writes = "never"', NOT_ALLOWED
        ) from fault
    except ActionRefused as fault:
        lines = "\n  ".join(visible(guard.sentence, 600) for guard in fault.guards)
        raise CommandError(f"refused, nothing was sent:\n  {lines}", REFUSED) from fault
    except JournalError as fault:
        raise CommandError(
            f"nothing was sent, because the journal cannot be used: {fault.sentence}",
            NOTHING_CHANGED,
        ) from fault


async def look(session: Session, models: tuple[str, ...], *, instant: bool) -> Snapshot | None:
    """Return the fleet as it is, so that a preview has numbers; None where none can be had.

    Rates need two looks at a scraped service; a second is taken where the first has none.
    """
    if not session.prepared.loaded.settings.sources:
        return None
    engine = session.prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        async with asyncio.timeout(LOOK_LIMIT_SECONDS):
            snapshot = await engine.once()
            index = {row.model: number for number, row in enumerate(snapshot.rows)}
            wanted = [index[model] for model in models if model in index]
            known = all(snapshot.reading("requests_rate", row).known for row in wanted)
            if instant or known:
                return snapshot
            refresh_seconds = session.prepared.loaded.settings.refresh_seconds
            await asyncio.sleep(min(refresh_seconds, SECOND_LOOK_SECONDS))
            return await engine.once()
    except TimeoutError:
        told("note", f"no numbers within {LOOK_LIMIT_SECONDS:.0f} s; going on without")
        return None
    finally:
        await engine.close()


def code_of(outcome: Outcome) -> int:
    """Return the exit code that is promised for an outcome."""
    return CODES[outcome.kind]


def has_terminal() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
