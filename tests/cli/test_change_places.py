"""Places that tell of changes, as commands see them: asked by check, told by status."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from pathlib import Path

    from console.demo.demo_fleet import DemoFleet
    from tests.cli.conftest import Run


def told(request: Request) -> Reply:
    found = [{"time": (time.time() - 60) * 1000, "text": "push #8812", "tags": ["deploy"]}]
    asked = request.path.startswith("/api/annotations?")
    return Reply(json.dumps(found).encode(), 200 if asked else 404, "application/json")


def config(tmp_path: Path, fleet: DemoFleet, url: str) -> str:
    targets = json.dumps(list(fleet.targets))
    path = tmp_path / "changes.toml"
    path.write_text(
        f'[[sources]]\nname = "demo"\nkind = "scrape"\ntargets = {targets}\n'
        f'[[changes]]\nname = "grafana"\nkind = "grafana"\nurl = "{url}"\n'
    )
    path.chmod(0o600)
    return str(path)


def test_a_place_that_answers(run: Run, fleet: DemoFleet, tmp_path: Path) -> None:
    with web_server(told) as server:
        declared = config(tmp_path, fleet, server.url)
        checked = run("check", "--config", declared)
        assert "ok     changes grafana: answers in " in checked.out
        assert "changes of the last day: 1" in checked.out
        sources = json.loads(run("status", "--json", "--config", declared).out)["sources"]
    assert [(one["name"], one["kind"], one["state"]) for one in sources] == [
        ("demo", "scrape", "up"),
        ("grafana", "grafana", "up"),
    ]


def test_a_place_that_is_away_blinds_no_severity(
    run: Run, fleet: DemoFleet, tmp_path: Path
) -> None:
    declared = config(tmp_path, fleet, "http://127.0.0.1:1")
    checked = run("check", "--config", declared)
    assert checked.code == 1
    assert "FAILED changes grafana: " in checked.out
    with_it = run("status", "--json", "--config", declared)
    without = run("status", "--json", *(f"--scrape={each}" for each in fleet.targets))
    away = json.loads(with_it.out)["sources"][1]
    assert (away["state"], bool(away["error"])) == ("down", True)
    assert with_it.code == without.code
