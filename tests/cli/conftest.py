"""The command line run for real, against a small fleet that answers over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from console.demo.demo_fleet import DemoFleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``midwatch`` with arguments in a process of its own, without a terminal."""

    def command(*arguments: str, given: str = "", **environment: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "console", *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "MIDWATCH_REFRESH": "1s", "HOME": str(tmp_path), **environment},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return command


@contextmanager
def calm_fleet(seed: int) -> Iterator[DemoFleet]:
    made = DemoFleet(scenario="calm", seed=seed)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def fleet() -> Iterator[DemoFleet]:
    with calm_fleet(seed=5) as made:
        yield made


@pytest.fixture
def own_fleet() -> Iterator[DemoFleet]:
    """A fleet that a test may change."""
    with calm_fleet(seed=3) as made:
        yield made


@pytest.fixture
def config(fleet: DemoFleet, tmp_path: Path) -> str:
    path = tmp_path / "demo.toml"
    path.write_text(fleet.config_toml().replace('refresh = "5s"\n', ""))
    path.chmod(0o600)
    return str(path)
