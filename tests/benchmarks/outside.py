"""What somebody at the keyboard gets, measured from outside: the installed command in a pty.

usage: python -m tests.benchmarks.outside [--rounds N] [ROW…]
Prints the table of goals: first frames, first true numbers, what rest costs, memory, questions.
Each start is taken in turns with the one it is compared to; the ratio is that of the medians,
and beside it stands that of the quickest of each, which a busy machine bends least.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyte

from tests.benchmarks.canned_server import serve_page
from tests.benchmarks.fleets import canned_fleet
from tests.benchmarks.measure import Row, table
from tests.support.pty_session import ROOT, PtySession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

COMMAND = str(Path(sys.executable).with_name("midwatch"))
MINIMAL = ("-m", "tests.benchmarks.minimal")
AWAY = (COMMAND, "--prometheus", "http://127.0.0.1:9")  # discard: nothing listens there
FIVE_KINDS = ("midwatch", "vllm", "triton", "mlserver", "litellm")
_VLLM_PAGE = ROOT / "tests" / "metrics" / "data" / "vllm.txt"
_WIDTH, _HEIGHT = 160, 45
_PATIENCE_SECONDS = 60.0
_NUMBER = re.compile(r"[■▲◆●·?□△○–✓✗ ]*\S*(model-\d|[a-z]+-[a-z]+).* \d")
_INTERACTIVE = b"\x1b[?1049h"
"""Textual's alternate screen: what is painted before it is a picture of earlier."""


@dataclass
class Turns:
    """Seconds of two programs started in turns."""

    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    def row(self, what: str, goal: float, baseline: str) -> Row:
        """Return the row of the table: the medians' ratio against the goal."""
        figure, base = statistics.median(self.ours), statistics.median(self.floor)
        quickest = min(self.ours) / min(self.floor)
        return Row(
            what,
            f"{figure * 1000:.0f} ms",
            f"<={goal:g}x",
            figure / base,
            goal,
            f"{baseline} {base * 1000:.0f} ms; quickest of each {quickest:.2f}",
        )


def _against(what: str, figure: float, unit: str, goal: float, baseline: str = "") -> Row:
    """Return the row of a figure that has no other program to be compared with."""
    shown = f"{figure:.2f}" if figure < 10 else f"{figure:.0f}"
    return Row(what, f"{shown} {unit}", f"<={goal:g} {unit}", figure / goal, 1.0, baseline)


@contextlib.contextmanager
def _home() -> Iterator[dict[str, str]]:
    """Yield the environment of somebody who never started the console."""
    with tempfile.TemporaryDirectory(prefix="midwatch-bench-") as folder:
        yield {"HOME": folder, "XDG_STATE_HOME": f"{folder}/state", "XDG_CACHE_HOME": folder}


def _shown(arguments: Sequence[str], marker: bytes, env: Mapping[str, str]) -> float:
    """Return the seconds from the command to a text on the screen."""
    with PtySession(arguments, _WIDTH, _HEIGHT, env) as terminal:
        return terminal.wait_for(marker, _PATIENCE_SECONDS) - terminal.started_at


def _interactive(arguments: Sequence[str], marker: bytes, env: Mapping[str, str]) -> float:
    """Return the seconds to the first frame that answers keys."""
    with PtySession(arguments, _WIDTH, _HEIGHT, env) as terminal:
        terminal.wait_for(_INTERACTIVE, _PATIENCE_SECONDS)
        since = terminal.output.rfind(_INTERACTIVE)
        return terminal.wait_for(marker, _PATIENCE_SECONDS, since) - terminal.started_at


def _first_numbers(arguments: Sequence[str], env: Mapping[str, str]) -> float:
    """Return the seconds until a row of the table holds a model and a number of its own."""
    arrivals: list[tuple[float, int]] = []
    with PtySession(arguments, _WIDTH, _HEIGHT, env) as terminal:
        terminal.wait_for(_INTERACTIVE, _PATIENCE_SECONDS)
        limit = time.perf_counter() + _PATIENCE_SECONDS
        screen = pyte.Screen(_WIDTH, _HEIGHT)
        stream = pyte.ByteStream(screen)
        fed = 0
        while time.perf_counter() < limit:
            if not terminal.read(0.05):
                continue
            arrivals.append((time.perf_counter(), len(terminal.output)))
            stream.feed(_plain(bytes(terminal.output[fed:])))
            fed = len(terminal.output)
            if any(_NUMBER.match(line.split("│")[0]) for line in screen.display[3:30]):
                return arrivals[-1][0] - terminal.started_at
    raise TimeoutError("no number was seen")


def _plain(written: bytes) -> bytes:
    """Return what pyte understands: private sequences with parameters it has no word for go."""
    return re.sub(rb"\x1b(\[[<>=?][0-9;]*[a-zA-Z]|P[^\x1b]*\x1b\\\\)", b"", written)


def _in_turns(rounds: int, ours: Callable[[], float], floor: Callable[[], float]) -> Turns:
    turns = Turns()
    floor(), ours()  # Fills the byte-code caches of both.
    for _ in range(rounds):
        turns.floor.append(floor())
        turns.ours.append(ours())
    return turns


def first_frame(rounds: int) -> list[Row]:
    """Compare the first interactive frame with a minimal Textual app's, on a source and demo."""
    rows = []
    for what, arguments in (("", AWAY), (" of the demo", (COMMAND, "demo"))):
        with _home() as env:
            turns = _in_turns(
                rounds,
                lambda a=arguments, e=env: _interactive(a, b"MIDWATCH", e),  # type: ignore[misc]
                lambda e=env: _shown(MINIMAL, b"MINIMAL", e),  # type: ignore[misc]
            )
        rows.append(turns.row(f"first interactive frame{what}", 1.25, "minimal app"))
    return rows


def last_seen(rounds: int) -> list[Row]:
    """Compare the last known screen, painted before Textual is imported, with an empty Python."""
    with _home() as env, canned_fleet(30, 0.0) as url:
        arguments = (COMMAND, "--prometheus", url)
        # Quick ticks: a picture is kept once rules had their second look.
        quick = {**env, "MIDWATCH_REFRESH": "1s"}
        with PtySession(arguments, _WIDTH, _HEIGHT, quick) as terminal:
            terminal.wait_for(b"model-0", _PATIENCE_SECONDS)
            terminal.drain(10.0)
        turns = _in_turns(
            rounds,
            lambda: _shown(arguments, b"LAST SEEN", env),
            lambda: _shown(("-c", "print('READY')"), b"READY", env),
        )
    return [turns.row("last known screen", 3.0, "python -c print")]


def first_numbers(rounds: int) -> list[Row]:
    """Compare the first true numbers with the first frame of a minimal app."""
    rows = []
    for models, goal in ((30, 2.5), (1000, 4.5), (5000, 6.5)):
        with canned_fleet(models, 0.0) as url, _home() as env:
            turns = _in_turns(
                rounds,
                lambda u=url, e=env: _first_numbers((COMMAND, "--prometheus", u), e),  # type: ignore[misc]
                lambda e=env: _shown(MINIMAL, b"MINIMAL", e),  # type: ignore[misc]
            )
        rows.append(turns.row(f"first true numbers, {models:,} models", goal, "minimal app"))
    with _home() as env:
        turns = _in_turns(
            rounds,
            lambda: _first_numbers((COMMAND, "demo"), env),
            lambda: _shown(MINIMAL, b"MINIMAL", env),
        )
    rows.append(turns.row("first true numbers, demo", 4.0, "minimal app"))
    return rows


_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS, _REST_SECONDS = 20.0, 30.0


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _rest(arguments: Sequence[str], what: str, cpu_goal: float, memory_goal: float) -> list[Row]:
    """Measure a console that nobody touches, once its numbers have settled."""
    with (
        _home() as env,
        PtySession(arguments, _WIDTH, _HEIGHT, env) as terminal,
    ):
        terminal.wait_for(_INTERACTIVE, _PATIENCE_SECONDS)
        terminal.drain(_SETTLE_SECONDS)
        before = _processor_seconds(terminal.pid)
        written = terminal.drain(_REST_SECONDS)
        spent = _processor_seconds(terminal.pid) - before
        memory = terminal.resident_mib()
    milliseconds = 1000.0 * spent / _REST_SECONDS
    rows = [
        _against(f"memory, {what}", memory, "MiB", memory_goal, "VmRSS"),
        _against(f"written at rest, {what}", written / _REST_SECONDS, "B/s", 150.0),
    ]
    if cpu_goal:
        rows.insert(0, _against(f"processor at rest, {what}", milliseconds, "ms/s", cpu_goal))
    return rows


def rest(rounds: int) -> list[Row]:
    """Measure processor, memory and bytes of a console at rest."""
    del rounds  # Half a minute of the same is its own repetition.
    rows: list[Row] = []
    for models, cpu, memory in ((30, 8.0, 60.0), (1000, 15.0, 75.0), (5000, 30.0, 120.0)):
        with canned_fleet(models, 0.0) as url:
            rows += _rest((COMMAND, "--prometheus", url), f"{models:,} models", cpu, memory)
    with serve_page(_VLLM_PAGE.read_bytes()) as url:
        rows += _rest((COMMAND, "--scrape", f"{url}/metrics"), "one vLLM by scrape", 0.0, 60.0)
    rows += _rest((COMMAND, "demo"), "demo", 0.0, 90.0)
    return rows


def keys(rounds: int) -> list[Row]:
    """Measure the 99th percentile of key to paint while numbers arrive."""
    from tests.benchmarks.keys import waits_while_numbers_arrive

    rows = []
    for models, goal in ((30, 10.0), (1000, 10.0), (5000, 16.0)):
        with canned_fleet(models, 0.5) as url:
            waits = sorted(waits_while_numbers_arrive(url, 40 * rounds))
        p99 = waits[max(0, int(len(waits) * 0.99) - 1)]
        median = statistics.median(waits)
        rows.append(
            _against(
                f"key to paint while numbers arrive, {models:,} models, p99",
                p99 * 1000,
                "ms",
                goal,
                f"p50 {median * 1000:.1f} ms, {len(waits)} keys",
            )
        )
    return rows


def questions(rounds: int) -> list[Row]:
    """Count the queries of a tick for five kinds of model servers."""
    del rounds
    from console.domain.model import ModelRow
    from console.metrics.query_plan import plan
    from console.sources.query_batches import batches

    rows = tuple(ModelRow(f"{kind}-{n}", "prom", kind) for kind in FIVE_KINDS for n in range(3))
    asked = [query for query in plan(FIVE_KINDS, rows, {}, 1e9) if query.cadence == "tick"]
    sent = len(batches(asked, len(rows), frozenset()))
    return [_against("queries a tick, 5 kinds", sent, "queries", 60.0, f"{len(asked)} questions")]


def status(rounds: int) -> list[Row]:
    """Time ``midwatch status`` on 30 models."""
    seconds = []
    with canned_fleet(30, 0.0) as url, _home() as env:
        for _ in range(max(3, rounds)):
            began = time.perf_counter()
            subprocess.run(
                [COMMAND, "--prometheus", url, "status"],
                capture_output=True,
                check=False,
                env={**os.environ, **env},
            )
            seconds.append(time.perf_counter() - began)
    figure = statistics.median(seconds)
    quickest = f"quickest {min(seconds):.2f} s"
    return [_against("midwatch status, 30 models", figure, "s", 1.2, quickest)]


ROWS: Mapping[str, Callable[[int], list[Row]]] = {
    "first_frame": first_frame,
    "last_seen": last_seen,
    "first_numbers": first_numbers,
    "rest": rest,
    "keys": keys,
    "questions": questions,
    "status": status,
}


def main() -> int:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="starts of each, in turns")
    parser.add_argument("names", nargs="*", metavar="ROW", help=", ".join(ROWS))
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.names if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    rows = [row for name in chosen.names or ROWS for row in ROWS[name](chosen.rounds)]
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
