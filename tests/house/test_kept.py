"""What the program wrote before its modules moved is read as ever: journal, configuration, JSON."""

import json
import shutil
from pathlib import Path

import jsonschema

from console.domain.entry import Who
from console.journal import open_journal
from console.settings.load import Flags, load

KEPT = Path(__file__).parent / "kept"
SCHEMA = Path(__file__).parents[2] / "docs" / "status.schema.json"
ANA = Who(name="ana", name_source="operator.name", os_user="ana", uid=1001, host="ops-1", pid=42)


def test_a_journal_of_before_is_whole_and_says_what_it_said(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    shutil.copyfile(KEPT / "journal.db", path)
    path.chmod(0o600)
    journal = open_journal(f"sqlite:///{path}", who=ANA, environment="prod", read_only=True)
    try:
        head = journal.head()
        assert head is not None
        assert (head.seq, head.hash[:12]) == (7, "e41e93c6941f")
        assert journal.verify().ok
        kinds = [entry.kind for entry in journal.entries()]
        assert sorted(kinds) == sorted(
            ["segment", "note", "intent", "outcome", "note", "intent", "outcome"]
        )
    finally:
        journal.close()


def test_a_configuration_of_before_is_taken_without_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    shutil.copyfile(KEPT / "configuration.toml", path)
    path.chmod(0o600)
    shutil.copytree(SCHEMA.parent / "refs", tmp_path / "docs" / "refs")
    loaded = load(Flags(config=path), {"HOME": str(tmp_path)})
    assert loaded.settings.sources
    assert loaded.settings.models


def test_a_status_document_of_before_fits_the_schema_of_now() -> None:
    document = json.loads((KEPT / "status.json").read_text("utf-8"))
    jsonschema.validate(document, json.loads(SCHEMA.read_text("utf-8")))
    assert document["schema"] == "midwatch.status/1"
