"""A console left alone: ``python -m tests.faults soak --minutes 120`` prints slopes.

The console reads 30 models from one endpoint every second on a terminal of its own. Each minute
gives a line; at the end stand the slopes of the last half: memory, files, threads, journal.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import os
import random
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.faults.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODELS = 30
CONFIG = """version = 1
refresh = "1s"
writes = "armed"
operator = {{ name = "soak" }}
[journal]
url = "sqlite:///{journal}"
[[sources]]
kind = "scrape"
name = "soak"
targets = ["{url}"]
"""


@contextlib.contextmanager
def busy_server(models: int = MODELS) -> Iterator[str]:
    """Serve counters and a histogram that grow with each read."""
    draw = random.Random(1)  # repeatable, not secret
    counts = dict.fromkeys((f"model-{number:02}" for number in range(models)), 0)
    edges = ("0.05", "0.1", "0.25", "0.5", "1", "+Inf")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = []
            for name in counts:
                counts[name] += draw.randrange(5, 60)
                lines.append(f'model_requests_total{{model="{name}",status="ok"}} {counts[name]}')
                lines += [
                    f'model_request_duration_seconds_bucket{{model="{name}",le="{edge}"}} '
                    f"{counts[name] * (at + 1) // len(edges)}"
                    for at, edge in enumerate(edges)
                ]
            body = "\n".join([*lines, ""]).encode()
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope of ``(minute, value)`` as value an hour; 0 for under two."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0.0:
        return 0.0
    return 60.0 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def measure(pid: int, journal: Path) -> dict[str, float]:
    """Return memory in MiB, open files, threads, CPU seconds and the journal's KiB of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    spent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return {
        "rss_mib": int(facts["VmRSS"].split()[0]) / 1024,
        "files": float(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
        "threads": float(facts["Threads"]),
        "cpu_seconds": (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK"),
        "journal_kib": journal.stat().st_size / 1024 if journal.exists() else 0.0,
    }


def main(arguments: Sequence[str]) -> int:
    """Soak one console; exit code 1 where it ended by itself."""
    parser = argparse.ArgumentParser("python -m tests.faults soak")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--models", type=int, default=MODELS)
    chosen = parser.parse_args(arguments)
    taken: list[tuple[float, dict[str, float]]] = []
    with TemporaryDirectory(prefix="midwatch-soak-") as folder, busy_server(chosen.models) as url:
        journal = Path(folder) / "j" / "journal.db"
        config = Path(folder) / "c.toml"
        config.write_text(CONFIG.format(journal=journal, url=url), encoding="utf-8")
        config.chmod(0o600)
        began = time.monotonic()
        with Terminal("--config", str(config), "--write", width=160, height=45) as terminal:
            while (minute := (time.monotonic() - began) / 60.0) < chosen.minutes:
                time.sleep(min(60.0, max(1.0, 60.0 * (chosen.minutes - minute))))
                del terminal.output[:-100_000]
                if terminal.process.poll() is not None:
                    print(f"it ended by itself with {terminal.process.returncode}")
                    return 1
                minute = (time.monotonic() - began) / 60.0
                taken.append((minute, measure(terminal.process.pid, journal)))
                shown = "  ".join(f"{name} {value:.1f}" for name, value in taken[-1][1].items())
                print(f"{minute:6.1f} min  {shown}", flush=True)
            answers = terminal.answers()
    half = [each for each in taken if each[0] >= chosen.minutes / 2.0]
    for name in taken[0][1] if taken else ():
        points = [(minute, facts[name]) for minute, facts in half]
        print(f"slope of {name} over the last half: {slope(points):+.2f} an hour")
    print(f"a key is {'answered' if answers else 'NOT answered'} at the end")
    return 0 if answers else 1
