"""From the command to the first frame, and how much the first screen costs on the wire."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from tests.benchmarks.fleets import subject
from tests.benchmarks.measure import Benchmark, Row
from tests.benchmarks.waits import ProcessorWaits
from tests.support.pty_session import PtySession

_ROUNDS = 9
_AWAY = ("--prometheus", "http://127.0.0.1:9")  # discard: nothing listens, the start must not care


def _first_frame(arguments: list[str], marker: bytes) -> float:
    """Return the seconds to the marker, without those the program waited for a processor."""
    with PtySession(arguments) as terminal:
        seconds = terminal.wait_for(marker) - terminal.started_at
        return seconds - ProcessorWaits(terminal.pid).seconds().get(terminal.pid, 0.0)


def first_frame(slowed: bool) -> list[Row]:
    """Compare the time to the first frame with a minimal Textual app, taken in turns."""
    console = subject(*(["--slow"] if slowed else []), arguments=_AWAY)
    minimal = ["-m", "tests.benchmarks.minimal"]
    ours, floor = [], []
    _first_frame(console, b"MIDWATCH")  # Fills the byte-code caches of both.
    _first_frame(minimal, b"MINIMAL")
    for _ in range(_ROUNDS):
        floor.append(_first_frame(minimal, b"MINIMAL"))
        ours.append(_first_frame(console, b"MIDWATCH"))
    figure, base = statistics.median(ours), statistics.median(floor)
    # Each start against the one right before it: a shared machine is fast and slow in turns.
    ratio = statistics.median(one / other for one, other in zip(ours, floor, strict=True))
    return [
        Row(
            "first interactive frame",
            f"{figure * 1000:.0f} ms",
            "<=350 ms",
            ratio,
            1.3,
            f"minimal Textual app {base * 1000:.0f} ms",
        )
    ]


def version(slowed: bool) -> list[Row]:
    """Compare ``midwatch --version`` with an empty Python."""
    program = "import sys; sys.argv[1:] = ['--version']; from console.launch import main; main()"
    if slowed:
        program = f"import time; time.sleep(0.1); {program}"

    def seconds(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        return time.perf_counter() - started

    pairs = [(seconds("pass"), seconds(program)) for _ in range(9)]
    base = statistics.median(pair[0] for pair in pairs)
    figure = statistics.median(pair[1] for pair in pairs)
    return [
        Row(
            "midwatch --version",
            f"{figure * 1000:.0f} ms",
            "<=60 ms",
            figure / base,
            3.0,
            f"python -c pass {base * 1000:.0f} ms",
        )
    ]


BENCHMARKS = (Benchmark("first_frame", first_frame), Benchmark("version", version))
