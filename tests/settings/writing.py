"""Writing a configuration into a file and loading it."""

import shutil
from pathlib import Path

import pytest

from console.settings.load import Flags, Loaded, SettingsError, load
from console.settings.problems import Problem

SOURCE = '[[sources]]\nname = "a"\nkind = "prometheus"\n'


ROOT = Path(__file__).parents[2]
REFERENCES = "docs/refs"
"""Where the sample looks for its reference file, beside itself."""


def put_references(directory: Path) -> None:
    """Put the reference files the sample names beside a copy of it."""
    shutil.copytree(ROOT / REFERENCES, directory / REFERENCES, dirs_exist_ok=True)


def loaded(tmp_path: Path, text: str, **environ: str) -> Loaded:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    if f"{REFERENCES}/" in text and not (tmp_path / REFERENCES).exists():
        put_references(tmp_path)
    return load(Flags(config=path), {"HOME": str(tmp_path), **environ})


def faults(tmp_path: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    return caught.value.problems


def one_fault(tmp_path: Path, text: str) -> Problem:
    problems = faults(tmp_path, text)
    assert len(problems) == 1, caught_text(problems)
    return problems[0]


def caught_text(problems: tuple[Problem, ...]) -> str:
    return "\n".join(problem.render() for problem in problems)
