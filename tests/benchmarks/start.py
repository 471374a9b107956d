"""From the command to the first frame, and how much the first screen costs on the wire."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.reports.last_seen import FORM, place_of
from tests.benchmarks.fleets import subject
from tests.benchmarks.measure import Benchmark, Row
from tests.benchmarks.waits import ProcessorWaits
from tests.support.pty_session import PtySession

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROUNDS = 9
_AWAY = ("--prometheus", "http://127.0.0.1:9")  # discard: nothing listens, the start must not care


def _first_frame(
    arguments: list[str], marker: bytes, env: Mapping[str, str] | None = None
) -> float:
    """Return the seconds to the marker, without those the program waited for a processor."""
    with PtySession(arguments, env=env) as terminal:
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


def demo_frame(slowed: bool) -> list[Row]:
    """Compare the demo's first frame with a minimal Textual app's: its fleet comes later."""
    demo = subject(*(["--slow"] if slowed else []), arguments=("demo",))
    ours, floor = _in_turns(demo, b"MIDWATCH", ["-m", "tests.benchmarks.minimal"], b"MINIMAL")
    ratio = statistics.median(one / other for one, other in zip(ours, floor, strict=True))
    figure, base = statistics.median(ours), statistics.median(floor)
    against = f"minimal Textual app {base * 1000:.0f} ms"
    what = "first interactive frame of the demo"
    return [Row(what, f"{figure * 1000:.0f} ms", "<=1.25x", ratio, 2.0, against)]


def last_seen(slowed: bool) -> list[Row]:
    """Compare the last known screen with an empty Python that says a word."""
    arguments = subject(*(["--slow"] if slowed else []), arguments=_AWAY)
    text = f"{FORM}\t{time.time():.0f}\tbench\n0\t0\t0\t0\t0\t0\n7\tmodel-0\t1\t1s\t0%\t"
    with tempfile.TemporaryDirectory() as folder:
        env = {"XDG_STATE_HOME": folder}
        place = place_of(_AWAY, {**os.environ, **env})
        assert place is not None
        Path(place).parent.mkdir()
        Path(place).write_text(text, encoding="utf-8")
        word = ["-c", "print('READY')"]
        ours, floor = _in_turns(arguments, b"LAST SEEN", word, b"READY", env)
    figure, base = statistics.median(ours), statistics.median(floor)
    ratio = statistics.median(one / other for one, other in zip(ours, floor, strict=True))
    against = f"python -c print {base * 1000:.0f} ms"
    return [Row("last known screen", f"{figure * 1000:.0f} ms", "<=3x", ratio, 4.0, against)]


def _in_turns(
    ours: list[str],
    marker: bytes,
    floor: list[str],
    floor_marker: bytes,
    env: Mapping[str, str] | None = None,
) -> tuple[list[float], list[float]]:
    """Return the seconds of two programs to their markers, started in turns."""
    times: tuple[list[float], list[float]] = [], []
    for number in range(_ROUNDS + 1):
        taken = _first_frame(ours, marker, env), _first_frame(floor, floor_marker, env)
        if number:  # The first fills the byte-code caches of both.
            times[0].append(taken[0])
            times[1].append(taken[1])
    return times


BENCHMARKS = (
    Benchmark("first_frame", first_frame),
    Benchmark("demo_frame", demo_frame),
    Benchmark("last_seen", last_seen),
    Benchmark("version", version),
)
