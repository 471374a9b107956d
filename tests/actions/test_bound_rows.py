"""An action goes to the row that was shown: control, row and server agree, or nothing is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from console.actions.fleet_view import FleetView, find_target
from console.actions.verbs import VERBS
from console.controls.registry import build_controls
from console.domain.action import ActionRefused, Override
from console.domain.entry import EntryDraft
from console.domain.model import ModelRow
from console.domain.snapshot import Snapshot
from console.evaluation.override_rows import bind_overrides
from console.evaluation.row_identity import bound_name, rows_named
from console.journal import Question, gather_who, open_journal
from console.journal.override_log import fold_overrides
from console.settings.schema import ControlSettings, ModelSettings, Settings

TRITON = ModelRow(
    "fraud/triton", profile="triton", source="eu", label="fraud", id="fraud@eu:triton"
)
MLSERVER = ModelRow(
    "fraud/mlserver", profile="mlserver", source="eu", label="fraud", id="fraud@eu:mlserver"
)
CONTROL = ControlSettings(
    driver="http",
    preset="triton",
    kind="breaker",
    targets=("http://127.0.0.1:1",),
    vars={"model": "fraud"},
    allow_plaintext=True,
)


def view(settings: Settings, *rows: ModelRow) -> FleetView:
    snapshot = Snapshot(
        environment="test",
        taken_at=0.0,
        tick=1,
        rows=rows,
        columns={},
        severities=np.zeros(len(rows), dtype=np.uint8),
        order=np.arange(len(rows)),
        index={row.model: at for at, row in enumerate(rows)},
    )
    return FleetView(settings, snapshot, 0.0)


def refusal(settings: Settings, name: str, *rows: ModelRow) -> tuple[str, str]:
    with pytest.raises(ActionRefused) as refused:
        find_target(name, VERBS["trip"], view(settings, *rows), build_controls(settings, None))
    (guard,) = refused.value.guards
    return guard.id, guard.sentence


def test_a_name_that_several_rows_bear_is_refused_with_the_list() -> None:
    guard, sentence = refusal(Settings(), "fraud", TRITON, MLSERVER)
    assert guard == "ambiguous_target"
    assert "fraud/triton, fraud/mlserver" in sentence


def test_a_declaration_that_fits_several_rows_lends_its_controls_to_none() -> None:
    settings = Settings(
        models={"fraud": ModelSettings(controls={"breaker": "b"})}, controls={"b": CONTROL}
    )
    rows = [
        ModelRow(row.model, profile=row.profile, label="fraud", claimed="fraud")
        for row in (TRITON, MLSERVER)
    ]
    guard, sentence = refusal(settings, "fraud/triton", *rows)
    assert guard == "ambiguous_declaration"
    assert "fits fraud/triton, fraud/mlserver" in sentence


def test_a_control_of_another_kind_of_server_is_refused_with_both_names() -> None:
    declared = ModelSettings(controls={"breaker": "b"})
    settings = Settings(models={"fraud": declared}, controls={"b": CONTROL})
    row = ModelRow("fraud", profile="mlserver", server="ml", source="eu", label="fraud")
    guard, sentence = refusal(settings, "fraud", row)
    assert guard == "other_server"
    assert "acts on triton or kserve" in sentence
    assert "served by mlserver, ml (source eu)" in sentence
    mine = ModelRow("fraud", profile="triton", label="fraud")
    controls = build_controls(settings, None)
    assert find_target("fraud", VERBS["trip"], view(settings, mine), controls).name == "fraud"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fraud/triton", (0,)),
        ("fraud@eu:mlserver", (1,)),
        ("fraud", (0, 1)),
        ("fraud/mlserver/eu", (1,)),
        ("fraud/eu", (0, 1)),
        ("fraud/us", ()),
        ("", ()),
    ],
)
def test_people_name_rows_by_what_is_shown_or_by_all_they_know(
    text: str, found: tuple[int, ...]
) -> None:
    assert rows_named((TRITON, MLSERVER), text) == found


def test_what_was_written_binds_by_id_then_by_name_while_that_is_unique() -> None:
    rows = (TRITON, MLSERVER)
    assert bound_name("fraud", "fraud@eu:triton", rows) == "fraud/triton"
    assert bound_name("fraud", "", rows) == "fraud", "nobody's, while two bear the name"
    assert bound_name("fraud", "", rows[:1]) == "fraud/triton", "an entry from before ids"
    renamed = ModelRow("score", label="score", id="fraud@eu:triton")
    assert bound_name("fraud", "fraud@eu:triton", (renamed,)) == "score"
    gone = ModelRow("fraud", label="fraud", id="fraud@west:triton")
    assert bound_name("fraud", "fraud@eu:triton", (gone,)) == "fraud", "its source was renamed"


def test_an_override_keeps_its_row_when_a_namesake_takes_the_name(tmp_path: Path) -> None:
    who = gather_who("ana", "test", {})
    journal = open_journal(f"sqlite:///{tmp_path / 'j.db'}", who=who)
    try:
        journal.append(EntryDraft(kind="note", at=1.0, target="fraud", why="before any row"))
        journal.name_rows({"fraud": "fraud@eu:triton"})
        begun = EntryDraft(kind="override", at=2.0, target="fraud", op_id="A", action="trip")
        journal.append(begun)
        first, then = journal.entries(Question())[-2:]
        assert "row" not in first.details
        assert then.details["row"] == "fraud@eu:triton"
        (held,) = fold_overrides(journal.entries(Question()))
    finally:
        journal.close()
    assert isinstance(held, Override)
    assert [one.target for one in bind_overrides((held,), (TRITON, MLSERVER))] == ["fraud/triton"]
