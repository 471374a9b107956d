"""``midwatch reference`` against services that are read directly, and what it refuses."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from console.settings.drift_reference import read_reference

if TYPE_CHECKING:
    from pathlib import Path

    from console.demo.demo_fleet import DemoFleet
    from tests.cli.conftest import Run


def test_services_that_are_scraped_count_since_they_started(
    run: Run, config: str, tmp_path: Path
) -> None:
    done = run(
        "reference", "fraud-scorer", "--config", config, "-o", "refs/f.json", "--note", "v41"
    )
    assert done.code == 0, done.err
    assert done.out == ""
    found = read_reference(tmp_path / "refs" / "f.json", "refs/f.json")
    assert found.sha256 in done.err
    assert found.model == "fraud-scorer"
    assert len(found.edges) == 10
    assert found.n > 10_000
    assert found.note == "v41; counted since its services started, demo"


def test_nothing_is_replaced_without_being_told_to(run: Run, config: str, tmp_path: Path) -> None:
    target = tmp_path / "f.json"
    target.symlink_to(tmp_path / "nowhere")
    command = ("reference", "churn-ranker", "--config", config, "-o", "f.json")
    refused = run(*command)
    assert refused.code == 1
    assert "--force" in refused.err
    assert target.is_symlink()
    assert run(*command, "--force").code == 0
    assert not target.is_symlink()
    assert json.loads(target.read_text())["model"] == "churn-ranker"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".f")] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("fraud-scorr",), 1, "fraud-scorer"),
        (("summarizer",), 1, "vllm gives no score histogram"),
        (("price-opt",), 1, "no model_prediction_score histogram"),
        (("fraud-scorer", "--range", "soon"), 64, "--range"),
        (("fraud-scorer", "--range", "1s"), 64, "from 5m"),
        (("fraud-scorer", "-o", "/proc/nothing/f.json"), 1, "cannot be written"),
        ((), 64, "MODEL"),
    ],
)
def test_what_cannot_be_taken_says_why(
    run: Run, config: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run("reference", *arguments, "--config", config)
    assert done.code == code
    assert said in done.err
    assert done.out == ""


def test_without_a_file_it_is_printed(run: Run, config: str) -> None:
    done = run("reference", "fraud-scorer", "--config", config)
    assert done.code == 0
    assert json.loads(done.out)["schema"] == "midwatch.reference/1"


def test_check_names_the_hash_and_a_hostile_file(
    run: Run, fleet: DemoFleet, tmp_path: Path
) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(fleet.config_toml(references=True))
    path.chmod(0o600)
    for name, content in fleet.reference_files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    well = run("check", "--offline", "--config", str(path))
    assert well.code == 0
    held = read_reference(tmp_path / "refs" / "fraud-scorer.json", "x")
    assert f"refs/fraud-scorer.json, n=50000, 10 bins, 42 d old, sha256 {held.sha256}" in well.out
    (tmp_path / "refs" / "fraud-scorer.json").write_text('{"\x1b[2J": 1}')
    (tmp_path / "refs" / "churn-ranker.json").unlink()
    os.mkfifo(tmp_path / "refs" / "churn-ranker.json")
    broken = run("check", "--offline", "--config", str(path))
    assert broken.code == 78
    assert "2 problems" in broken.err
    assert "\x1b" not in broken.err
