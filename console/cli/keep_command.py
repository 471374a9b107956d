"""``midwatch keep``: ends overrides when they are due, whoever's session has dropped."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.ttl_controller import Anchoring, Keeper
from console.actions.write_gate import require
from console.cli.action_session import DONE, NOTHING_CHANGED, opened, run_async
from console.cli.command_line import Parser, add_shared, duration
from console.domain.text import visible
from console.journal.anchor import anchor_place
from console.journal.override_log import overrides_in_force

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.action_session import Session

SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 60.0


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch keep", "End overrides when they are due; the headless keeper.")
    made.add_argument("--once", action="store_true", help="look once, for a timer; then end")
    made.add_argument(
        "--every",
        metavar="TIME",
        type=made.value(
            duration(SHORTEST_SECONDS, LONGEST_SECONDS, "between 200ms and 1m"), "--every"
        ),
        default=5.0,
        help="pause between looks (default 5s)",
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Keep until SIGINT or SIGTERM; with ``--once`` look once, 1 where something stays overdue."""
    chosen = parser().parse_all(arguments)
    return run_async(_keep(shared, chosen.every, once=chosen.once))


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
