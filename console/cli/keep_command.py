"""``midwatch keep``: ends overrides when they are due, whoever's session has dropped."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.overrides import overrides_in_force
from console.actions.ttl_controller import Anchoring, Keeper
from console.actions.write_gate import require
from console.cli.action_session import DONE, NOTHING_CHANGED, opened, run_async
from console.cli.command_line import Parser, UsageError, add_shared
from console.domain.text import visible
from console.journal.anchor import anchor_place
from console.settings.durations import DurationError, parse_duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.action_session import Session

SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 60.0


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Keep until SIGINT or SIGTERM; with ``--once`` look once, 1 where something stays overdue."""
    parser = Parser("midwatch keep", "End overrides when they are due; the headless keeper.")
    parser.add_argument("--once", action="store_true", help="look once, for a timer; then end")
    parser.add_argument("--every", metavar="TIME", default="5s", help="pause between looks")
    add_shared(parser)
    chosen = parser.parse_all(arguments)
    return run_async(_keep(shared, _every(chosen.every), once=chosen.once))


def _every(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except DurationError as fault:
        raise UsageError(f"--every {visible(text, 40)}: {fault}") from fault
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise UsageError("--every is between 200ms and 1m")
    return seconds


async def _keep(shared: argparse.Namespace, every_seconds: float, *, once: bool) -> int:
    async with opened(shared, _quiet) as session:
        require("end", session.actor.mode)
        keeper = Keeper(session.actor, _tell, every_seconds, _anchoring(session))
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        if not once:
            _tell(f"keeping {session.bench.journal.place}, every {every_seconds:g} s")
            await keeper.run(ended)
            _tell("ended; what is in force now ends by itself only where the service sees to it")
            return DONE
        await keeper.look()
        await keeper.leave()
        now = session.bench.clock()
        left = await asyncio.to_thread(overrides_in_force, session.bench.journal)
        return NOTHING_CHANGED if any(each.state(now) == "overdue" for each in left) else DONE


def _anchoring(session: Session) -> Anchoring | None:
    declared = session.bench.settings.journal.anchor
    place = anchor_place(declared)
    if declared is None or place is None:
        return None
    return Anchoring(place, declared.every_seconds, session.prepared.resolver)


def _quiet(_stage: str, _sentence: str) -> None:
    return None


def _tell(sentence: str) -> None:
    """Write one line for the log of whatever runs this; never ends the keeper."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sys.stdout.write(f"{at} {visible(sentence, 1000)}\n")
    sys.stdout.flush()
