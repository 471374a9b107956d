"""A real Alertmanager for a test, and a real Prometheus that sends its alerts there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from tests.conftest import free_port, require_binary
from tests.support.prometheus_server import PrometheusServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

READY_SECONDS = 30.0

CONFIG: dict[str, Any] = {
    "route": {"receiver": "nobody"},
    "receivers": [{"name": "nobody"}],
    "inhibit_rules": [
        {
            "source_matchers": ['alertname="StoreDown"'],
            "target_matchers": ['alertname="StoreSlow"'],
        }
    ],
}
"""StoreDown inhibits StoreSlow; notifications go nowhere."""


class AlertmanagerServer:
    """One Alertmanager process on loopback, stopped by its own pid."""

    def __init__(self, directory: Path, *, prefix: str = "/") -> None:
        self._program = require_binary("prometheus-alertmanager", "alertmanager")
        self._directory = directory / "alertmanager"
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "config.yml").write_text(json.dumps(CONFIG), encoding="utf-8")
        self._port = free_port()
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None
        self.origin = f"http://127.0.0.1:{self._port}"
        self.api = f"{self.origin}{prefix.rstrip('/')}/api/v2"

    def start(self) -> Self:
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._directory / 'config.yml'}",
                    f"--storage.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    f"--web.route-prefix={self._prefix}",
                    f"--web.external-url={self.origin}{self._prefix}",
                    "--cluster.listen-address=",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        give_up_at = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up_at:
            assert self._process.poll() is None, (self._directory / "log").read_text()[-2000:]
            try:
                ask(f"{self.api}/status")
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("Alertmanager is not ready")

    def stop(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self._process.wait(10)
        self._process = None

    def hang(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def fire(
        self, *labels: Mapping[str, str], ends_in_seconds: float = 600.0, **notes: str
    ) -> None:
        """Tell it of alerts, as a Prometheus would."""
        now = time.time()
        ask(
            f"{self.api}/alerts",
            [
                {
                    "labels": each,
                    "annotations": notes,
                    "startsAt": stamp(now - 5.0),
                    "endsAt": stamp(now + ends_in_seconds),
                }
                for each in labels
            ],
        )

    def silence(self, alertname: str, comment: str, by: str = "ana") -> str:
        now = time.time()
        made = ask(
            f"{self.api}/silences",
            {
                "matchers": [
                    {"name": "alertname", "value": alertname, "isRegex": False, "isEqual": True}
                ],
                "startsAt": stamp(now),
                "endsAt": stamp(now + 900.0),
                "createdBy": by,
                "comment": comment,
            },
        )
        return str(made["silenceID"])

    def expire(self, silence: str) -> None:
        ask(f"{self.api}/silence/{silence}", method="DELETE")


class AlertingPrometheus(PrometheusServer):
    """A Prometheus with alerting rules (``alert``, ``expr``, ``labels``) that calls ``manager``."""

    def __init__(
        self, directory: Path, target: str, rules: Sequence[Mapping[str, object]], manager: str
    ) -> None:
        super().__init__(directory, targets=[target])
        rule_file = self._directory / "rules.yml"
        rule_file.write_text(
            json.dumps({"groups": [{"name": "test", "interval": "1s", "rules": list(rules)}]})
        )
        config = json.loads(self._config.read_text())
        config["rule_files"] = [str(rule_file)]
        address = manager.removeprefix("http://")
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [address]}]}]}
        self._config.write_text(json.dumps(config))


def ask(url: str, body: object = None, *, method: str | None = None) -> Any:
    """Ask with nothing but the standard library; return the decoded answer, None when empty."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, headers={"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
