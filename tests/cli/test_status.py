"""``midwatch status`` on a fleet that answers: forms, filters, exit codes, what it loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema

from tests.conftest import free_port

if TYPE_CHECKING:
    from console.demo.demo_fleet import DemoFleet
    from tests.cli.conftest import Run

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "status.schema.json").read_text())


def test_json_of_a_real_run_keeps_to_the_schema(run: Run, config: str, fleet: DemoFleet) -> None:
    done = run("--config", config, "status", "--json", MIDWATCH_REFRESH="3s")
    found = json.loads(done.out)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    assert {model["model"] for model in found["models"]} == {model.name for model in fleet.models}
    assert found["environment"] == "demo"
    levels = {model["severity"] for model in found["models"]}
    expected = 2 if "S1" in levels else 1 if "S2" in levels else 3 if "unknown" in levels else 0
    assert done.code == expected
    scorer = next(model for model in found["models"] if model["model"] == "fraud-scorer")
    assert scorer["signals"]["requests_rate"]["state"] == "ok"
    assert scorer["breaker"]["state"] == "CLOSED"
    assert scorer["route"]["level"] == "L0"


def test_a_single_look_leaves_rates_unknown_and_says_so(run: Run, config: str) -> None:
    done = run("status", "--instant", "--json", "--config", config)
    assert done.code in (1, 2, 3)
    found = json.loads(done.out)
    assert all(model["pending"] or not model["rules"] for model in found["models"][:1])


def test_named_models_alone_and_a_wrong_name_with_the_nearest(run: Run, config: str) -> None:
    done = run("--config", config, "status", "toxicity", "--plain", "--instant")
    assert "toxicity" in done.out
    assert "fraud-scorer" not in done.out.replace("fraud-scorer (", "")
    wrong = run("--config", config, "status", "toxicty", "--instant")
    assert wrong.code == 64
    assert 'did you mean "toxicity"?' in wrong.err


def test_a_source_that_is_away_exits_3_and_names_it(run: Run) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = run("--prometheus", address, "status", "--plain", "--instant")
    assert done.code == 3
    assert "sources 0 of 1" in done.out
    assert "prometheus" in done.out


def test_a_table_is_the_usual_form(run: Run, config: str, fleet: DemoFleet) -> None:
    done = run("--config", config, "status", "--instant")
    lines = [line for line in done.out.splitlines() if not line.startswith(("pending ", "source "))]
    assert len(lines) == 2 + len(fleet.models)
    assert lines[1].split()[:2] == ["S", "MODEL"]
