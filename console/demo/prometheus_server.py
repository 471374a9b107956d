"""A real Prometheus between the services and the console, with their history inside."""

import http.client
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from console.demo.backfill import DAYS
from console.demo.config import SOURCE_NAME
from console.demo.demo_fleet import DemoError, DemoFleet, HistoryBlock
from console.demo.http_server import LOOPBACK
from console.demo.server_metrics import Floats, Labels, series_text

SCRAPE_SECONDS = 5
READY_SECONDS = 30.0
STOP_SECONDS = 10.0
IMPORT_SECONDS = 120.0
IMPORTS_AT_ONCE = 2
# Its own blocks of two hours would be 360 for a month, at a tenth of a second each. It reads its
# whole input once a block, so the input is cut where the blocks are.
LONGEST_BLOCK_HOURS = 162
_BLOCK = LONGEST_BLOCK_HOURS * 3600.0
_DAY = 86400.0
_log = logging.getLogger(__name__)


class RealPrometheus:
    """The installed ``prometheus``, scraping a started fleet on a free loopback port.

    ``history_days`` limits how much of the past is imported. Raises ``DemoError`` when
    ``prometheus`` or ``promtool`` is not on PATH.
    """

    def __init__(self, fleet: DemoFleet, *, history_days: float = DAYS) -> None:
        self._programs = {name: _find(name) for name in ("prometheus", "promtool")}
        self._fleet = fleet
        self._history_seconds = history_days * _DAY
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._importing: set[subprocess.Popen[bytes]] = set()
        self._home: Path | None = None
        self.url = ""
        self.backfill_seconds = 0.0

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Import the history, start the server and wait until it is ready.

        Raises ``DemoError`` with the last words of the program that failed.
        """
        if self._process is not None:
            raise DemoError("this Prometheus is already running; stop it first")
        self._home = Path(tempfile.mkdtemp(prefix="midwatch-demo-"))
        try:
            began = time.perf_counter()
            self._backfill(self._home)
            self.backfill_seconds = time.perf_counter() - began
            self._launch(self._home)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server by its process id and remove its data."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.kill()
            guard.communicate()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        home, self._home = self._home, None
        if home is not None:
            shutil.rmtree(home, ignore_errors=True)

    def _backfill(self, home: Path) -> None:
        data = home / "data"
        data.mkdir()
        imports = ThreadPoolExecutor(IMPORTS_AT_ONCE)
        try:
            running = []
            parts = openmetrics_parts(list(self._fleet.history()), self._history_seconds)
            for number, text in enumerate(parts):
                source = home / f"part-{number}.om"
                source.write_text(text, encoding="utf-8")
                running.append(imports.submit(self._import, source, data))
            for done in running:
                done.result()
        except BaseException:
            # Somebody wants to leave: neither the queue nor the imports under way are waited for.
            imports.shutdown(wait=False, cancel_futures=True)
            for process in tuple(self._importing):
                process.kill()
            raise
        finally:
            imports.shutdown()

    def _import(self, source: Path, data: Path) -> None:
        command = [
            *(self._programs["promtool"], "tsdb", "create-blocks-from", "openmetrics", "-q"),
            f"--max-block-duration={LONGEST_BLOCK_HOURS}h",
        ]
        with subprocess.Popen(
            [*command, str(source), str(data)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # It keeps its work in the temporary directory, which then goes with the rest.
            env={**os.environ, "TMPDIR": str(source.parent)},
        ) as done:
            self._importing.add(done)
            try:
                _, said = done.communicate(timeout=IMPORT_SECONDS)
            except subprocess.TimeoutExpired:
                done.kill()
                raise DemoError(
                    f"promtool needed more than {IMPORT_SECONDS:.0f} s to import the history; "
                    "run the demo without --real-prometheus"
                ) from None
            finally:
                self._importing.discard(done)
        source.unlink()
        if done.returncode != 0:
            raise DemoError(f"promtool could not import the history: {_last_words(said)}")

    def _launch(self, home: Path) -> None:
        config = home / "prometheus.yml"
        config.write_text(scrape_config(self._fleet.targets), encoding="utf-8")
        log = home / "prometheus.log"
        port = _free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    self._programs["prometheus"],
                    f"--config.file={config}",
                    f"--storage.tsdb.path={home / 'data'}",
                    f"--web.listen-address={LOOPBACK}:{port}",
                    "--storage.tsdb.retention.time=40d",
                    # Equal durations switch compaction off: it would rewrite the weeks at once.
                    "--storage.tsdb.min-block-duration=2h",
                    "--storage.tsdb.max-block-duration=2h",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        places = [home] if self._fleet.place is None else [home, self._fleet.place]
        self._guard = _guard(self._process.pid, places)
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(port):
            if self._process.poll() is not None:
                raise DemoError(f"prometheus ended at once: {_last_words(log.read_bytes())}")
            if time.monotonic() > deadline:
                raise DemoError(
                    f"prometheus was not ready within {READY_SECONDS:.0f} s: "
                    f"{_last_words(log.read_bytes())}"
                )
            time.sleep(0.1)
        _log.info("prometheus ready, history imported in %.1f s", self.backfill_seconds)


# Reads until its input closes, which happens when this process is gone, however it ended.
_GUARD_SCRIPT = """
read -r _
pid=$1
shift
kill "$pid" 2>/dev/null
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
rm -rf -- "$@"
"""


def _guard(pid: int, places: Sequence[Path]) -> subprocess.Popen[bytes]:
    """Start what ends the server and removes ``places`` should this process be killed."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _GUARD_SCRIPT, "guard", str(pid), *map(str, places)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def scrape_config(targets: Sequence[str]) -> str:
    """Return a prometheus.yml whose job and instance are those of the scrape source."""
    addresses = ", ".join(f'"{urlsplit(url).netloc}"' for url in targets)
    return (
        f"global:\n  scrape_interval: {SCRAPE_SECONDS}s\n  scrape_timeout: {SCRAPE_SECONDS}s\n"
        f"scrape_configs:\n  - job_name: {SOURCE_NAME}\n    static_configs:\n"
        f"      - targets: [{addresses}]\n"
    )


def openmetrics_parts(
    blocks: Sequence[HistoryBlock], span_seconds: float = DAYS * _DAY
) -> Iterator[str]:
    """Yield the history as OpenMetrics text with timestamps, a block of the database each.

    Where tiers overlap the finer one wins.
    """
    tracks = _tracks(blocks)
    last = float(blocks[-1].times[-1])
    first = max(float(blocks[0].times[0]), last - span_seconds)
    for begin in np.arange(first - first % _BLOCK, last + 1.0, _BLOCK).tolist():
        text = "".join(_lines(tracks, max(begin, first), begin + _BLOCK))
        if text:
            yield f"{text}# EOF\n"


_Track = tuple[str, Floats, Floats]


def _tracks(blocks: Sequence[HistoryBlock]) -> list[_Track]:
    """Return (series text, times, values) for each series over all tiers, ascending in time."""
    pieces: dict[tuple[str, str, Labels], list[tuple[Floats, Floats]]] = {}
    for place, block in enumerate(blocks):
        finer = blocks[place + 1].times[0] if place + 1 < len(blocks) else np.inf
        keep = block.times < finer - 0.5
        for series, values in zip(block.series, block.values, strict=True):
            pieces.setdefault(series, []).append((block.times[keep], values[keep]))
    return [
        (
            series_text(name, _scraped(labels, target)),
            np.concatenate([times for times, _ in parts]),
            np.concatenate([values for _, values in parts]),
        )
        for (target, name, labels), parts in pieces.items()
    ]


def _scraped(labels: Labels, target: str) -> Labels:
    added: Mapping[str, str] = {"instance": urlsplit(target).netloc, "job": SOURCE_NAME}
    return tuple(sorted({**dict(labels), **added}.items()))


def _lines(tracks: Iterable[_Track], begin: float, end: float) -> Iterator[str]:
    for text, times, values in tracks:
        start, stop = np.searchsorted(times, (begin, end))
        for at, value in zip(times[start:stop].tolist(), values[start:stop].tolist(), strict=True):
            yield f"{text} {value!r} {at:.3f}\n"


def _find(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DemoError(
            f"--real-prometheus needs the program {name}, which is not on PATH; install Prometheus "
            "(Debian: apt install prometheus), or run the demo without it"
        )
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
    return port


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_words(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
