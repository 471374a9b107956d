"""The pages about the inside are true: files exist, hold what is named, and two recipes work."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_site import part_of

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
EXTENDING = (ROOT / "docs" / "extending.md").read_text("utf-8")
LONGEST_WALK = 24


def names_in(path: Path) -> set[str]:
    """Return every function, class and assigned name of a module, however deep."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Assign():
                found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def named(text: str) -> list[tuple[str, str]]:
    """Return (file, name) wherever a name in code marks follows a file in code marks."""
    return re.findall(r"`((?:console|widgets|themes)/[\w/]+\.py)`(?: \|)? `([A-Za-z_]\w*)`", text)


@pytest.mark.parametrize("text", [ARCHITECTURE, EXTENDING], ids=["architecture", "extending"])
def test_every_file_that_is_named_is_there(text: str) -> None:
    paths = re.findall(r"`((?:console|widgets|themes|tests)/[\w/]*(?:\.py)?)`", text)
    assert len(paths) > 10
    assert [each for each in paths if "NAME" not in each and not (ROOT / each).exists()] == []
    modules = re.findall(r"python -m (console[\w.]+)", text)
    missing = [each for each in modules if not (ROOT / f"{each.replace('.', '/')}.py").exists()]
    assert missing == []


def test_every_name_stands_in_the_file_that_is_named_with_it() -> None:
    pairs = named(ARCHITECTURE)
    assert len(pairs) > 40
    assert [(file, name) for file, name in pairs if name not in names_in(ROOT / file)] == []


def test_twenty_questions_have_a_file() -> None:
    rows = [
        line
        for line in part_of(ARCHITECTURE, "## Where do I find …").splitlines()
        if line.startswith("| ") and not line.startswith(("| question", "| ---"))
    ]
    assert len(rows) >= 20
    assert all(len(named(row)) == 1 for row in rows)


@pytest.mark.parametrize(
    "heading", ["### `midwatch status --json`", "### `F`, `Y`, to the outcome line"]
)
def test_a_walk_is_short_enough_to_be_walked(heading: str) -> None:
    lines = [line for line in part_of(ARCHITECTURE, heading).splitlines() if line.strip()]
    assert 10 <= len(lines) <= LONGEST_WALK


def test_every_room_is_in_the_table() -> None:
    rooms = {path.parent.name for path in (ROOT / "console").glob("*/__init__.py")}
    told = set(re.findall(r"^\| `console/(\w+)`", ARCHITECTURE, flags=re.MULTILINE))
    assert rooms == told


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the product that a recipe may change."""
    for room in ("console", "widgets", "themes"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def python(tree: Path, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "HOME": str(tree)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_model_server_is_one_file(tree: Path) -> None:
    (recipe,) = re.findall(r"```toml\n(.*?)```", part_of(EXTENDING, "## A model server"), re.DOTALL)
    (tree / "console/metrics/profiles/echo.toml").write_text(recipe)
    shown = python(
        tree,
        "from console.metrics.profile import discovery_promql, profile_of_metric, profiles\n"
        "print('echo' in profiles(), profile_of_metric('echo_requests_total').title)\n"
        "print('echo_requests_total' in discovery_promql())\n",
    )
    assert shown == "True Echo server\nTrue\n"


def test_a_rule_is_one_function_and_one_line(tree: Path) -> None:
    path = tree / "console/evaluation/rules/quality.py"
    text = path.read_text("utf-8")
    listed = re.search(r"^(\w*RULES) = \(\n", text, re.MULTILINE)
    assert listed is not None
    rule = (
        "    Rule(\n"
        '        "never_asked", Severity.S4, "nothing was ever asked", ("requests_rate",),\n'
        "        lambda evidence: certain(evidence.mask([])),\n"
        "        lambda evidence, row: 'never asked',\n"
        "    ),\n"
    )
    path.write_text(text[: listed.end()] + rule + text[listed.end() :], "utf-8")
    shown = python(
        tree,
        "from console.evaluation.rules.rule_list import POSITION, RULES\n"
        "print(RULES[POSITION['never_asked']].level.label)\n"
        "from console.evaluation.rules import rules_doc\n",
    )
    assert shown == "S4\n"
