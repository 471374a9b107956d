"""The console as a benchmark's subject: the real program, optionally slowed or watched.

usage: python -m tests.benchmarks.subject [--slow] [--stalls FILE] -- MIDWATCH-ARGUMENTS
``--slow`` adds 0.1 s to start and to every Snapshot that is drawn; ``--stalls`` writes the
longest gaps of a 1 ms heartbeat on the loop that answers keys, a line each: seconds without
what was spent in the queue for a processor, and seconds in all.
"""

import os
import sys
import time
from pathlib import Path

SLOWED_BY_SECONDS = 0.1
_BEAT_SECONDS = 0.001
_WARM_UP_SECONDS = 6.0
_WORTH_NOTING_SECONDS = 0.002


async def _heartbeat(out: Path) -> None:
    import asyncio

    from tests.benchmarks.waits import ProcessorWaits

    waits = ProcessorWaits()
    stalls: list[tuple[float, float]] = []
    started = time.perf_counter()
    beats = 0
    while True:
        before, waited = time.perf_counter(), waits.seconds()
        await asyncio.sleep(_BEAT_SECONDS)
        now = time.perf_counter()
        gap = now - before - _BEAT_SECONDS
        # The first seconds hold the imports after the first frame, which have their own benchmark.
        if now - started < _WARM_UP_SECONDS:
            continue
        if gap > _WORTH_NOTING_SECONDS:
            own = max(0.0, gap - waits.since(waited))
            stalls.append((own, gap))
        beats += 1
        if beats % 500 == 0:
            worst = sorted(stalls, reverse=True)[:50]
            out.write_text("".join(f"{own:.6f} {gap:.6f}\n" for own, gap in worst))
            waits.look_for_threads()


def _watch(stalls: Path) -> None:
    import asyncio

    from console.app import MidwatchApp

    original = MidwatchApp.on_mount

    def on_mount(self: MidwatchApp) -> object:
        self.benchmark_heartbeat = asyncio.create_task(_heartbeat(stalls))  # type: ignore[attr-defined]
        return original(self)

    MidwatchApp.on_mount = on_mount  # type: ignore[method-assign,assignment]


def _slow_drawing() -> None:
    from widgets.grid import Grid

    original = Grid.show_rows

    def show_rows(self: Grid, *arguments: object, **named: object) -> None:
        time.sleep(SLOWED_BY_SECONDS)
        original(self, *arguments, **named)  # type: ignore[arg-type]

    Grid.show_rows = show_rows  # type: ignore[method-assign]


def main() -> int:
    """Run the console with what was asked of it."""
    own, _, rest = " ".join(sys.argv[1:]).partition("-- ")
    options = own.split()
    os.environ.setdefault("TEXTUAL_FPS", "120")
    if "--slow" in options:
        time.sleep(SLOWED_BY_SECONDS)
        _slow_drawing()
    if "--stalls" in options:
        _watch(Path(options[options.index("--stalls") + 1]))
    sys.argv[1:] = rest.split()
    from console.launch import main as midwatch

    return midwatch()


if __name__ == "__main__":
    sys.exit(main())
