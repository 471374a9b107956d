"""Schedules Python's garbage collection between key presses.

Measured with 5,000 models: a full pass of the garbage collector stopped every thread for 81 ms,
and a thread that computes lets another one in only after 5 ms.
"""

from __future__ import annotations

import gc
import sys
import time

TYPE_CHECKING = False  # typing would be a third of what a picture waits for
if TYPE_CHECKING:
    from collections.abc import Callable

    from console.domain.snapshot import Snapshot

SWITCH_SECONDS = 0.001
"""How long the engine may compute while the key loop waits for its turn."""

_TICKS_TO_SETTLE = 3


_USUAL = gc.get_threshold()
_STARTING = 1_000_000
"""More containers than a start makes, so that no pass comes before the first numbers."""


def hold_off_collector() -> None:
    """Let the garbage collector wait until `release_collector`: a start only adds, drops nothing.

    Measured: a twelfth of the time to the first frame went into passes that found nothing, and
    two fifths of what it takes to load the engine (343 ms with them, 200 without).
    """
    gc.set_threshold(_STARTING, *gc.get_threshold()[1:])


def release_collector() -> None:
    """Collect as usual again, without walking what the start has loaded; only after a hold."""
    young, *older = gc.get_threshold()
    if young == _STARTING:
        gc.freeze()
        gc.set_threshold(_USUAL[0], *older)


QUIET_SECONDS = 3.0
"""A person who pressed no key for so long is reading, and does not feel a pause."""
PASS_EVERY_SECONDS, LONGEST_SECONDS = 60.0, 300.0
"""How far apart full passes are while nobody types, and at most while somebody does."""
_NEVER = 1_000_000


class QuietCollector:
    """Full passes of the garbage collector at moments when nobody waits for a key.

    Measured with 5,000 models: by Python's own rule one came every two to seven seconds and stopped
    every thread for 30 to 70 ms; what they found was 400 objects a second, some 4 MB a minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Count seconds by ``clock``."""
        self._clock = clock
        self._key_at = self._passed_at = clock()
        self._begun = False

    def begin(self) -> None:
        """Take full passes over from Python; its short ones over young objects go on."""
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, _NEVER)
        self._begun = True

    def key_pressed(self) -> None:
        """Note that somebody is typing."""
        self._key_at = self._clock()

    def look(self) -> bool:
        """Make a full pass if one is due and nobody minds; return whether it was made."""
        now = self._clock()
        since_seconds = now - self._passed_at
        quiet = now - self._key_at >= QUIET_SECONDS
        if not self._begun or since_seconds < (PASS_EVERY_SECONDS if quiet else LONGEST_SECONDS):
            return False
        gc.collect()
        self._passed_at = self._clock()
        return True


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
