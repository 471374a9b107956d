"""What is in force, for scripts and for people who listen."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema

from console.domain.action import Override
from console.domain.entry import BrokenEntry, Record
from console.domain.snapshot import Snapshot
from console.reports.plain import plain, table
from console.reports.status import as_json, document, schema
from tests.support.overrides import fallback, held
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW, sample_snapshot

OPEN = Record("open", "/var/lib/midwatch/journal.db", read_at=SAMPLE_NOW, head_seq=43)


def night(*overrides: Override, record: Record = OPEN, planned: tuple[str, ...] = ()) -> Snapshot:
    sample = sample_snapshot()
    rows = frozenset(sample.index[name] for name in planned)
    return replace(sample, overrides=overrides, record=record, planned=rows)


def test_the_document_lists_overrides_at_the_top_and_by_model() -> None:
    on_store = held("dep:vector-db", op_id="OP7", ends_at=None, enforced_by="nobody")
    snapshot = night(held(), fallback(), on_store, planned=("doc-extract",))
    found = json.loads(as_json(document(snapshot)))
    jsonschema.Draft202012Validator(schema()).validate(found)
    assert [each["op"] for each in found["overrides"]] == [
        "OP7", held().op_id, fallback().op_id,
    ]  # fmt: skip
    toxicity = next(each for each in found["models"] if each["model"] == "toxicity")
    assert [each["target"] for each in toxicity["overrides"]] == ["dep:vector-db", "toxicity"]
    assert toxicity["overrides"][1] == {
        "op": held().op_id, "verb": "trip", "target": "toxicity", "wanted": "FORCED_OPEN",
        "by": "li", "reason": "provider bug", "incident": None,
        "began_at": "2026-10-22T02:39:13Z", "ends_at": "2026-10-22T02:59:13Z",
        "left_seconds": 720.5, "state": "in force", "ends_in": "half-open",
        "enforced_by": "service", "certain": True, "lost": None, "drill": False,
    }  # fmt: skip
    assert found["overrides"][0]["ends_at"] is None
    assert found["overrides"][0]["state"] == "no end"
    doc = next(each for each in found["models"] if each["model"] == "doc-extract")
    assert doc["planned"] is True
    assert toxicity["planned"] is False
    assert found["journal"]["state"] == "open"
    assert found["journal"]["head_seq"] == 43


def test_a_record_that_cannot_be_read_says_so_in_the_document() -> None:
    lost = Record(
        "unreadable", "/j", "the disk is gone", SAMPLE_NOW, 9, broken=(BrokenEntry(7, "edited"),)
    )
    found = json.loads(as_json(document(night(held(), record=lost))))
    jsonschema.Draft202012Validator(schema()).validate(found)
    assert found["journal"] == {
        "state": "unreadable", "place": "/j", "read_at": "2026-10-22T02:47:13Z", "head_seq": 9,
        "error": "the disk is gone", "broken": [7], "keeper": None,
    }  # fmt: skip
    assert len(found["overrides"]) == 1


def test_hostile_names_stay_data() -> None:
    overrides = tuple(
        held(name, op_id=f"OP{number}", by=name, reason=name)
        for number, name in enumerate(HOSTILE_NAMES)
    )
    snapshot = night(*overrides)
    jsonschema.Draft202012Validator(schema()).validate(json.loads(as_json(document(snapshot))))
    for text in (plain(snapshot), as_json(document(snapshot))):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert sum(line.startswith("in force: ") for line in plain(snapshot).splitlines()) == len(
        HOSTILE_NAMES
    )


def test_plain_tells_each_override_in_a_line_and_the_count_first() -> None:
    lines = plain(night(held(), fallback(), planned=("toxicity",))).splitlines()
    assert lines[0].endswith("in force 2 next 12m")
    assert 'in force: toxicity F-OP by li "provider bug" 02:39, ends in 12m → half-open.' in lines
    assert any(" planned toxicity " in line for line in lines)


def test_plain_of_one_model_tells_its_own_overrides() -> None:
    snapshot = night(held(), fallback())
    text = plain(snapshot, [snapshot.index["doc-extract"]])
    assert "in force: doc-extract" in text
    assert "in force: toxicity" not in text


def test_what_is_not_known_is_not_called_nothing() -> None:
    lost = Record("unreadable", sentence="the disk is gone")
    lines = plain(night(record=lost)).splitlines()
    assert lines[0].endswith("in force ?")
    assert lines[-1].startswith("in force is not known: journal UNREADABLE")


def test_the_table_marks_planned_rows() -> None:
    snapshot = night(fallback(), planned=("kyc-vision",))
    line = next(each for each in table(snapshot).splitlines() if "kyc-vision" in each)
    assert line.startswith("m ")


def test_the_schema_names_what_scripts_hold_on_to() -> None:
    text = (Path(__file__).parents[2] / "docs" / "status.schema.json").read_text("utf-8")
    promised = json.loads(text)["$defs"]["OverrideReport"]["required"]
    assert {"op", "target", "by", "reason", "ends_at", "state", "enforced_by"} <= set(promised)
