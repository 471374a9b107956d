"""Fixtures every room's tests share."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine is slow at times, which says nothing of the code; in CI the same examples are
# tried each time, so that a red run is a finding and not a draw.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


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
    """Return a TCP port that was free on loopback a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the operator's own configuration and state out of every test."""
    for name in list(os.environ):
        if name.startswith("MIDWATCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg-config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg-cache"))
