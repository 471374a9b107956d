"""The registry is one consistent list, and the gate holds over all of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.actions.gate import allowed, refusal
from console.actions.keys_doc import document
from console.actions.registry import ACTIONS, BY_ID, GROUPS
from console.actions.spec import ActionContext, ActionSpec, Danger

ROOT = Path(__file__).resolve().parents[2]


def test_ids_and_commands_are_unique() -> None:
    assert len(BY_ID) == len(ACTIONS)
    commands = [spec.command for spec in ACTIONS if spec.command]
    assert len(commands) == len(set(commands))


@pytest.mark.parametrize("spec", ACTIONS, ids=lambda spec: spec.id)
def test_every_action_says_what_it_does(spec: ActionSpec) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)?", spec.id)
    assert spec.title
    assert spec.tooltip.endswith(".")
    assert spec.group in GROUPS
    assert spec.places
    assert spec.keys or spec.command


def test_this_version_only_looks() -> None:
    assert [spec.id for spec in ACTIONS if spec.writes] == []
    for spec in ACTIONS:
        assert not any(key.isupper() for key in spec.keys), "capitals are for writing actions"


@pytest.mark.parametrize("spec", ACTIONS, ids=lambda spec: spec.id)
@pytest.mark.parametrize("danger", ["C0", "C1", "C2", "C3"])
def test_the_gate_refuses_writing_actions_when_read_only(spec: ActionSpec, danger: Danger) -> None:
    writing = replace(spec, danger=danger)
    assert "read-only" in str(allowed(writing, "read_only"))
    assert refusal(writing, "read_only", ActionContext(row_count=9)) == allowed(
        writing, "read_only"
    )
    assert allowed(writing, "armed") is None
    assert allowed(writing, "open") is None
    assert allowed(spec, "read_only") is None


def test_reasons_against_an_action_are_sentences() -> None:
    empty = ActionContext(row_count=0)
    assert refusal(BY_ID["model.open"], "read_only", empty) == "there is no model to act on yet"
    assert refusal(BY_ID["order.apply"], "read_only", empty) == "no rows are waiting to move"
    assert refusal(BY_ID["view.next"], "read_only", empty) == "Next view is not for this screen"
    assert refusal(BY_ID["model.open"], "read_only", ActionContext(row_count=1)) is None


def test_docs_are_fresh() -> None:
    assert (ROOT / "docs" / "keys.md").read_text("utf-8") == document(), (
        "run python -m console.actions.keys_doc"
    )


def test_actions_load_no_textual() -> None:
    code = (
        "import sys, console.actions.keymap, console.actions.commands, console.actions.gate;"
        "sys.exit(any(name.split('.')[0] in ('textual', 'rich', 'numpy') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
