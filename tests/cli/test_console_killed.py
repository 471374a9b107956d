"""The console itself killed in its terminal: what it held returns by itself, the keeper alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.cli.test_acting_demo import _config, metrics
from tests.support.emulated import EmulatedSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console.demo.demo_fleet import DemoFleet
    from tests.cli.conftest import Run

HELD_SECONDS = 25
COUNTDOWN = re.compile(r"in force 1 next 0:(\d\d)")
AWAY = ("route", "fraud-small")


def until(
    session: EmulatedSession, met: Callable[[], object], what: str, seconds: float = 40.0
) -> None:
    """Read what the console writes until something holds."""
    limit = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < limit, f"{what}\n{session.text()}"
        session.show(session.read(0.1))


def countdown(session: EmulatedSession) -> int | None:
    """Return the seconds left that the first screen shows for the only override."""
    found = COUNTDOWN.search(session.text())
    return None if found is None else int(found.group(1))


def test_a_fallback_from_the_console_counts_down_and_returns_when_only_the_keeper_is_left(
    run: Run, own_fleet: DemoFleet, tmp_path: Path
) -> None:
    config = ("--config", _config(own_fleet, tmp_path, held_by_keeper=True))
    environment = {**os.environ, "HOME": str(tmp_path)}
    keeper = subprocess.Popen(
        [sys.executable, "-m", "console", "keep", "--every", "1s", *config],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert keeper.stdout is not None
        assert "keeping" in keeper.stdout.readline()
        arguments = ["-m", "console", "--write", *config]
        with EmulatedSession(arguments, 120, 36, {"HOME": str(tmp_path)}) as console:
            until(console, lambda: "ARMED" in console.text(), "it never came up")
            until(console, lambda: re.search(r"prim +0", console.text()), "no numbers")
            # Another row is under the cursor: the target is the one that is named.
            console.send(":")
            time.sleep(0.5)
            wish = f"fallback fraud-scorer --to fraud-small --ttl {HELD_SECONDS}s --reason timeouts"
            for word in re.findall(r"\S+ ?", wish):
                console.send(word)  # more than 20 characters in one read are a paste
                time.sleep(0.3)
            console.send("\r")
            until(console, lambda: "press Y" in console.text(), "nothing was asked")
            assert "class C1" in console.text(), "a keeper lives, so it has an end"
            assert "ended by the running keeper" in console.text()
            time.sleep(1.0)  # whoever says yes has read it first
            console.send("Y")
            until(console, lambda: AWAY in metrics(own_fleet, "fraud-scorer"), "nothing was sent")
            until(console, lambda: countdown(console), "no countdown on the first screen")
            before = countdown(console) or 0
            until(console, lambda: (countdown(console) or 99) <= before - 2, "it stood still")
            assert "NO END" not in console.text()
            os.kill(console.pid, signal.SIGKILL)
        assert AWAY in metrics(own_fleet, "fraud-scorer"), "it outlives the console"
        deadline = time.monotonic() + HELD_SECONDS + 30.0
        while AWAY in metrics(own_fleet, "fraud-scorer"):
            assert time.monotonic() < deadline, "the keeper never returned the traffic"
            time.sleep(0.2)
        assert ("route", "primary") in metrics(own_fleet, "fraud-scorer")
        assert "ended: fallback fraud-scorer" in keeper.stdout.readline()
    finally:
        keeper.terminate()
        keeper.communicate(timeout=10)
    assert "nothing is held" in run("overrides", *config).err
    assert run("journal", "verify", *config).code == 0
