"""What a tick costs the whole console: stalls of the key loop, bytes on the wire, memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.fleets import canned_fleet, subject
from tests.benchmarks.measure import Benchmark, Row
from tests.support.pty_session import PtySession

_TICKS = 12


def _stalls(models: int, slowed: bool) -> list[float]:
    """Return the longest gaps of the key loop's heartbeat while ticks arrive, worst first."""
    with tempfile.TemporaryDirectory() as folder, canned_fleet(models, 0.5) as url:
        report = Path(folder) / "stalls"
        options = ["--stalls", str(report), *(["--slow"] if slowed else [])]
        command = subject(*options, arguments=("--prometheus", url))
        with PtySession(command, env={"MIDWATCH_REFRESH": "2s"}) as terminal:
            terminal.wait_for(b"model-0", 40.0)
            terminal.drain(26.0)
        return [float(line) for line in report.read_text().split()]


def loop_stall(slowed: bool) -> list[Row]:
    """Compare the longest stall of the key loop at 5,000 models with that at 1,000."""
    small, large = _stalls(1000, False), _stalls(5000, slowed)
    # One gap may be the machine's own; the third longest is the console's.
    base, figure = small[2], large[2]
    return [
        Row(
            "longest stall of the key loop, 1,000 models",
            f"{base * 1000:.1f} ms (worst {small[0] * 1000:.1f})",
            "<=16 ms",
        ),
        Row(
            "longest stall of the key loop, 5,000 models",
            f"{figure * 1000:.1f} ms (worst {large[0] * 1000:.1f})",
            "<=16 ms",
            figure / max(base, 0.008),
            3.0,
            "the same at 1,000 models, at least 8 ms",
        ),
    ]


def wire_and_memory(slowed: bool) -> list[Row]:
    """Measure bytes of the first screen, of a tick and at rest, and resident memory."""
    del slowed  # Bytes do not depend on speed; nothing here is timed.
    rows = []
    with canned_fleet(1000, 0.1) as url:
        command = subject(arguments=("--prometheus", url))
        with PtySession(command, env={"MIDWATCH_REFRESH": "2s"}) as terminal:
            terminal.wait_for(b"model-0", 30.0)
            first_screen = terminal.settle(0.6, 5.0)
            terminal.drain(8.0)
            a_tick = terminal.drain(2.0 * _TICKS) / _TICKS
            memory = terminal.resident_mib()
        with PtySession(command, env={"MIDWATCH_REFRESH": "10m"}) as terminal:
            terminal.wait_for(b"model-0", 30.0)
            terminal.drain(8.0)
            at_rest = terminal.drain(10.0) / 10.0
    rows.append(Row("first settled screen, 160x45", f"{first_screen / 1000:.1f} KB", "<=12 KB"))
    rows.append(
        Row(
            "a tick of the console, 160x45, 10% of values changed, 2 s of clock and panes",
            f"{a_tick / 1000:.2f} KB",
            "<=1.5 KB for the table",
            a_tick / first_screen,
            0.4,
            "the first settled screen",
        )
    )
    rows.append(Row("at rest: the clock and ages alone", f"{at_rest:.0f} B/s", "0 beyond these"))
    rows.append(Row("resident memory, 1,000 models", f"{memory:.0f} MiB", "<=60 MiB"))
    return rows


BENCHMARKS = (
    Benchmark("loop_stall", loop_stall),
    Benchmark("wire_and_memory", wire_and_memory, timed=False),
)
