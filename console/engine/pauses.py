"""Python's own pauses, kept out of the way of the keys.

Measured with 5,000 models: a full pass of the garbage collector stopped every thread for 81 ms,
and a thread that computes lets another one in only after 5 ms.
"""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.facts.snapshot import Snapshot

SWITCH_SECONDS = 0.001
"""How long the engine may compute while the key loop waits for its turn."""

_TICKS_TO_SETTLE = 3


_USUAL = gc.get_threshold()
_STARTING = (100_000, *_USUAL[1:])
"""More containers than a start makes, so that no pass comes before the first frame."""


def hold_off_collector() -> None:
    """Let the garbage collector wait until `release_collector`: a start only adds, drops nothing.

    Measured: a twelfth of the time to the first frame went into passes that found nothing.
    """
    gc.set_threshold(*_STARTING)


def release_collector() -> None:
    """Collect as usual again, without walking what the start has loaded; only after a hold."""
    if gc.get_threshold() == _STARTING:
        gc.freeze()
        gc.set_threshold(*_USUAL)


def yield_often() -> None:
    """Let the key loop in after a millisecond of the engine's computing."""
    sys.setswitchinterval(SWITCH_SECONDS)


def settling(publish: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
    """Return ``publish`` that also sets a settled fleet's objects aside from garbage collection.

    What is set aside is freed as before when nobody refers to it; only full passes no longer
    walk it. A fleet is settled three ticks after its size last changed.
    """
    seen_rows = -1
    ticks = 0

    def published(snapshot: Snapshot) -> None:
        nonlocal seen_rows, ticks
        publish(snapshot)
        if len(snapshot.rows) != seen_rows:
            seen_rows, ticks = len(snapshot.rows), 0
        ticks += 1
        if ticks == _TICKS_TO_SETTLE:
            gc.freeze()

    return published
