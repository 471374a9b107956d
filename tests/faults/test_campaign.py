"""Three hundred faults of the campaign, and what the campaign itself promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.faults.__main__ import AREAS, area_of, campaign, table
from tests.faults.soak import slope

ROOT = Path(__file__).resolve().parents[2]
FAULTS = 300


def test_every_promise_holds_in_three_hundred_faults(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    command = [sys.executable, "-m", "tests.faults", "--faults", str(FAULTS), "--seed", "20261201"]
    with (tmp_path / "out").open("w+") as out:
        done = subprocess.run(
            [*command, "--state", str(state)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=900,
            check=False,
        )
        out.seek(0)
        said = out.read()
    assert done.returncode == 0, said[-6000:]
    tried = [json.loads(line) for line in state.read_text(encoding="utf-8").splitlines()]
    assert len(tried) == FAULTS
    assert {each["area"] for each in tried} == set(AREAS)


def test_a_campaign_goes_on_where_it_was_stopped_and_repeats_by_number(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    kept = {"seed": 7, "number": 0, "area": "kill", "held": False, "said": "as was", "seconds": 0.1}
    state.write_text(json.dumps(kept) + "\n", encoding="utf-8")
    results = campaign(1, 7, state=state)
    assert [each["said"] for each in results] == ["as was"], "not tried again"
    assert "FAILED 0 kill: as was" in table(results)
    assert area_of(7, 5)[0] == area_of(7, 5)[0]
    assert area_of(7, 5)[1].random() == area_of(7, 5)[1].random()


def test_a_slope_is_a_slope() -> None:
    assert slope([(0.0, 100.0), (30.0, 102.0), (60.0, 104.0)]) == 4.0
    assert slope([(1.0, 5.0)]) == 0.0
