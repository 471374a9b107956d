"""The whole way: a real Prometheus' rule fires, the row turns, is held, silenced, and is over."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from console.domain.severity import Severity
from console.engine.service import Engine
from console.settings.load import Flags, load
from tests.incidents.servers import AlertingPrometheus, AlertmanagerServer
from tests.support.web import Reply, web_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.domain.alert import Incident
    from console.domain.snapshot import Snapshot

RULES = [
    {
        "alert": "ModelErrors",
        "expr": "alarm == 1",
        "labels": {"severity": "critical"},
        "annotations": {"summary": "{{ $labels.model }} fails"},
    },
    {"alert": "Waiting", "expr": "alarm >= 0", "for": "1h", "labels": {"severity": "warning"}},
]


class Fleet:
    """One model's /metrics, with an alarm that a test may switch."""

    def __init__(self) -> None:
        self.alarm = 1
        self._count = itertools.count(1000, 50)

    def page(self, _request: object) -> Reply:
        text = (
            "# TYPE model_requests_total counter\n"
            f'model_requests_total{{model="fraud",outcome="success"}} {next(self._count)}\n'
            f'# TYPE alarm gauge\nalarm{{model="fraud"}} {self.alarm}\n'
        )
        return Reply(text.encode())


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Fleet, AlertmanagerServer, AlertingPrometheus]]:
    directory = tmp_path_factory.mktemp("world")
    fleet = Fleet()
    manager = AlertmanagerServer(directory)
    with web_server(fleet.page) as target:
        prometheus = AlertingPrometheus(directory, target.url + "/metrics", RULES, manager.origin)
        try:
            manager.start()
            prometheus.start()
            yield fleet, manager, prometheus
        finally:
            prometheus.stop()
            manager.stop()


def written(directory: Path, prometheus: str, alerts: str = "") -> Path:
    path = directory / "config.toml"
    path.write_text(
        f'version = 1\nrefresh = "1s"\n[[sources]]\nname = "prom"\nkind = "prometheus"\n'
        f'url = "{prometheus}"\n{alerts}'
        '[models.fraud]\nowner = "risk"\ndependencies = ["store"]\n[dependencies.store]\n'
    )
    path.chmod(0o600)
    return path


def place(url: str) -> str:
    return f'[[alerts]]\nname = "am"\nkind = "alertmanager"\nurl = "{url}"\ntimeout = "2s"\n'


async def until(
    engine: Engine, holds: Callable[[Snapshot], bool], seconds: float = 25.0
) -> Snapshot:
    """Tick once a second until ``holds``; fail after ``seconds``."""
    give_up_at = time.monotonic() + seconds
    snapshot = await engine.tick()
    while not holds(snapshot):
        assert time.monotonic() < give_up_at, (snapshot.incidents, snapshot.alert_sources)
        await asyncio.sleep(1.0)
        snapshot = await engine.tick()
    return snapshot


def incident(snapshot: Snapshot) -> Incident | None:
    return next((one for one in snapshot.incidents if one.model == "fraud"), None)


def state(snapshot: Snapshot) -> str:
    found = incident(snapshot)
    return "" if found is None else found.state


def rules(snapshot: Snapshot) -> dict[str, str]:
    row = snapshot.index.get("fraud")
    findings = () if row is None else snapshot.findings.get(row, ())
    return {finding.rule: finding.text for finding in findings}


async def test_an_alert_from_its_first_firing_to_its_end(
    world: tuple[Fleet, AlertmanagerServer, AlertingPrometheus], tmp_path: Path
) -> None:
    fleet, manager, prometheus = world
    config = written(tmp_path, prometheus.url, place(manager.origin))
    engine = Engine(load(Flags(config=config), {"HOME": str(tmp_path)}))
    try:
        fired = await until(engine, lambda seen: "alert_page" in rules(seen))
        assert fired.severity(fired.index["fraud"]) is Severity.S1
        assert rules(fired)["alert_page"].startswith("alert ModelErrors fires since ")
        assert rules(fired)["alert_page"].endswith("fraud fails")
        first = incident(fired)
        assert first is not None
        assert (first.state, first.severity, first.acked_by) == ("firing", Severity.S1, "")

        ack = manager.silence("ModelErrors", "ACK! looking")
        held = await until(engine, lambda seen: bool((incident(seen) or first).acked_by))
        found = incident(held)
        assert found is not None
        assert (found.id, found.state, found.acked_by) == (first.id, "firing", "ana")
        assert "acknowledged by ana" in rules(held)["alert_page"]

        silence = manager.silence("ModelErrors", "known, deploy under way", by="ben")
        quiet = await until(
            engine, lambda seen: state(seen) == "suppressed" and "alert_page" not in rules(seen)
        )
        found = incident(quiet)
        assert found is not None
        assert "silenced by ben: known, deploy under way" in found.suppressed_by

        manager.expire(ack)
        manager.expire(silence)
        await until(engine, lambda seen: "alert_page" in rules(seen))
        fleet.alarm = 0
        over = await until(engine, lambda seen: state(seen) == "resolved")
        found = incident(over)
        assert found is not None
        assert found.ends is not None
        await until(engine, lambda seen: "alert_page" not in rules(seen))

        manager.fire({"alertname": "Again", "model": "fraud", "severity": "warning"})
        await until(engine, lambda seen: "alert_warning" in rules(seen))
        manager.stop()
        lost = await until(engine, lambda seen: seen.alert_sources[0].state == "stale")
        found = incident(lost)
        assert found is not None
        assert found.stale_seconds is not None
        assert "cannot be reached" in (lost.alert_sources[0].error or "")
    finally:
        fleet.alarm = 1
        await engine.close()
        manager.stop()
        manager.start()


async def test_without_an_alertmanager_the_servers_own_alerts_are_read(
    world: tuple[Fleet, AlertmanagerServer, AlertingPrometheus], tmp_path: Path
) -> None:
    _, _, prometheus = world
    config = written(tmp_path, prometheus.url)
    engine = Engine(load(Flags(config=config), {"HOME": str(tmp_path)}))
    try:
        seen = await until(engine, lambda seen: "alert_page" in rules(seen))
    finally:
        await engine.close()
    found = incident(seen)
    assert found is not None
    assert {one.name: one.state for one in found.alerts} == {
        "ModelErrors": "firing",
        "Waiting": "pending",
    }
    assert [one.name for one in seen.sources] == ["prom"]


def command(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", *arguments, "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(config.parent)},
    )


def test_the_command_says_what_fires_and_ends_with_its_code(
    world: tuple[Fleet, AlertmanagerServer, AlertingPrometheus], tmp_path: Path
) -> None:
    _, manager, prometheus = world
    hostile = "\x1b]0;x\x07\u202e[bold]\n"
    manager.fire(
        {"alertname": "ModelErrors", "model": "fraud", "severity": "critical"},
        {"alertname": f"Evil{hostile}", "model": hostile, "severity": "warning"},
        {"alertname": "StoreDown", "dependency": "store", "severity": "warning"},
        summary=hostile,
    )
    config = written(tmp_path, prometheus.url, place(manager.origin))
    done = command(config, "incidents", "--json")
    assert done.returncode == 2, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "midwatch.incidents/1"
    assert found["sources"][0]["state"] == "up"
    store = next(one for one in found["incidents"] if one["dependency"] == "store")
    assert {one["name"] for one in store["alerts"]} >= {"ModelErrors", "StoreDown"}
    assert store["models"] == ["fraud"]
    assert any(one["model"] == hostile for one in found["incidents"])
    for form in ("--json", "--plain"):
        text = command(config, "incidents", form).stdout
        assert all(each == "\n" or each.isprintable() for each in text)
    table = command(config, "incidents").stdout
    assert table.splitlines()[1].split()[:3] == ["ID", "S", "STATE"]
    status = json.loads(command(config, "status", "--json", "--instant").stdout)
    (fraud,) = (one for one in status["models"] if one["model"] == "fraud")
    assert fraud["incidents"] == [store["id"]]
    assert "alert_page" in {one["rule"] for one in fraud["rules"]}
    assert [one["name"] for one in status["sources"]] == ["prom", "am"]
    shown = command(config, "incidents", "show", store["id"])
    assert shown.returncode == 0, shown.stderr
    assert "StoreDown begins" in shown.stdout
    assert "Somebody has to take it." in shown.stdout
    assert all(each == "\n" or each.isprintable() for each in shown.stdout)
    view = json.loads(command(config, "incidents", "show", store["id"][:5], "--json").stdout)
    assert view["incident"]["id"] == store["id"]
    assert view["impact"]["refused"]["value"] is not None, view["impact"]
    nobody = command(config, "incidents", "show", "00000000")
    assert (nobody.returncode, "no incident 00000000 is known" in nobody.stderr) == (1, True)


def test_a_place_that_is_away_is_a_sentence_and_exit_3(
    world: tuple[Fleet, AlertmanagerServer, AlertingPrometheus], tmp_path: Path
) -> None:
    _, _, prometheus = world
    config = written(tmp_path, prometheus.url, place("http://127.0.0.1:1"))
    done = command(config, "incidents")
    assert done.returncode == 3
    assert (
        "none is known, and 1 of 2 sources and places for alerts did not answer in full"
        in done.stdout
    )
    assert "alerts am down: " in done.stdout
    checked = command(config, "check")
    assert checked.returncode == 1
    assert "FAILED alerts am: " in checked.stdout
    assert command(config, "incidents", "--jsn").returncode == 64


def test_check_asks_the_places_for_alerts(
    world: tuple[Fleet, AlertmanagerServer, AlertingPrometheus], tmp_path: Path
) -> None:
    _, manager, prometheus = world
    done = command(written(tmp_path, prometheus.url, place(manager.origin)), "check")
    assert "ok     alerts am: answers in " in done.stdout


def test_without_any_place_it_says_what_to_declare(tmp_path: Path) -> None:
    config = tmp_path / "empty.toml"
    config.write_text("version = 1\n")
    config.chmod(0o600)
    done = command(config, "incidents")
    assert done.returncode == 78
    assert "[[alerts]]" in done.stderr
