"""A console's own keeping of what is held, for as long as it runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.journal.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.acting import Acting
    from console.facts.snapshot import Snapshot

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0


async def keep_holds(
    acting: Acting, latest: Callable[[], Snapshot | None], tell: Callable[[str], None]
) -> None:
    """Keep holds until cancelled; what goes wrong is told once, and tried again."""
    told = ""
    while True:
        problem, pause_seconds = "", RETRY_SECONDS
        try:
            pause_seconds = await acting.keep_holds(latest(), tell)
        except JournalError as fault:
            problem = fault.sentence
        except Exception as fault:
            log.exception("keeping holds failed")
            problem = visible(repr(fault), 300)
        if problem and problem != told:
            tell(f"holds on incidents are not kept: {problem}")
        told = problem
        await asyncio.sleep(pause_seconds)
