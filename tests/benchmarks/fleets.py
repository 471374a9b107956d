"""A canned fleet for benchmarks: a server process and the arguments that open a console on it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def canned_fleet(models: int, changed_share: float) -> Iterator[str]:
    """Yield the URL of a Prometheus-shaped server with ``models`` models; ended by its pid."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.canned_server", str(models), str(changed_share)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def subject(*options: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the arguments of Python that run the console as a benchmark's subject."""
    return ["-m", "tests.benchmarks.subject", *options, "--", *arguments]
