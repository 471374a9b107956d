"""How long a key waits for its paint, quiet and while ticks of 1,000 models arrive."""

from __future__ import annotations

import statistics
import time

from tests.benchmarks.fleets import canned_fleet, subject
from tests.benchmarks.measure import Benchmark, Row
from tests.benchmarks.waits import ProcessorWaits
from tests.support.pty_session import PtySession

_SAMPLES = 160
_LEAST_SECONDS = 0.0005
_QUICKEST_SECONDS = 0.002
"""No key is painted sooner; on a machine that is shared, taking waits off a wait can say so."""
# Typed into the command line, where no table, clock or age can show them by themselves.
_LETTERS = "ЖШЩЮЯФЦЧ"


def _key_to_paint(terminal: PtySession, samples: int) -> list[float]:
    """Return seconds from key press to its echo on the screen, ``samples`` times.

    Without the time in which the machine gave the console, or this reader, no processor.
    """
    waits = []
    watched = ProcessorWaits(terminal.pid), ProcessorWaits()
    terminal.send(":")
    terminal.settle(0.3, 3.0)
    for number in range(samples):
        letter = _LETTERS[number % len(_LETTERS)]
        seen = len(terminal.output)
        before = [waiting.seconds() for waiting in watched]
        pressed = terminal.send(letter)
        took = terminal.wait_for(letter.encode(), 5.0, since=seen) - pressed
        held = sum(one.since(then) for one, then in zip(watched, before, strict=True))
        waits.append(max(_LEAST_SECONDS, took - held))
        terminal.send("\x7f")
        time.sleep(0.013 + 0.007 * (number % 5))  # Not in step with the frames.
        terminal.read(0.0)
    terminal.send("\x1b")
    terminal.settle(0.3, 3.0)
    return waits


def _waits(url: str, refresh: str, slowed: bool, samples: int) -> list[float]:
    options = ["--slow"] if slowed else []
    command = subject(*options, arguments=("--prometheus", url))
    with PtySession(command, env={"MIDWATCH_REFRESH": refresh}) as terminal:
        terminal.wait_for(b"model-0", 30.0)
        terminal.drain(3.0)
        return _key_to_paint(terminal, samples)


def waits_while_numbers_arrive(url: str, samples: int) -> list[float]:
    """Return seconds from key to paint, ``samples`` times, of a console that polls each second."""
    return _waits(url, "1s", False, samples)


def key_to_paint(slowed: bool) -> list[Row]:
    """Compare the p99 during refresh with the p50 of a console at rest."""
    with canned_fleet(1000, 0.5) as url:
        idle = _waits(url, "10m", False, _SAMPLES // 2)
        busy = sorted(_waits(url, "1s", slowed, _SAMPLES))
    base = max(_QUICKEST_SECONDS, statistics.median(idle))
    p99 = busy[int(len(busy) * 0.99) - 1]
    return [
        Row(
            "key to paint during refresh, 1,000 models, p99",
            f"{p99 * 1000:.1f} ms",
            "<=16 ms quiet, <=50 ms in CI",
            p99 / base,
            8.0,
            f"idle p50 {base * 1000:.1f} ms; busy p50 {statistics.median(busy) * 1000:.1f} ms",
        )
    ]


BENCHMARKS = (Benchmark("key_to_paint", key_to_paint),)
