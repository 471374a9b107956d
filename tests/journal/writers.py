"""Several writer processes on one journal, started together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Writer:
    """One process of `tests.journal.write_many`, waiting for the word to go."""

    def __init__(self, url: str, count: int, name: str, *more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.journal.write_many", url, str(count), name, *more],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def lines(self, timeout_seconds: float = 90) -> list[str]:
        out, _ = self.process.communicate(timeout=timeout_seconds)
        return out.splitlines()


def run_together(url: str, writers: int, count: int, pause_seconds: float = 0.0) -> list[list[str]]:
    """Return what each of ``writers`` processes printed while all of them appended at once."""
    more = ("slow", str(pause_seconds)) if pause_seconds else ()
    started = [Writer(url, count, f"w{number}", *more) for number in range(writers)]
    try:
        for writer in started:
            writer.wait_ready()
        for writer in started:
            writer.go()
        return [writer.lines() for writer in started]
    finally:
        for writer in started:
            writer.process.kill()


def acknowledged(lines: list[str]) -> list[tuple[int, str]]:
    """Return number and hash of every entry a writer was told is durable."""
    pairs = [line.split(" ") for line in lines if line[:1].isdigit()]
    return [(int(seq), digest) for seq, digest in (p for p in pairs if len(p) == 2)]


def seconds_of(told: list[list[str]]) -> tuple[float, float]:
    """Return how long the slowest writer took for all its entries, and the slowest entry of any."""
    ends = [lines[-1].split(" ") for lines in told]
    return max(float(end[1]) for end in ends), max(float(end[2]) for end in ends)
