"""The console as a benchmark's subject: the real program, optionally slowed or watched.

usage: python -m tests.benchmarks.subject [--slow] [--stalls FILE] -- MIDWATCH-ARGUMENTS
``--slow`` adds 0.1 s to start and to every Snapshot that is drawn; ``--stalls`` writes the
gaps (seconds, longest first) of a 1 ms heartbeat on the loop that answers keys.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

SLOWED_BY_SECONDS = 0.1
_BEAT_SECONDS = 0.001


async def _heartbeat(out: Path) -> None:
    gaps: list[float] = []
    started = last = time.perf_counter()
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        now = time.perf_counter()
        # The first seconds hold the imports after the first frame, which have their own benchmark.
        if now - started > 6.0:
            gaps.append(now - last - _BEAT_SECONDS)
            if len(gaps) % 500 == 0:
                worst = sorted(gaps, reverse=True)[:50]
                out.write_text("\n".join(f"{gap:.6f}" for gap in worst))
        last = now


def _watch(stalls: Path) -> None:
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
