"""One setting decides whether anything may change the world, over everything that can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.actions.registry import ACTIONS
from console.actions.verbs import VERBS
from console.actions.write_gate import WRITES, WRITES_BY_VERB, allowed, mode_of_command, require
from console.cli.command_table import COMMANDS
from console.domain.action import WritesNotAllowed
from console.settings.schema import Settings

if TYPE_CHECKING:
    from console.actions.spec import ActionSpec

ROOT = Path(__file__).resolve().parents[2]


def test_every_verb_stands_behind_the_gate() -> None:
    assert set(VERBS) <= set(WRITES_BY_VERB)
    assert {spec.command for spec in WRITES} - set(VERBS) == {"end", "renew", "undo", "decide"}
    assert all(spec.writes for spec in WRITES)
    assert {spec.danger for spec in WRITES} == {"C1", "C2"}


def test_no_two_actions_share_id_key_or_command() -> None:
    every = (*ACTIONS, *WRITES) if not any(spec.writes for spec in ACTIONS) else ACTIONS
    assert len({spec.id for spec in every}) == len(every)
    for place in {place for spec in every for place in spec.places} - {"anywhere"}:
        keys = [key for spec in every if spec.in_place(place) for key in spec.keys]
        assert len(keys) == len(set(keys)), place
    commands = [spec.command for spec in every if spec.command]
    assert len(commands) == len(set(commands))


@pytest.mark.parametrize("spec", WRITES, ids=lambda spec: spec.command)
def test_the_gate_holds_for_each(spec: ActionSpec) -> None:
    assert "read-only" in str(allowed(spec, "read_only"))
    with pytest.raises(WritesNotAllowed):
        require(spec.command, "read_only")
    require(spec.command, "armed")
    require(spec.command, "open")


def test_never_cannot_be_raised_by_a_command() -> None:
    assert mode_of_command(Settings(writes="never")) == "read_only"
    assert mode_of_command(Settings(writes="armed")) == "armed"


def test_every_verb_people_are_promised_is_a_command() -> None:
    promised = {"trip", "half-open", "reset", "fallback", "human", "restore", "rollback"}
    promised |= {"threshold", "overrides", "renew", "end", "undo", "approve", "keep", "drill"}
    assert promised <= set(COMMANDS)


def test_acting_loads_neither_textual_nor_pandas_nor_numpy() -> None:
    code = (
        "import sys, console.actions.executor, console.actions.ttl_controller;"
        "import console.actions.drill;"
        "bad = {'textual', 'rich', 'numpy', 'pandas', 'httpx', 'sqlite3'};"
        "sys.exit(', '.join(bad & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_verb_that_a_confirmation_names_is_a_command() -> None:
    """`disable` and `watch` had none, though confirmations and approvals printed them."""
    assert set(VERBS) <= set(COMMANDS)
    assert {spec.command for spec in WRITES} <= set(COMMANDS)
