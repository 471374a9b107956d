"""Wheel and sdist as they are built, and the wheel installed by every Python that is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from console.domain.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
MINORS = ("3.11", "3.12", "3.13")


def _run(*argv: str | Path, **environ: str) -> str:
    done = subprocess.run(
        [str(each) for each in argv],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "", **environ},
    )
    assert done.returncode == 0, f"{argv}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    return folder


def test_the_release_finds_nothing_wrong_with_what_is_built(dist: Path) -> None:
    assert "files" in _run(sys.executable, ".ci/check_dist.py", VERSION, dist)


def test_the_notes_of_a_release_come_from_the_changelog() -> None:
    text = _run(sys.executable, ".ci/notes.py", VERSION)
    assert text.startswith(f"# Midwatch {VERSION}\n")
    assert "### Added" in text


@pytest.mark.parametrize("minor", MINORS)
def test_the_wheel_installs_and_runs(minor: str, dist: Path, tmp_path: Path) -> None:
    python = shutil.which(f"python{minor}")
    usable = python is not None and not subprocess.run(
        [python, "-c", "import ensurepip, venv"], capture_output=True, check=False
    ).returncode  # fmt: skip
    if python is None or not usable:
        pytest.skip(f"there is no usable python{minor} here")
    place = tmp_path / "venv"
    _run(python, "-m", "venv", place)
    (wheel,) = dist.glob("*.whl")
    _run(place / "bin" / "pip", "install", "--no-deps", "--quiet", wheel)
    program = place / "bin" / "midwatch"
    assert _run(program, "--version") == f"midwatch {VERSION}\n"
    assert (place / "share" / "man" / "man1" / "midwatch.1").exists()
    assert (place / "share" / "zsh" / "site-functions" / "_midwatch").exists()
    installed = next(place.glob("lib/python*/site-packages/console"))
    assert (installed / "py.typed").exists()
    assert list((installed / "__pycache__").glob("launch.*.pyc")), "no byte code was made"
    if minor == f"{sys.version_info.major}.{sys.version_info.minor}":
        # What it depends on is at hand for this Python alone.
        packages = str(Path(msgspec.__file__).parents[1])
        shown = _run(program, "help", "trip", PYTHONPATH=packages)
        assert "exit codes:" in shown
