"""The demo's fraud-scorer: three real gaps, a drill closes one, two people sign, a proof ends."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.cli.bootstrap import prepare
from console.demo.demo_fleet import DemoFleet
from console.demo.prometheus_server import RealPrometheus
from console.journal import gather_who
from console.readiness.checks import assess
from console.readiness.ending import proof_facts
from console.readiness.subject import DAY_SECONDS, Subject
from console.settings.load import Flags
from tests.conftest import require_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.proof import CheckResult, ModelReadiness
    from console.domain.snapshot import Snapshot

ROOT = Path(__file__).parents[2]
MODEL = "fraud-scorer"
ANA, BEN = 61_001, 61_002


@pytest.fixture
def config() -> Iterator[Path]:
    """The demo's fleet behind a Prometheus that knows its last eight days."""
    require_binary("prometheus")
    require_binary("promtool")
    if os.geteuid() != 0 or gather_who("", "", {}).login_uid is not None:
        pytest.skip("only root without a login can act as two accounts")
    fleet = DemoFleet(models=1, scenario="calm", seed=5)
    fleet.start()
    server = RealPrometheus(fleet, history_days=8)
    try:
        server.start()
        with tempfile.TemporaryDirectory(prefix="midwatch-story-") as place:
            Path(place).chmod(0o755)
            path = Path(place) / "demo.toml"
            text = fleet.config_toml(prometheus_url=server.url)
            text = text.replace('refresh = "5s"', 'refresh = "1s"')
            text = re.sub(r"sqlite:///[^\"]*", f"sqlite:///{place}/journal.db", text)
            path.write_text(text)
            path.chmod(0o644)
            yield path
    finally:
        server.stop()
        fleet.stop()


def as_account(uid: int, config: Path, *command: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.actions.as_account", str(uid)),
            *(*command, "--config", str(config)),
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(config.parent), "USER": "anybody"},
    )
    return done.returncode, done.stdout, done.stderr


def review(config: Path) -> tuple[Snapshot, ModelReadiness]:
    """Return the fleet and the model's readiness as they are now."""
    engine = prepare(Flags(config=config)).engine()

    async def look() -> tuple[Snapshot, ModelReadiness]:
        try:
            snapshot = await engine.once()
            return snapshot, (await engine.readiness((MODEL,)))[0]
        finally:
            await engine.close()

    return asyncio.run(look())


def moved(found: Snapshot, config: Path, days: float) -> tuple[ModelReadiness, str]:
    """Return the readiness, and what the rules call, as of that many days later."""
    settings = prepare(Flags(config=config)).loaded.settings
    row, now = found.index[MODEL], found.taken_at + days * DAY_SECONDS
    called = proof_facts(found, found.proofs, settings, found.rows, now).ending.get(row)
    subject = Subject(snapshot=found, row=row, settings=settings, proofs=found.proofs, now=now)
    return assess(subject), "" if called is None else called.text


def of(found: ModelReadiness, name: str) -> CheckResult:
    return next(each for each in found.checks if each.check == name)


def test_gaps_are_real_a_drill_closes_one_two_people_sign_and_the_proof_ends(
    config: Path,
) -> None:
    _, first = review(config)
    gaps = ("fallback", "rollback", "fallback-capacity")
    assert [of(first, name).state for name in gaps] == ["fail"] * 3
    assert "takes 8.7/s, the busiest half hour of the last" in of(first, "fallback-capacity").text

    code, out, err = as_account(
        *(ANA, config, "drill", MODEL, "fallback", "--hold", "2s", "--settle", "4m"),
        *("--reason", "monthly", "--yes"),
    )
    assert code == 0, (out, err)
    assert "primary → fraud-small → primary" in out
    assert "seen by the console after" in out

    code, out, err = as_account(
        *(ANA, config, "readiness", "sign-off", MODEL, "--reason", "release 41", "--yes"),
        *("--approver", "ben", "--despite", "no rollback in the simulation"),
    )
    assert code == 5, err
    assert "2 of 7 gates of tier 1 are CLOSED: rollback, on-call" in err
    op = out.split("operation ")[1].split(",")[0]
    code, out, err = as_account(BEN, config, "approve", op, "--yes")
    assert code == 0, err

    snapshot, signed = review(config)
    assert of(signed, "fallback").state == "pass"
    assert {each.check for each in signed.gaps} < {each.check for each in first.gaps}
    assert signed.signed is not None
    assert f"uid {BEN}" in signed.signed.approved_by

    today, calls = moved(snapshot, config, 0.0)
    assert (of(today, "fallback").state, calls) == ("pass", "")
    soon, calls = moved(snapshot, config, 25.0)
    assert of(soon, "fallback").state == "pass"
    assert "the proof fallback drill of" in calls
    assert "ends in 4d" in calls
    late, calls = moved(snapshot, config, 31.0)
    assert of(late, "fallback").state == "expired"
    assert "ended" in calls
    assert [line for line in late.changed if line.startswith("fallback: pass -> expired")]

    code, page, _ = as_account(BEN, config, "readiness", MODEL, "--markdown")
    assert code == 1, "gates are closed"
    assert page.index("### Gaps") < page.index("proven (")
    assert signed.signed.digest in page
    proof = of(signed, "fallback")
    assert f"entry {proof.entry} {proof.entry_hash}" in page
