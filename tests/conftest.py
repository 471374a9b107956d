"""Fixtures every room's tests share."""

import itertools
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine is slow at times, which says nothing of the code; in CI the same examples are
# tried each time, so that a red run is a finding and not a draw.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

# A shell that starts the tests in the background has SIGINT ignored, and so would every program
# they start: the tests of an interrupt would wait for nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)

WORKERS = 4
FIRST_PORT, PORTS_EACH = 20_000, 3_000
"""Below the ports the kernel gives to outgoing connections (32768 on Linux)."""


def _ports() -> Iterator[int]:
    """Go round the ports of this worker, from a place that differs from run to run."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    start = os.getpid() * 37 % PORTS_EACH
    for step in itertools.count():
        yield FIRST_PORT + worker * PORTS_EACH + (start + step) % PORTS_EACH


_candidates = _ports()


def require_binary(*names: str) -> str:
    """Return the path of the first of ``names`` that is installed.

    Without it the test skips by name; in CI (``CI=true``) a missing binary is a failure,
    because a run that silently tests nothing is worse than a red one.
    """
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    message = f"needs the program {' or '.join(names)}, which is not on PATH"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """Return a TCP port that was free on loopback a moment ago, and that no other worker takes."""
    for port in itertools.islice(_candidates, PORTS_EACH):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    message = "no free port on loopback"
    raise RuntimeError(message)


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the operator's own configuration and state out of every test."""
    for name in list(os.environ):
        if name.startswith("MIDWATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MIDWATCH_DISCOVERY", "0")  # What else runs here is no test's business.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg-cache"))
