"""A real VictoriaMetrics for a test: started on a free port, filled at once, stopped by its pid."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.conftest import free_port, require_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY_SECONDS = 30.0
STOP_SECONDS = 10.0


@contextmanager
def running_victoria(folder: Path, samples: str) -> Iterator[str]:
    """Run a VictoriaMetrics that holds ``samples`` for a ``with`` block and give its URL.

    ``samples`` is OpenMetrics text with timestamps in seconds, without comments.
    """
    program = require_binary("victoria-metrics")
    url = f"http://127.0.0.1:{(port := free_port())}"
    log = folder / "victoria.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                program,
                f"-httpListenAddr=127.0.0.1:{port}",
                f"-storageDataPath={folder / 'victoria'}",
                "-retentionPeriod=100y",
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        _wait_ready(process, url, log)
        _post(f"{url}/api/v1/import/prometheus", _in_milliseconds(samples))
        # What was imported is searchable only once it is flushed.
        _post(f"{url}/internal/force_flush", b"")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _in_milliseconds(samples: str) -> bytes:
    lines = (line.rsplit(" ", 1) for line in samples.splitlines())
    return "\n".join(f"{series} {at}000" for series, at in lines).encode()


def _post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30):
        return


def _wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up_at = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"VictoriaMetrics is not ready:\n{log.read_text('utf-8', 'replace')}")
