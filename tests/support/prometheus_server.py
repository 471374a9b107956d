"""A real Prometheus for a test: started on a free port, stopped by its own pid."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from tests.conftest import free_port, require_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Targets = Sequence[str] | Mapping[str, Sequence[str]]

READY_SECONDS = 30.0
STOP_SECONDS = 10.0


class PrometheusServer:
    """One Prometheus process that a test may kill, hang and start again on the same port."""

    def __init__(
        self,
        directory: Path,
        *,
        targets: Targets = (),
        blocks: str | None = None,
        scrape_interval: str = "1s",
        flags: Sequence[str] = (),
    ) -> None:
        """Prepare a server below ``directory``.

        ``targets`` are ``host:port`` or ``http://host:port/path``, given by job name or as a list
        of the job ``test``. ``blocks`` is OpenMetrics text with timestamps (the closing ``# EOF``
        is added) that is in the database before the server starts.
        """
        self._program = require_binary("prometheus")
        self._directory = directory / "prometheus"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._data = self._directory / "data"
        self._data.mkdir(exist_ok=True)
        self._config = self._directory / "prometheus.yml"
        self._config.write_text(_config(targets, scrape_interval), encoding="utf-8")
        self._flags = tuple(flags)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        if blocks is not None:
            self._backfill(blocks)

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None, "this Prometheus is not running"
        return self._process.pid

    def start(self) -> Self:
        """Start it and return when it says that it is ready."""
        log = (self._directory / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._data}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--storage.tsdb.retention.time=100y",
                    *self._flags,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait_ready()
        return self

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait(STOP_SECONDS)
        self._process = None

    def kill(self) -> None:
        """End it with SIGKILL, as an out-of-memory killer does."""
        assert self._process is not None, "this Prometheus is not running"
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        self._process = None

    def hang(self) -> None:
        """Stop it with SIGSTOP: its port still accepts, and nothing answers."""
        assert self._process is not None, "this Prometheus is not running"
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a hung server run on."""
        assert self._process is not None, "this Prometheus is not running"
        self._process.send_signal(signal.SIGCONT)

    def _wait_ready(self) -> None:
        give_up_at = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up_at:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"Prometheus ended at once:\n{self._log_tail()}")
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        raise AssertionError(
            f"Prometheus is not ready after {READY_SECONDS} s:\n{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        return (self._directory / "log").read_text("utf-8", "replace")[-2000:]

    def _backfill(self, openmetrics: str) -> None:
        promtool = require_binary("promtool")
        text = openmetrics.rstrip()
        if not text.endswith("# EOF"):
            text += "\n# EOF"
        source = self._directory / "backfill.om"
        source.write_text(text + "\n", encoding="utf-8")
        done = subprocess.run(
            [
                promtool,
                *("tsdb", "create-blocks-from", "openmetrics"),
                # A month in blocks of two hours takes it forty times as long.
                "--max-block-duration=720h",
                str(source),
                str(self._data),
            ],
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]


@contextmanager
def running_prometheus(
    tmp_path: Path,
    *,
    targets: Targets = (),
    blocks: str | None = None,
    scrape_interval: str = "1s",
    flags: Sequence[str] = (),
) -> Iterator[str]:
    """Run a Prometheus for a ``with`` block and give its URL; see `PrometheusServer`.

    Backfilled ``blocks`` are there at once; the first scrape of ``targets`` comes about five
    seconds after the start, because Prometheus gathers its targets that often.
    """
    server = PrometheusServer(
        tmp_path, targets=targets, blocks=blocks, scrape_interval=scrape_interval, flags=flags
    )
    try:
        yield server.start().url
    finally:
        server.stop()


def instant(url: str, promql: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
    """Ask one instant query with nothing but the standard library; (labels, value) a series."""
    fields = {"query": promql} | ({} if at is None else {"time": repr(at)})
    body = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(f"{url}/api/v1/query", data=body)
    with urllib.request.urlopen(request, timeout=10) as answer:
        data = json.load(answer)["data"]
    return [(series["metric"], float(series["value"][1])) for series in data["result"]]


def wait_for_series(url: str, promql: str, *, seconds: float = 20.0, count: int = 1) -> None:
    """Return when ``promql`` answers at least ``count`` series; fail after ``seconds``."""
    give_up_at = time.monotonic() + seconds
    found = 0
    while time.monotonic() < give_up_at:
        found = len(instant(url, promql))
        if found >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{promql} answered {found} of {count} series within {seconds} s")


def _config(targets: Targets, scrape_interval: str) -> str:
    jobs = targets if isinstance(targets, Mapping) else {"test": targets}
    return json.dumps(
        {
            "global": {"scrape_interval": scrape_interval, "evaluation_interval": scrape_interval},
            "scrape_configs": [
                {
                    "job_name": f"{job}" if number == 0 else f"{job}-{number}",
                    "metrics_path": path,
                    "scrape_timeout": scrape_interval,
                    "static_configs": [{"targets": [address], "labels": {"job": job}}],
                }
                for job, addresses in jobs.items()
                for number, (address, path) in enumerate(map(_address, addresses))
            ],
        }
    )


def _address(target: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(target if "://" in target else f"http://{target}")
    return parts.netloc, parts.path or "/metrics"
