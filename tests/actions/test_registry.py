"""The registry is one consistent list, and the gate holds over all of it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from console.actions.keys_doc import document
from console.actions.record_actions import ACCEPT, CARE_WRITES, WRITE
from console.actions.registry import ACTIONS, BY_ID, GROUPS
from console.actions.spec import ActionContext, ActionSpec, Danger
from console.actions.verbs import VERBS
from console.actions.write_actions import WRITES
from console.actions.write_gate import ARMED_SECONDS, Arming, allowed, refusal
from console.cli.command_table import COMMANDS
from console.domain.incident import CareVerb

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


def test_every_write_of_the_gate_is_in_the_registry_and_nothing_else_writes() -> None:
    assert [spec for spec in ACTIONS if spec.writes] == [*WRITES, *CARE_WRITES, WRITE, ACCEPT]
    assert {spec.command for spec in WRITES} == {*VERBS, "end", "renew", "undo", "decide"}
    for spec in WRITES:
        # Taking a breaker out of use altogether is nothing for a script.
        assert spec.command in {*COMMANDS, "disable", "watch"}
        known = VERBS.get(spec.command)
        if known is not None:
            assert spec.danger == known.confirm_class


def test_capitals_are_for_writes_and_their_records() -> None:
    for spec in ACTIONS:
        if any(len(key) == 1 and key.isupper() for key in spec.keys):
            assert spec.writes or spec.id in ("overrides", "journal", "incidents", "readiness")
    destructive = {spec.command for spec in WRITES if spec.keys and spec.keys[0].islower()}
    assert destructive == {"undo"}


def test_what_people_do_about_an_incident_is_class_c0_and_passes_the_gate() -> None:
    assert {spec.danger for spec in CARE_WRITES} == {"C0"}
    verbs = {verb for verb in get_args(CareVerb) if verb not in ("undo", "change")}
    assert {spec.command for spec in CARE_WRITES} == verbs
    for spec in CARE_WRITES:
        said = str(refusal(spec, "read_only", ActionContext(incident="4b1c", incident_count=1)))
        assert said == f"{spec.title} changes the record and this session is read-only"
        here = ActionContext(place=min(spec.places), incident="4b1c", incident_count=1)
        assert refusal(spec, "armed", here) is None


def test_without_an_incident_the_reason_says_what_to_do() -> None:
    ack = BY_ID["care.ack"]
    row = ActionContext(model="fraud-scorer", row_count=9)
    assert refusal(ack, "armed", row) == "no incident touches fraud-scorer; I lists all"
    two = replace(row, incident_count=2)
    assert "2 incidents touch fraud-scorer: i lists them" in str(refusal(ack, "armed", two))
    assert refusal(BY_ID["incident.open"], "read_only", two) is None
    assert refusal(ack, "armed", replace(row, argument="4b1c")) is None
    assert refusal(ack, "armed", ActionContext(place="incidents")) == "no incident is listed"
    assert "set runbook" in str(refusal(BY_ID["runbook"], "read_only", row))


def test_an_arming_runs_out_by_itself() -> None:
    armed = Arming("armed").switched(1000.0)
    assert armed.mode(1000.0) == "armed"
    assert armed.left_seconds(1060.0) == ARMED_SECONDS - 60.0
    assert armed.mode(1000.0 + ARMED_SECONDS) == "read_only"
    assert armed.switched(1100.0).mode(1100.0) == "read_only"
    assert Arming("never", 1e12).mode(0.0) == "read_only"
    assert "never" in Arming("never").fixed
    assert Arming("open").mode(0.0) == "open"


def test_why_a_write_cannot_be_asked_for() -> None:
    trip, undo, arm = BY_ID["act.trip"], BY_ID["act.undo"], BY_ID["arm"]
    here = ActionContext(row_count=3, unable={"trip": "nothing declared can trip it"})
    assert refusal(trip, "armed", here) == "nothing declared can trip it"
    assert refusal(trip, "armed", replace(here, marked_count=2)) is None
    assert refusal(trip, "armed", replace(here, argument="dep:feature-store-eu")) is None
    here = replace(here, model="price-opt", unable={**here.unable, "threshold": "no threshold"})
    assert refusal(trip, "armed", replace(here, argument="fraud-scorer --ttl 1h")) is None
    for argument in ("price-opt", "--reason why"):
        assert refusal(trip, "armed", replace(here, argument=argument)) is not None
    threshold = BY_ID["act.threshold"]
    assert refusal(threshold, "armed", replace(here, argument="0.7")) == "no threshold"
    assert refusal(threshold, "armed", replace(here, argument="fraud-scorer 0.7")) is None
    assert refusal(trip, "armed", ActionContext()) == "there is no model to act on yet"
    assert refusal(undo, "armed", ActionContext(unwritable="starting")) == "starting"
    assert refusal(undo, "armed", ActionContext()) is None
    assert refusal(arm, "read_only", replace(here, unarmable="writes are barred")) == (
        "writes are barred"
    )


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
    assert (allowed(spec, "read_only") is None) == (not spec.writes)


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
        "import sys, console.actions.keymap, console.actions.keymap, console.actions.write_gate;"
        "sys.exit(any(name.split('.')[0] in ('textual', 'rich', 'numpy') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
